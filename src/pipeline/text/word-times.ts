import type { Span, Utterance, Word } from "../types.ts";
import { normalise, SPACE } from "./normalise.ts";

/** When, and how surely, a part of an utterance's text was said. */
export interface TimedText {
  /** Time of the UTF-16 units `[start, end)` of the text. */
  time(start: number, end: number): Span;
  /** Of the words there. `confidence` null where the source gives none. */
  words(start: number, end: number): { readonly count: number; readonly confidence: number | null };
}

/** Units of a folded text without its spaces. */
interface Letters {
  readonly text: string;
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

function lettersOf(text: string): Letters {
  const folded = normalise(text);
  const kept = Array.from(folded.starts, (_, i) => i).filter((i) => folded.text.charCodeAt(i) !== SPACE);
  return {
    text: kept.map((i) => folded.text[i]).join(""),
    starts: kept.map((i) => folded.starts[i] as number),
    ends: kept.map((i) => folded.ends[i] as number),
  };
}

/**
 * Lays an utterance's words along its text. Both are compared folded, so punctuation, case and spaces do not matter. What agrees from
 * the front and from the back is exact; where the words differ from the text between, the difference is spread evenly; without
 * words the whole utterance is.
 */
export function timeText(utterance: Utterance): TimedText {
  const text = lettersOf(utterance.text);
  // For each folded unit of the words: its word, its place in it, and the length of that word.
  const owners: { readonly word: Word; readonly at: number; readonly of: number }[] = [];
  let said = "";
  for (const word of utterance.words) {
    const letters = lettersOf(word.text).text;
    for (let at = 0; at < letters.length; at++) owners.push({ word, at, of: letters.length });
    said += letters;
  }

  const shorter = Math.min(text.text.length, said.length);
  let front = 0;
  while (front < shorter && text.text[front] === said[front]) front++;
  let back = 0;
  while (back < shorter - front && text.text.at(-1 - back) === said.at(-1 - back)) back++;
  const middle = text.text.length - front - back;
  const saidMiddle = said.length - front - back;

  /** The place among the words' units of the boundary before the text's unit `i`. */
  const place = (i: number): number => {
    if (i <= front) return i;
    if (i >= front + middle) return i - middle + saidMiddle;
    return front + ((i - front) * saidMiddle) / middle;
  };
  const unitsOf = (start: number, end: number): [from: number, to: number] => {
    const from = Math.min(firstAbove(text.ends, start), Math.max(0, text.ends.length - 1));
    let to = from;
    while (to < text.starts.length && (text.starts[to] as number) < end) to++;
    return [from, Math.max(to, Math.min(from + 1, text.starts.length))];
  };
  const ownersOf = (start: number, end: number): [first: number, last: number] => {
    const [from, to] = unitsOf(start, end);
    const first = Math.min(Math.floor(place(from)), owners.length - 1);
    return [first, Math.min(Math.max(first, Math.ceil(place(to)) - 1), owners.length - 1)];
  };

  return {
    time(start, end) {
      const { startMs, endMs } = utterance;
      if (owners.length === 0) {
        const [from, to] = unitsOf(start, end);
        const each = text.text.length === 0 ? 0 : (endMs - startMs) / text.text.length;
        return inOrder(startMs + from * each, text.text.length === 0 ? endMs : startMs + to * each);
      }
      const [first, last] = ownersOf(start, end);
      const a = owners[first] as (typeof owners)[number];
      const b = owners[last] as (typeof owners)[number];
      return inOrder(
        a.word.startMs + ((a.word.endMs - a.word.startMs) * a.at) / a.of,
        b.word.startMs + ((b.word.endMs - b.word.startMs) * (b.at + 1)) / b.of,
      );
    },
    words(start, end) {
      if (owners.length === 0) return { count: 1, confidence: utterance.confidence };
      const [first, last] = ownersOf(start, end);
      const words = [...new Set(owners.slice(first, last + 1).map(({ word }) => word))];
      const known = words.flatMap(({ confidence }) => (confidence === undefined ? [] : [confidence]));
      const mean = known.length === 0 ? utterance.confidence : known.reduce((sum, value) => sum + value, 0) / known.length;
      return { count: words.length, confidence: mean };
    },
  };
}

/** The index of the first value above the limit in an ascending list. */
function firstAbove(values: readonly number[], limit: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] as number) > limit) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Whole milliseconds, never backwards. */
function inOrder(startMs: number, endMs: number): Span {
  const from = Math.round(startMs);
  return [from, Math.max(from, Math.round(endMs))];
}
