import { CallsiftError } from "../errors.ts";
import { hopsIn } from "./blocks.ts";
import type { SpeechDetector, VadEngine } from "./port.ts";
import { readSileroWeights, SILERO_SHA256 } from "./silero-weights.ts";

/** Samples a probability is for: 32 ms at 8 kHz. */
const CHUNK = 256;
/** Samples of the sound before a chunk that the model sees with it. */
const CONTEXT = 32;
/** Chunks a run: more gain nothing, and a run is the longest time that an abort waits. */
const RUN = 256;
const HIDDEN = 128;
/** The Fourier windows in a chunk: 128 samples each, 64 apart, folded to 64 sums and 64 differences (scripts/build-silero.ts). */
const WINDOWS = 4;
const HALF = 64;

/**
 * Silero VAD v5 at 8 kHz (MIT, weights as published), all channels as one batch and up to 256 chunks a run. Its probabilities are
 * those of the published model fed chunk by chunk.
 */
export const silero = {
  name: "silero",
  recipe: `silero-v5-8k@${SILERO_SHA256.slice(0, 12)}`,
  open: openSilero,
} as const satisfies VadEngine;

async function openSilero(): Promise<SpeechDetector> {
  const weights = await readSileroWeights();
  // biome-ignore lint/style/noProcessEnv: the native library asks getenv() as it loads; without this it writes a device id into the user's cache folder and carries an uploader. Workers get here with SHARE_ENV, a copy would not reach it.
  process.env.ORT_DISABLE_TELEMETRY = "1";
  const { InferenceSession, Tensor } = await import("onnxruntime-node");
  // One core a detector: the defaults would spin on every core.
  const session = await InferenceSession.create(weights, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
  });

  const zeros = (channels: number) => new Tensor("float32", new Float32Array(channels * HIDDEN), [1, channels, HIDDEN]);
  let context: Float32Array[] = [];
  let hidden = zeros(0);
  let cell = zeros(0);
  let sums = new Float32Array();
  let differences = new Float32Array();

  function reset(channels: number): void {
    context = Array.from({ length: channels }, () => new Float32Array(CONTEXT + CHUNK));
    hidden = zeros(channels);
    cell = zeros(channels);
    if (sums.length === channels * RUN * WINDOWS * HALF) return;
    sums = new Float32Array(channels * RUN * WINDOWS * HALF);
    differences = new Float32Array(channels * RUN * WINDOWS * HALF);
  }

  /** Folds the `chunks` chunks that begin at `from` of every channel into `sums` and `differences`, chunk after chunk, channels side by side. */
  function fold(blocks: readonly Float32Array[], from: number, chunks: number): void {
    blocks.forEach((block, channel) => {
      const seam = context[channel] as Float32Array;
      for (let chunk = 0; chunk < chunks; chunk++) {
        const at = from + chunk * CHUNK;
        const target = (chunk * blocks.length + channel) * WINDOWS * HALF;
        // Within a block the context is the samples before; only its first chunk needs those of the last push.
        if (at >= CONTEXT) foldChunk(block, at - CONTEXT, sums, differences, target);
        else {
          seam.set(block.subarray(0, CHUNK), CONTEXT);
          foldChunk(seam, 0, sums, differences, target);
        }
      }
    });
  }

  return {
    name: "silero",
    sampleRate: 8000,
    hop: CHUNK,
    reset,
    async push(blocks) {
      const channels = context.length;
      const chunks = hopsIn(blocks, channels, CHUNK);
      const probabilities = blocks.map(() => new Float32Array(chunks));
      for (let done = 0; done < chunks; done += RUN) {
        const size = Math.min(RUN, chunks - done);
        fold(blocks, done * CHUNK, size);
        const rows = size * channels * WINDOWS;
        const { prob, hn, cn } = await session.run({
          sums: new Tensor("float32", sums.subarray(0, rows * HALF), [rows, HALF]),
          differences: new Tensor("float32", differences.subarray(0, rows * HALF), [rows, HALF]),
          h0: hidden,
          c0: cell,
        });
        if (!prob || !hn || !cn) throw new CallsiftError("internal/bug", "the speech detector's graph gave no prob, hn or cn");
        hidden = hn as typeof hidden;
        cell = cn as typeof cell;
        const values = prob.data as Float32Array;
        probabilities.forEach((track, channel) => {
          for (let chunk = 0; chunk < size; chunk++) track[done + chunk] = values[chunk * channels + channel] as number;
        });
      }
      if (chunks === 0) return probabilities;
      for (const [channel, block] of blocks.entries()) context[channel]?.set(block.subarray(block.length - CONTEXT));
      return probabilities;
    },
    async [Symbol.asyncDispose]() {
      await session.release();
    },
  };
}

/**
 * Folds one chunk with its context, `samples[at … at + 288)`, about the middle of each of its four windows: samples n and 128 - n, n from 1 to 64.
 */
function foldChunk(samples: Float32Array, at: number, sums: Float32Array, differences: Float32Array, target: number): void {
  for (let window = 0; window < WINDOWS - 1; window++) {
    const start = at + window * HALF;
    foldPairs(samples, start + 1, start + 2 * HALF - 1, -1, HALF, sums, differences, target + window * HALF);
  }
  // The last window ends 32 samples past the chunk, where the model reflects it: their mirror runs forwards.
  const start = at + (WINDOWS - 1) * HALF;
  const last = target + (WINDOWS - 1) * HALF;
  foldPairs(samples, start + 1, start + HALF - 1, 1, CONTEXT, sums, differences, last);
  foldPairs(samples, start + CONTEXT + 1, start + 2 * HALF - CONTEXT - 1, -1, HALF - CONTEXT, sums, differences, last + CONTEXT);
  // The middle has no partner, and counts once.
  for (let window = 0; window < WINDOWS; window++) {
    sums[target + window * HALF + HALF - 1] = samples[at + window * HALF + HALF] as number;
  }
}

/** Sums and differences of `count` pairs, a multiple of four: the left ones ascending, the right ones by `step`. */
function foldPairs(
  samples: Float32Array,
  left: number,
  right: number,
  step: 1 | -1,
  count: number,
  sums: Float32Array,
  differences: Float32Array,
  target: number,
): void {
  // Four at a time, loads before stores: 2.5 times as fast as one by one.
  for (let n = 0; n < count; n += 4) {
    const l = left + n;
    const r = right + n * step;
    const t = target + n;
    const a = samples[l] as number;
    const b = samples[l + 1] as number;
    const c = samples[l + 2] as number;
    const d = samples[l + 3] as number;
    const w = samples[r] as number;
    const x = samples[r + step] as number;
    const y = samples[r + 2 * step] as number;
    const z = samples[r + 3 * step] as number;
    sums[t] = a + w;
    sums[t + 1] = b + x;
    sums[t + 2] = c + y;
    sums[t + 3] = d + z;
    differences[t] = a - w;
    differences[t + 1] = b - x;
    differences[t + 2] = c - y;
    differences[t + 3] = d - z;
  }
}
