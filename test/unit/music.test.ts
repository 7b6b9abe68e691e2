import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { FFMPEGS, seededRandom } from "../support/audio-files.ts";
import { amplitude, coded, listenTo, talk, withNoise } from "../support/call-sound.ts";

const RATE = 8000;
const holdMusic = new URL("../../../shared/data/noise/", import.meta.url);
const call = talk(15);

/** A note with overtones that ring out, perhaps with vibrato. */
interface Note {
  readonly atS: number;
  readonly lengthS: number;
  readonly hertz: number;
  readonly loud: number;
  readonly fading: number;
  readonly overtones: number;
  readonly vibrato?: number;
}

function play(samples: Float32Array, { atS, lengthS, hertz, loud, fading, overtones, vibrato = 0 }: Note): void {
  const from = Math.floor(atS * RATE);
  const to = Math.min(samples.length, from + Math.floor(lengthS * RATE));
  for (let overtone = 1; overtone <= overtones && hertz * overtone < 3700; overtone++) {
    let phase = overtone;
    for (let i = from; i < to; i++) {
      const t = (i - from) / RATE;
      phase += (2 * Math.PI * hertz * overtone * (1 + vibrato * Math.sin(2 * Math.PI * 5.5 * t))) / RATE;
      const shape = Math.min(1, t / 0.01, (lengthS - t) / 0.02) * Math.exp(-t * fading * (1 + 0.3 * overtone));
      samples[i] = (samples[i] ?? 0) + (loud / overtone ** 1.3) * shape * Math.sin(phase);
    }
  }
}

function drum(samples: Float32Array, atS: number, lengthS: number, loud: number, random: () => number): void {
  const from = Math.floor(atS * RATE);
  for (let i = from; i < Math.min(samples.length, from + lengthS * 5 * RATE); i++)
    samples[i] = (samples[i] ?? 0) + loud * (2 * random() - 1) * Math.exp(-(i - from) / (lengthS * RATE));
}

const CHORDS = [
  [0, 4, 7],
  [9, 12, 16],
  [5, 9, 12],
  [7, 11, 14],
] as const;

const STYLES = {
  piano: (samples, atS, beatS, hertz) => {
    for (const step of [0, 1, 2]) play(samples, { atS, lengthS: beatS * 1.5, hertz: hertz(step, 0), loud: 0.2, fading: 2, overtones: 6 });
  },
  arpeggio: (samples, atS, beatS, hertz) => {
    for (let i = 0; i < 4; i++)
      play(samples, {
        atS: atS + (i * beatS) / 4,
        lengthS: beatS / 2,
        hertz: hertz(i % 3, i === 3 ? 12 : 0),
        loud: 0.25,
        fading: 5,
        overtones: 5,
      });
  },
  strings: (samples, atS, beatS, hertz) => {
    for (const step of [0, 1, 2])
      play(samples, { atS, lengthS: beatS, hertz: hertz(step, 0), loud: 0.15, fading: 0.1, overtones: 10, vibrato: 0.004 });
  },
  pop: (samples, atS, beatS, hertz, random) => {
    for (const step of [0, 1, 2])
      play(samples, { atS, lengthS: beatS * 0.9, hertz: hertz(step, 0), loud: 0.12, fading: 1.5, overtones: 6 });
    play(samples, { atS, lengthS: beatS, hertz: hertz(0, -12), loud: 0.25, fading: 1, overtones: 4 });
    drum(samples, atS + beatS / 2, 0.015, 0.25, random);
    drum(samples, atS, 0.05, 0.4, random);
  },
} satisfies Record<
  string,
  (samples: Float32Array, atS: number, beatS: number, hertz: (step: number, up: number) => number, random: () => number) => void
>;

function music(style: keyof typeof STYLES, seconds: number, db: number): Float32Array {
  const samples = new Float32Array(seconds * RATE);
  const random = seededRandom(7);
  const beatS = 0.6;
  for (let beat = 0; beat * beatS < seconds; beat++) {
    const chord = CHORDS[(beat >> 2) % CHORDS.length] ?? CHORDS[0];
    STYLES[style](samples, beat * beatS, beatS, (step, up) => 220 * 2 ** (((chord[step] ?? 0) + up) / 12), random);
  }
  return toLevel(samples, db);
}

function toLevel(samples: Float32Array, db: number): Float32Array {
  const rms = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
  return samples.map((sample) => (sample * amplitude(db)) / rms);
}

/** Speech, 1 s of pause, the sound, 1 s, speech; answers the music found. */
function held(sound: Float32Array, noiseDb: number, law?: "mulaw" | "alaw") {
  const atMs = 16000;
  const afterMs = atMs + sound.length / 8 + 1000;
  const side = new Float32Array((afterMs + 15000) * 8);
  const other = new Float32Array(side.length);
  side.set(call.sides[0]);
  other.set(call.sides[1]);
  side.set(sound, atMs * 8);
  side.set(call.sides[0], afterMs * 8);
  const again = call.truth[0].map(([from, to]) => [from + afterMs, to + afterMs] as const);
  const channels = [side, other]
    .map((samples, i) => withNoise(samples, noiseDb, i + 9))
    .map((samples) => (law ? coded(samples, law) : samples));
  const { tones } = listenTo(channels, { speech: [[...call.truth[0], ...again], call.truth[1]] });
  return { tones, atMs, endMs: atMs + sound.length / 8 };
}

describe("music", () => {
  for (const style of Object.keys(STYLES) as (keyof typeof STYLES)[])
    for (const [db, noiseDb, law, seconds] of [
      [-20, -70, undefined, 12],
      [-30, -55, "mulaw", 6],
      [-16, -40, "alaw", 9],
    ] as const)
      test(`${style} at ${db} dBFS for ${seconds} s, noise at ${noiseDb} dBFS${law ? `, ${law}` : ""}`, () => {
        const { tones, atMs, endMs } = held(music(style, seconds, db), noiseDb, law);
        expect(tones.map((tone) => [tone.kind, tone.channel])).toEqual([["music", 0]]);
        expect(Math.abs((tones[0]?.startMs ?? 0) - atMs)).toBeLessThanOrEqual(300);
        expect(Math.abs((tones[0]?.endMs ?? 0) - endMs)).toBeLessThanOrEqual(300);
      });

  test("words that the detector hears in it don't cut it, and are no speech", () => {
    const sound = withNoise(music("strings", 12, -20), -65, 1);
    const { tones, channels } = listenTo([sound], {
      speech: [
        [
          [4000, 4800],
          [7000, 7700],
        ],
      ],
    });
    expect(tones.map((tone) => tone.kind)).toEqual(["music"]);
    expect(channels[0]?.speech).toEqual([]);
  });

  test("music that fills a whole channel at one level", () => {
    const { tones, layout } = listenTo([withNoise(music("strings", 20, -25), -70, 1)]);
    expect(tones.map((tone) => tone.kind)).toEqual(["music"]);
    expect(layout).toBe("silent");
  });

  test("under three seconds it is not called music", () => {
    expect(held(music("piano", 2, -20), -65).tones).toEqual([]);
  });

  test("speech is none, nor where the detector misses it all, nor are many voices at once", () => {
    const sides = call.sides.map((side, i) => withNoise(side, -60, i));
    expect(listenTo(sides, { speech: call.truth }).tones).toEqual([]);
    expect(listenTo(sides, { probable: [0.15, 0.15] }).tones).toEqual([]);
    const others = talk(15, ["zf_xiaoxiao", "zm_yunyang"]);
    const babble = call.sides[0].map(
      (sample, i) => sample + (call.sides[1][i] ?? 0) + (others.sides[0][i] ?? 0) + (others.sides[1][i] ?? 0),
    );
    expect(listenTo([withNoise(babble, -60, 1)], { probable: [0.15, 0.15] }).tones).toEqual([]);
  });

  test("noise is none, even or office-like, steady or in steps", () => {
    const still = () => new Float32Array(15 * RATE);
    const steps = withNoise(still(), -30, 4).map((sample, i) => (i % (5 * RATE) < 2 * RATE ? sample : sample / 30));
    const sound = listenTo([withNoise(still(), -30, 1), withNoise(still(), -25, 2, 0.9)]);
    expect([...sound.tones, ...listenTo([steps]).tones]).toEqual([]);
  });

  test.skipIf(!existsSync(holdMusic)).for(["qMOH-cable_company.wav", "qMOH-friends_inline.wav"])("real hold music: %s", (name) => {
    const path = fileURLToPath(new URL(name, holdMusic));
    const raw = execFileSync(FFMPEGS[0]?.path ?? "ffmpeg", ["-v", "error", "-i", path, "-ac", "1", "-ar", "8000", "-f", "f32le", "-"], {
      maxBuffer: 1 << 26,
    });
    const samples = new Float32Array(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.length));
    for (const law of ["mulaw", "alaw"] as const) {
      const { tones, atMs, endMs } = held(toLevel(samples, -22), -60, law);
      expect(tones.map((tone) => tone.kind)).toEqual(["music"]);
      expect(Math.abs((tones[0]?.startMs ?? 0) - atMs)).toBeLessThanOrEqual(300);
      expect(Math.abs((tones[0]?.endMs ?? 0) - endMs)).toBeLessThanOrEqual(700);
    }
  });
});
