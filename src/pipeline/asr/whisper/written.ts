import { simplify } from "../../text/normalise.ts";
import type { HeardToken } from "../recogniser.ts";

/** A token of the model with what is known of it. */
export interface TimedToken {
  readonly bytes: Uint8Array;
  /** ms from the start of the piece. */
  readonly startMs: number;
  readonly endMs: number;
  /** Natural logarithm. */
  readonly logProbability: number;
}

/** A character of the text with its place in the tokens. */
interface Character {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
  /** First and last token that its bytes lie in. */
  readonly from: number;
  readonly to: number;
}

/** What tokens write: the text, and its characters and words with times and probabilities. */
export interface Written {
  readonly text: string;
  readonly tokens: readonly HeardToken[];
}

const SPACE = /\p{White_Space}/u;
const LETTER = /[\p{L}\p{N}\p{M}]/u;
/** Characters that are words of their own. */
const ALONE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;
/** Joins two halves of one word: don't, 3.5. */
const JOINT = /^['’.]$/;

/**
 * Joins the tokens' bytes, since a character may lie in two of them, and takes the text apart again into Chinese characters and words. A character is as probable as all
 * its tokens together. What is no whole character is left out.
 *
 * @param simplified whether each traditional character is shown simplified
 */
export function writeOut(tokens: readonly TimedToken[], { simplified }: { readonly simplified: boolean }): Written {
  const characters = charactersOf(tokens, simplified);
  const text = characters
    .map((character) => character.text)
    .join("")
    .replace(/\p{White_Space}+/gu, " ")
    .trim();
  const words = wordsOf(characters, tokens);
  // Punctuation without a word is nothing that was said.
  return { text: words.length === 0 ? "" : text, tokens: words };
}

function charactersOf(tokens: readonly TimedToken[], simplified: boolean): Character[] {
  const length = tokens.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const bytes = new Uint8Array(length);
  const tokenOf = new Int32Array(length);
  let end = 0;
  tokens.forEach((token, index) => {
    bytes.set(token.bytes, end);
    tokenOf.fill(index, end, end + token.bytes.length);
    end += token.bytes.length;
  });
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const places: { text: string; at: number; length: number }[] = [];
  for (let at = 0; at < length; ) {
    const size = sizeOf(bytes[at] as number);
    try {
      const text = decoder.decode(bytes.subarray(at, at + size));
      if (text !== "") places.push({ text: simplified ? simplify(text) : text, at, length: size });
      at += size;
    } catch {
      at++;
    }
  }
  const times = byteTimes(tokens, places, length);
  return places.map(({ text, at, length: size }) => ({
    text,
    startMs: times[at] as number,
    endMs: times[at + size - 1 + length] as number,
    from: tokenOf[at] as number,
    to: tokenOf[at + size - 1] as number,
  }));
}

/** Bytes of the UTF-8 character that begins so. */
export function sizeOf(first: number): number {
  if (first < 0xc0) return 1;
  return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/** Start of each byte, then the end of each: a token's time is shared by the bytes of its letters, if it has any. */
function byteTimes(
  tokens: readonly TimedToken[],
  places: readonly { readonly text: string; readonly at: number; readonly length: number }[],
  length: number,
): Float64Array {
  const weights = new Float64Array(length).fill(1);
  for (const { text, at, length: size } of places) if (!LETTER.test(text)) weights.fill(0, at, at + size);
  const times = new Float64Array(2 * length);
  let at = 0;
  for (const { bytes, startMs, endMs } of tokens) {
    const own = weights.subarray(at, at + bytes.length);
    const total = own.reduce((sum, weight) => sum + weight, 0);
    let done = 0;
    own.forEach((weight, i) => {
      const share = total > 0 ? weight / total : 1 / bytes.length;
      times[at + i] = startMs + done * (endMs - startMs);
      done += share;
      times[at + i + length] = startMs + Math.min(1, done) * (endMs - startMs);
    });
    at += bytes.length;
  }
  return times;
}

interface Draft {
  text: string;
  letters: Character[];
  isWord: boolean;
}

function wordsOf(characters: readonly Character[], tokens: readonly TimedToken[]): HeardToken[] {
  const drafts: Draft[] = [];
  let before = "";
  let isApart = true;
  let joint = false;
  for (const [i, character] of characters.entries()) {
    const { text } = character;
    const last = drafts.at(-1);
    if (SPACE.test(text)) isApart = true;
    else if (!LETTER.test(text)) {
      if (last) last.text += text;
      else before += text;
      joint = !isApart && JOINT.test(text) && LETTER.test(characters[i - 1]?.text ?? "");
      isApart = isApart || !joint;
      continue;
    } else if (last && !isApart && last.isWord && !ALONE.test(text)) {
      last.text += text;
      last.letters.push(character);
    } else {
      drafts.push({ text: before + text, letters: [character], isWord: !ALONE.test(text) });
      before = "";
      isApart = false;
    }
    joint = false;
  }
  return drafts.map(({ text, letters }) => {
    const used = new Set<number>();
    for (const { from, to } of letters) for (let token = from; token <= to; token++) used.add(token);
    const logProbability = [...used].reduce((sum, token) => sum + (tokens[token]?.logProbability ?? 0), 0);
    return {
      text,
      startMs: Math.round(Math.min(...letters.map(({ startMs }) => startMs))),
      endMs: Math.round(Math.max(...letters.map(({ endMs }) => endMs))),
      confidence: Math.min(1, Math.exp(logProbability)),
    };
  });
}
