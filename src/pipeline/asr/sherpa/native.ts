import { createRequire } from "node:module";
import { CallsiftError } from "../../errors.ts";

/** What `sherpa-onnx-node` 1.13 takes and gives, as far as it is used (its types.js, non-streaming-asr.js). */
export interface SherpaModelConfig {
  readonly senseVoice?: { readonly model: string; readonly language: string; readonly useInverseTextNormalization: 0 | 1 };
  readonly paraformer?: { readonly model: string };
  readonly zipformerCtc?: { readonly model: string };
  readonly fireRedAsrCtc?: { readonly model: string };
  readonly dolphin?: { readonly model: string };
  readonly teleSpeechCtc?: string;
}

export interface SherpaResult {
  readonly text: string;
  readonly lang: string;
  readonly emotion: string;
  readonly event: string;
  readonly tokens: readonly string[];
  /** Seconds; empty where the model gives none. */
  readonly timestamps: readonly number[];
  readonly durations: readonly number[];
  /** Natural logarithms; empty where the version gives none. */
  readonly ys_log_probs: readonly number[];
}

interface SherpaStream {
  acceptWaveform(sound: { samples: Float32Array; sampleRate: number }): void;
}

export interface SherpaRecognizer {
  createStream(): SherpaStream;
  decodeAsync(stream: SherpaStream): Promise<SherpaResult>;
}

interface SherpaModule {
  readonly OfflineRecognizer: { createAsync(config: object): Promise<SherpaRecognizer> };
}

function loadLibrary(): SherpaModule {
  try {
    // No types come with it, and it is CommonJS.
    return createRequire(import.meta.url)("sherpa-onnx-node") as SherpaModule;
  } catch (cause) {
    throw new CallsiftError("asr/not-available", `sherpa-onnx cannot be loaded on ${process.platform} ${process.arch}`, { cause });
  }
}

/** Loads weights into sherpa-onnx, one thread a decode. It ends the process on weights that it dislikes: inspect them before. */
export async function loadNative(config: SherpaModelConfig, tokensPath: string): Promise<SherpaRecognizer> {
  return await loadLibrary().OfflineRecognizer.createAsync({
    featConfig: { sampleRate: 16_000, featureDim: 80 },
    modelConfig: { ...config, tokens: tokensPath, numThreads: 1, provider: "cpu", debug: 0 },
  });
}

/** One piece through sherpa-onnx, off this thread but for its features (about 2 ms a second of sound). */
export async function decodeNative(recognizer: SherpaRecognizer, sound: Float32Array): Promise<SherpaResult> {
  const stream = recognizer.createStream();
  stream.acceptWaveform({ samples: sound, sampleRate: 16_000 });
  return await recognizer.decodeAsync(stream);
}
