import { readFile } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import type { Config } from "../config.ts";
import type { Listener } from "../pipeline/audio/listen.ts";
import { CallsiftError, toCallsiftError } from "../pipeline/errors.ts";
import { openPolicies } from "../pipeline/policies.ts";
import { type FailedScreening, failedScreening, type Screening } from "../pipeline/screening.ts";
import type { StageOptions } from "../pipeline/stages.ts";
import type { CallMetadata } from "../pipeline/types.ts";
import { argumentBytes, type CallFile, collectCalls } from "./collect.ts";
import { createProgress } from "./progress.ts";
import { findRecognition } from "./recognition.ts";
import { createResultFolder } from "./results.ts";
import type { ScreenOptions } from "./screen-options.ts";
import { openScreener } from "./screener.ts";
import { detailLines, openTable, summaryLine, type Tally } from "./table.ts";
import { EXIT, type Terminal } from "./terminal.ts";

type Result = Screening | FailedScreening;

export interface Run {
  readonly options: ScreenOptions;
  readonly config: Config;
  readonly concurrency: number;
  readonly listener: Listener;
  readonly terminal: Terminal;
}

/** Screens the calls behind the paths; prints results in input order as soon as all before them are done. Answers the exit code. */
export async function runScreening(paths: readonly string[], { options, config, concurrency, listener, terminal }: Run): Promise<number> {
  const language = options.language ?? config.language;
  const [policies, metadata, calls, raw, recognition] = await Promise.all([
    openPolicies({ ruleFiles: options.rules ?? [], form: options.form ?? config.form }),
    options.meta ? readMetadataTable(options.meta) : new Map<string, CallMetadata>(),
    argumentBytes(paths).then(collectCalls),
    options.raw ? import("../pipeline/audio/open.ts").then(({ parseRawFormat }) => parseRawFormat(options.raw as string)) : null,
    findRecognition(config, { engine: options.engine, language, ...(options.weights !== undefined && { weights: options.weights }) }),
  ]);
  const folder = options.out ? await createResultFolder(options.out) : null;

  const interrupt = new AbortController();
  const onSignal = () => interrupt.abort();
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  const progress = createProgress(terminal, calls.length, !options.json && terminal.stdout.isTTY === true);
  await using screener = await openScreener({
    config,
    policies,
    metadata,
    raw,
    engine: options.engine,
    recognition,
    language,
    agentChannel: options.agentChannel === "auto" ? "auto" : options.agentChannel === "0" ? 0 : 1,
    listener,
  });

  const table = options.json ? null : openTable(terminal.stdout, config);
  if (table) progress.around(() => terminal.stdout.write(`${table.head}\n`));
  const print = (result: Result): void => {
    const lines = table ? [table.row(result), ...(options.details ? detailLines(result, policies, config) : [])] : [JSON.stringify(result)];
    progress.around(() => terminal.stdout.write(lines.map((line) => `${line}\n`).join("")));
  };

  // Only what waits for an earlier call to be printed is kept: a run may be of a hundred thousand calls.
  const waiting = new Map<number, Result>();
  const tally: Tally = { screened: 0, failed: 0, bugs: 0, soundMs: 0, incomplete: 0 };
  let next = 0;
  let printed = 0;
  async function work(): Promise<void> {
    while (next < calls.length && !interrupt.signal.aborted) {
      const index = next++;
      const call = calls[index] as CallFile;
      const result = await screenOne(call, { signal: interrupt.signal, onProgress: (doneMs) => progress.heard(index, doneMs) });
      if (!result) return;
      await folder?.write(call, result);
      count(tally, result);
      progress.finished(index, result.status === "scored" ? result.recording.durationMs : 0);
      waiting.set(index, result);
      for (let ready = waiting.get(printed); ready; ready = waiting.get(printed)) {
        print(ready);
        waiting.delete(printed++);
      }
    }
  }

  /** null where the run was interrupted. */
  async function screenOne(call: CallFile, stageOptions: StageOptions): Promise<Result | null> {
    try {
      return await screener.screen(call, stageOptions);
    } catch (error) {
      if (interrupt.signal.aborted) return null;
      const failure = toCallsiftError(error);
      // A bug costs its own call only; where it is must be told all the same.
      if (failure.code === "internal/bug") terminal.stderr.write(`${call.name}: ${stackOf(failure.cause)}\n`);
      return failedScreening(call.name, failure);
    }
  }

  const startedAt = performance.now();
  try {
    // While the first calls are listened to in other threads, this one has time to make the likeliest rules ready.
    const likeliest = language === "auto" ? "zh" : language;
    const rulesReady = setImmediate().then(() => policies.policyFor(likeliest));
    await Promise.all([rulesReady, ...Array.from({ length: Math.min(concurrency, calls.length) }, work)]);
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    progress.close();
  }
  // After an interrupt some calls behind an unfinished one are done: they are still worth having.
  for (const [, result] of [...waiting].sort(([a], [b]) => a - b)) print(result);
  if (table) terminal.stdout.write(`${summaryLine(tally, calls.length, performance.now() - startedAt)}\n`);
  if (interrupt.signal.aborted) return EXIT.interrupted;
  if (tally.bugs > 0) return EXIT.bug;
  return tally.failed > 0 ? EXIT.someFailed : EXIT.done;
}

function count(tally: Tally, result: Result): void {
  if (result.status === "failed") {
    tally.failed++;
    if (result.error.code === "internal/bug") tally.bugs++;
    return;
  }
  tally.screened++;
  tally.soundMs += result.recording.durationMs;
  if (!result.score.complete) tally.incomplete++;
}

function stackOf(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}

async function readMetadataTable(path: string): Promise<ReadonlyMap<string, CallMetadata>> {
  const { parseMetadataTable } = await import("../pipeline/metadata.ts");
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new CallsiftError("metadata/invalid", `expected a readable table at ${path}, got ${cause.code}`, { cause });
  });
  return parseMetadataTable(bytes, path);
}
