import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { createFbank, type FbankOptions, framesIn, MEL_BINS } from "../../src/pipeline/asr/sherpa/fbank.ts";

interface Table {
  readonly cases: readonly { readonly samples: number; readonly options: FbankOptions; readonly frames: readonly (readonly number[])[] }[];
}

const table = JSON.parse(readFileSync(fileURLToPath(new URL("../../fixtures/asr-models/fbank.json", import.meta.url)), "utf8")) as Table;

/** The sound of scripts/fake-asr-fbank.py. */
function madeUpSound(samples: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length: samples }, (_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const value = 0.3 * Math.sin(i / 7) + 0.2 * Math.sin(i / 2.3 + 1) + 0.1 * Math.sin(i / 40) + 0.05 * (state / 2 ** 31 - 1);
    return Math.round(value * 32_767) / 32_768;
  });
}

test.each(table.cases)("features are kaldi-native-fbank's: $samples samples, $options.window", ({ samples, options, frames }) => {
  const features = createFbank(options)(madeUpSound(samples));
  expect(features.length).toBe(frames.length * MEL_BINS);
  frames.forEach((frame, index) => {
    // Kaldi computes in float32: the table is right to about that.
    for (const [bin, expected] of frame.entries()) expect(features[index * MEL_BINS + bin]).toBeCloseTo(expected, 2);
  });
});

test("digital silence has the features of the floor, and sound too short for a window has none", () => {
  const options: FbankOptions = { window: "hamming", lowHz: 20, highHz: 0, snipEdges: true, scale: 32_768 };
  expect([...new Set(createFbank(options)(new Float32Array(560)))]).toEqual([Math.fround(Math.log(2 ** -23))]);
  expect(createFbank(options)(new Float32Array(399)).length).toBe(0);
  expect([framesIn(400, true), framesIn(559, true), framesIn(560, true), framesIn(79, false), framesIn(80, false)]).toEqual([
    1, 1, 2, 0, 1,
  ]);
});
