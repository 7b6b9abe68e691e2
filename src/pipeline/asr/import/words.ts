import { totalMs } from "../../timeline.ts";
import type { Span, Word } from "../../types.ts";
import type { ImportedWord } from "./imported.ts";

/** A piece of text that is spoken as a unit: one Chinese character, or one word of a spaced script. */
export interface Token {
  readonly text: string;
  /** Share of the utterance's time, relative: a Chinese character is 1. */
  readonly weight: number;
}

const LETTERS = String.raw`[[\p{L}\p{M}\p{N}]--\p{Script=Han}]+`;
const TOKEN = String.raw`\p{Script=Han}|${LETTERS}(?:['’.]${LETTERS})*`;
// The flag `v` is for the set difference; TypeScript knows it in literals only from ES2024 on.
const TOKENS = new RegExp(TOKEN, "gv");
const HAN = /^\p{Script=Han}$/u;

/** The spoken tokens of a text in order; none for punctuation alone. */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  for (const [token] of text.matchAll(TOKENS)) {
    // A Chinese character takes about 230 ms, an English word about 150 ms and 45 ms a letter: reading times of telephone speech.
    tokens.push({ text: token, weight: HAN.test(token) ? 1 : 0.6 + 0.2 * Math.min(token.length, 12) });
  }
  return tokens;
}

/** Under this a spoken token cannot last: the speech found is not all of the utterance's. */
const LEAST_MS_PER_WEIGHT = 60;

/**
 * Words spread over an utterance in proportion to their weight; where speech is known inside it, over the speech only,
 * so that a pause in the middle of a long utterance pushes no word away from where it was said.
 *
 * @param heard disjoint spans inside the utterance, ascending
 */
export function estimateWords(tokens: readonly Token[], utterance: Span, heard: readonly Span[]): Word[] {
  const weight = tokens.reduce((sum, token) => sum + token.weight, 0);
  const heardMs = totalMs(heard);
  const enough = heardMs >= weight * LEAST_MS_PER_WEIGHT && heardMs >= 0.3 * (utterance[1] - utterance[0]);
  const spoken: readonly Span[] = enough ? heard : [utterance];
  const spokenMs = totalMs(spoken);
  const words: Word[] = [];
  let done = 0;
  let at = 0;
  let beforeMs = 0;
  for (const token of tokens) {
    const fromMs = (done / weight) * spokenMs;
    done += token.weight;
    const toMs = (done / weight) * spokenMs;
    // A word begins in the stretch that holds its first moment, and ends in the one that holds its last.
    while (at < spoken.length - 1 && fromMs >= beforeMs + spanMs(spoken[at])) beforeMs += spanMs(spoken[at++]);
    const startMs = startOf(spoken[at]) + (fromMs - beforeMs);
    let end = at;
    let endBeforeMs = beforeMs;
    while (end < spoken.length - 1 && toMs > endBeforeMs + spanMs(spoken[end])) endBeforeMs += spanMs(spoken[end++]);
    const endMs = startOf(spoken[end]) + (toMs - endBeforeMs);
    words.push({ text: token.text, startMs: Math.round(startMs), endMs: Math.min(Math.round(endMs), utterance[1]) });
  }
  return words;
}

function spanMs(span: Span | undefined): number {
  return span ? span[1] - span[0] : 0;
}

function startOf(span: Span | undefined): number {
  return span?.[0] ?? 0;
}

/**
 * Given words cut to tokens. Where they spell the utterance's text, each token of the text takes its letters' times; where they
 * don't (numbers rewritten as digits, say), the words stand as they were given.
 */
export function exactWords(text: string, given: readonly ImportedWord[]): Word[] {
  const split = given.flatMap(splitWord);
  const letters = split.flatMap((word) => lettersOf(word));
  const tokens = tokensOf(text).map((token) => ({ text: token.text, letters: [...token.text.toLowerCase()] }));
  const spelt = tokens.flatMap((token) => token.letters);
  if (spelt.length !== letters.length || spelt.some((letter, i) => letter !== letters[i]?.letter)) return split;
  let at = 0;
  return tokens.map((token) => {
    const own = letters.slice(at, at + token.letters.length);
    at += token.letters.length;
    const confidences = own.flatMap(({ confidence }) => (confidence === undefined ? [] : [confidence]));
    return {
      text: token.text,
      startMs: own[0]?.startMs ?? 0,
      endMs: own.at(-1)?.endMs ?? 0,
      ...(confidences.length > 0 && { confidence: Math.min(...confidences) }),
    };
  });
}

interface Letter {
  readonly letter: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly confidence: number | undefined;
}

function lettersOf({ text, startMs, endMs, confidence }: Word): Letter[] {
  return [...text.toLowerCase()].map((letter) => ({ letter, startMs, endMs, confidence }));
}

/** `您好` with one time becomes 您 and 好 with half of it each. */
function splitWord({ text, startMs, endMs, confidence }: ImportedWord): Word[] {
  const tokens = tokensOf(text);
  const sure = confidence === null ? {} : { confidence };
  if (tokens.length === 1) return tokens.map((token) => ({ text: token.text, startMs, endMs, ...sure }));
  return estimateWords(tokens, [startMs, endMs], []).map((word) => ({ ...word, ...sure }));
}

const STARTS_SPACED = /^[\p{L}\p{N}]/u;
const STARTS_HAN = /^\p{Script=Han}/u;
const ENDS_HAN = /\p{Script=Han}$/u;

/** Words written as a text: a space before a word of a spaced script, none around Chinese characters and before punctuation. */
export function joinWords(words: readonly string[]): string {
  const parts: string[] = [];
  let before = "";
  for (const word of words.map((written) => written.trim())) {
    if (word === "") continue;
    if (before !== "" && STARTS_SPACED.test(word) && !STARTS_HAN.test(word) && !ENDS_HAN.test(before)) parts.push(" ");
    parts.push(word);
    before = word;
  }
  return parts.join("");
}
