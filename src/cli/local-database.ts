import type { Config } from "../config.ts";
import { CallsiftError, type ErrorCode } from "../pipeline/errors.ts";
import { LocalDatabaseError } from "../store/error.ts";
import type { LocalDatabase } from "../store/open.ts";
import type { Terminal } from "./terminal.ts";

export interface LocalDatabaseSettings {
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** Told what happens to the server later. */
  readonly log: (line: string) => void;
  readonly port?: number | undefined;
  readonly onStarted?: () => void;
}

/**
 * A MongoDB server of our own on the data folder.
 *
 * @throws CallsiftError `store/…`, `aborted`
 */
export async function openLocal(config: Config, { terminal, signal, log, port, onStarted }: LocalDatabaseSettings): Promise<LocalDatabase> {
  const { openLocalDatabase } = await import("../store/open.ts");
  return await ofStore(
    openLocalDatabase({
      dataDir: config.dataDir,
      port,
      programs: { mongodPath: config.mongodPath, searchPath: config.searchPath },
      cacheDir: config.cacheDir,
      cacheMegabytes: config.databaseCacheMegabytes,
      signal,
      onStarted,
      onProgress: (line) => terminal.stderr.write(`${line}\n`),
      log,
    }),
  );
}

const CODES = {
  "no-program": "store/no-program",
  "in-use": "store/in-use",
  "not-ready": "store/not-ready",
  unreachable: "store/unreachable",
  damaged: "store/damaged",
  aborted: "aborted",
} as const satisfies Record<LocalDatabaseError["reason"], ErrorCode>;

/** Waits for work of the store's, whose failures get codes of the table. */
export async function ofStore<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof LocalDatabaseError ? new CallsiftError(CODES[error.reason], error.message, { cause: error }) : error;
  }
}
