import type { Span, Utterance, Word } from "../types.ts";
import { appendNormalised, SPACE, UnitBuffer } from "./normalise.ts";

/** When, and how surely, a part of an utterance's text was said. */
export interface TimedText {
  /** Time of the UTF-16 units `[start, end)` of the text. */
  time(start: number, end: number): Span;
  /** Of the words there. `confidence` null where the source gives none. */
  words(start: number, end: number): { readonly count: number; readonly confidence: number | null };
}

/**
 * Lays an utterance's words along its text. Both are compared folded, so punctuation, case and spaces do not matter. What agrees from
 * the front and from the back is exact; where the words differ from the text between, the difference is spread evenly; without
 * words the whole utterance is.
 */
export function timeText(utterance: Utterance): TimedText {
  const { words, startMs, endMs } = utterance;
  const text = new UnitBuffer();
  appendNormalised(text, utterance.text);
  dropSpaces(text, 0);
  // The words' units in a row, each with its word.
  const said = new UnitBuffer();
  const firstOf: number[] = [];
  words.forEach((word, i) => {
    firstOf[i] = said.length;
    appendNormalised(said, word.text);
    dropSpaces(said, firstOf[i] as number);
    for (let at = firstOf[i] as number; at < said.length; at++) said.from[at] = i;
  });
  firstOf[words.length] = said.length;

  const shorter = Math.min(text.length, said.length);
  let front = 0;
  while (front < shorter && text.units[front] === said.units[front]) front++;
  let back = 0;
  while (back < shorter - front && text.units[text.length - 1 - back] === said.units[said.length - 1 - back]) back++;
  const middle = text.length - front - back;
  const saidMiddle = said.length - front - back;

  /** The place among the words' units of the boundary before the text's unit `i`. */
  const place = (i: number): number => {
    if (i <= front) return i;
    if (i >= front + middle) return i - middle + saidMiddle;
    return front + ((i - front) * saidMiddle) / middle;
  };
  /** The text's units behind its characters; at least one, unless there is none. */
  const unitsOf = (start: number, end: number): [from: number, to: number] => {
    const from = Math.min(firstAbove(text.to, text.length, start), Math.max(0, text.length - 1));
    let to = from;
    while (to < text.length && (text.from[to] as number) < end) to++;
    return [from, Math.max(to, Math.min(from + 1, text.length))];
  };
  /** The words' units said there, first and last. */
  const saidOf = (start: number, end: number): [first: number, last: number] => {
    const [from, to] = unitsOf(start, end);
    const first = Math.min(Math.floor(place(from)), said.length - 1);
    return [first, Math.min(Math.max(first, Math.ceil(place(to)) - 1), said.length - 1)];
  };
  /** The time of a boundary of one of the words' units; side 0 = its start, 1 = its end. */
  const timeOf = (unit: number, side: 0 | 1): number => {
    const index = said.from[unit] as number;
    const word = words[index] as Word;
    const first = firstOf[index] as number;
    return word.startMs + ((word.endMs - word.startMs) * (unit + side - first)) / ((firstOf[index + 1] as number) - first);
  };

  return {
    time(start, end) {
      if (said.length > 0) {
        const [first, last] = saidOf(start, end);
        return inOrder(timeOf(first, 0), timeOf(last, 1));
      }
      if (text.length === 0) return [startMs, endMs];
      const [from, to] = unitsOf(start, end);
      const each = (endMs - startMs) / text.length;
      return inOrder(startMs + from * each, startMs + to * each);
    },
    words(start, end) {
      if (said.length === 0) return { count: 1, confidence: utterance.confidence };
      const [first, last] = saidOf(start, end);
      const from = said.from[first] as number;
      const to = said.from[last] as number;
      let sum = 0;
      let known = 0;
      for (let i = from; i <= to; i++) {
        const { confidence } = words[i] as Word;
        if (confidence === undefined) continue;
        sum += confidence;
        known++;
      }
      return { count: to - from + 1, confidence: known === 0 ? utterance.confidence : sum / known };
    },
  };
}

/** Takes the spaces out of a buffer from unit `start` on. */
function dropSpaces({ units, from, to }: UnitBuffer, start: number): void {
  let length = units.indexOf(SPACE, start);
  if (length < 0) return;
  for (let at = length; at < units.length; at++) {
    if (units[at] === SPACE) continue;
    units[length] = units[at] as number;
    from[length] = from[at] as number;
    to[length++] = to[at] as number;
  }
  units.length = from.length = to.length = length;
}

/** The index of the first value above the limit among the first `length` of an ascending list. */
function firstAbove(values: readonly number[], length: number, limit: number): number {
  let low = 0;
  let high = length;
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
