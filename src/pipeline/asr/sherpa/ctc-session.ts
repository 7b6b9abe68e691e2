import type { InferenceSession, Tensor } from "onnxruntime-node";
import { CallsiftError } from "../../errors.ts";
import type { Language } from "../../types.ts";
import { finiteSound } from "../finite-sound.ts";
import { type CtcToken, createJudge, decodeGreedily, type Judge, logSum, type Scores } from "./ctc.ts";
import type { CtcPlan } from "./ctc-plan.ts";
import { createFbank, MEL_BINS } from "./fbank.ts";

/** What a model heard in a piece, as numbers of its symbols. */
export interface CtcHeard {
  readonly tokens: readonly CtcToken[];
  /** The best symbol of each prompt frame. */
  readonly prompt: readonly number[];
  /** Natural log-probabilities at the prompt's first frame; null where the model says nothing of languages. */
  readonly languages: Readonly<Record<Language, number>> | null;
  /** 0–1; null where the model says nothing of it. */
  readonly noSpeech: number | null;
}

export interface CtcSession extends AsyncDisposable {
  /** Features of the sound, as the model takes them. */
  featuresOf(sound: Float32Array): Float32Array;
  /** The model alone, on features. The scores are 17 MB for 10 s of sound: `giveBack` them. */
  scoresOf(features: Float32Array, language: Language | "auto"): Promise<Scores>;
  /** Their memory serves the next piece: they must not be read any more. */
  giveBack(scores: Scores): void;
  read(scores: Scores): CtcHeard;
  judge(scores: Scores): Judge;
}

/** A shorter piece is followed by silence up to this: models want a few frames at least, samples. */
const LEAST_SAMPLES = 6_400;

/** Kept for the pieces to come: more are not needed, however many are held. */
const MOST_SPARE = 2;

/** Opens a CTC model in onnxruntime, on one core of the calling thread, which it blocks while it runs. */
export async function openCtcSession(modelPath: string, plan: CtcPlan): Promise<CtcSession> {
  // biome-ignore lint/style/noProcessEnv: the native library asks getenv() as it loads (vad/silero.ts); workers get here with SHARE_ENV.
  process.env.ORT_DISABLE_TELEMETRY = "1";
  const ort = await import("onnxruntime-node");
  const session: InferenceSession = await ort.InferenceSession.create(modelPath, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
  });
  const fbank = createFbank(plan.fbank);
  const { promptFrames, prompt, blank } = plan;
  const width = plan.stack ? plan.stack.size * MEL_BINS : MEL_BINS;
  // Left to the garbage collector, used scores pile up to 200 MB, and memory that is new has to be cleared first.
  const spare: Float32Array[] = [];

  /** Memory for the scores, where their number is known beforehand. */
  function room(frames: number): Float32Array | null {
    if (plan.scores === null) return null;
    const size = (frames + plan.scores.more) * plan.scores.symbols;
    const fitting = spare.findIndex(({ length }) => length >= size);
    const [found] = fitting >= 0 ? spare.splice(fitting, 1) : [];
    return (found ?? new Float32Array(size)).subarray(0, size);
  }

  return {
    featuresOf(sound) {
      const features = fbank(finiteSound(sound, LEAST_SAMPLES));
      return plan.stack ? stackFrames(features, plan.stack) : features;
    },
    async scoresOf(features, language) {
      const frames = features.length / width;
      const values: Tensor[] = plan.inputs.map(({ type }, i) => {
        if (i === 0) return new ort.Tensor("float32", features, [1, frames, width]);
        const value = i === 1 ? frames : i === 2 ? (prompt?.languages[language] ?? 0) : (prompt?.textNorm ?? 0);
        return type === "int64"
          ? new ort.Tensor("int64", BigInt64Array.of(BigInt(value)), [1])
          : new ort.Tensor("int32", Int32Array.of(value), [1]);
      });
      const space = room(frames);
      const outputs =
        space && plan.scores
          ? { [plan.output]: new ort.Tensor("float32", space, [1, frames + plan.scores.more, plan.scores.symbols]) }
          : [plan.output];
      const results = await session.run(Object.fromEntries(plan.inputs.map(({ name }, i) => [name, values[i] as Tensor])), outputs);
      const scores = results[plan.output];
      const [, rows, symbols] = scores?.dims ?? [];
      if (!(scores?.data instanceof Float32Array) || rows === undefined || symbols === undefined) {
        throw new CallsiftError("weights/foreign", `expected rows of float scores from the model, got ${scores?.type} [${scores?.dims}]`);
      }
      return { data: space ?? scores.data, frames: rows, symbols };
    },
    giveBack({ data }) {
      if (plan.scores === null) return;
      spare.push(new Float32Array(data.buffer as ArrayBuffer));
      if (spare.length > MOST_SPARE) spare.shift();
    },
    read(scores) {
      const tokens = decodeGreedily(scores, blank, promptFrames).map((token) => ({ ...token, frame: token.frame - promptFrames }));
      const answers = Array.from({ length: Math.min(promptFrames, scores.frames) }, (_, frame) => bestOf(scores, frame));
      if (!prompt || scores.frames === 0) return { tokens, prompt: answers, languages: null, noSpeech: null };
      const sum = logSum(scores, 0);
      const logProb = (id: number): number | null => (id < 0 ? null : Math.min(0, (scores.data[id] as number) - sum));
      const [zh, en, nobody] = [logProb(prompt.zh), logProb(prompt.en), logProb(prompt.noSpeech)];
      return {
        tokens,
        prompt: answers,
        languages: zh === null || en === null ? null : { zh, en },
        noSpeech: nobody === null ? null : Math.exp(nobody),
      };
    },
    judge: (scores) => createJudge(scores, blank, promptFrames),
    async [Symbol.asyncDispose]() {
      await session.release();
    },
  };
}

function bestOf({ data, symbols }: Scores, frame: number): number {
  const row = data.subarray(frame * symbols, (frame + 1) * symbols);
  let best = 0;
  for (let i = 1; i < symbols; i++) if ((row[i] as number) > (row[best] as number)) best = i;
  return best;
}

/**
 * Low frame rate: `size` frames side by side about every `step`th, the first and the last repeated beyond the ends (lfr.cc of sherpa-onnx 1.13); then
 * each value brought to mean 0 and spread 1.
 */
function stackFrames(features: Float32Array, { size, step, negMean, invStddev }: NonNullable<CtcPlan["stack"]>): Float32Array {
  const frames = features.length / MEL_BINS;
  const rows = Math.ceil(frames / step);
  const mean = Float32Array.from(negMean);
  const scale = Float32Array.from(invStddev);
  const stacked = new Float32Array(rows * size * MEL_BINS);
  let to = 0;
  for (let row = 0; row < rows; row++) {
    for (let beside = 0; beside < size; beside++) {
      const frame = Math.max(0, Math.min(frames - 1, row * step - ((size - 1) >> 1) + beside));
      const from = frame * MEL_BINS;
      const place = beside * MEL_BINS;
      for (let i = 0; i < MEL_BINS; i++, to++) {
        stacked[to] = ((features[from + i] as number) + (mean[place + i] as number)) * (scale[place + i] as number);
      }
    }
  }
  return stacked;
}
