import { stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type DataFolder, writeServerRecord } from "./data-folder.ts";
import { LocalDatabaseError } from "./error.ts";
import { endServersOf } from "./orphan.ts";
import { identifyProcess } from "./process-identity.ts";
import type { Program } from "./programs.ts";
import { serverArguments, storagePath } from "./server-arguments.ts";
import { makePrimary, withServer } from "./server-client.ts";
import { lastLines, type ServerProcess, startServer } from "./server-process.ts";

/** All that a server is started with, again and again. */
export interface Run {
  readonly folder: DataFolder;
  readonly program: Program;
  readonly port: number;
  /** How clients reach it. */
  readonly uri: string;
  readonly signIn: boolean;
  readonly cacheMegabytes: number;
  readonly searchPath: string;
  readonly onStarted?: (() => void) | undefined;
}

/** A server may have to replay its journal first. */
export const READY_MS = 120_000;

/**
 * Starts a server and waits until it serves; one that is left with the same files is ended first.
 *
 * @throws LocalDatabaseError `not-ready`, `in-use`, `damaged`, `aborted`
 */
export async function startReady(run: Run, signal: AbortSignal | undefined, deadlineMs = READY_MS): Promise<ServerProcess> {
  try {
    return await startOnce(run, signal, deadlineMs);
  } catch (error) {
    const storage = storagePath(run.folder.path, run.program.kind);
    if (!(error instanceof LocalDatabaseError) || error.reason !== "in-use" || (await endServersOf(storage)) === 0) throw error;
    return await startOnce(run, signal, deadlineMs);
  }
}

async function startOnce(run: Run, signal: AbortSignal | undefined, deadlineMs: number): Promise<ServerProcess> {
  const { folder, program, port, uri, signIn, cacheMegabytes, searchPath } = run;
  const args = serverArguments({ kind: program.kind, folder: folder.path, port, signIn, cacheMegabytes });
  const logFrom = await stat(folder.log).then(
    ({ size }) => size,
    () => 0,
  );
  const server = await startServer({ program: program.path, args, folder: folder.path, logFile: folder.log, searchPath }).catch(
    (cause: Error) => {
      throw new LocalDatabaseError("no-program", `expected a program that can be run, got ${cause.message}`, { cause });
    },
  );
  run.onStarted?.();
  let how: string | null = null;
  void server.ended.then((told) => {
    how = told;
  });
  try {
    const startedAt = (await identifyProcess(server.pid))?.startedAt ?? "";
    await writeServerRecord(folder, { pid: server.pid, startedAt, port, program: program.path, args });
    const patience = { deadlineMs, signal, ended: () => how };
    await withServer(uri, port, patience, async (client) => {
      if (program.kind === "mongod") await makePrimary(client, port, patience);
    });
    return server;
  } catch (error) {
    await server.stop();
    throw await explain(error, how !== null, run, logFrom);
  }
}

/** Why a server has ended, by its own log. */
async function explain(error: unknown, ended: boolean, { folder }: Run, logFrom: number): Promise<unknown> {
  if (!ended || !(error instanceof LocalDatabaseError)) return error;
  const told = await lastLines(folder.log, logFrom, 12);
  const reason = REASONS.find(([pattern]) => pattern.test(told))?.[1] ?? error.reason;
  return new LocalDatabaseError(reason, `${error.message}; the end of ${folder.log}:\n${told}`, { cause: error });
}

const REASONS = [
  [/being managed by another process|Device or resource busy|DBPathInUse|Unable to (?:lock|create\/open) the lock file/i, "in-use"],
  [
    /WT_TRY_SALVAGE|WT_PANIC|checksum (?:error|mismatch)|corrupt|not a WiredTiger|unsupported WiredTiger file version|Detected unclean shutdown.*unsupported/i,
    "damaged",
  ],
] as const;

/** A server that is kept running. */
export interface Kept {
  /** Of the server that runs now, or ran last. */
  readonly pid: number;
  /** Ends it in order, and for good. */
  stop(): Promise<void>;
}

const FIRST_DELAY_MS = 50;
const LONGEST_DELAY_MS = 10_000;
/** A server that ran this long is not failing for the same reason as the time before. */
const SETTLED_MS = 60_000;

/** Starts the server again whenever it ends, the first time at once, then at growing distances. */
export function keepRunning(run: Run, first: ServerProcess, log: (line: string) => void): Kept {
  const stopping = new AbortController();
  let server: ServerProcess = first;
  let running = true;
  let delayMs = FIRST_DELAY_MS;

  async function startAgain(): Promise<void> {
    while (!stopping.signal.aborted) {
      await sleep(delayMs, undefined, { signal: stopping.signal }).catch(() => {});
      delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS);
      if (stopping.signal.aborted) return;
      try {
        server = await startReady(run, stopping.signal);
        running = true;
        log(`the database server is back as process ${server.pid}`);
        return;
      } catch (error) {
        if (!stopping.signal.aborted) log(`the database server could not be started again: ${(error as Error).message}`);
      }
    }
  }

  async function watch(): Promise<void> {
    while (!stopping.signal.aborted) {
      const since = Date.now();
      const how = await Promise.race([server.ended, aborted(stopping.signal)]);
      if (stopping.signal.aborted) return;
      running = false;
      if (Date.now() - since > SETTLED_MS) delayMs = FIRST_DELAY_MS;
      log(`the database server ${server.pid} has ended (${how}); it is started again`);
      await startAgain();
    }
  }

  const watching = watch();
  return {
    get pid() {
      return server.pid;
    },
    stop: async () => {
      stopping.abort();
      await watching;
      if (running) await server.stop();
      await writeServerRecord(run.folder, null);
    },
  };
}

function aborted(signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve("stopped"), { once: true });
  });
}
