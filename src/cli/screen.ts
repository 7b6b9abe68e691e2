import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { loadConfig } from "../config.ts";
import { CallsiftError, toCallsiftError } from "../pipeline/errors.ts";
import { openPolicies } from "../pipeline/policies.ts";
import { type FailedScreening, failedScreening, type Screening } from "../pipeline/screening.ts";
import type { CallMetadata, Language } from "../pipeline/types.ts";
import { argumentBytes, collectCalls } from "./collect.ts";
import { createProgress } from "./progress.ts";
import { createResultFolder } from "./results.ts";
import { openScreener } from "./screener.ts";
import { detailLines, openTable, summaryLine } from "./table.ts";
import { EXIT, type Terminal } from "./terminal.ts";

/** The options of `callsift screen`, as commander gives them. */
export interface ScreenOptions {
  readonly json?: true;
  readonly details?: true;
  readonly engine: "auto" | "sherpa" | "whisper" | "openai" | "import" | "none";
  readonly language?: Language | "auto";
  readonly agentChannel: "0" | "1" | "auto";
  readonly form?: string;
  readonly rules?: readonly string[];
  readonly meta?: string;
  readonly raw?: string;
  readonly concurrency?: number;
  readonly out?: string;
}

/** `callsift screen`: screens recordings in process; prints results in input order as soon as all before them are done. */
export async function screenCommand(paths: readonly string[], options: ScreenOptions, terminal: Terminal): Promise<number> {
  const config = loadConfig();
  const concurrency = options.concurrency ?? config.concurrency;
  const [policies, metadata, calls, raw] = await Promise.all([
    openPolicies({ ruleFiles: options.rules ?? [], form: options.form ?? config.form }),
    options.meta ? readMetadataTable(options.meta) : new Map<string, CallMetadata>(),
    argumentBytes(paths).then(collectCalls),
    options.raw ? import("../pipeline/audio/open.ts").then(({ parseRawFormat }) => parseRawFormat(options.raw as string)) : null,
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
    language: options.language ?? config.language,
    agentChannel: options.agentChannel === "auto" ? "auto" : options.agentChannel === "0" ? 0 : 1,
    // More threads than cores would only wait for one another; calls beyond that overlap in reading and decoding.
    workers: Math.min(concurrency, availableParallelism(), calls.length),
  });

  const results: (Screening | FailedScreening | null)[] = calls.map(() => null);
  const table = options.json ? null : openTable(terminal.stdout, config);
  let printed = 0;
  let failed = 0;
  const print = (result: Screening | FailedScreening): void => {
    if (!table) terminal.stdout.write(`${JSON.stringify(result)}\n`);
    else
      terminal.stdout.write(
        [table.row(result), ...(options.details ? detailLines(result, policies, config) : [])].map((line) => `${line}\n`).join(""),
      );
  };
  if (table) progress.around(() => terminal.stdout.write(`${table.head}\n`));

  let next = 0;
  const startedAt = performance.now();
  async function work(): Promise<void> {
    while (next < calls.length && !interrupt.signal.aborted) {
      const index = next++;
      const call = calls[index] as (typeof calls)[number];
      let result: Screening | FailedScreening;
      try {
        result = await screener.screen(call, { signal: interrupt.signal, onProgress: (doneMs) => progress.heard(index, doneMs) });
      } catch (error) {
        if (interrupt.signal.aborted) return;
        const failure = toCallsiftError(error);
        if (failure.code === "internal/bug") throw error;
        result = failedScreening(call.name, failure);
      }
      await folder?.write(call, result);
      if (result.status === "failed") failed++;
      progress.finished(index, result.status === "scored" ? result.recording.durationMs : 0);
      results[index] = result;
      while (results[printed]) {
        const ready = results[printed] as Screening | FailedScreening;
        progress.around(() => print(ready));
        printed++;
      }
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(concurrency, calls.length) }, work));
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    progress.close();
  }
  // After an interrupt some calls behind an unfinished one are done: they are still worth having.
  for (const result of results.slice(printed)) if (result) print(result);
  const done = results.filter((result) => result !== null);
  if (table) terminal.stdout.write(`${summaryLine(done, calls.length, performance.now() - startedAt)}\n`);
  if (interrupt.signal.aborted) return EXIT.interrupted;
  return failed > 0 ? EXIT.someFailed : EXIT.done;
}

async function readMetadataTable(path: string): Promise<ReadonlyMap<string, CallMetadata>> {
  const { parseMetadataTable } = await import("../pipeline/metadata.ts");
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new CallsiftError("metadata/invalid", `expected a readable table at ${path}, got ${cause.code}`, { cause });
  });
  return parseMetadataTable(bytes, path);
}
