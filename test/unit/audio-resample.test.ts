import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createResampler } from "../../src/pipeline/audio/resample.ts";
import { amplitudeAt } from "../support/audio-files.ts";

function sine(hz: number, sampleRate: number, frames: number): Float32Array {
  return Float32Array.from({ length: frames }, (_, i) => Math.sin((2 * Math.PI * hz * i) / sampleRate));
}

function resample(samples: Float32Array, fromHz: number, toHz: number, pieces: readonly number[] = []): Float32Array {
  const resampler = createResampler(fromHz, toHz);
  const parts: Float32Array[] = [];
  let at = 0;
  for (const piece of pieces) {
    parts.push(resampler.push(samples.subarray(at, at + piece)).slice());
    at = Math.min(samples.length, at + piece);
  }
  parts.push(resampler.push(samples.subarray(at)).slice(), resampler.flush());
  const whole = new Float32Array(parts.reduce((total, part) => total + part.length, 0));
  let filled = 0;
  for (const part of parts) {
    whole.set(part, filled);
    filled += part.length;
  }
  return whole;
}

const RATES = [4_000, 6_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000];
/** Largest common factor with 8,000 is 1: more phases than are kept. */
const ODD_RATES = [7_999, 12_347, 44_101, 191_999];

describe("createResampler", () => {
  it("is the identity where the rates are equal", () => {
    const block = sine(440, 8000, 100);
    const resampler = createResampler(8000, 8000);
    expect(resampler.push(block)).toBe(block);
    expect(resampler.flush()).toHaveLength(0);
  });

  it.each([...RATES, ...ODD_RATES])("%i Hz to 8 kHz: flat within 0.2 dB up to the pass band's edge", (fromHz) => {
    const edge = 0.85 * Math.min(4000, fromHz / 2);
    for (const hz of [100, 300, 1000, 0.9 * edge, edge - 20].filter((each) => each <= edge)) {
      const output = resample(sine(hz, fromHz, fromHz), fromHz, 8000).subarray(1000, 7000);
      expect(Math.abs(20 * Math.log10(amplitudeAt(output, hz, 8000))), `${hz} Hz`).toBeLessThan(0.2);
    }
  });

  it.each([...RATES, ...ODD_RATES].filter((rate) => rate >= 11_025))("%i Hz to 8 kHz: what lies above 4.6 kHz is 55 dB down", (fromHz) => {
    for (const hz of [4_650, 5_200, 0.3 * fromHz, 0.49 * fromHz].filter((each) => each >= 4_650 && each < fromHz / 2)) {
      const output = resample(sine(hz, fromHz, fromHz / 2), fromHz, 8000).subarray(500, 3500);
      const rms = Math.sqrt(output.reduce((total, value) => total + value * value, 0) / output.length);
      expect(20 * Math.log10(rms * Math.SQRT2), `${hz} Hz`).toBeLessThan(-55);
    }
  });

  it.each([...RATES, ...ODD_RATES])("%i Hz: output n is the sound at time n / 8000, and none is missing", (fromHz) => {
    const frames = Math.round(fromHz * 0.7);
    const output = resample(sine(700, fromHz, frames), fromHz, 8000);
    expect(output).toHaveLength(Math.ceil((frames * 8000) / fromHz));
    let worst = 0;
    for (let n = 200; n < output.length - 200; n++)
      worst = Math.max(worst, Math.abs((output[n] as number) - Math.sin((2 * Math.PI * 700 * n) / 8000)));
    expect(worst).toBeLessThan(0.01);
  });

  it("raises a rate without images", () => {
    const output = resample(sine(1000, 8000, 8000), 8000, 48_000).subarray(6000, 42_000);
    expect(amplitudeAt(output, 1000, 48_000)).toBeCloseTo(1, 2);
    expect(amplitudeAt(output, 7000, 48_000)).toBeLessThan(0.002);
  });

  it("gives the same samples however the input is cut", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...RATES, ...ODD_RATES),
        fc.constantFrom(8000, 16_000),
        fc.integer({ min: 0, max: 6000 }),
        fc.array(fc.nat(1500), { maxLength: 12 }),
        (fromHz, toHz, frames, pieces) => {
          const samples = sine(300, fromHz, frames);
          const whole = resample(samples, fromHz, toHz);
          const inPieces = resample(samples, fromHz, toHz, pieces);
          expect(inPieces).toHaveLength(whole.length);
          expect(inPieces.every((value, n) => value === whole[n])).toBe(true);
        },
      ),
      { numRuns: 100, seed: 11 },
    );
  });
});
