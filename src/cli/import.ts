import { resolve } from "node:path";
import { type Config, loadConfig } from "../config.ts";
import type { Unfinished } from "../models/calls.ts";
import { openQueueSchedule } from "../workers/schedule-bullmq.ts";
import { type BackLoadTally, backLoad } from "../workers/sources/back-load.ts";
import { findCalls } from "../workers/sources/found-call.ts";
import { type NamePattern, parseNamePattern } from "../workers/sources/name-pattern.ts";
import { openService } from "./service.ts";
import { untilStopped } from "./stop.ts";
import { EXIT, type Terminal } from "./terminal.ts";

export interface ImportOptions {
  readonly meta?: string;
  readonly pattern?: string;
  readonly preview?: true;
  readonly rate?: number;
  readonly tenant?: string;
  readonly data?: string;
}

const SHOWN = 20;
const TELL_MS = 5_000;

/** `callsift import DIR`: stores all recordings below a folder; workers screen them when nothing more urgent waits. */
export async function importCommand(folder: string, options: ImportOptions, terminal: Terminal): Promise<number> {
  const loaded = loadConfig();
  const config = { ...loaded, dataDir: options.data ?? loaded.dataDir };
  const text = options.pattern ?? config.namePattern;
  const pattern = text === null ? null : parseNamePattern(text, config.timeZone);
  if (options.preview) return await preview(resolve(folder), pattern, terminal);
  using stop = untilStopped();
  await using service = await openService({ config, terminal, signal: stop.signal, mayJoin: true });
  await using queue = openQueue(config);
  const progress = openProgress(terminal);
  const tally = await backLoad({
    models: service.models,
    files: service.files,
    tenant: options.tenant ?? "default",
    maxBytes: config.maxUploadBytes,
    pattern,
    folder,
    table: options.meta ?? null,
    rate: options.rate ?? null,
    dataDir: config.dataDir,
    minFreeBytes: config.minFreeBytes,
    enqueue: queue.enqueue,
    signal: stop.signal,
    onProgress: progress.tell,
    onFault: (name, code, message) => progress.line(`${name}: ${code}: ${message}`),
  });
  progress.end();
  terminal.stdout.write(`${summaryOf(tally)}${stop.signal.aborted ? "; stopped, the same command goes on from here" : ""}\n`);
  if (stop.signal.aborted) return EXIT.interrupted;
  return tally.failed > 0 ? EXIT.someFailed : EXIT.done;
}

/** What names say, and which say nothing, without storing anything. */
async function preview(folder: string, pattern: NamePattern | null, { stdout }: Terminal): Promise<number> {
  const counts = { read: 0, odd: 0 };
  for await (const call of findCalls(folder)) {
    const reading = pattern?.read(call.name) ?? { metadata: {} };
    const isRead = "metadata" in reading;
    const count = isRead ? ++counts.read : ++counts.odd;
    if (count > SHOWN) continue;
    const said = isRead ? (pattern === null ? "no pattern" : JSON.stringify(reading.metadata)) : `not read: ${reading.fault}`;
    stdout.write(`${call.name}  ${said}\n`);
  }
  const more = Math.max(0, counts.read - SHOWN) + Math.max(0, counts.odd - SHOWN);
  if (more > 0) stdout.write(`… and ${more} more\n`);
  stdout.write(`${counts.read + counts.odd} recordings, ${counts.odd} whose name is not as the pattern expects\n`);
  return counts.odd > 0 ? EXIT.someFailed : EXIT.done;
}

interface Queue extends AsyncDisposable {
  readonly enqueue: (work: Unfinished) => Promise<void>;
}

/** Without Redis the service finds what was stored within a minute. */
function openQueue({ redisUrl }: Config): Queue {
  if (redisUrl !== null) return openQueueSchedule(redisUrl);
  return { enqueue: async () => {}, [Symbol.asyncDispose]: async () => {} };
}

interface ImportProgress {
  tell(tally: BackLoadTally): void;
  line(text: string): void;
  end(): void;
}

/** One line on a terminal, written over again; elsewhere a line every few seconds. */
function openProgress({ stderr }: Terminal): ImportProgress {
  const startedMs = performance.now();
  let toldMs = startedMs;
  const clear = stderr.isTTY ? "\r\u001B[2K" : "";
  return {
    tell(tally) {
      const nowMs = performance.now();
      if (nowMs - toldMs < (stderr.isTTY ? 200 : TELL_MS)) return;
      toldMs = nowMs;
      const seen = tally.imported + tally.duplicates + tally.skipped + tally.failed;
      const line = `${summaryOf(tally)}; ${(seen / ((nowMs - startedMs) / 1000)).toFixed(0)} a second`;
      stderr.write(stderr.isTTY ? `${clear}${line}` : `${line}\n`);
    },
    line(text) {
      stderr.write(`${clear}${text}\n`);
    },
    end() {
      stderr.write(clear);
    },
  };
}

function summaryOf({ imported, duplicates, skipped, failed, oddNames, bytes }: BackLoadTally): string {
  const known = duplicates + skipped;
  return [
    `${imported} imported (${(bytes / 1e6).toFixed(1)} MB)`,
    `${known} known already`,
    `${failed} failed`,
    ...(oddNames > 0 ? [`${oddNames} with a name that is not as the pattern expects`] : []),
  ].join(", ");
}
