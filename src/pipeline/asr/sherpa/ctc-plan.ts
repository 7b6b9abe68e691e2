import type { FbankOptions } from "./fbank.ts";
import type { SherpaWeights } from "./inspect.ts";

/** All that decoding a CTC model by ourselves needs to know beside its weights; plain, so that a thread can be handed it. */
export interface CtcPlan {
  readonly fbank: FbankOptions;
  /** Frames that are stacked to one, and how many frames on the next begins; null where none are. */
  readonly stack: {
    readonly size: number;
    readonly step: number;
    readonly negMean: readonly number[];
    readonly invStddev: readonly number[];
  } | null;
  readonly inputs: readonly { readonly name: string; readonly type: "float32" | "int32" | "int64" }[];
  readonly output: string;
  /** Scores of a frame, and frames of the output beyond those of the input; null where they are not known before. */
  readonly scores: { readonly symbols: number; readonly more: number } | null;
  readonly blank: number;
  /** Of the output, ms. */
  readonly frameMs: number;
  /** Frames before the sound's own: what the model says of language, emotion, event, and whether it wrote numbers in digits. */
  readonly promptFrames: number;
  /** What the inputs `language` and `text_norm` take, and the symbols that answer them; null where there are none. */
  readonly prompt: {
    readonly languages: Readonly<Record<"auto" | "zh" | "en", number>>;
    readonly textNorm: number;
    readonly zh: number;
    readonly en: number;
    /** -1 where the model has no symbol for it. */
    readonly noSpeech: number;
  } | null;
}

const TYPES: Readonly<Record<number, "float32" | "int32" | "int64">> = { 1: "float32", 6: "int32", 7: "int64" };

/**
 * How to decode these weights ourselves, with sherpa-onnx's features and its greedy search (offline-recognizer-sense-voice-impl.h,
 * offline-recognizer-ctc-impl.h, features.h); null for the families that are left to sherpa-onnx.
 */
export function planCtc({ family, onnx, tokens }: SherpaWeights): CtcPlan | null {
  const inputs = onnx.inputs.map(({ name, type }) => ({ name, type: TYPES[type] }));
  if (!inputs.every((input): input is CtcPlan["inputs"][number] => input.type !== undefined)) return null;
  const output = onnx.outputs[0]?.name ?? "";
  const number = (key: string): number => Number(onnx.metadata.get(key));
  const list = (key: string): number[] => (onnx.metadata.get(key) ?? "").split(",").filter(Boolean).map(Number);
  if (family === "sense-voice") {
    const symbol = (name: string): number => tokens.symbols.indexOf(name);
    const size = number("lfr_window_size");
    const step = number("lfr_window_shift");
    if (!(size >= 1 && step >= 1)) return null;
    return {
      fbank: { window: "hamming", lowHz: 20, highHz: 0, snipEdges: true, scale: number("normalize_samples") === 0 ? 32_768 : 1 },
      stack: { size, step, negMean: list("neg_mean"), invStddev: list("inv_stddev") },
      inputs,
      output,
      scores: { symbols: number("vocab_size"), more: 4 },
      blank: onnx.metadata.has("blank_id") ? number("blank_id") : 0,
      frameMs: 10 * step,
      promptFrames: 4,
      prompt: {
        languages: { auto: number("lang_auto"), zh: number("lang_zh"), en: number("lang_en") },
        textNorm: number("with_itn"),
        zh: symbol("<|zh|>"),
        en: symbol("<|en|>"),
        noSpeech: symbol("<|nospeech|>"),
      },
    };
  }
  if (family === "zipformer-ctc") {
    const blank = ["<blk>", "<eps>", "<blank>"].map((name) => tokens.symbols.indexOf(name)).find((id) => id >= 0) ?? 0;
    return {
      fbank: { window: "povey", lowHz: 20, highHz: -400, snipEdges: false, scale: 1 },
      stack: null,
      inputs,
      output,
      scores: null,
      blank,
      frameMs: 40,
      promptFrames: 0,
      prompt: null,
    };
  }
  return null;
}
