import { clip, union } from "../timeline.ts";
import type { Doubt, DoubtfulStretch, Span, Utterance, Word } from "../types.ts";
import { estimateWords, joinWords, tokensOf } from "./import/words.ts";
import type { Piece } from "./pieces.ts";
import type { HeardPiece, HeardToken } from "./recogniser.ts";
import type { Side } from "./sides.ts";

/** What one piece of a side came to. */
export interface PieceText {
  readonly piece: Piece;
  readonly heard: Omit<HeardPiece, "weigh" | "release">;
  /** Of the whole piece. */
  readonly doubt: Doubt | null;
}

export interface AssembleOptions {
  /** 0–1: an utterance below it is no evidence. */
  readonly minConfidence: number;
  /** Gives a Chinese text whose engine writes no punctuation commas at pauses and stops at ends, for people to read. */
  readonly punctuate?: boolean;
}

/** Pauses up to this long stay inside an utterance, ms. */
const PAUSE_MS = 500;
/** Speech of which nothing was written: from here on it is told, ms. */
const LEAST_UNHEARD_MS = 1_500;

/** One piece as utterances of the recording, and the stretches of it that are no evidence. */
export function assemble(
  { piece, heard, doubt }: PieceText,
  side: Side,
  { minConfidence, punctuate = false }: AssembleOptions,
): {
  readonly utterances: Utterance[];
  readonly doubtful: DoubtfulStretch[];
} {
  const who = { role: null, channel: side.channel, ...(side.speaker !== null && { speaker: side.speaker }) };
  const stretch = ([startMs, endMs]: Span, text: string, confidence: number | null, why: Doubt): DoubtfulStretch => ({
    ...who,
    startMs,
    endMs,
    text,
    confidence,
    doubt: why,
  });
  if (doubt !== null) {
    const [startMs, endMs] = extentOf(piece);
    return { utterances: [], doubtful: [stretch([startMs, endMs], heard.text, heard.confidence, doubt)] };
  }
  const utterances: Utterance[] = [];
  const doubtful: DoubtfulStretch[] = [];
  for (const { span, tokens } of groupTokens(piece, heard)) {
    if (tokens.length === 0) {
      if (span[1] - span[0] >= LEAST_UNHEARD_MS) doubtful.push(stretch(span, "", null, "too-little-text"));
      continue;
    }
    const text = textOf(punctuate && isBare(heard.text) ? punctuated(tokens) : tokens);
    const confidence = meanConfidence(tokens);
    const { words, timing } = wordsOf(tokens, span, piece);
    if (words.length === 0) continue;
    if (confidence !== null && confidence < minConfidence) doubtful.push(stretch(span, text, confidence, "low-confidence"));
    else {
      const tags = Object.keys(heard.tags).length > 0 ? { tags: heard.tags } : {};
      utterances.push({ ...who, startMs: span[0], endMs: span[1], text, confidence, words, timing, ...tags });
    }
  }
  return { utterances, doubtful };
}

function extentOf({ speech, startMs, endMs }: Piece): Span {
  return [speech[0]?.[0] ?? startMs, speech.at(-1)?.[1] ?? endMs];
}

interface Group {
  readonly span: Span;
  readonly tokens: readonly HeardToken[];
}

/** The tokens by the stretches of speech they lie in; all in one where the engine gives no times. */
function groupTokens(piece: Piece, { tokens }: Pick<HeardPiece, "tokens">): Group[] {
  const stretches = union(piece.speech, PAUSE_MS);
  const timed = tokens.every(({ startMs, endMs }) => startMs !== null && endMs !== null);
  if (!timed || stretches.length < 2) return [{ span: extentOf(piece), tokens }];
  const groups = stretches.map((span) => ({ span, tokens: [] as HeardToken[] }));
  let at = 0;
  for (const token of tokens) {
    const middleMs = piece.startMs + ((token.startMs as number) + (token.endMs as number)) / 2;
    // In order: a token never belongs to an earlier stretch than the one before it.
    while (at < groups.length - 1 && distance(middleMs, (groups[at + 1] as Group).span) < distance(middleMs, (groups[at] as Group).span))
      at++;
    groups[at]?.tokens.push(token);
  }
  return groups;
}

function distance(ms: number, [startMs, endMs]: Span): number {
  return ms < startMs ? startMs - ms : ms > endMs ? ms - endMs : 0;
}

/** The tokens as one line of text. */
export function textOf(tokens: readonly Pick<HeardToken, "text">[]): string {
  return joinWords(tokens.map(({ text }) => text));
}

/** Chinese, and nothing between the characters. */
function isBare(text: string): boolean {
  return /\p{Script=Han}/u.test(text) && !/\p{P}/u.test(text);
}

/** Silence between two words that is written as a comma, ms. */
const COMMA_MS = 350;

function punctuated(tokens: readonly HeardToken[]): Pick<HeardToken, "text">[] {
  return tokens.map(({ text, endMs }, i) => {
    const next = tokens[i + 1];
    if (!next) return { text: `${text}。` };
    const pauses = endMs !== null && next.startMs !== null && next.startMs - endMs >= COMMA_MS;
    return { text: pauses ? `${text}，` : text };
  });
}

/** Geometric mean; null where the engine gives none. */
function meanConfidence(tokens: readonly HeardToken[]): number | null {
  const known = tokens.flatMap(({ confidence }) => (confidence === null ? [] : [confidence]));
  if (known.length === 0) return null;
  return Math.exp(known.reduce((sum, confidence) => sum + Math.log(Math.max(confidence, 1e-6)), 0) / known.length);
}

/** The spoken words of the tokens, punctuation apart, in the recording's time and inside the span. */
function wordsOf(tokens: readonly HeardToken[], span: Span, piece: Piece): { words: Word[]; timing: Utterance["timing"] } {
  const timed = tokens.every(({ startMs, endMs }) => startMs !== null && endMs !== null);
  if (!timed) {
    const confidence = tokens.find((token) => token.confidence !== null)?.confidence;
    const words = estimateWords(tokensOf(textOf(tokens)), span, clip(piece.speech, span));
    return { words: words.map((word) => ({ ...word, ...(confidence != null && { confidence }) })), timing: "estimated" };
  }
  const words: Word[] = [];
  let lastMs = span[0];
  for (const { text, startMs, endMs, confidence } of tokens) {
    const parts = tokensOf(text);
    const fromMs = within(Math.round(piece.startMs + (startMs as number)), lastMs, span[1]);
    const toMs = within(Math.round(piece.startMs + (endMs as number)), fromMs, span[1]);
    const sure = confidence === null ? {} : { confidence };
    words.push(...estimateWords(parts, [fromMs, toMs], []).map((word) => ({ ...word, ...sure })));
    lastMs = fromMs;
  }
  return { words, timing: "exact" };
}

function within(ms: number, fromMs: number, toMs: number): number {
  return Math.min(Math.max(ms, fromMs), toMs);
}
