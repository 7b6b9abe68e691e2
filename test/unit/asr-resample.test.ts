import { describe, expect, it } from "vitest";
import { RECOGNISER_RATE } from "../../src/pipeline/asr/recogniser.ts";
import { createResampler } from "../../src/pipeline/audio/resample.ts";
import { amplitudeAt } from "../support/audio-files.ts";

const TELEPHONE_RATE = 8_000;
/** The telephone's band, Hz. */
const BAND = [300, 3_400] as const;

function raised(samples: Float32Array): Float32Array {
  const resampler = createResampler(TELEPHONE_RATE, RECOGNISER_RATE);
  const body = resampler.push(samples);
  const rest = resampler.flush();
  const whole = new Float32Array(body.length + rest.length);
  whole.set(body);
  whole.set(rest, body.length);
  return whole;
}

function sine(hz: number): Float32Array {
  return Float32Array.from({ length: TELEPHONE_RATE }, (_, i) => Math.sin((2 * Math.PI * hz * i) / TELEPHONE_RATE));
}

/** The middle of the second, clear of its edges. */
function settled(samples: Float32Array): Float32Array {
  return raised(samples).subarray(4_000, 12_000);
}

const decibels = (amplitude: number): number => 20 * Math.log10(Math.max(amplitude, 1e-12));

describe("telephone sound for a recogniser, 8 to 16 kHz", () => {
  const tones = Array.from({ length: 32 }, (_, i) => BAND[0] + i * 100);

  it("passes 300 to 3,400 Hz unchanged, within 0.1 dB", () => {
    expect(tones.at(-1)).toBe(BAND[1]);
    for (const hz of tones) expect(Math.abs(decibels(amplitudeAt(settled(sine(hz)), hz, RECOGNISER_RATE))), `${hz} Hz`).toBeLessThan(0.1);
  });

  it("holds the image of each of them 55 dB down, so that nothing sounds above 4.6 kHz", () => {
    for (const hz of tones) {
      const image = amplitudeAt(settled(sine(hz)), TELEPHONE_RATE - hz, RECOGNISER_RATE);
      expect(decibels(image), `${TELEPHONE_RATE - hz} Hz, image of ${hz} Hz`).toBeLessThan(-55);
    }
  });

  it("delays nothing: a click stays where it was", () => {
    const click = new Float32Array(1_000);
    click[500] = 1;
    const output = raised(click);
    expect(output).toHaveLength(2_000);
    const peak = output.reduce((best, value, n) => (Math.abs(value) > Math.abs(output[best] as number) ? n : best), 0);
    expect(peak).toBe(1_000);
  });

  it("adds nothing to silence", () => {
    expect(raised(new Float32Array(4_000)).every((value) => value === 0)).toBe(true);
  });
});
