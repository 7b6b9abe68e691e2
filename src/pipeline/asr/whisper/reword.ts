import { simplify } from "../../text/normalise.ts";
import type { SoundAlikes } from "../sound-alikes.ts";
import { LONGEST_WORD, type Worded, type WordModel } from "../word-model.ts";
import type { Decoded } from "./decode.ts";
import type { Networks } from "./sessions.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { partsShared, sumOf, weighAgainst } from "./weigh.ts";

/** One word of a text that another takes the place of: places are of characters. */
export interface Exchange {
  readonly from: number;
  readonly to: number;
  readonly by: string;
  /** By how much the text is made of more common words: natural logarithm. */
  readonly gain: number;
}

export interface Vocabulary {
  readonly model: WordModel;
  readonly alikes: SoundAlikes;
}

/** What does not make a text clearly more common is not asked for. */
const LEAST_GAIN = 2;
/** Characters that the recogniser holds for likelier stay. */
const SURE = 0.9;
/** Exchanges of a text that are looked at, and for how many of its tokens one is weighed, which costs as much as two steps of the decoding. */
const MOST = { lookedAt: 16, tokensOfOneWeighed: 16 };
/**
 * How much more common words count against what was heard: more than while the text is searched for, since these sound like what was heard. From 0.4 to 0.7 the benchmark's
 * texts grow better; from 0.55 on a word that a rule looks for was exchanged for another in a fixture call.
 */
const WEIGHT = 0.5;
/** Tokens behind an exchange that are weighed with it. */
const FURTHER = 1;
/** Stands where bytes are no character. */
const NO_CHARACTER = "\ufffd";
const HAN = /\p{Script=Han}/u;

/**
 * Words of a text for which words that sound alike would be more common where they stand, most gain first.
 *
 * @param isDoubted of each character: at least one that is exchanged is doubted
 */
export function exchangesOf(text: string, isDoubted: (place: number) => boolean, vocabulary: Vocabulary): Exchange[] {
  const characters = Array.from(text, simplify);
  const found = new Map<string, Exchange>();
  for (let start = 0; start < characters.length; ) {
    let end = start;
    while (end < characters.length && HAN.test(characters[end] as string)) end++;
    const run = exchangesIn(characters.slice(start, end), (place) => isDoubted(start + place), vocabulary);
    for (const one of run) found.set(`${start + one.from} ${one.by}`, { ...one, from: start + one.from, to: start + one.to });
    start = end + 1;
  }
  return [...found.values()].sort((a, b) => b.gain - a.gain);
}

/** In characters that are all Chinese: what stands before and after them has no part in how common their words are. */
function* exchangesIn(
  characters: readonly string[],
  isDoubted: (place: number) => boolean,
  { model, alikes }: Vocabulary,
): Iterable<Exchange> {
  const before = [model.start];
  for (const character of characters) before.push(model.next(before.at(-1) as Worded, character));
  const now = (before.at(-1) as Worded).score;
  for (let from = 0; from < characters.length; from++) {
    for (let to = from + 1; to <= Math.min(characters.length, from + LONGEST_WORD); to++) {
      if (!anyOf(from, to, isDoubted)) continue;
      const written = characters.slice(from, to).join("");
      for (const word of alikes.of(written)) {
        const { before: first, after } = partsShared(word, written);
        const end = word.length - after;
        if (!anyOf(from + first, from + end, isDoubted)) continue;
        let text = before[from] as Worded;
        for (const character of [...word, ...characters.slice(to)]) text = model.next(text, character);
        const gain = text.score - now;
        if (gain >= LEAST_GAIN) yield { from: from + first, to: from + end, by: word.slice(first, end), gain };
      }
    }
  }
}

function anyOf(from: number, to: number, is: (place: number) => boolean): boolean {
  for (let place = from; place < to; place++) if (is(place)) return true;
  return false;
}

/** A text with some of its words exchanged; where two would change the same characters, the first in the list counts. */
export function exchange(text: string, exchanges: readonly Exchange[]): string {
  const characters: string[] = [...text];
  const isChanged = characters.map(() => false);
  for (const { from, to, by } of exchanges) {
    if (isChanged.slice(from, to).some(Boolean)) continue;
    isChanged.fill(true, from, to);
    for (let i = from; i < to; i++) characters[i] = by[i - from] as string;
  }
  return characters.join("");
}

export interface RewordOptions extends Vocabulary {
  readonly opening: readonly number[];
  readonly tokenizer: Tokenizer;
  readonly ban: ReturnType<Networks["ban"]>;
  readonly isStopped: () => boolean;
}

/**
 * What each token of a decoded text writes, with words exchanged for more common ones that sound alike, where the recogniser itself holds them for nearly as likely: beam
 * search never comes to most of them, since a mistake's first character is likelier than that of the word. Characters that are exchanged have as many bytes, so they stand in
 * the tokens that were heard, at their times, and are believed as far. null where it was stopped.
 */
export async function reword(decoded: Decoded, options: RewordOptions): Promise<readonly Uint8Array[] | null> {
  const { opening, tokenizer, ban, isStopped } = options;
  const heard = decoded.tokens.map(tokenizer.bytes);
  const { text, probabilities } = spelt(heard, decoded.logProbabilities);
  const end = tokenizer.special.endOfText;
  if (decoded.endLogProbability === null || text.includes(NO_CHARACTER)) return heard;
  const likely = sumOf(decoded.logProbabilities) + decoded.endLogProbability;
  const promising = exchangesOf(text, (place) => (probabilities[place] as number) < SURE, options)
    .slice(0, MOST.lookedAt)
    .map((one) => {
      const tokens = tokenizer.encode(exchange(text, [one]));
      return { one, tokens, most: mostOf(decoded, tokens) + WEIGHT * one.gain };
    })
    .filter(({ most }) => most > 0)
    .sort((a, b) => b.most - a.most)
    .slice(0, Math.ceil(decoded.tokens.length / MOST.tokensOfOneWeighed));
  const better: { readonly one: Exchange; readonly worth: number }[] = [];
  for (const { one, tokens } of promising) {
    if (isStopped()) return null;
    const worth = (await weighAgainst({ ...decoded, opening }, tokens, { ban, end, further: FURTHER })) - likely + WEIGHT * one.gain;
    if (worth > 0) better.push({ one, worth });
  }
  if (better.length === 0) return heard;
  better.sort((a, b) => b.worth - a.worth);
  const exchanged = Buffer.from(
    exchange(
      text,
      better.map(({ one }) => one),
    ),
  );
  let at = 0;
  return heard.map(({ length }) => {
    at += length;
    return exchanged.subarray(at - length, at);
  });
}

/** A text made from `shown` with its exchanges undone, but where the two differ: it is compared with what was heard. */
export function asHeard(text: string, { shown, heard }: { readonly shown: string; readonly heard: string }): string {
  if (shown === heard || shown.length !== heard.length) return text;
  const { before, after } = partsShared(shown, text);
  return heard.slice(0, before) + text.slice(before, text.length - after) + heard.slice(heard.length - after);
}

/** What tokens write, and how likely each character is: the least likely token that it has a byte of. */
function spelt(
  parts: readonly Uint8Array[],
  logProbabilities: readonly number[],
): { readonly text: string; readonly probabilities: readonly number[] } {
  const ofByte = parts.flatMap((part, i) => Array.from(part, () => Math.exp(logProbabilities[i] as number)));
  const text = Buffer.concat(parts).toString("utf8");
  const probabilities: number[] = [];
  let at = 0;
  for (const character of text) {
    const end = at + Buffer.byteLength(character);
    probabilities.push(Math.min(...ofByte.slice(at, end)));
    at = end;
  }
  return { text, probabilities };
}

/**
 * By how much a text can be likelier than the one that was decoded, hardly ever more: where they part it has what was offered there, and from there on, until a little after
 * they meet again, every token is certain.
 */
function mostOf({ tokens, logProbabilities, offered }: Decoded, text: readonly number[]): number {
  const { before, after } = partsShared(tokens, text);
  const others = offered[before] ?? [];
  const other = others.find(({ token }) => token === text[before]) ?? others.at(-1);
  return (other?.logProbability ?? 0) - sumOf(logProbabilities.slice(before, tokens.length - after));
}
