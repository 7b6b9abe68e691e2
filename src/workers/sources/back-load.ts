import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { basename, join, resolve, sep } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Unfinished } from "../../models/calls.ts";
import { CallsiftError, type ErrorCode, toCallsiftError } from "../../pipeline/errors.ts";
import type { CallMetadata } from "../../pipeline/types.ts";
import { hasRoom } from "../room.ts";
import { untilStored } from "../until-stored.ts";
import { type DoneFiles, openDoneFiles } from "./done-files.ts";
import { type FoundCall, findCalls } from "./found-call.ts";
import { readMetadataRows } from "./metadata-rows.ts";
import { createPace } from "./pace.ts";
import { markOf, type TakeInDeps, takeIn } from "./take-in.ts";

export interface BackLoadOptions extends Omit<TakeInDeps, "lane"> {
  readonly folder: string;
  /** A table with a column `file`; its rows come first, then what it does not name. */
  readonly table: string | null;
  /** Calls a second; null: as fast as they can be read. */
  readonly rate: number | null;
  readonly dataDir: string;
  readonly minFreeBytes: number;
  readonly enqueue: (work: Unfinished) => Promise<void>;
  readonly signal: AbortSignal;
  readonly onProgress?: (tally: BackLoadTally) => void;
  /** A call that was not taken, and why. */
  readonly onFault?: (name: string, code: ErrorCode, message: string) => void;
}

export interface BackLoadTally {
  /** Stored now. */
  imported: number;
  /** The same bytes were there already. */
  duplicates: number;
  /** Stored by an earlier run, not read again. */
  skipped: number;
  failed: number;
  /** Stored, though the name says something else than the pattern expects. */
  oddNames: number;
  bytes: number;
}

const AT_ONCE = 8;
const ROOM_MS = 5_000;

/** Stores all calls of a folder. It can be stopped at any moment and started again: what is stored is neither read nor stored twice. */
export async function backLoad(options: BackLoadOptions): Promise<BackLoadTally> {
  const { signal, onProgress } = options;
  const folder = resolve(options.folder);
  if (!(await stat(folder).catch(() => null))?.isDirectory())
    throw new CallsiftError("usage/invalid", `expected a folder of recordings, got ${options.folder}`);
  await using done = await openDoneFiles(doneListOf(options.dataDir, folder));
  const tally: BackLoadTally = { imported: 0, duplicates: 0, skipped: 0, failed: 0, oddNames: 0, bytes: 0 };
  const run: Run = { ...options, folder, done, tally, tableFailed: new Set(), pace: createPace(options.rate) };
  const calls = allCalls(run);
  const work = async (): Promise<void> => {
    for (;;) {
      if (signal.aborted) return;
      const { value, done: isEnd } = await calls.next();
      if (isEnd) return;
      await one(value, run);
      onProgress?.(tally);
    }
  };
  const results = await Promise.allSettled(Array.from({ length: AT_ONCE }, work));
  const failed = results.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
  return tally;
}

/** Where the list of what is stored of a folder lies. */
export function doneListOf(dataDir: string, folder: string): string {
  return join(dataDir, "imports", `${createHash("sha256").update(folder).digest("hex").slice(0, 16)}.done`);
}

interface Run extends BackLoadOptions {
  readonly done: DoneFiles;
  readonly tally: BackLoadTally;
  /** Calls whose row is wrong: without it they are not taken either. */
  readonly tableFailed: Set<string>;
  readonly pace: (signal: AbortSignal) => Promise<void>;
}

interface ToTake {
  readonly call: FoundCall;
  readonly row: CallMetadata;
}

async function* allCalls(run: Run): AsyncGenerator<ToTake, undefined> {
  const named = new Set<string>();
  if (run.table !== null) yield* tableCalls(run.table, run, named);
  for await (const call of findCalls(run.folder)) if (!named.has(call.name) && !run.tableFailed.has(call.name)) yield { call, row: {} };
}

async function* tableCalls(table: string, run: Run, named: Set<string>): AsyncGenerator<ToTake> {
  let byBaseName: Promise<Map<string, FoundCall>> | null = null;
  // A bare name may lie anywhere below the folder; it is looked for only where it does not lie in the folder itself.
  const anywhere = async (name: string): Promise<FoundCall | null> => {
    byBaseName ??= indexByBaseName(run.folder);
    return (await byBaseName).get(name) ?? null;
  };
  for await (const row of readMetadataRows(table, basename(table))) {
    const call = callAt(run.folder, row.file);
    const found = call && (await isFile(call.path)) ? call : await anywhere(row.file);
    if ("fault" in row || !found) {
      if (found) run.tableFailed.add(found.name);
      fault(
        run,
        row.file,
        "fault" in row
          ? row.fault
          : new CallsiftError("audio/not-found", `line ${row.line}: expected a recording of this name, found none`),
      );
    } else if (!named.has(found.name)) {
      named.add(found.name);
      yield { call: found, row: row.metadata };
    }
  }
}

/** null where the name leads out of the folder. */
function callAt(folder: string, name: string): FoundCall | null {
  const path = resolve(folder, name);
  return path.startsWith(folder + sep)
    ? {
        name: path
          .slice(folder.length + 1)
          .split(sep)
          .join("/"),
        path,
        legs: null,
      }
    : null;
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isFile() ?? false;
}

async function indexByBaseName(folder: string): Promise<Map<string, FoundCall>> {
  const index = new Map<string, FoundCall>();
  for await (const call of findCalls(folder)) index.set(basename(call.name), call);
  return index;
}

async function one({ call, row }: ToTake, run: Run): Promise<void> {
  const { done, tally, signal, enqueue, tenant } = run;
  try {
    const mark = await markOf(call);
    if (done.has(mark)) {
      tally.skipped++;
      return;
    }
    await run.pace(signal);
    await waitForRoom(run);
    if (signal.aborted) return;
    const taken = await untilStored(() => takeIn(call, row, { ...run, lane: "bulk" }, signal), signal);
    if (taken.duplicate) tally.duplicates++;
    else {
      tally.imported++;
      tally.bytes += mark.bytes;
      await enqueue({ id: taken.id, tenant, lane: "bulk", stage: "listen" });
    }
    if (taken.nameFault !== null) tally.oddNames++;
    await done.add(mark);
  } catch (error) {
    if (signal.aborted) return;
    fault(run, call.name, toCallsiftError(error));
  }
}

function fault({ tally, onFault }: Run, name: string, error: CallsiftError): void {
  if (error.code === "internal/bug") throw error.cause ?? error;
  tally.failed++;
  onFault?.(name, error.code, error.message);
}

async function waitForRoom({ dataDir, minFreeBytes, signal }: Run): Promise<void> {
  while (!signal.aborted && !(await hasRoom(dataDir, minFreeBytes))) await sleep(ROOM_MS, undefined, { signal }).catch(() => {});
}
