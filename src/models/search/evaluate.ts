import type { Range } from "./call-words.ts";
import { CALL_SPAN, type Places } from "./postings.ts";
import type { Phrase, Query } from "./query.ts";

/** Where a phrase is, in order; `exact` false: it only sounds so. */
export interface Occurrences extends Places {
  readonly exact: Uint8Array;
}

/** A marked stretch of one utterance. */
export interface Mark extends Range {
  readonly utterance: number;
  readonly exact: boolean;
}

/** What a query is true of, as a stretch of the call with its marks. */
interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly marks: readonly Mark[];
}

/**
 * Calls back for each call that the query is true of, in order.
 *
 * @param visit `utterances`: in how many utterances of the call something of it is; `marks`: the places of what was looked for, made when asked for, as a page
 *   shows fifty of what may be thousands of calls
 */
export function evaluate(
  query: Query,
  places: ReadonlyMap<Phrase, Occurrences>,
  visit: (call: number, utterances: number, marks: () => readonly Mark[]) => void,
): void {
  const cursors = new Map<Phrase, Cursor>();
  for (const [phrase, occurrences] of places) cursors.set(phrase, { occurrences, at: 0, end: 0 });
  const positive = [...positivePhrases(query)].map((phrase) => cursors.get(phrase) as Cursor);
  for (;;) {
    let call = Number.POSITIVE_INFINITY;
    for (const { occurrences, end } of positive) {
      const key = occurrences.keys[end];
      if (key !== undefined) call = Math.min(call, Math.floor(key / CALL_SPAN));
    }
    if (call === Number.POSITIVE_INFINITY) return;
    for (const cursor of cursors.values()) advance(cursor, call);
    if (query.kind === "phrase") {
      const { occurrences, at, end } = cursors.get(query) as Cursor;
      if (at < end)
        visit(call, utterancesAt(occurrences, at, end), () => stretchesAt(query, occurrences, at, end).flatMap(({ marks }) => marks));
      continue;
    }
    const found = ask(query, cursors);
    if (!found) continue;
    const marks = found.flatMap(({ marks }) => marks);
    visit(call, new Set(marks.map(({ utterance }) => utterance)).size, () => marks);
  }
}

/** In how many utterances the places from `at` to `end` lie; they are in order. */
function utterancesAt({ sides }: Occurrences, at: number, end: number): number {
  let count = 0;
  let last = -1;
  for (let i = at; i < end; i++) {
    const utterance = Math.floor((sides[i] as number) / 3);
    if (utterance !== last) count++;
    last = utterance;
  }
  return count;
}

function stretchesAt({ tokens }: Phrase, { keys, sides, exact }: Occurrences, at: number, end: number): Stretch[] {
  return Array.from({ length: end - at }, (_, i) => {
    const from = (keys[at + i] as number) % CALL_SPAN;
    const to = from + tokens.length;
    return { from, to, marks: [{ from, to, utterance: Math.floor((sides[at + i] as number) / 3), exact: exact[at + i] === 1 }] };
  });
}

/** A phrase's places of one call are those from `at` to `end`. */
interface Cursor {
  readonly occurrences: Occurrences;
  at: number;
  end: number;
}

function advance(cursor: Cursor, call: number): void {
  const { keys } = cursor.occurrences;
  let at = cursor.end;
  while (at < keys.length && (keys[at] as number) < call * CALL_SPAN) at++;
  let end = at;
  while (end < keys.length && (keys[end] as number) < (call + 1) * CALL_SPAN) end++;
  cursor.at = at;
  cursor.end = end;
}

/** The phrases one of which is in each call that the query is true of. */
function positivePhrases(query: Query): Set<Phrase> {
  if (query.kind === "phrase") return new Set([query]);
  if (query.kind === "not") return new Set();
  return new Set((query.kind === "near" ? [query.left, query.right] : query.parts).flatMap((part) => [...positivePhrases(part)]));
}

/** null: not true of the call. */
function ask(query: Query, cursors: ReadonlyMap<Phrase, Cursor>): Stretch[] | null {
  switch (query.kind) {
    case "phrase": {
      const { occurrences, at, end } = cursors.get(query) as Cursor;
      return at === end ? null : stretchesAt(query, occurrences, at, end);
    }
    case "not":
      return ask(query.part, cursors) === null ? [] : null;
    case "near":
      return near(ask(query.left, cursors), ask(query.right, cursors), query.within);
    case "or": {
      const found = query.parts.map((part) => ask(part, cursors)).filter((part) => part !== null);
      return found.length === 0 ? null : found.flat();
    }
    case "and": {
      const found: Stretch[] = [];
      for (const part of query.parts) {
        const stretches = ask(part, cursors);
        if (stretches === null) return null;
        found.push(...stretches);
      }
      return found;
    }
  }
}

/** Each stretch with the nearest of the other side before and behind it, where they are near enough. */
function near(left: Stretch[] | null, right: Stretch[] | null, within: number): Stretch[] | null {
  if (left === null || right === null) return null;
  const byFrom = (a: Stretch, b: Stretch): number => a.from - b.from || a.to - b.to;
  const pairs = new Map<string, Stretch>();
  const join = (one: Stretch, other: Stretch): void => {
    const gap = Math.max(one.from, other.from) - Math.min(one.to, other.to);
    // What overlaps is not beside each other: 你好 is not near 好吗 in 你好吗.
    if (gap < 0 || gap > within) return;
    const from = Math.min(one.from, other.from);
    const to = Math.max(one.to, other.to);
    pairs.set(`${from} ${to}`, { from, to, marks: [...one.marks, ...other.marks] });
  };
  const pairUp = (ones: readonly Stretch[], others: readonly Stretch[]): void => {
    const sorted = [...others].sort(byFrom);
    const byEnd = [...others].sort((a, b) => a.to - b.to || a.from - b.from);
    for (const one of ones) {
      const after = sorted[firstAtLeast(sorted, one.to, ({ from }) => from)];
      const before = byEnd[firstAtLeast(byEnd, one.from + 1, ({ to }) => to) - 1];
      if (after) join(one, after);
      if (before) join(one, before);
    }
  };
  pairUp(left, right);
  pairUp(right, left);
  return pairs.size === 0 ? null : [...pairs.values()].sort(byFrom);
}

/** Index of the first whose value is at least the limit, in a list in order of it. */
function firstAtLeast(list: readonly Stretch[], limit: number, of: (stretch: Stretch) => number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (of(list[middle] as Stretch) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
