import type { GraphBuilder } from "../onnx/build.ts";
import { BINS, HOP, melFilters, WINDOW } from "./mel-filters.ts";

const HALF = WINDOW / 2;

/** Windows of a piece folded about their middles, as the encoder's graph takes them. */
export interface FoldedWindows {
  /** [frames, 200]: x[n] + x[400 - n] for n from 1 to 200, the middle counted once. */
  readonly sums: Float32Array;
  /** [frames, 200]: x[n] - x[400 - n]. */
  readonly differences: Float32Array;
  readonly frames: number;
}

/**
 * The windows of 25 ms every 10 ms, each centred on its time, that Whisper's log-mel is made from: before the first sample the sound is mirrored, after the
 * last come zeros. A Hann window is even about its middle and 0 at its first sample, and of the transform only the power is wanted, so sums and differences of
 * mirrored samples do for the samples themselves, with half the products.
 *
 * @param frames how many, those of zeros among them
 */
export function foldWindows(sound: Float32Array, frames: number): FoldedWindows {
  // One stretch of memory without special cases: the mirrored start, the sound, zeros.
  const padded = new Float32Array(frames * HOP + WINDOW);
  const used = Math.min(sound.length, frames * HOP + HALF);
  padded.set(used < sound.length ? sound.subarray(0, used) : sound, HALF);
  for (let n = 1; n <= HALF; n++) padded[HALF - n] = n < sound.length ? (sound[n] as number) : 0;
  const sums = new Float32Array(frames * HALF);
  const differences = new Float32Array(frames * HALF);
  for (let frame = 0, target = 0; frame < frames; frame++) {
    const start = frame * HOP;
    for (let left = start + 1, right = start + WINDOW - 1; left < right; left++, right--, target++) {
      const a = padded[left] as number;
      const b = padded[right] as number;
      sums[target] = a + b;
      differences[target] = a - b;
    }
    sums[target++] = padded[start + HALF] as number;
  }
  return { sums, differences, frames };
}

/**
 * Adds Whisper's log-mel [frames, mels] of the folded windows, which become the inputs `sums` and `differences`: power of the transform under a periodic Hann window, mel
 * bands, bels, nothing more than 8 below the loudest, scaled to about -1..1.5.
 */
export function addLogMel(graph: GraphBuilder, mels: number): string {
  const { op } = graph;
  const cosines = new Float32Array(HALF * BINS);
  const sines = new Float32Array(HALF * BINS);
  for (let n = 1; n <= HALF; n++) {
    const hann = 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / WINDOW);
    for (let bin = 0; bin < BINS; bin++) {
      // The angle is reduced before, so that it is exact.
      const angle = (2 * Math.PI * ((n * bin) % WINDOW)) / WINDOW;
      cosines[(n - 1) * BINS + bin] = hann * Math.cos(angle);
      sines[(n - 1) * BINS + bin] = n === HALF ? 0 : hann * Math.sin(angle);
    }
  }
  const real = op("MatMul", [graph.input("sums", "float32", ["frames", HALF]), graph.floats(cosines, [HALF, BINS])]);
  const imaginary = op("MatMul", [graph.input("differences", "float32", ["frames", HALF]), graph.floats(sines, [HALF, BINS])]);
  const power = op("Add", [op("Mul", [real, real]), op("Mul", [imaginary, imaginary])]);
  const mel = op("MatMul", [power, graph.floats(melFilters(mels), [BINS, mels])]);
  const bels = op("Mul", [op("Log", [op("Max", [mel, graph.float(1e-10)])]), graph.float(Math.LOG10E)]);
  const loudest = op("ReduceMax", [bels], { attributes: { keepdims: 0 } });
  const clipped = op("Max", [bels, op("Sub", [loudest, graph.float(8)])]);
  return op("Add", [op("Mul", [clipped, graph.float(0.25)]), graph.float(1)]);
}
