import { CallsiftError } from "../../errors.ts";
import type { EncodedSound, Networks, Reading } from "./sessions.ts";
import type { SpecialTokens } from "./tokenizer.ts";

/** What the likeliest tokens, one after another, were. */
export interface Decoded {
  /** Of the text, without the end. */
  readonly tokens: readonly number[];
  /** Natural logarithms, one a token. */
  readonly logProbabilities: readonly number[];
  /** Of the end after the last; null where the length limit came first. */
  readonly endLogProbability: number | null;
  /** What the alignment heads looked at when each token, and then the end, was chosen: [heads, positions] each. */
  readonly attention: readonly Float32Array[];
  /** 0–1, at the start of the transcript. */
  readonly noSpeech: number;
  /** Has read the opening and the tokens, perhaps without the last. */
  readonly reading: Reading;
}

/** What is asked of one decoding. */
export interface GreedyOptions {
  /** Everything before the text: a prompt or none, then start, language, task. */
  readonly opening: readonly number[];
  /** Tokens of text at most. */
  readonly most: number;
  readonly special: Pick<SpecialTokens, "start" | "noSpeech" | "endOfText">;
  /** For the first token and for all others. */
  readonly bans: Readonly<Record<"first" | "further", ReturnType<Networks["ban"]>>>;
  /** Asked before each token: whether to give up. */
  readonly isStopped: () => boolean;
}

/** Decodes greedily: at each place the likeliest token that is allowed. null where it was stopped. */
export async function decodeGreedily(networks: Networks, sound: EncodedSound, options: GreedyOptions): Promise<Decoded | null> {
  const { opening, most, special, bans, isStopped } = options;
  const reading = networks.startReading(sound, opening.length + most);
  const rows = [opening.indexOf(special.start), opening.length - 1];
  let next = await reading.read(opening, { rows, ban: bans.first, logits: true });
  const atStart = next.logits?.subarray(0, next.logits.length / rows.length) ?? new Float32Array();
  const noSpeech = probabilityOf(special.noSpeech, atStart);
  const tokens: number[] = [];
  const logProbabilities: number[] = [];
  const attention: Float32Array[] = [lastRow(next.attention, opening.length, sound.positions)];
  for (;;) {
    const token = next.best.at(-1) as number;
    const logProbability = next.bestLogProbabilities.at(-1) as number;
    if (!Number.isFinite(logProbability))
      throw new CallsiftError("weights/damaged", "model.bin: expected weights that give numbers, they give none");
    if (token === special.endOfText) return { tokens, logProbabilities, endLogProbability: logProbability, attention, noSpeech, reading };
    tokens.push(token);
    logProbabilities.push(logProbability);
    if (tokens.length >= most) return { tokens, logProbabilities, endLogProbability: null, attention, noSpeech, reading };
    if (isStopped()) return null;
    next = await reading.read([token], { ban: bans.further });
    attention.push(next.attention);
  }
}

/** Softmax of one logit. */
function probabilityOf(token: number, logits: Float32Array): number {
  let top = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > top) top = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - top);
  return Math.exp((logits[token] as number) - top) / sum;
}

/** The last token's part of [heads, tokens, positions]. */
function lastRow(attention: Float32Array, tokens: number, positions: number): Float32Array {
  const heads = attention.length / (tokens * positions);
  const row = new Float32Array(heads * positions);
  for (let head = 0; head < heads; head++) {
    const at = (head * tokens + tokens - 1) * positions;
    row.set(attention.subarray(at, at + positions), head * positions);
  }
  return row;
}
