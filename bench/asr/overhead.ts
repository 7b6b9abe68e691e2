import { existsSync, readFileSync } from "node:fs";
import type { GeneratedCall } from "../../fixtures/generate.ts";
import { MIN_CONFIDENCE, PIECE_TIMEOUT_MS } from "../../src/pipeline/asr/engines.ts";
import type { Transcriber } from "../../src/pipeline/asr/port.ts";
import type { Recogniser } from "../../src/pipeline/asr/recogniser.ts";
import { createSoundTranscriber } from "../../src/pipeline/asr/sound-transcriber.ts";
import { createListener } from "../../src/pipeline/audio/listen.ts";
import { openPolicies } from "../../src/pipeline/policies.ts";
import { listenedPhrases } from "../../src/pipeline/rules/listened-phrases.ts";
import { type Transcoded, transcode } from "../../src/pipeline/stages.ts";

/** What the way around the engine costs, as shares of the engine's own processor time. */
export interface Overhead {
  readonly calls: number;
  readonly speechSeconds: number;
  /** Reading, resampling, pieces, guards, assembly. */
  readonly path: number;
  /** Processor time that the second listen adds: all of it, and of the engine's time for weighing wordings and for decoding hits again. */
  readonly secondListen: { readonly all: number; readonly weighing: number; readonly again: number };
}

/** Processor time of this thread, ms; NaN where the system does not tell. */
function threadMs(): number {
  const file = `/proc/self/task/${process.pid}/schedstat`;
  return existsSync(file) ? Number(readFileSync(file, "utf8").split(" ")[0]) / 1e6 : Number.NaN;
}

function processMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * Transcribes calls with and without the second listen. The engine works in a thread of its own, so what this thread uses is the path's.
 *
 * @param calls of two sides
 */
export async function measureOverhead(recogniser: Recogniser, calls: readonly GeneratedCall[]): Promise<Overhead> {
  const watch = { hearing: 0, weighing: 0 };
  const watched = watchOver(recogniser, watch);
  const { policyFor } = await openPolicies({ ruleFiles: [], form: "deduction-20" });
  await using listener = createListener({ workers: 1 });
  await using transcriber = createSoundTranscriber(watched, {
    minConfidence: MIN_CONFIDENCE,
    pieceTimeoutMs: PIECE_TIMEOUT_MS,
  });
  const listenFor = (language: "zh" | "en") => listenedPhrases(policyFor(language).rules, language);
  listenFor("zh");
  const open = (call: GeneratedCall): Promise<Transcoded> =>
    transcode(
      { source: { name: call.name, path: call.recording }, metadata: {}, transcriptPath: null, agentChannel: "auto", language: "zh" },
      { listener, transcriber, policyFor },
    );
  const used = { path: 0, engine: 0, withListen: 0, hearing: 0, hearingWithListen: 0, weighing: 0 };
  let speechMs = 0;
  for (const [n, call] of calls.entries()) {
    await using opened = await open(call);
    speechMs += opened.sound.channels.flatMap(({ speech }) => speech).reduce((sum, [startMs, endMs]) => sum + endMs - startMs, 0);
    // What runs first finds caches cold: by turns.
    for (const again of n % 2 === 0 ? [false, true] : [true, false]) {
      const before = { thread: threadMs(), all: processMs(), ...watch };
      await transcribe(transcriber, opened, again ? listenFor : null);
      const thread = threadMs() - before.thread;
      const all = processMs() - before.all;
      if (again) {
        used.withListen += all;
        used.hearingWithListen += watch.hearing - before.hearing;
        used.weighing += watch.weighing - before.weighing;
      } else {
        used.path += thread;
        used.engine += all - thread;
        used.hearing += watch.hearing - before.hearing;
      }
    }
  }
  return {
    calls: calls.length,
    speechSeconds: speechMs / 1000,
    path: used.path / used.engine,
    secondListen: {
      all: (used.withListen - used.path - used.engine) / used.engine,
      weighing: used.weighing / used.hearing,
      again: (used.hearingWithListen - used.hearing) / used.hearing,
    },
  };
}

async function transcribe(
  transcriber: Transcriber,
  { source, opened, sound }: Transcoded,
  listenFor: Parameters<Transcriber["transcribe"]>[1]["listenFor"] | null,
): Promise<void> {
  const call = { name: source.name, pcm: opened.pcm, durationMs: opened.recording.durationMs, sound, metadata: {}, transcriptPath: null };
  await transcriber.transcribe(call, { language: "zh", ...(listenFor && { listenFor }) });
}

/** The same recogniser, which others close, one request after another, with a clock on each. */
function watchOver(recogniser: Recogniser, watch: { hearing: number; weighing: number }): Recogniser {
  let last: Promise<unknown> = Promise.resolve();
  const timed = <Answer>(what: keyof typeof watch, work: () => Promise<Answer>): Promise<Answer> => {
    const turn = last.then(async () => {
      const startedAt = performance.now();
      const answer = await work();
      watch[what] += performance.now() - startedAt;
      return answer;
    });
    last = turn.catch(() => {});
    return turn;
  };
  return {
    ...recogniser,
    async hear(sound, options) {
      const heard = await timed("hearing", () => recogniser.hear(sound, options));
      const { weigh } = heard;
      return { ...heard, weigh: weigh && ((texts) => timed("weighing", () => weigh(texts))) };
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
