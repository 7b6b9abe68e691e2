import { SHARE_ENV, Worker, type WorkerOptions } from "node:worker_threads";

/**
 * Starts a thread of the same build: compiled, or as TypeScript where the caller runs as such (tests, benches). It has the process's own environment, by which native libraries
 * are told not to report anything.
 *
 * @param path of its file beside the caller's, without the ending
 * @param base the caller's `import.meta.url`
 */
export function startThread(path: string, base: string, options: Pick<WorkerOptions, "workerData" | "resourceLimits"> = {}): Worker {
  const all: WorkerOptions = { ...options, env: SHARE_ENV, execArgv: [] };
  if (!base.endsWith(".ts")) return new Worker(new URL(`${path}.js`, base), all);
  // A thread ignores `--import tsx`, so it registers the loader itself.
  const loader = import.meta.resolve("tsx/esm/api");
  const file = new URL(`${path}.ts`, base).href;
  return new Worker(`import(${JSON.stringify(loader)}).then(({ register }) => (register(), import(${JSON.stringify(file)})));`, {
    ...all,
    eval: true,
  });
}
