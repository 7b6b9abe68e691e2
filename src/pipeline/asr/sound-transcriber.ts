import { type CallsiftError, toCallsiftError } from "../errors.ts";
import { totalMs } from "../timeline.ts";
import type { Doubt, Hearing, Language, NoTranscript, Transcript } from "../types.ts";
import { assemble, type PieceText } from "./assemble.ts";
import { doubtOf } from "./guard.ts";
import { languageOf } from "./import/language.ts";
import { partOverlap } from "./overlap.ts";
import { openPieceReader, type PieceReader } from "./piece-sound.ts";
import { type Piece, planPieces } from "./pieces.ts";
import type { ListenedPhrase, ToTranscribe, TranscribeOptions, Transcriber } from "./port.ts";
import type { HeardPiece, Recogniser } from "./recogniser.ts";
import type { Judged } from "./second-listen/placed-piece.ts";
import { listenAgain } from "./second-listen.ts";
import { type Side, sidesOf } from "./sides.ts";

export interface SoundTranscriberOptions {
  /** 0–1: words below it are kept for people, and are no evidence. */
  readonly minConfidence: number;
  /** Longest time for one piece of sound, ms. */
  readonly pieceTimeoutMs: number;
  /** A second engine for the second listen, where the first cannot judge wordings. */
  readonly judge?: (() => Promise<Recogniser | null>) | null;
}

/** Raised by hand whenever pieces, guards or assembly would give other words for what the same recogniser heard. */
const PATH_VERSION = 1;

/** Failures after which the next piece would fare no better. */
const HOPELESS = [
  "asr/unauthorised",
  "asr/no-model",
  "weights/missing",
  "weights/damaged",
  "weights/foreign",
  "asr/not-available",
] as const;
/** So many pieces in a row that fail in any way end the call. */
const MOST_FAILURES = 3;

/**
 * A transcriber that takes sound to a recogniser, piece by piece of one speaker each, holds what comes back against the sound, and puts it together in the
 * recording's time. What is known or likely to be invented is kept apart from the words (`Transcript.doubtful`).
 */
export function createSoundTranscriber(
  recogniser: Recogniser,
  { minConfidence, pieceTimeoutMs, judge = null }: SoundTranscriberOptions,
): Transcriber {
  const { name, model } = recogniser;
  return {
    name,
    recipe: `${recogniser.recipe} path/${PATH_VERSION} confidence/${minConfidence}`,
    hearsSound: true,
    async transcribe(call, options) {
      options.signal?.throwIfAborted();
      const sides = sidesOf(call);
      using reader = openPieceReader(call.pcm);
      const tasks = planTasks(sides, reader, call, recogniser.maxPieceMs);
      if (tasks.length === 0) return { status: "not-available", reason: "nobody speaks in the recording" };
      const outcome = await hearAll(tasks, { recogniser, reader, options, pieceTimeoutMs, judge, minConfidence });
      if ("status" in outcome) return outcome;
      const about = { engine: name, model, ...(recogniser.dropsHesitations && { dropsHesitations: true as const }) };
      return toTranscript(sides, outcome, about, minConfidence);
    },
    async [Symbol.asyncDispose]() {
      await recogniser[Symbol.asyncDispose]();
    },
  };
}

interface Task {
  readonly side: Side;
  readonly piece: Piece;
}

function planTasks(sides: readonly Side[], reader: PieceReader, { durationMs }: ToTranscribe, maxPieceMs: number): Task[] {
  const tasks = sides.flatMap((side) =>
    planPieces(side.speech, durationMs, reader.quietest(side), { mostMs: Math.min(maxPieceMs, 20_000) }).map((piece) => ({ side, piece })),
  );
  return tasks.sort((a, b) => a.piece.startMs - b.piece.startMs);
}

type Hearings = Judged[];

interface Done extends PieceText {
  readonly side: Side;
  readonly hearings: Hearings;
}

interface Outcome {
  readonly language: Language;
  readonly done: readonly Done[];
}

interface Hall {
  readonly recogniser: Recogniser;
  readonly reader: PieceReader;
  readonly options: TranscribeOptions;
  readonly pieceTimeoutMs: number;
  readonly judge: (() => Promise<Recogniser | null>) | null;
  readonly minConfidence: number;
}

/** Hears every piece, as many at once as keep the recogniser's lanes busy. */
async function hearAll(tasks: readonly Task[], hall: Hall): Promise<Outcome | NoTranscript> {
  const { recogniser, options } = hall;
  const totalSpeechMs = tasks.reduce((sum, { piece }) => sum + totalMs(piece.speech), 0);
  const done: Done[] = new Array(tasks.length);
  let next = 0;
  let doneMs = 0;
  let failures = 0;
  let hopeless: CallsiftError | null = null;
  let broken = false;

  /** Failures of the engine leave a hole in the words; anything else ends the call. */
  async function attempt<T>(work: () => Promise<T>): Promise<T | null> {
    try {
      const result = await work();
      failures = 0;
      return result;
    } catch (error) {
      const failure = toCallsiftError(error);
      if (!failure.code.startsWith("asr/") && !failure.code.startsWith("weights/")) {
        broken = true;
        throw error;
      }
      failures++;
      if ((HOPELESS as readonly string[]).includes(failure.code) || failures >= Math.min(MOST_FAILURES, tasks.length)) hopeless ??= failure;
      return null;
    }
  }

  const chosen = options.language === "auto" ? await attempt(() => chooseLanguage(tasks, hall)) : null;
  const language = options.language === "auto" ? (chosen?.language ?? "zh") : options.language;
  const phrases = options.listenFor?.(language) ?? [];

  async function work(): Promise<void> {
    while (next < tasks.length && !hopeless && !broken) {
      const at = next++;
      const task = tasks[at] as Task;
      done[at] = (await attempt(() => hearTask(task, chosen?.heard.get(task) ?? null, language, phrases, hall))) ?? {
        ...task,
        heard: NOTHING,
        doubt: "failed",
        hearings: [],
      };
      doneMs += totalMs(task.piece.speech);
      options.onProgress?.(totalSpeechMs > 0 ? doneMs / totalSpeechMs : 1);
    }
  }
  // One more than it has lanes: the next piece is cut while the others are heard. All end before the samples are closed.
  const ends = await Promise.allSettled(Array.from({ length: Math.min(recogniser.lanes + 1, tasks.length) }, work));
  for (const held of chosen?.heard.values() ?? []) held.release();
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  const failed: CallsiftError | null = hopeless;
  return failed ? notAvailable(failed) : { language, done };
}

function notAvailable({ code, message }: CallsiftError): NoTranscript {
  return { status: "not-available", reason: `${code}: ${message}` };
}

const NOTHING: PieceText["heard"] = {
  text: "",
  tokens: [],
  confidence: null,
  noSpeech: null,
  capped: false,
  looped: false,
  prompted: false,
  languages: null,
  tags: {},
};

/** @param known what was heard of it already */
async function hearTask(
  { side, piece }: Task,
  known: HeardPiece | null,
  language: Language,
  phrases: readonly ListenedPhrase[],
  { recogniser, reader, options, pieceTimeoutMs, judge }: Hall,
): Promise<Done> {
  const signal = options.signal ? { signal: options.signal } : {};
  const sound = reader.read(side, piece);
  const heard = known ?? (await recogniser.hear(sound, { language, keep: phrases.length > 0, timeoutMs: pieceTimeoutMs, ...signal }));
  try {
    const doubt: Doubt | null = doubtOf(heard, { speech: piece.speech, language });
    const text: PieceText = { piece, heard: plain(heard), doubt };
    // A weak or looping text is no evidence, but a person may be shown what sounds like a rule's wording in it.
    const isSpeech = heard.text !== "" && doubt !== "no-speech" && doubt !== "credits" && doubt !== "foreign-script";
    const hearings =
      phrases.length > 0 && isSpeech
        ? await listenAgain(
            { sound, startMs: piece.startMs, heard, utterances: assemble({ ...text, doubt: null }, side, { minConfidence: 0 }).utterances },
            { recogniser, judge, phrases, language, timeoutMs: pieceTimeoutMs, ...signal },
          )
        : [];
    return { ...text, side, hearings };
  } finally {
    heard.release();
  }
}

function plain({ weigh: _weigh, release: _release, ...rest }: HeardPiece): PieceText["heard"] {
  return rest;
}

/** Speech of the pieces that decide the language, ms, and their number at most. */
const TELLING = { speechMs: 8_000, pieces: 4 };

interface Chosen {
  readonly language: Language;
  /** The pieces that were heard in that language on the way; still held. */
  readonly heard: ReadonlyMap<Task, HeardPiece>;
}

/** The language of the call, by its first longer pieces: their scores are summed, or what they are written in decides. */
async function chooseLanguage(tasks: readonly Task[], { recogniser, reader, options, pieceTimeoutMs }: Hall): Promise<Chosen> {
  const heard = new Map<Task, HeardPiece>();
  let speechMs = 0;
  for (const task of tasks.slice(0, TELLING.pieces)) {
    if (speechMs >= TELLING.speechMs) break;
    speechMs += totalMs(task.piece.speech);
    const signal = options.signal ? { signal: options.signal } : {};
    const sound = reader.read(task.side, task.piece);
    heard.set(task, await recogniser.hear(sound, { language: "auto", keep: true, timeoutMs: pieceTimeoutMs, ...signal }));
  }
  const scores = [...heard.values()].flatMap(({ languages }) => languages ?? []);
  const lead = scores.reduce((sum, { zh, en }) => sum + zh - en, 0);
  const language = scores.length > 0 ? (lead >= 0 ? "zh" : "en") : languageOf(null, [...heard.values()]);
  for (const [task, { languages, release }] of heard) {
    if (!languages || languages.zh >= languages.en === (language === "zh")) continue;
    release();
    heard.delete(task);
  }
  return { language, heard };
}

function toTranscript(
  sides: readonly Side[],
  { language, done }: Outcome,
  about: Pick<Transcript, "engine" | "model" | "dropsHesitations">,
  minConfidence: number,
): Transcript {
  const utterances: Transcript["utterances"][number][] = [];
  const doubtful: NonNullable<Transcript["doubtful"]>[number][] = [];
  const hearings: Hearing[] = [];
  for (const side of sides) {
    const own: Done[] = done.filter((one) => one.side === side);
    for (let i = 1; i < own.length; i++) {
      const [before, after] = [own[i - 1] as Done, own[i] as Done];
      if (!after.piece.continues) continue;
      const [left, right] = partOverlap(before, after);
      own[i - 1] = { ...before, ...left };
      own[i] = { ...after, ...right };
    }
    for (const piece of own) {
      const placed = assemble(piece, side, { minConfidence, punctuate: true });
      utterances.push(...placed.utterances);
      doubtful.push(...placed.doubtful);
      const who = { role: null, channel: side.channel, ...(side.speaker !== null && { speaker: side.speaker }) };
      hearings.push(...piece.hearings.map((hearing) => ({ ...hearing, ...who })));
    }
  }
  const byStart = (a: { startMs: number; endMs: number }, b: { startMs: number; endMs: number }) =>
    a.startMs - b.startMs || a.endMs - b.endMs;
  return {
    ...about,
    language,
    utterances: utterances.sort(byStart),
    ...(doubtful.length > 0 && { doubtful: doubtful.sort(byStart) }),
    ...(hearings.length > 0 && { hearings: hearings.sort(byStart) }),
  };
}
