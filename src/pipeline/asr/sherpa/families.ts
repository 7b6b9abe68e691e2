import type { Language } from "../../types.ts";
import type { SherpaModelConfig } from "./native.ts";
import type { OnnxFile } from "./onnx-file.ts";

/** One kind of recogniser that sherpa-onnx runs (its sherpa-onnx/csrc/offline-*-model.cc say which metadata each must have). */
export interface Family {
  readonly label: string;
  /** The value of `model_type` in the metadata; null where published files lack it. */
  readonly modelType: string;
  /** Metadata it cannot be loaded without. */
  readonly needs: readonly string[];
  readonly inputs: number;
  /** Outputs, at least. */
  readonly outputs: number;
  /** Features of a frame, the last dimension of the first input. */
  readonly features: (file: OnnxFile) => number;
  /** Its metadata holds comma-separated numbers, so many each. */
  readonly lists: Readonly<Record<string, (file: OnnxFile) => number>>;
  /** A symbol without which sherpa-onnx ends the process: one of these. */
  readonly symbols: readonly string[];
  readonly wordTimes: boolean;
  readonly emotion: boolean;
  readonly languages: readonly Language[];
  readonly config: (model: string) => SherpaModelConfig;
}

const lfr = (file: OnnxFile): number => 80 * Number(file.metadata.get("lfr_window_size"));
const mel = (): number => 80;
const BLANKS = ["<blk>", "<eps>", "<blank>"] as const;

export const FAMILIES = {
  "sense-voice": {
    label: "SenseVoice",
    modelType: "sense_voice_ctc",
    needs: [
      "vocab_size",
      "lfr_window_size",
      "lfr_window_shift",
      "normalize_samples",
      "with_itn",
      "without_itn",
      "lang_auto",
      "lang_zh",
      "lang_en",
      "lang_ja",
      "lang_ko",
      "lang_yue",
      "neg_mean",
      "inv_stddev",
    ],
    inputs: 4,
    outputs: 1,
    features: lfr,
    lists: { neg_mean: lfr, inv_stddev: lfr },
    symbols: [],
    wordTimes: true,
    emotion: true,
    languages: ["zh", "en"],
    // The language is given to each stream by our own decoding; sherpa-onnx takes it for the whole recogniser only.
    config: (model) => ({ senseVoice: { model, language: "auto", useInverseTextNormalization: 1 } }),
  },
  paraformer: {
    label: "Paraformer",
    modelType: "paraformer",
    needs: ["vocab_size", "lfr_window_size", "lfr_window_shift", "neg_mean", "inv_stddev"],
    inputs: 2,
    outputs: 2,
    features: lfr,
    lists: { neg_mean: lfr, inv_stddev: lfr },
    symbols: ["</s>"],
    wordTimes: true,
    emotion: false,
    languages: ["zh", "en"],
    config: (model) => ({ paraformer: { model } }),
  },
  "zipformer-ctc": {
    label: "Zipformer-CTC",
    modelType: "zipformer2_ctc",
    needs: [],
    inputs: 2,
    outputs: 2,
    features: mel,
    lists: {},
    symbols: BLANKS,
    wordTimes: true,
    emotion: false,
    languages: ["zh", "en"],
    config: (model) => ({ zipformerCtc: { model } }),
  },
  "fire-red-ctc": {
    label: "FireRed-CTC",
    modelType: "fire-red-asr-2-ctc",
    needs: ["cmvn_mean", "cmvn_inv_stddev"],
    inputs: 2,
    outputs: 2,
    features: mel,
    lists: { cmvn_mean: mel, cmvn_inv_stddev: mel },
    symbols: BLANKS,
    wordTimes: true,
    emotion: false,
    languages: ["zh", "en"],
    config: (model) => ({ fireRedAsrCtc: { model } }),
  },
  dolphin: {
    label: "Dolphin",
    modelType: "dolphin",
    needs: ["vocab_size", "mean", "invstd"],
    inputs: 2,
    outputs: 2,
    features: mel,
    lists: { mean: mel, invstd: mel },
    symbols: BLANKS,
    wordTimes: true,
    emotion: false,
    languages: ["zh"],
    config: (model) => ({ dolphin: { model } }),
  },
  "telespeech-ctc": {
    label: "TeleSpeech",
    modelType: "telespeech_ctc",
    needs: [],
    inputs: 1,
    outputs: 1,
    features: () => 40,
    lists: {},
    symbols: BLANKS,
    wordTimes: true,
    emotion: false,
    languages: ["zh"],
    config: (model) => ({ teleSpeechCtc: model }),
  },
} as const satisfies Record<string, Family>;

export type FamilyName = keyof typeof FAMILIES;

/** The family that a model says it is of, or whose metadata it has; null for others. */
export function familyOf({ metadata }: OnnxFile): FamilyName | null {
  const type = metadata.get("model_type");
  const names = Object.keys(FAMILIES) as FamilyName[];
  if (type !== undefined) return names.find((name) => FAMILIES[name].modelType === type) ?? null;
  const has = (...keys: string[]) => keys.every((key) => metadata.has(key));
  if (has("lfr_window_size", "with_itn", "lang_zh")) return "sense-voice";
  if (has("lfr_window_size", "neg_mean")) return "paraformer";
  if (has("mean", "invstd", "vocab_size")) return "dolphin";
  return null;
}
