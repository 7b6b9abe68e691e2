import { createHash } from "node:crypto";
import { readdir, realpath } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { watch } from "chokidar";
import type { Unfinished } from "../../models/calls.ts";
import { ERRORS, toCallsiftError } from "../../pipeline/errors.ts";
import { META_ENDING } from "../../pipeline/recording-names.ts";
import type { Log } from "../worker-deps.ts";
import { type DoneFiles, openDoneFiles } from "./done-files.ts";
import { callOfFile, type FoundCall } from "./found-call.ts";
import { moveDone } from "./move-done.ts";
import { openForWriting, stateOf } from "./open-for-writing.ts";
import { markOf, type TakeInDeps, takeIn } from "./take-in.ts";

export interface WatchOptions extends Omit<TakeInDeps, "lane"> {
  readonly folder: string;
  /** null: recordings stay where they are. */
  readonly doneFolder: string | null;
  readonly dataDir: string;
  readonly log: Log;
  readonly enqueue: (work: Unfinished) => Promise<void>;
  /** How long a file must stay as it is to be whole; default 3 s. */
  readonly stableMs?: number;
  /** False: nothing is taken now, e.g. because the disk is nearly full. */
  readonly hasRoom?: () => Promise<boolean>;
}

/** A folder that is watched until it is disposed of. */
export interface FolderWatch extends AsyncDisposable {
  /** Files that are waited for. */
  readonly waiting: number;
}

/** A file that came, and since when it is as it is. */
interface Candidate {
  bytes: number;
  modifiedMs: number;
  sinceMs: number;
}

const STABLE_MS = 3_000;
const LOOK_MS = 500;
const AGAIN_MS = 30_000;

/**
 * Watches a folder and all below it: each recording that appears becomes a call once it is whole, that is, once its size and time have stayed the same and nobody has it open for writing. What lies beside it (metadata, transcript)
 * should be there before it, or come while it is waited for. Taken recordings are moved, never deleted, or stay.
 */
export async function watchFolder(options: WatchOptions): Promise<FolderWatch> {
  const folder = await realpath(options.folder);
  const doneFolder = options.doneFolder === null ? null : resolve(options.doneFolder);
  const done = await openDoneFiles(
    join(options.dataDir, "watched", `${createHash("sha256").update(folder).digest("hex").slice(0, 16)}.done`),
  );
  const candidates = new Map<string, Candidate>();
  const stop = new AbortController();
  const watcher = watch(folder, {
    ignored: (path) =>
      path !== folder &&
      (basename(path).startsWith(".") || path === doneFolder || (doneFolder !== null && path.startsWith(doneFolder + sep))),
    followSymlinks: false,
  });
  const seen = (path: string): void => {
    candidates.set(path, { bytes: -1, modifiedMs: -1, sinceMs: Date.now() });
  };
  watcher.on("add", seen).on("change", seen);
  watcher.on("unlink", (path) => candidates.delete(path));
  watcher.on("error", (error) =>
    options.log.warn({ code: toCallsiftError(error).code, why: String(error) }, "trouble with the watched folder"),
  );
  const watching: Watching = { ...options, folder, doneFolder, done, candidates, signal: stop.signal };
  const running = keepTaking(watching);
  return {
    get waiting() {
      return candidates.size;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await watcher.close();
      await running;
      await done[Symbol.asyncDispose]();
    },
  };
}

interface Watching extends WatchOptions {
  readonly done: DoneFiles;
  readonly candidates: Map<string, Candidate>;
  readonly signal: AbortSignal;
}

async function keepTaking(watching: Watching): Promise<void> {
  const { signal, log, hasRoom } = watching;
  while (!signal.aborted) {
    try {
      if (!hasRoom || (await hasRoom())) await takeWhole(watching);
    } catch (error) {
      log.error({ code: toCallsiftError(error).code, why: String(error) }, "the watched folder could not be looked through");
    }
    await sleep(LOOK_MS, undefined, { signal }).catch(() => {});
  }
}

/** Takes the files that are whole by now. */
async function takeWhole(watching: Watching): Promise<void> {
  const { candidates, signal, stableMs = STABLE_MS } = watching;
  const still: string[] = [];
  for (const [path, candidate] of candidates) {
    const state = await stateOf(path);
    if (!state) candidates.delete(path);
    else if (state.bytes !== candidate.bytes || state.modifiedMs !== candidate.modifiedMs)
      Object.assign(candidate, state, { sinceMs: Date.now() });
    else if (Date.now() - candidate.sinceMs >= stableMs) still.push(path);
  }
  const written = await openForWriting(new Set(still));
  for (const path of still.filter((one) => !written.has(one))) {
    if (signal.aborted) return;
    await takeOne(path, watching);
  }
}

async function takeOne(path: string, watching: Watching): Promise<void> {
  const { folder, candidates, log, done, enqueue, tenant, signal } = watching;
  candidates.delete(path);
  const files = await readdir(dirname(path)).catch(() => []);
  const call = await callOfFile(folder, path, files);
  if (!call) return;
  // A leg that is still being written: the call comes with it.
  if (call.legs && [call.legs.agent, call.legs.customer].some((leg) => candidates.has(leg))) {
    candidates.set(path, { bytes: -1, modifiedMs: -1, sinceMs: Date.now() });
    return;
  }
  try {
    const mark = await markOf(call);
    if (!done.has(mark)) {
      const { id, duplicate, nameFault } = await takeIn(call, {}, { ...watching, lane: "folder" }, signal);
      if (nameFault !== null) log.warn({ call: id }, "the name of a recording is not as the pattern expects");
      if (!duplicate) await enqueue({ id, tenant, lane: "folder", stage: "listen" });
      log.info({ call: id, duplicate }, "recording taken from the watched folder");
      await done.add(mark);
    }
    await moveCall(call, files, watching);
  } catch (error) {
    if (signal.aborted) return;
    tryLater(path, error, watching);
  }
}

/** What may heal is tried again; what cannot stays where it is until somebody changes it. */
function tryLater(path: string, caught: unknown, { candidates, log, stableMs = STABLE_MS }: Watching): void {
  const error = toCallsiftError(caught);
  const again = ERRORS[error.code].healable || error.code === "internal/bug";
  log.warn({ code: error.code, file: basename(path), again }, "a recording of the watched folder was not taken");
  if (again) candidates.set(path, { bytes: -1, modifiedMs: -1, sinceMs: Date.now() + AGAIN_MS - stableMs });
}

/** The recording and what lies beside it under its name. */
async function moveCall(call: FoundCall, files: readonly string[], { folder, doneFolder }: Watching): Promise<void> {
  if (doneFolder === null) return;
  const recordings = call.legs ? [call.path, call.legs.agent, call.legs.customer] : [call.path];
  const stem = call.legs ? basename(call.path).slice(0, -META_ENDING.length) : basename(call.path).replace(/\.[^.]*$/, "");
  const beside = files.filter((name) => BESIDE.some((ending) => name === `${stem}${ending}`)).map((name) => join(dirname(call.path), name));
  for (const path of new Set([...recordings, ...beside]))
    await moveDone(
      path,
      doneFolder,
      path
        .slice(folder.length + 1)
        .split(sep)
        .join("/"),
    );
}

const BESIDE = [META_ENDING, ".transcript.json", ".transcript.vtt", ".transcript.srt", ".vtt", ".srt", ".json"];
