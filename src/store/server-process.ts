import { spawn } from "node:child_process";
import { open, readFile, rename, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { identifyProcess } from "./process-identity.ts";

/** A server that runs: a child of this process, or the child of one that is gone. */
export interface ServerProcess {
  readonly pid: number;
  /** Settles once it has ended, with how, for people. Never rejects. */
  readonly ended: Promise<string>;
  /** Asks it to end and waits; after `graceMs` it is killed. */
  stop(graceMs?: number): Promise<void>;
}

/** What to run, and where its output goes. */
export interface ServerCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly folder: string;
  readonly logFile: string;
  /** Folders in which it finds programs of its own. */
  readonly searchPath: string;
}

const GRACE_MS = 30_000;
const POLL_MS = 200;
const LOG_LIMIT_BYTES = 16 * 1024 ** 2;

/** Starts a server. It is a group of its own, so that Ctrl-C in a terminal reaches callsift alone, which then stops it in order. */
export async function startServer({ program, args, folder, logFile, searchPath }: ServerCommand): Promise<ServerProcess> {
  await rotate(logFile);
  const log = await open(logFile, "a", 0o600);
  try {
    const child = spawn(program, [...args], {
      cwd: folder,
      detached: true,
      stdio: ["ignore", log.fd, log.fd],
      // Nothing else of ours: a variable of the environment could turn off what makes writes last.
      env: { PATH: searchPath, LC_ALL: "C.UTF-8" },
    });
    const ended = new Promise<string>((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("exit", (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
    });
    child.unref();
    if (child.pid === undefined) throw new Error(`${program}: ${await ended}`);
    return { pid: child.pid, ended, stop: (graceMs = GRACE_MS) => stop(child.pid as number, ended, graceMs) };
  } finally {
    await log.close();
  }
}

/** Watches a server that an earlier process has started. */
export function adoptServer(pid: number, startedAt: string): ServerProcess {
  const ended = untilGone(pid, startedAt);
  return {
    pid,
    ended,
    stop: async (graceMs = GRACE_MS) => {
      // Its number may be another's by now.
      if ((await identifyProcess(pid))?.startedAt === startedAt) await stop(pid, ended, graceMs);
    },
  };
}

async function untilGone(pid: number, startedAt: string): Promise<string> {
  while ((await identifyProcess(pid))?.startedAt === startedAt) await sleep(POLL_MS, undefined, { ref: false });
  return "it was not ours to wait for";
}

async function stop(pid: number, ended: Promise<unknown>, graceMs: number): Promise<void> {
  if (!signal(pid, "SIGTERM")) return;
  const late = new AbortController();
  const inTime = await Promise.race([ended.then(() => true), sleep(graceMs, false, { signal: late.signal }).catch(() => false)]);
  late.abort();
  if (inTime) return;
  signal(pid, "SIGKILL");
  await ended;
}

/** @returns false where there is no such process any more */
function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** One older log is kept. */
async function rotate(logFile: string): Promise<void> {
  const size = await stat(logFile).then(
    (found) => found.size,
    () => 0,
  );
  if (size > LOG_LIMIT_BYTES) await rename(logFile, `${logFile}.1`);
}

/** The last lines of a log, for messages. */
export async function lastLines(logFile: string, sinceByte: number, lines = 5): Promise<string> {
  const text = await readFile(logFile).then(
    (bytes) => bytes.subarray(sinceByte <= bytes.length ? sinceByte : 0).toString("utf8"),
    () => "",
  );
  return text.trim().split("\n").slice(-lines).join("\n").slice(-2000);
}
