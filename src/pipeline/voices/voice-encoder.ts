import { CallsiftError } from "../errors.ts";
import { MEL_BANDS } from "./mel.ts";
import { readVoiceEncoder } from "./voice-weights.ts";

/** Numbers of a voice print. */
export const PRINT_SIZE = 256;
/** Mel frames that a print is made of: 0.8 s. */
export const PRINT_FRAMES = 80;
/** Prints made at once: more gain nothing, and one run is the longest time that an abort waits. */
export const PRINT_BATCH = 16;

/** Makes prints of voices: unit vectors that lie close together where the same voice speaks. */
export interface VoiceEncoder extends AsyncDisposable {
  /**
   * @param mels `count` stretches of 80 frames of 40 bands, at most 16 stretches
   * @returns `count` prints of 256 numbers, one after the other
   */
  print(mels: Float32Array, count: number): Promise<Float32Array>;
}

/**
 * Opens the encoder of Resemblyzer 0.1.4 (Apache-2.0; GE2E, an LSTM of three layers) in this thread.
 *
 * @throws CallsiftError `weights/missing`, `weights/damaged`
 */
export async function openVoiceEncoder(): Promise<VoiceEncoder> {
  const weights = await readVoiceEncoder();
  // biome-ignore lint/style/noProcessEnv: the native library asks getenv() as it loads; without this it writes a device id into the user's cache folder and carries an uploader. Workers get here with SHARE_ENV, a copy would not reach it.
  process.env.ORT_DISABLE_TELEMETRY = "1";
  const { InferenceSession, Tensor } = await import("onnxruntime-node");
  // One core: the defaults would spin on every one.
  const session = await InferenceSession.create(weights, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
  });
  return {
    async print(mels, count) {
      const mel = new Tensor("float32", mels.subarray(0, count * PRINT_FRAMES * MEL_BANDS), [count, PRINT_FRAMES, MEL_BANDS]);
      const { embedding } = await session.run({ mel });
      if (!embedding) throw new CallsiftError("internal/bug", "the voice encoder's graph gave no embedding");
      return embedding.data as Float32Array;
    },
    async [Symbol.asyncDispose]() {
      await session.release();
    },
  };
}
