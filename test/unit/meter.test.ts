import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRealFft } from "../../src/pipeline/audio/fft.ts";
import { createMeter } from "../../src/pipeline/audio/meter.ts";
import { FLAT, levelDb } from "../../src/pipeline/audio/tracks.ts";
import { seededRandom } from "../support/audio-files.ts";
import { addTone, amplitude, coded, withNoise } from "../support/call-sound.ts";

const RATE = 8000;

function measure(samples: Float32Array) {
  const meter = createMeter(1, RATE);
  meter.push([samples], [samples]);
  const [channel] = meter.finish().channels;
  if (!channel) throw new Error("expected one channel");
  return channel;
}

describe("Fourier transform", () => {
  for (const size of [16, 32, 256, 512, 1024])
    test(`of ${size} samples equals the sum that defines it, and is undone by its inverse`, () => {
      const random = seededRandom(size);
      const input = Float64Array.from({ length: size }, () => random() - 0.5);
      const fft = createRealFft(size);
      const re = new Float64Array(size / 2 + 1);
      const im = new Float64Array(size / 2 + 1);
      fft.forward(input, re, im);
      for (let k = 0; k <= size / 2; k++) {
        let [sumRe, sumIm] = [0, 0];
        for (const [i, value] of input.entries()) {
          sumRe += value * Math.cos((2 * Math.PI * k * i) / size);
          sumIm -= value * Math.sin((2 * Math.PI * k * i) / size);
        }
        expect(Math.hypot((re[k] ?? 0) - sumRe, (im[k] ?? 0) - sumIm)).toBeLessThan(1e-9);
      }
      const back = new Float64Array(size);
      fft.inverse(re, im, back);
      for (const [i, value] of input.entries()) expect(back[i]).toBeCloseTo(value, 10);
    });
});

describe("meter", () => {
  test("measures the level of a sine within half a decibel, whatever constant is added", () => {
    for (const db of [-60, -30, -12])
      for (const offset of [0, 0.05]) {
        const samples = new Float32Array(RATE).fill(offset);
        addTone(samples, 0, 1000, [1000], db);
        const { levels, mean } = measure(samples);
        expect(Math.abs(levelDb(levels[50] ?? 0) - db)).toBeLessThanOrEqual(0.5);
        expect(mean).toBeCloseTo(offset, 3);
      }
  });

  test("calls digital silence flat, also A-law's, and nothing that sounds", () => {
    const still = new Float32Array(RATE);
    expect(measure(still).levels.every((code) => code === FLAT)).toBe(true);
    expect(measure(coded(withNoise(still, -100, 1), "alaw")).levels.every((code) => code === FLAT)).toBe(true);
    expect(measure(withNoise(still, -75, 1)).levels.some((code) => code === FLAT)).toBe(false);
  });

  test("keeps the same tracks whatever the blocks", () => {
    const samples = withNoise(new Float32Array(5000), -40, 1);
    addTone(samples, 100, 300, [440, 480], -20);
    const whole = measure(samples);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1500 }), { minLength: 1, maxLength: 20 }), (lengths) => {
        const meter = createMeter(1, RATE);
        let at = 0;
        for (const length of [...lengths, samples.length]) {
          const block = samples.subarray(at, at + length);
          meter.push([block], [block]);
          at = Math.min(samples.length, at + length);
        }
        const [cut] = meter.finish().channels;
        expect(cut?.levels).toEqual(whole.levels);
        expect(cut?.spectra).toEqual(whole.spectra);
        expect(cut?.plateauSamples).toBe(whole.plateauSamples);
      }),
      { numRuns: 25, seed: 1 },
    );
  });

  test("finds the lines of a tone to two hertz", () => {
    const samples = withNoise(new Float32Array(RATE), -60, 1);
    addTone(samples, 0, 1000, [480, 620], -20);
    const { spectra } = measure(samples);
    const lines = [(spectra.line1[6] ?? 0) / 4, (spectra.line2[6] ?? 0) / 4].sort((a, b) => a - b);
    expect(Math.abs((lines[0] ?? 0) - 480)).toBeLessThan(2);
    expect(Math.abs((lines[1] ?? 0) - 620)).toBeLessThan(2);
    expect(((spectra.share1[6] ?? 0) + (spectra.share2[6] ?? 0)) / 255).toBeGreaterThan(0.9);
  });

  test("takes a snapshot of a tone at every frequency, also those that vanish at every other sample", () => {
    for (const hertz of [1000, 1333, 2000, 2667]) {
      const samples = Float32Array.from({ length: 2048 }, (_, i) => 0.2 * Math.sin((2 * Math.PI * hertz * i) / RATE));
      expect(measure(samples).spectra.share1[1]).toBeGreaterThan(200);
    }
  });

  test("counts flat tops at any level, and none in an unclipped sine mixture", () => {
    const samples = withNoise(new Float32Array(RATE), -20, 3, 0.8);
    const before = measure(samples).plateaus;
    const limit = 0.1;
    const clipped = measure(samples.map((sample) => Math.max(-limit, Math.min(limit, sample))));
    expect(before).toBeLessThan(5);
    expect(clipped.plateaus).toBeGreaterThan(100);
    expect(clipped.peak).toBeCloseTo(limit, 5);
  });

  test("tells wide from narrow sound by what is above the telephone band", () => {
    const meterOf = (native: Float32Array) => {
      const meter = createMeter(1, 16000);
      meter.push([native.filter((_, i) => i % 2 === 0)], [native]);
      return meter.finish().channels[0]?.wide;
    };
    const random = seededRandom(5);
    const wide = Float32Array.from({ length: 64000 }, () => amplitude(-20) * (2 * random() - 1));
    const narrow = Float32Array.from({ length: 64000 }, (_, i) => amplitude(-20) * Math.sin((2 * Math.PI * 900 * i) / 16000));
    expect(meterOf(wide)?.snapshots).toBe(8);
    expect(meterOf(wide)?.meanRatio).toBeGreaterThan(0.5);
    expect(meterOf(narrow)?.meanRatio).toBeLessThan(1e-4);
  });
});
