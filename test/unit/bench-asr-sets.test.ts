import { describe, expect, it } from "vitest";
import { addNoiseOf, NOISES, nonSpeech, overTelephone, rms } from "../../bench/asr/noise.ts";
import { placedPieces, readSentences, type Sentence, singleSentences } from "../../bench/asr/sentences.ts";
import { createRandom, TONES } from "../../fixtures/synth.ts";
import { countUnits } from "../../src/pipeline/text/count-units.ts";

/** A tone with 50 ms of silence before and after, for each sentence, as long as the sentence would take. */
function clipsFor(sentences: readonly Sentence[]) {
  return new Map(
    sentences.map(({ id, text }, n) => {
      const lengthMs = 200 * countUnits(text, "zh") + 100;
      const samples = Float64Array.from({ length: lengthMs * 8 }, (_, i) =>
        i < 400 || i >= lengthMs * 8 - 400 ? 0 : 0.1 * Math.sin(((400 + n) * 2 * Math.PI * i) / 8000),
      );
      return [id, { samples, speech: [[50, lengthMs - 50] as const] }] as const;
    }),
  );
}

const sentences = readSentences();

describe("the list of sentences", () => {
  it("has 120 of four voices, each in noise half of the time, no text twice", () => {
    expect(sentences).toHaveLength(120);
    expect(new Set(sentences.map(({ text }) => text)).size).toBe(120);
    const voices = [...new Set(sentences.map(({ voice }) => voice))];
    expect(voices).toHaveLength(4);
    for (const voice of voices) {
      const own = sentences.filter((sentence) => sentence.voice === voice);
      expect([own.length, own.filter(({ noise }) => noise !== null).length]).toEqual([30, 15]);
    }
  });

  it("keeps to 8 to 40 characters and 10 to 20 dB", () => {
    for (const { text, noise, snrDb } of sentences) {
      expect(countUnits(text, "zh")).toBeGreaterThanOrEqual(8);
      expect(countUnits(text, "zh")).toBeLessThanOrEqual(40);
      if (noise !== null) expect(snrDb).toSatisfy((db: number) => db >= 10 && db <= 20);
    }
  });
});

describe("sentences as sound", () => {
  const clips = clipsFor(sentences);

  it("are the same each time", () => {
    const few = sentences.slice(0, 8);
    expect(singleSentences(few, clips)).toEqual(singleSentences(few, clips));
  });

  it("lie in pieces of at most 20 s, each sentence once, of one voice and one kind of line, where they are said to lie", () => {
    const pieces = placedPieces(sentences, clips);
    expect(pieces.flatMap((piece) => piece.sentences.map(({ text }) => text)).sort()).toEqual(sentences.map(({ text }) => text).sort());
    const long = pieces.filter(({ samples }) => samples.length >= 7 * 8000);
    expect(long.length).toBeGreaterThan(pieces.length / 2);
    for (const { samples, speech, noise } of pieces) {
      expect(samples.length).toBeLessThanOrEqual(20_000 * 8);
      if (noise !== null) continue;
      const inside = rms(speech.map(([startMs, endMs]) => samples.subarray(startMs * 8, endMs * 8)));
      const before = rms([samples.subarray(0, (speech[0]?.[0] ?? 0) * 8)]);
      expect(inside).toBeGreaterThan(30 * before);
    }
  });
});

describe("noise", () => {
  it.each(NOISES)("%s has the level asked for, and is the same from the same seed", (kind) => {
    const others = [Float64Array.from({ length: 4000 }, createRandom(9)).map((value) => value - 0.5)];
    const [a, b, c] = [5, 5, 6].map((seed) => {
      const samples = new Float64Array(16_000);
      addNoiseOf(kind, samples, 0.05, seed, others);
      return samples;
    });
    expect(rms([a as Float64Array])).toBeCloseTo(0.05, 6);
    expect(a).toEqual(b);
    expect(a).not.toEqual(c);
  });

  it("the telephone changes sound by its steps only", () => {
    const sound = TONES.beep(500);
    const heard = overTelephone(sound, 1);
    expect(heard).toHaveLength(sound.length);
    expect(rms([heard.map((value, i) => value - (sound[i] as number))])).toBeLessThan(0.05 * rms([sound]));
  });
});

describe("stretches without speech", () => {
  it("are 90 without recorded music, 3 to 12 s long, all within full scale, most of them not silent", () => {
    const made = nonSpeech([], TONES.music, TONES["ring-back"]);
    expect(made).toHaveLength(90);
    for (const { what, samples } of made) {
      expect(samples.length, what).toBeGreaterThanOrEqual(24_000);
      expect(samples.length, what).toBeLessThanOrEqual(96_000);
      expect(
        samples.every((value) => Math.abs(value) <= 1),
        what,
      ).toBe(true);
    }
    expect(made.filter(({ samples }) => rms([samples]) > 1e-4)).toHaveLength(86);
  });
});
