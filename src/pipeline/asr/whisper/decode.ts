import { CallsiftError } from "../../errors.ts";
import type { Candidate, Following, Reading } from "./reading.ts";
import type { EncodedSound, Networks } from "./sessions.ts";
import type { SpecialTokens } from "./tokenizer.ts";
import type { Scored, WordScores } from "./word-scores.ts";

/** The text that was found likeliest. */
export interface Decoded {
  /** Of the text, without the end. */
  readonly tokens: readonly number[];
  /** Natural logarithms, one a token. */
  readonly logProbabilities: readonly number[];
  /** What might have come in place of each token, and of the end: likeliest first. */
  readonly offered: readonly (readonly Candidate[])[];
  /** Of the end after the last; null where the length limit came first. */
  readonly endLogProbability: number | null;
  /** What the alignment heads looked at when each token, and then the end, was chosen: [heads, positions] each. */
  readonly attention: readonly Float32Array[];
  /** 0–1, at the start of the transcript. */
  readonly noSpeech: number;
  /** Has read the opening and the tokens, perhaps without the last. */
  readonly reading: Reading;
}

/** Tokens that are asked for in each place: those that are not followed say what else may have been said there. */
const OFFERED = 24;

/** What is asked of one decoding. */
export interface DecodeOptions {
  /** Everything before the text: a prompt or none, then start, language, task. */
  readonly opening: readonly number[];
  /** Tokens of text at most. */
  readonly most: number;
  /** Texts that are followed side by side; 1: at each place only the likeliest token. */
  readonly beams: number;
  /** What the words of a text count beside what was heard. */
  readonly words: WordScores;
  readonly special: Pick<SpecialTokens, "start" | "noSpeech" | "endOfText">;
  /** For the first token and for all others. */
  readonly bans: Readonly<Record<"first" | "further", ReturnType<Networks["ban"]>>>;
  /** Asked before each token: whether to give up. */
  readonly isStopped: () => boolean;
}

/** A text under way. */
interface Text {
  readonly tokens: readonly number[];
  readonly logProbabilities: readonly number[];
  readonly offered: readonly (readonly Candidate[])[];
  /** Of all its tokens, its words counted in. */
  readonly sum: number;
  readonly words: Scored;
  readonly attention: readonly Float32Array[];
}

/** Decodes the likeliest text by beam search; with one beam, greedily. null where it was stopped. */
export async function decode(networks: Networks, sound: EncodedSound, options: DecodeOptions): Promise<Decoded | null> {
  const { opening, most, beams, words, special, bans, isStopped } = options;
  const reading = networks.startReading(sound, opening.length + most);
  const followed = beams === 1 ? 1 : beams + 1;
  const rows = [opening.indexOf(special.start), opening.length - 1];
  const first = await reading.read(opening, { rows, ban: bans.first, logits: true, likeliest: OFFERED });
  const noSpeech = probabilityOf(special.noSpeech, first.logits?.subarray(0, first.logits.length / rows.length) ?? new Float32Array());
  const start: Text = { tokens: [], logProbabilities: [], offered: [], sum: 0, words: words.start, attention: [] };
  const side = beams === 1 ? null : reading.spread(beams);

  let texts: readonly Text[] = [start];
  let found: { readonly text: Text; readonly reading: Reading } | null = null;
  let ended = 0;
  let step: Pick<Following, "candidates" | "attention"> = {
    candidates: first.candidates.slice(-1),
    attention: rowsOf(first.attention, opening.length, sound.positions).at(-1) as Float32Array,
  };
  for (;;) {
    const looked = rowsOf(step.attention, texts.length, sound.positions);
    const next: Next[] = [];
    for (const text of ranked(texts, step.candidates, { followed, looked, words })) {
      if (text.tokens.at(-1) !== special.endOfText) next.push(text);
      else {
        ended++;
        if (!found || meanOf(text) > meanOf(found.text)) found = { text, reading: side?.reading(text.parent) ?? reading };
      }
      if (next.length === beams) break;
    }
    const [best] = next;
    const isFull = best !== undefined && best.tokens.length >= most;
    if (found && (ended >= beams || !best || isFull)) return { ...withoutEnd(found.text), noSpeech, reading: found.reading };
    if (!best) throw new CallsiftError("internal/bug", "the decoder had no token to go on with");
    if (isFull) return { ...best, endLogProbability: null, noSpeech, reading: side?.reading(best.parent) ?? reading };
    if (isStopped()) return null;
    const tokens = next.map((text) => text.tokens.at(-1) as number);
    const parents = next.map(({ parent }) => parent);
    step = await (side
      ? side.read(tokens, parents, { ban: bans.further, likeliest: OFFERED })
      : reading.read(tokens, { ban: bans.further, likeliest: OFFERED }));
    texts = next;
  }
}

/** A text that has grown by one token, with the place of the one that it grew from. */
interface Next extends Text {
  readonly parent: number;
}

/** All that the texts may become, likeliest first. */
function ranked(
  texts: readonly Text[],
  candidates: Following["candidates"],
  { followed, looked, words }: { readonly followed: number; readonly looked: readonly Float32Array[]; readonly words: WordScores },
): Next[] {
  return texts
    .flatMap((text, parent) => {
      const offered = candidates[parent] ?? [];
      return offered
        .slice(0, followed)
        .map((candidate) => ({ parent, ...grown(text, candidate, { offered, looked: looked[parent], words }) }));
    })
    .sort((a, b) => b.sum - a.sum);
}

function withoutEnd(text: Text): Pick<Decoded, "tokens" | "logProbabilities" | "offered" | "endLogProbability" | "attention"> {
  return {
    tokens: text.tokens.slice(0, -1),
    logProbabilities: text.logProbabilities.slice(0, -1),
    endLogProbability: text.logProbabilities.at(-1) as number,
    offered: text.offered,
    attention: text.attention,
  };
}

function grown(
  text: Text,
  { token, logProbability }: Candidate,
  {
    offered,
    looked = new Float32Array(),
    words,
  }: { readonly offered: readonly Candidate[]; readonly looked: Float32Array | undefined; readonly words: WordScores },
): Text {
  if (!Number.isFinite(logProbability))
    throw new CallsiftError("weights/damaged", "model.bin: expected weights that give numbers, they give none");
  const worded = words.next(text.words, token);
  return {
    tokens: [...text.tokens, token],
    logProbabilities: [...text.logProbabilities, logProbability],
    offered: [...text.offered, offered],
    sum: text.sum + logProbability + worded.score - text.words.score,
    words: worded,
    attention: [...text.attention, looked],
  };
}

/** Longer texts are less likely as a whole: they are compared by the mean of their tokens. */
function meanOf({ sum, tokens }: Text): number {
  return sum / tokens.length;
}

/** Softmax of one logit. */
function probabilityOf(token: number, logits: Float32Array): number {
  let top = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > top) top = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - top);
  return Math.exp((logits[token] as number) - top) / sum;
}

/** Each token's part of [heads, tokens, positions]. */
function rowsOf(attention: Float32Array, tokens: number, positions: number): Float32Array[] {
  const heads = attention.length / (tokens * positions);
  if (tokens === 1) return [attention];
  return Array.from({ length: tokens }, (_, token) => {
    const row = new Float32Array(heads * positions);
    for (let head = 0; head < heads; head++) {
      const at = (head * tokens + token) * positions;
      row.set(attention.subarray(at, at + positions), head * positions);
    }
    return row;
  });
}
