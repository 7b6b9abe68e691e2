import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { CallsiftError, ERRORS, type ErrorCode } from "../pipeline/errors.ts";
import type { WeightsEngine } from "./catalogue.ts";

/** What the child says: how long it took, or what went wrong. */
export type LoadReport = { readonly loadMs: number } | { readonly code: string; readonly message: string };

export interface TryOptions {
  readonly signal?: AbortSignal | undefined;
  /** Default: two minutes. */
  readonly timeoutMs?: number;
  /** For tests: what is run instead. */
  readonly program?: string;
}

/**
 * Loads weights and hears one second of sound with them in a child process: what makes native code crash takes only that with it.
 *
 * @returns how long it took, ms
 * @throws CallsiftError `weights/foreign` (it crashed, or would not load in time), `weights/…`, `asr/…`, `aborted`
 */
export async function tryLoading(folder: string, engine: WeightsEngine, options: TryOptions = {}): Promise<number> {
  const { signal, timeoutMs = 120_000, program } = options;
  const isSource = import.meta.url.endsWith(".ts");
  const ours = new URL(isSource ? "./try-loading-child.ts" : "./try-loading-child.js", import.meta.url);
  const child = fork(program ?? fileURLToPath(ours), [engine, folder], {
    execArgv: isSource ? ["--import", import.meta.resolve("tsx")] : [],
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  let report: LoadReport | null = null;
  child.on("message", (message) => {
    report = message as LoadReport;
  });
  let isLate = false;
  const stop = (): void => void child.kill("SIGKILL");
  const timer = setTimeout(() => {
    isLate = true;
    stop();
  }, timeoutMs);
  signal?.addEventListener("abort", stop, { once: true });
  if (signal?.aborted) stop();
  try {
    const [exitCode, killedBy] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.on("error", reject).on("close", (code, name) => resolve([code, name]));
    });
    return judge(
      report,
      isLate ? `nothing within ${Math.round(timeoutMs / 1000)} s` : `a crash (${killedBy ?? `exit code ${exitCode}`})`,
      signal,
    );
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

function judge(report: LoadReport | null, otherwise: string, signal: AbortSignal | undefined): number {
  if (signal?.aborted) throw new CallsiftError("aborted", "stopped on request");
  if (report === null) throw new CallsiftError("weights/foreign", `expected weights that load, got ${otherwise}`);
  if ("loadMs" in report) return report.loadMs;
  throw new CallsiftError(Object.hasOwn(ERRORS, report.code) ? (report.code as ErrorCode) : "weights/foreign", report.message);
}
