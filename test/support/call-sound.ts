import { readFileSync } from "node:fs";
import { examine } from "../../src/pipeline/audio/doctor.ts";
import { g711Table } from "../../src/pipeline/audio/g711.ts";
import { createMeter } from "../../src/pipeline/audio/meter.ts";
import { union } from "../../src/pipeline/timeline.ts";
import type { AudioProblem, Sound, Span } from "../../src/pipeline/types.ts";
import { seededRandom } from "./audio-files.ts";

/** Calls made of spoken lines, tones and noise at 8 kHz, for the channel doctor: all deterministic. */

const RATE = 8000;
const linesFolder = new URL("../../fixtures/lines/", import.meta.url);

export const amplitude = (db: number) => 10 ** (db / 20);

/** The samples with white (or, filtered, office-like) noise of this level in dBFS added. */
export function withNoise(samples: Float32Array, db: number, seed: number, pole = 0): Float32Array {
  const random = seededRandom(seed);
  const scale = amplitude(db) * Math.sqrt(1 - pole * pole);
  let last = 0;
  return samples.map((sample) => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    last = pole * last + scale * normal;
    return sample + last;
  });
}

interface Line {
  readonly id: string;
  readonly voice: string;
  readonly durationMs: number;
  readonly speech: readonly Span[];
}

/** The committed lines of one voice, each at −20 dBFS. */
export function linesOf(voice: string): { samples: Float32Array; line: Line }[] {
  const all = JSON.parse(readFileSync(new URL("lines.json", linesFolder), "utf8")) as Line[];
  const ofVoice = all.filter((line) => line.voice === voice && line.durationMs > 1200).sort((a, b) => (a.id < b.id ? -1 : 1));
  return ofVoice
    .slice(0, 8)
    .map((line) => ({ samples: toLevel(decodeMulaw(readFileSync(new URL(`${line.id}.wav`, linesFolder))), -20), line }));
}

function decodeMulaw(wav: Buffer): Float32Array {
  const data = wav.indexOf("data") + 8;
  const table = g711Table("mulaw");
  return Float32Array.from(wav.subarray(data), (byte) => table[byte] ?? 0);
}

function toLevel(samples: Float32Array, db: number): Float32Array {
  const loud = samples.filter((sample) => Math.abs(sample) > 0.005);
  const rms = Math.sqrt(loud.reduce((sum, sample) => sum + sample * sample, 0) / Math.max(1, loud.length));
  return samples.map((sample) => (sample * amplitude(db)) / rms);
}

export interface Call {
  readonly sides: readonly [Float32Array, Float32Array];
  /** Where each side speaks; pauses up to 350 ms belong to it. */
  readonly truth: readonly [Span[], Span[]];
  readonly durationMs: number;
}

/** Two voices in turn for this long; every third turn begins before the other's ends. */
export function talk(seconds: number, voices: readonly [string, string] = ["zf_xiaobei", "zm_yunxia"]): Call {
  const spoken = voices.map(linesOf);
  const sides = [new Float32Array(seconds * RATE), new Float32Array(seconds * RATE)] as const;
  const truth: [Span[], Span[]] = [[], []];
  let atMs = 700;
  for (let turn = 0; ; turn++) {
    const side = (turn % 2) as 0 | 1;
    const lines = spoken[side] ?? [];
    const next = lines[(turn >> 1) % lines.length];
    if (!next || atMs + next.line.durationMs > seconds * 1000 - 500) break;
    sides[side].set(next.samples, atMs * 8);
    truth[side].push(...next.line.speech.map(([from, to]): Span => [atMs + from, atMs + to]));
    atMs += next.line.durationMs + (turn % 3 === 2 ? -700 : 500 + 150 * (turn % 4));
  }
  return { sides, truth: [union(truth[0], 350), union(truth[1], 350)], durationMs: seconds * 1000 };
}

/** The sound of `other` heard in `own`, this loud against it and this much later. */
export function leaking(own: Float32Array, other: Float32Array, db: number, delayMs: number): Float32Array {
  const gain = amplitude(db);
  return own.map((sample, i) => sample + gain * (other[i - delayMs * 8] ?? 0));
}

export function shifted(samples: Float32Array, delayMs: number, gain: number): Float32Array {
  return samples.map((_, i) => gain * (samples[i - delayMs * 8] ?? 0));
}

/** There and back through G.711. */
export function coded(samples: Float32Array, law: "mulaw" | "alaw"): Float32Array {
  const values = [...g711Table(law)].sort((a, b) => a - b);
  return samples.map((sample) => {
    let low = 0;
    let high = values.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((values[middle] ?? 0) <= sample) low = middle;
      else high = middle;
    }
    const [below, above] = [values[low] ?? 0, values[high] ?? 0];
    return sample - below < above - sample ? below : above;
  });
}

/** Adds sines of equal level, together of this level in dBFS, with 3 ms ramps. */
export function addTone(samples: Float32Array, startMs: number, lengthMs: number, hertz: readonly number[], db: number): void {
  const scale = amplitude(db) * Math.sqrt(2 / hertz.length);
  const length = lengthMs * 8;
  for (let i = 0; i < length; i++) {
    const ramp = Math.min(1, (i + 1) / 24, (length - i) / 24);
    let value = 0;
    for (const frequency of hertz) value += Math.sin((2 * Math.PI * frequency * i) / RATE);
    const at = startMs * 8 + i;
    if (at < samples.length) samples[at] = (samples[at] ?? 0) + scale * ramp * value;
  }
}

export interface Hearing {
  /** What a speech detector would have found; by default nothing. */
  readonly speech?: readonly (readonly Span[])[];
  /** Its probability outside and inside that speech. */
  readonly probable?: readonly [outside: number, inside: number];
  readonly native?: readonly Float32Array[];
  readonly nativeRate?: number;
  readonly truncated?: boolean;
  readonly inputProblems?: readonly AudioProblem[];
}

/** Meters the channels in blocks and examines them. */
export function listenTo(channels: readonly Float32Array[], hearing: Hearing = {}): Sound {
  const { speech = channels.map(() => []), probable = [0.02, 0.95], native = channels, nativeRate = RATE } = hearing;
  const length = channels[0]?.length ?? 0;
  const meter = createMeter(channels.length, nativeRate);
  const factor = nativeRate / RATE;
  for (let at = 0; at < length; at += 20000) {
    const block = channels.map((samples) => samples.subarray(at, at + 20000));
    meter.push(block, native === channels ? block : native.map((samples) => samples.subarray(at * factor, (at + 20000) * factor)));
  }
  const hops = Math.floor(length / 256);
  return examine({
    measures: meter.finish(),
    speech,
    probability: channels.map((_, channel) =>
      Float32Array.from({ length: hops }, (_, hop) =>
        (speech[channel] ?? []).some(([startMs, endMs]) => hop * 32 + 16 >= startMs && hop * 32 + 16 < endMs) ? probable[1] : probable[0],
      ),
    ),
    hopMs: 32,
    durationMs: Math.round(length / 8),
    nativeRate,
    truncated: hearing.truncated ?? false,
    window(channel, startMs, lengthMs) {
      const from = Math.round(startMs * 8);
      return Float32Array.from({ length: Math.round(lengthMs * 8) }, (_, i) => channels[channel]?.[from + i] ?? 0);
    },
    inputProblems: hearing.inputProblems ?? [],
  });
}

/** Share of the true time that is missing, and of it again that is invented, in 10 ms frames. */
export function errors(truth: readonly Span[], found: readonly Span[], durationMs: number): { missed: number; invented: number } {
  const mark = (spans: readonly Span[]) => {
    const frames = new Uint8Array(Math.ceil(durationMs / 10));
    for (const [startMs, endMs] of spans) frames.fill(1, Math.round(startMs / 10), Math.round(endMs / 10));
    return frames;
  };
  const [real, heard] = [mark(truth), mark(found)];
  let total = 0;
  let missed = 0;
  let invented = 0;
  for (const [frame, value] of real.entries()) {
    total += value;
    if (value === 1 && heard[frame] === 0) missed++;
    if (value === 0 && heard[frame] === 1) invented++;
  }
  return { missed: missed / Math.max(1, total), invented: invented / Math.max(1, total) };
}

export const problemsOf = (sound: Sound, code: AudioProblem["code"]) => sound.problems.filter((problem) => problem.code === code);
