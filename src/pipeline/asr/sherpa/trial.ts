import { g711Table } from "../../audio/g711.ts";
import { decodeGreedily } from "./ctc.ts";
import type { CtcPlan } from "./ctc-plan.ts";
import { openCtcSession } from "./ctc-session.ts";
import { decodeNative, loadNative, type SherpaModelConfig } from "./native.ts";
import { SELF_TEST_CLIPS } from "./self-test-clips.gen.ts";
import { SPACE_MARK } from "./tokens.ts";

/** What is tried on weights; plain, for it crosses to a child process. */
export interface TrialOrder {
  /** sherpa-onnx's configuration of the weights as they were published. */
  readonly original: SherpaModelConfig;
  readonly tokensPath: string;
  /** The same with re-encoded weights; null where there are none. */
  readonly signed: SherpaModelConfig | null;
  /** Decoding by ourselves, of the weights that would be used; null where the family is left to sherpa-onnx. */
  readonly own: { readonly modelPath: string; readonly plan: CtcPlan; readonly symbols: readonly string[] } | null;
}

/** What came of it. A reason is null where the tokens were the same. */
export interface TrialReport {
  /** Symbols that the published weights gave on all clips. */
  readonly symbols: number;
  readonly signed: string | null;
  readonly own: string | null;
}

/** Decodes spoken lines in every way that might be used, and holds the tokens against what sherpa-onnx gives for the published weights. */
export async function tryWeights({ original, tokensPath, signed, own }: TrialOrder): Promise<TrialReport> {
  const clips = trialClips();
  const published = await nativeTokens(original, tokensPath, clips);
  await freeMemory();
  const resigned = signed ? await nativeTokens(signed, tokensPath, clips) : published;
  await freeMemory();
  const ours = own
    ? await ownTokens(own, clips).catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
    : published;
  const symbols = published.reduce((sum, tokens) => sum + tokens.length, 0);
  // Nothing heard twice is no proof of anything.
  if (symbols === 0) return { symbols, signed: "no words were heard on the spoken lines", own: "no words were heard on the spoken lines" };
  return { symbols, signed: differenceOf(published, resigned), own: differenceOf(published, ours) };
}

/** Native weights go when their last reference is collected, and then not at once: three copies side by side are 1.5 GB. */
async function freeMemory(): Promise<void> {
  globalThis.gc?.();
  await new Promise((resolve) => setImmediate(resolve));
}

type Tokens = readonly string[];

function differenceOf(expected: readonly Tokens[], got: readonly Tokens[] | string): string | null {
  if (typeof got === "string") return got.split("\n")[0]?.slice(0, 200) ?? "";
  const differing = expected.filter((tokens, i) => tokens.join(" ") !== got[i]?.join(" ")).length;
  return differing === 0 ? null : `other tokens on ${differing} of ${expected.length} spoken lines`;
}

async function nativeTokens(config: SherpaModelConfig, tokensPath: string, clips: readonly Float32Array[]): Promise<Tokens[]> {
  const recognizer = await loadNative(config, tokensPath);
  const all: Tokens[] = [];
  for (const clip of clips) {
    const { tokens, timestamps } = await decodeNative(recognizer, clip);
    all.push(tokens.map((token, i) => placed(token, timestamps[i] ?? 0)));
  }
  return all;
}

async function ownTokens({ modelPath, plan, symbols }: NonNullable<TrialOrder["own"]>, clips: readonly Float32Array[]): Promise<Tokens[]> {
  await using session = await openCtcSession(modelPath, plan);
  const all: Tokens[] = [];
  for (const clip of clips) {
    const scores = await session.scoresOf(session.featuresOf(clip), "auto");
    // sherpa-onnx leaves out as many tokens at the front as there are prompt frames, whatever frames they are of.
    const tokens = decodeGreedily(scores, plan.blank).slice(plan.promptFrames);
    session.giveBack(scores);
    all.push(tokens.map(({ id, frame }) => placed(symbols[id] ?? "", ((frame - plan.promptFrames) * plan.frameMs) / 1000)));
  }
  return all;
}

/** sherpa-onnx reads the mark of a word's beginning as a space, but where symbols spell bytes. */
function placed(token: string, seconds: number): string {
  return `${token.replace(/^ /u, SPACE_MARK)}@${seconds.toFixed(2)}`;
}

/** The lines as they are, a tenth faster, a tenth slower; 16 kHz. */
function trialClips(): Float32Array[] {
  const table = g711Table("mulaw");
  const lines = SELF_TEST_CLIPS.map((clip) => Float32Array.from(Buffer.from(clip, "base64"), (byte) => table[byte] as number));
  return lines.flatMap((line) => [0.5, 0.55, 0.45].map((step) => stretched(line, step)));
}

function stretched(samples: Float32Array, step: number): Float32Array {
  return Float32Array.from({ length: Math.floor((samples.length - 1) / step) }, (_, i) => {
    const at = Math.floor(i * step);
    const between = i * step - at;
    return (samples[at] as number) * (1 - between) + (samples[at + 1] as number) * between;
  });
}
