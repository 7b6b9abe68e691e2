import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createRandom, gain } from "../../fixtures/synth.ts";
import type { Span } from "../../src/pipeline/types.ts";
import { addNoiseOf, NOISES, type NoiseKind, overTelephone, rms } from "./noise.ts";

/** Where speak.py puts the spoken sentences. */
export const SPOKEN = fileURLToPath(new URL("../results/asr-speech/", import.meta.url));
const LIST = fileURLToPath(new URL("./sentences.tsv", import.meta.url));
export const RATE = 8_000;
/** Of speak.py: clips spoken otherwise are not compared with these. */
const RECIPE = 2;
/** Sound before and after the speech, as pieces of a call have it, ms. */
const PAD_MS = 200;
/** Silence between sentences of a piece, ms. */
const GAP_MS: Span = [300, 1_000];
const PIECE_MS: Span = [8_000, 12_000];

/** A line of sentences.tsv. */
export interface Sentence {
  readonly id: string;
  /** Experiments choose on a and report on b. */
  readonly half: "a" | "b";
  readonly voice: string;
  readonly noise: NoiseKind | null;
  readonly snrDb: number | null;
  readonly text: string;
}

/** Sound with what is said in it, and when. */
export interface Labelled {
  readonly id: string;
  readonly half: "a" | "b";
  /** 8 kHz, -1..1. */
  readonly samples: Float64Array;
  readonly sentences: readonly { readonly text: string; readonly startMs: number; readonly endMs: number }[];
  /** Disjoint, ascending, measured on the clean clips. */
  readonly speech: readonly Span[];
  readonly noise: NoiseKind | null;
}

/** The list as it was committed. */
export function readSentences(path = LIST): Sentence[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [id = "", half, voice = "", , noise = "-", snrDb = "-", text = ""] = line.split("\t");
      if ((half !== "a" && half !== "b") || text === "") throw new Error(`expected id, half, voice, pace, noise, SNR, text, got ${line}`);
      if (noise !== "-" && !(NOISES as readonly string[]).includes(noise)) throw new Error(`expected one of ${NOISES}, got ${noise}`);
      return { id, half, voice, noise: noise === "-" ? null : (noise as NoiseKind), snrDb: snrDb === "-" ? null : Number(snrDb), text };
    });
}

interface Clip {
  readonly samples: Float64Array;
  readonly speech: readonly Span[];
}

/** Spoken clips by id; null where speak.py, as it is now, has not run for every sentence. */
export function readClips(sentences: readonly Sentence[], folder = SPOKEN): ReadonlyMap<string, Clip> | null {
  if (!existsSync(`${folder}speech.json`)) return null;
  const spoken = JSON.parse(readFileSync(`${folder}speech.json`, "utf8")) as Record<
    string,
    { recipe?: number; text: string; speech: Span[] }
  >;
  const clips = new Map<string, Clip>();
  for (const { id, text } of sentences) {
    const known = spoken[id];
    if (known?.text !== text || known.recipe !== RECIPE || !existsSync(`${folder}${id}.wav`)) return null;
    const file = readFileSync(`${folder}${id}.wav`);
    const at = file.indexOf("data", 12, "latin1") + 8;
    const samples = Float64Array.from({ length: (file.length - at) >> 1 }, (_, i) => file.readInt16LE(at + 2 * i) / 32768);
    clips.set(id, { samples, speech: known.speech });
  }
  return clips;
}

/** Each sentence alone, through the line it is listed with. */
export function singleSentences(sentences: readonly Sentence[], clips: ReadonlyMap<string, Clip>): Labelled[] {
  return sentences.map((sentence) => place([sentence], clips, sentence.id));
}

/** Sentences of one voice and line one after the other in pieces of 8 s and more; the same on every machine. */
export function placedPieces(sentences: readonly Sentence[], clips: ReadonlyMap<string, Clip>): Labelled[] {
  const groups = new Map<string, Sentence[]>();
  for (const sentence of sentences) {
    const key = `${sentence.half} ${sentence.voice} ${sentence.noise === null}`;
    groups.set(key, [...(groups.get(key) ?? []), sentence]);
  }
  const pieces: Labelled[] = [];
  for (const group of groups.values()) {
    let gathered: Sentence[] = [];
    let lengthMs = 0;
    const close = () => {
      if (gathered.length > 0) pieces.push(place(gathered, clips, gathered.map(({ id }) => id).join("+")));
      [gathered, lengthMs] = [[], 0];
    };
    for (const sentence of group) {
      const clipMs = ((clips.get(sentence.id)?.samples.length ?? 0) * 1000) / RATE;
      const withIt = lengthMs + GAP_MS[1] + clipMs;
      // As pieces of a call are gathered (pieces.ts): a short one takes the next sentence even if that makes it longer than 12 s.
      if (gathered.length > 0 && lengthMs >= PIECE_MS[0] && withIt > PIECE_MS[1]) close();
      lengthMs = gathered.length > 0 ? withIt : clipMs + 2 * PAD_MS;
      gathered.push(sentence);
    }
    close();
  }
  return pieces;
}

function place(sentences: readonly Sentence[], clips: ReadonlyMap<string, Clip>, id: string): Labelled {
  const [first] = sentences;
  if (!first) throw new Error("expected a sentence");
  const seed = Number(first.id.slice(1));
  const random = createRandom(seed);
  const speech: Span[] = [];
  const placed: Labelled["sentences"][number][] = [];
  const parts: { at: number; clip: Clip }[] = [];
  let at = Math.round((PAD_MS * RATE) / 1000);
  for (const { id: clipId, text } of sentences) {
    const clip = clips.get(clipId);
    if (!clip) throw new Error(`expected ${clipId} to be spoken`);
    if (parts.length > 0) at += Math.round(((GAP_MS[0] + random() * (GAP_MS[1] - GAP_MS[0])) * RATE) / 1000);
    const atMs = (at * 1000) / RATE;
    const spans = clip.speech.map(([startMs, endMs]): Span => [Math.round(atMs + startMs), Math.round(atMs + endMs)]);
    speech.push(...spans);
    placed.push({ text, startMs: spans[0]?.[0] ?? 0, endMs: spans.at(-1)?.[1] ?? 0 });
    parts.push({ at, clip });
    at += clip.samples.length;
  }
  const samples = new Float64Array(at + Math.round((PAD_MS * RATE) / 1000));
  for (const part of parts) samples.set(part.clip.samples, part.at);
  if (first.noise !== null && first.snrDb !== null) {
    const spoken = parts.flatMap(({ clip }) => clip.speech.map((span) => cut(clip.samples, span)));
    const others = [...clips].filter(([other]) => !sentences.some((sentence) => sentence.id === other)).map(([, clip]) => clip.samples);
    addNoiseOf(first.noise, samples, rms(spoken) * gain(-first.snrDb), seed, others);
  }
  return { id, half: first.half, samples: overTelephone(samples, seed), sentences: placed, speech, noise: first.noise };
}

function cut(samples: Float64Array, [startMs, endMs]: Span): Float64Array {
  return samples.subarray(Math.round((startMs * RATE) / 1000), Math.round((endMs * RATE) / 1000));
}
