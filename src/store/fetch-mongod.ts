import { fork } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { LocalDatabaseError, throwIfAborted } from "./error.ts";
import type { DownloadReport } from "./fetch-mongod-child.ts";
import { MONGOD_ARCHIVES, MONGOD_VERSION } from "./mongod-archives.ts";

/** How MongoDB's archive is fetched. */
export interface MongodDownload {
  /** Where it is put. */
  readonly folder: string;
  readonly onProgress: (line: string) => void;
  readonly signal: AbortSignal | undefined;
  /** For tests: the archives that may be taken, with their sha256. */
  readonly archives?: Readonly<Record<string, string>> | undefined;
  /** For tests: variables of the environment beside our own. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/** Nothing within this time: the host can't be reached, and another source is tried. */
const FIRST_BYTES_MS = 6000;
/** Then silence of this length. */
const NEXT_BYTES_MS = 30_000;
const TRIES = 3;

/**
 * Downloads MongoDB's archive for this machine and holds it to its sha256.
 *
 * @returns its path
 * @throws LocalDatabaseError `unreachable`, `damaged`, `no-program` where no build is known for this machine, `aborted`
 */
export async function downloadMongod(options: MongodDownload): Promise<string> {
  const archives = options.archives ?? MONGOD_ARCHIVES;
  const version = process.platform === "darwin" ? MONGOD_VERSION.darwin : MONGOD_VERSION.linux;
  const archive = await downloadWithTries(version, archives, options);
  const known = archives[archive.split("/").at(-1) ?? ""];
  const got = await sha256Of(archive, options.signal);
  if (got !== known) throw new LocalDatabaseError("damaged", `MongoDB ${version}: expected an archive of sha256 ${known}, got ${got}`);
  return archive;
}

async function downloadWithTries(version: string, archives: Readonly<Record<string, string>>, options: MongodDownload): Promise<string> {
  for (let tries = 1; ; tries++) {
    const { report, began } = await runChild(version, archives, options);
    throwIfAborted(options.signal);
    if ("archive" in report) return report.archive;
    if ("unknown" in report)
      throw new LocalDatabaseError("no-program", `MongoDB ${version}: expected a build whose hash is known, got ${report.unknown}`);
    // What has begun to come goes on from where it was cut.
    if (!began || tries === TRIES) throw new LocalDatabaseError("unreachable", `MongoDB ${version}: ${withoutAddresses(report.message)}`);
  }
}

interface Run {
  readonly report: DownloadReport;
  /** Some bytes came. */
  readonly began: boolean;
}

async function runChild(
  version: string,
  archives: Readonly<Record<string, string>>,
  { folder, onProgress, signal, env }: MongodDownload,
): Promise<Run> {
  const isSource = import.meta.url.endsWith(".ts");
  const program = fileURLToPath(new URL(isSource ? "./fetch-mongod-child.ts" : "./fetch-mongod-child.js", import.meta.url));
  const child = fork(program, [folder, version, JSON.stringify(Object.keys(archives))], {
    execArgv: isSource ? ["--import", import.meta.resolve("tsx")] : [],
    stdio: ["ignore", "pipe", "ignore", "ipc"],
    env: downloadEnvironment(env),
  });
  let report: DownloadReport = { message: "stopped without a word" };
  let began = false;
  const giveUp = (): void => {
    report = { message: began ? "the download stands still" : `no answer within ${FIRST_BYTES_MS / 1000} s` };
    child.kill("SIGKILL");
  };
  let timer = setTimeout(giveUp, FIRST_BYTES_MS);
  const stop = (): void => void child.kill("SIGKILL");
  signal?.addEventListener("abort", stop, { once: true });
  if (signal?.aborted) stop();
  child.on("message", (message) => {
    clearTimeout(timer);
    report = message as DownloadReport;
  });
  if (child.stdout)
    createInterface({ input: child.stdout }).on("line", (line) => {
      const progress = /([\d.]+)mb \/ ([\d.]+)mb/.exec(line);
      if (progress === null) return;
      began = true;
      clearTimeout(timer);
      timer = setTimeout(giveUp, NEXT_BYTES_MS);
      onProgress(`MongoDB ${version}: ${Math.round(Number(progress[1]))} of ${Math.round(Number(progress[2]))} MB`);
    });
  try {
    await new Promise<void>((resolve, reject) => child.once("error", reject).once("close", () => resolve()));
    return { report, began };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

function downloadEnvironment(more: Readonly<Record<string, string>> | undefined): NodeJS.ProcessEnv {
  return {
    // biome-ignore lint/style/noProcessEnv: handed on as it is (proxy, mirror, certificates), nothing of it is read here
    ...process.env,
    // mongodb-memory-server-core looks at the server's certificate only where npm was told to.
    npm_config_strict_ssl: "true",
    MONGOMS_MAX_RETRIES: "1",
    ...more,
  };
}

/** The sha256 of a file, as hex. */
export async function sha256Of(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash, signal ? { signal } : {});
  return hash.digest("hex");
}

/** An address may hold a password. */
export function withoutAddresses(text: string): string {
  return text
    .replace(/\b[a-z+]+:\/\/[^\s"']+/gi, "(address)")
    .replace(/\s+/g, " ")
    .slice(0, 300);
}
