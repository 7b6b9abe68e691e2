import { describe, expect, it } from "vitest";
import { condition, conditioningGain } from "../../src/pipeline/vad/condition.ts";
import { sine } from "../support/sound.ts";

const levelDb = (samples: Float32Array): number => 10 * Math.log10(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
const silence = new Float32Array(8000);
/** A tone of that RMS level, dBFS. */
const toneAt = (db: number): Float32Array => sine(300, 1).map((x) => (x / 0.3) * Math.SQRT2 * 10 ** (db / 20));

describe("conditioning for the speech detector", () => {
  it.each([-6, -20, -29, -38])("brings speech at %d dBFS to -29, whatever the pauses between", (db) => {
    const speech = toneAt(db);
    const gain = conditioningGain([silence, speech, silence, silence, speech, silence]);
    expect(levelDb(speech.map((x) => x * gain))).toBeCloseTo(-29, 1);
  });

  it("lifts by 12 dB at most, and leaves silence alone", () => {
    expect(20 * Math.log10(conditioningGain([toneAt(-50)]))).toBeCloseTo(12, 5);
    expect(conditioningGain([silence])).toBe(1);
    expect(conditioningGain([])).toBe(1);
  });

  it("adds a noise of -49 dBFS, the same in every run and however the sound is cut", () => {
    const whole = new Float32Array(70_000);
    condition(new Float32Array(70_000), 1, whole, 0);
    expect(levelDb(whole)).toBeCloseTo(-49, 1);
    const cut = new Float32Array(70_000);
    for (let at = 0; at < 70_000; at += 777) condition(new Float32Array(Math.min(777, 70_000 - at)), 1, cut, at);
    expect(cut).toEqual(whole);
  });
});
