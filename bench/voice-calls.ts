/** Calls of one channel for bench/voices.ts: one, two or three voices in turn through telephone lines, with the truth of who speaks when. All deterministic. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Codec, encode } from "../fixtures/encode.ts";
import { loadLines, readLineFile } from "../fixtures/timeline.ts";
import { RATE, readLine } from "../fixtures/wave.ts";
import { createResampler } from "../src/pipeline/audio/resample.ts";
import { union } from "../src/pipeline/timeline.ts";
import type { Span } from "../src/pipeline/types.ts";
import { seededRandom } from "../test/support/audio-files.ts";

/** A spoken line at 8 kHz, speech at -22 dBFS. */
export interface Clip {
  readonly voice: string;
  readonly samples: Float64Array;
  /** Where in the clip the speech is, pauses of 200 ms and more taken out. */
  readonly speech: readonly Span[];
}

/** How a call sounds. */
export interface Line {
  readonly codec: Codec;
  /** Speech over white noise, dB; null: a quiet line. */
  readonly snrDb: number | null;
  /** Of the second voice against the first. */
  readonly unevenDb?: number;
  /** Every turn with a level, noise and band of its own: what a lazy gate takes for another voice. */
  readonly changing?: boolean;
}

export interface MonoCall {
  readonly name: string;
  /** The bytes of the recording. */
  readonly file: Buffer;
  readonly extension: string;
  readonly durationMs: number;
  /** Who really speaks when. */
  readonly speech: ReadonlyMap<string, readonly Span[]>;
}

const SPEECH_DB = -22;
const FLOOR_DB = -62;

/** The committed lines, by voice; robots left out. */
export function fixtureClips(): Map<string, Clip[]> {
  const clips = new Map<string, Clip[]>();
  for (const line of loadLines().values()) {
    if (line.voice.startsWith("espeak")) continue;
    const clip = { voice: line.voice, samples: readLine(readLineFile(line.id)), speech: line.speech };
    clips.set(line.voice, [...(clips.get(line.voice) ?? []), clip]);
  }
  return clips;
}

/** More lines: `VOICE-NN.wav` files of 24 kHz, mono, 16 bits, as shared/speech/say.py writes them. */
export function clipsOfFolder(folder: string): Map<string, Clip[]> {
  const clips = new Map<string, Clip[]>();
  for (const file of readdirSync(folder).sort()) {
    const voice = /^(.+)-\d+\.wav$/.exec(file)?.[1];
    if (voice === undefined) continue;
    const bytes = readFileSync(join(folder, file));
    const wide = Float32Array.from({ length: (bytes.length - 44) >> 1 }, (_, i) => bytes.readInt16LE(44 + 2 * i) / 32768);
    const samples = Float64Array.from(createResampler(24_000, RATE).push(wide));
    const speech = loudSpans(samples);
    scaleTo(samples, speech, SPEECH_DB);
    clips.set(voice, [...(clips.get(voice) ?? []), { voice, samples, speech }]);
  }
  return clips;
}

/** Where frames of 20 ms are within 35 dB of the loudest, pauses under 200 ms filled. */
function loudSpans(samples: Float64Array): Span[] {
  const step = RATE / 50;
  const powers = Array.from({ length: Math.floor(samples.length / step) }, (_, frame) =>
    power(samples.subarray(frame * step, (frame + 1) * step)),
  );
  const least = Math.max(...powers) / 10 ** 3.5;
  return union(
    powers.flatMap((value, frame): Span[] => (value > least ? [[frame * 20, (frame + 1) * 20]] : [])),
    200,
  );
}

function power(samples: Float64Array): number {
  return samples.reduce((sum, sample) => sum + sample * sample, 0) / Math.max(1, samples.length);
}

function scaleTo(samples: Float64Array, speech: readonly Span[], db: number): void {
  const parts = speech.map(([from, to]) => samples.subarray(from * 8, to * 8));
  const total =
    parts.reduce((sum, part) => sum + power(part) * part.length, 0) /
    Math.max(
      1,
      parts.reduce((sum, part) => sum + part.length, 0),
    );
  const gain = 10 ** (db / 20) / Math.sqrt(Math.max(total, 1e-12));
  for (let i = 0; i < samples.length; i++) samples[i] = (samples[i] as number) * gain;
}

export interface CallPlan {
  readonly name: string;
  /** Who speaks, in turn; each with lines of his own. */
  readonly voices: readonly (readonly Clip[])[];
  readonly seconds: number;
  readonly line: Line;
  readonly seed: number;
  /** Share of turns of the second voice that are a single short line (he mostly listens). */
  readonly listens?: number;
}

/** Makes a call: turns of one to three lines, some begun before the other has ended, until it is long enough. */
export async function makeCall({ name, voices, seconds, line, seed, listens = 0 }: CallPlan): Promise<MonoCall> {
  const random = seededRandom(seed);
  const decks = voices.map((clips) => shuffled(clips, random));
  const next = voices.map(() => 0);
  const draw = (who: number): Clip => {
    const deck = decks[who] as Clip[];
    const at = next[who] as number;
    next[who] = at + 1;
    return deck[at % deck.length] as Clip;
  };
  const shortest = voices.map((clips) => [...clips].sort((a, b) => a.samples.length - b.samples.length).slice(0, 3));
  const sound = new Float64Array(Math.ceil((seconds + 40) * RATE));
  const speech = new Map<string, Span[]>();
  let atMs = 500;
  for (let turn = 0; atMs < seconds * 1000; turn++) {
    const who = voices.length < 3 ? turn % voices.length : Math.floor(random() * voices.length);
    const brief = who === 1 && random() < listens;
    const count = brief ? 1 : 1 + Math.floor(random() * 3);
    const gainDb = (who === 1 ? (line.unevenDb ?? 0) : 0) + (line.changing ? 12 * random() - 6 : 0);
    const change = line.changing ? { pole: 0.5 * random() - 0.1, noiseDb: -60 + 28 * random() } : null;
    for (let i = 0; i < count; i++) {
      const clip = brief ? (shortest[who]?.[Math.floor(random() * 3)] ?? draw(who)) : draw(who);
      const samples = change ? through(clip.samples, change.pole, change.noiseDb, random) : clip.samples;
      const gain = 10 ** (gainDb / 20);
      samples.forEach((sample, k) => {
        sound[atMs * 8 + k] = (sound[atMs * 8 + k] ?? 0) + gain * sample;
      });
      const spans = speech.get(clip.voice) ?? [];
      spans.push(...clip.speech.map(([from, to]): Span => [atMs + from, atMs + to]));
      speech.set(clip.voice, spans);
      atMs += Math.round(samples.length / 8) + Math.round(150 * random());
    }
    atMs += Math.round(random() < 0.15 ? -500 * random() : 200 + 900 * random());
  }
  const durationMs = atMs + 500;
  const whole = sound.subarray(0, durationMs * 8);
  noise(whole, line.snrDb === null ? FLOOR_DB : SPEECH_DB - line.snrDb, random);
  return {
    name,
    file: await encode([whole], line.codec),
    extension: line.codec === "mp3" ? "mp3" : line.codec === "amr" ? "amr" : line.codec === "opus" ? "ogg" : "wav",
    durationMs,
    speech: new Map([...speech].map(([voice, spans]) => [voice, union(spans)])),
  };
}

/** Another telephone: a tilt of the spectrum, and noise of its own. */
function through(samples: Float64Array, pole: number, noiseDb: number, random: () => number): Float64Array {
  const changed = new Float64Array(samples.length);
  let last = 0;
  for (let i = 0; i < samples.length; i++) {
    last = pole * last + (samples[i] as number) * (1 - Math.abs(pole));
    changed[i] = last;
  }
  const level = Math.sqrt(power(samples) / Math.max(1e-12, power(changed)));
  for (let i = 0; i < changed.length; i++) changed[i] = (changed[i] as number) * level;
  noise(changed, noiseDb, random);
  return changed;
}

function noise(samples: Float64Array, db: number, random: () => number): void {
  const scale = 10 ** (db / 20) * Math.sqrt(3);
  for (let i = 0; i < samples.length; i++) samples[i] = (samples[i] as number) + scale * (2 * random() - 1);
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}

/** Of the time that just one person really speaks and that was told apart: how much was given to the right one, by the better of both namings; ms. */
export function rightMs(
  truth: ReadonlyMap<string, readonly Span[]>,
  told: readonly (readonly Span[])[],
): { readonly right: number; readonly judged: number } {
  const endMs = Math.max(0, ...[...truth.values(), ...told].flat().map(([, end]) => end));
  const frames = Math.ceil(endMs / 10);
  const speaking = new Int16Array(frames).fill(-1);
  [...truth.values()].forEach((spans, who) => {
    for (const [from, to] of spans) for (let f = Math.floor(from / 10); f < to / 10; f++) speaking[f] = speaking[f] === -1 ? who : -2;
  });
  const given = new Int16Array(frames).fill(-1);
  told.forEach((spans, voice) => {
    for (const [from, to] of spans) given.fill(voice, Math.round(from / 10), Math.round(to / 10));
  });
  const table = Array.from(truth, () => told.map(() => 0));
  let judged = 0;
  for (let f = 0; f < frames; f++) {
    const who = speaking[f] as number;
    const voice = given[f] as number;
    if (who < 0 || voice < 0) continue;
    judged++;
    const row = table[who] as number[];
    row[voice] = (row[voice] as number) + 1;
  }
  const cell = (who: number, voice: number) => table[who]?.[voice] ?? 0;
  const pairs = table.flatMap((_, one) => table.map((__, two) => (one === two ? 0 : cell(one, 0) + cell(two, 1))));
  return { right: 10 * Math.max(0, ...pairs, table.length === 1 ? cell(0, 0) + cell(0, 1) : 0), judged: 10 * judged };
}
