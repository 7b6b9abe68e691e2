import { type Config, loadConfig } from "../config.ts";
import type { ErrorCode } from "../pipeline/errors.ts";
import { interruptible } from "./interruptible.ts";
import { ofStore, openLocal } from "./local-database.ts";
import { EXIT, type Terminal } from "./terminal.ts";

export interface StoreOptions {
  readonly data?: string;
  readonly port?: number;
}

/** `callsift store`: the local database alone, until it is told to stop. */
export async function storeCommand({ data, port }: StoreOptions, terminal: Terminal): Promise<number> {
  const config = loadConfig();
  return await interruptible(terminal, FAILURES, async (signal) => {
    const { stdout, stderr } = terminal;
    const log = (line: string): void => void stderr.write(`${line}\n`);
    await using database = await openLocal({ ...config, dataDir: data ?? config.dataDir }, { terminal, signal, log, port });
    const { program } = database;
    stderr.write(`${program.kind} ${program.version ?? ""} on port ${database.port}, process ${database.pid}; Ctrl-C stops it\n`);
    stdout.write(`${database.uri}\n`);
    await untilAborted(signal);
    return EXIT.done;
  });
}

export interface StoreFetchOptions {
  readonly from?: string;
  readonly requirements?: true;
}

/** `callsift store fetch`: a database program, ahead of time or from a file that was carried in. */
export async function storeFetchCommand({ from, requirements }: StoreFetchOptions, terminal: Terminal): Promise<number> {
  const { stdout, stderr } = terminal;
  if (requirements) {
    const { requirements: text } = await import("../store/secantus-requirements.ts");
    stdout.write(text());
    return EXIT.done;
  }
  const { cacheDir, searchPath } = loadConfig();
  return await interruptible(terminal, FAILURES, async (signal) => {
    const { fetchProgram } = await import("../store/fetch.ts");
    const onProgress = (line: string): void => void stderr.write(`${line}\n`);
    const program = await ofStore(fetchProgram({ cacheDir, searchPath, from, signal, onProgress }));
    stdout.write(`${program.kind}: ${program.path}\n${LICENCES[program.kind]}\n`);
    return EXIT.done;
  });
}

const SECANTUS_LICENCE = "Licence: SecantusDB is GPL-2.0-only; callsift runs it as a program of its own and is not linked with it.";
const LICENCES = {
  mongod: "Licence: MongoDB's Community build is under the Server Side Public License v1.",
  "secantusd-rs": SECANTUS_LICENCE,
  "secantusd-py": SECANTUS_LICENCE,
} as const;

export interface StoreDumpOptions {
  readonly uri?: string;
  readonly data?: string;
}

/**
 * The search's collections, each before those that it points to: a call's words say whether it is in a block, a tenant's set which blocks are in force, a
 * block which shards it has. All others may be read by name: `calls` comes before what is stored of a call.
 */
const SEARCH = ["searchWords", "searchSets", "searchBlocks", "searchShards"] as const;

/** `callsift store export`: every document, into a folder or one archive. */
export async function storeExportCommand(path: string, options: StoreDumpOptions, terminal: Terminal): Promise<number> {
  return await withUri(options, terminal, async (uri, signal) => {
    const { exportDatabase } = await import("../store/export.ts");
    const { collections } = await ofStore(exportDatabase(path, { uri, signal, last: SEARCH, onProgress: tell(terminal) }));
    terminal.stdout.write(`${countOf(collections)} written to ${path}\n`);
  });
}

export interface StoreImportOptions extends StoreDumpOptions {
  readonly resume?: true;
}

/** `callsift store import`: an export, into an empty database. */
export async function storeImportCommand(path: string, { resume, ...options }: StoreImportOptions, terminal: Terminal): Promise<number> {
  return await withUri(options, terminal, async (uri, signal) => {
    const { importDatabase } = await import("../store/import.ts");
    const { collections } = await ofStore(importDatabase(path, { uri, signal, resume, onProgress: tell(terminal) }));
    terminal.stdout.write(`${countOf(collections)} are as in ${path}\n`);
  });
}

const tell =
  ({ stderr }: Terminal) =>
  (line: string): void =>
    void stderr.write(`${line}\n`);

function countOf(collections: readonly { readonly documents: number }[]): string {
  return `${collections.reduce((sum, { documents }) => sum + documents, 0)} documents of ${collections.length} collections`;
}

/** Works with the database that is meant: by its address, else the local one of the data folder, which may be running. */
async function withUri(
  { uri, data }: StoreDumpOptions,
  terminal: Terminal,
  work: (uri: string, signal: AbortSignal) => Promise<void>,
): Promise<number> {
  const config = loadConfig();
  return await interruptible(terminal, FAILURES, async (signal) => {
    const address = uri ?? (data === undefined ? config.mongodbUri : null);
    if (address !== null) await work(address, signal);
    else await withLocal({ ...config, dataDir: data ?? config.dataDir }, terminal, signal, work);
    return EXIT.done;
  });
}

async function withLocal(
  config: Config,
  terminal: Terminal,
  signal: AbortSignal,
  work: (uri: string, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { findRunningDatabase } = await import("../store/join.ts");
  const running = await ofStore(findRunningDatabase(config.dataDir));
  if (running !== null) return await work(running, signal);
  await using database = await openLocal(config, { terminal, signal, log: tell(terminal) });
  await work(database.uri, signal);
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  // The timer keeps the process alive: the server itself does not.
  const timer = setInterval(() => {}, 60_000);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  clearInterval(timer);
}

/** The command was right, but the world was not. */
const FAILURES: ReadonlySet<ErrorCode> = new Set([
  "store/no-program",
  "store/in-use",
  "store/not-ready",
  "store/unreachable",
  "store/damaged",
]);
