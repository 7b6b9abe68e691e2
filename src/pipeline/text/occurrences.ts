import { BREAK, isDigit, isLetter, SPACE } from "./normalise.ts";
import type { Gap } from "./pattern.ts";
import { type Branch, type Edge, isNumeral, type Piece, type PieceSound, pairKey, soundPairKey } from "./phrase.ts";
import { type SoundClasses, soundClasses } from "./pinyin.ts";
import { groupPostings, type Postings } from "./postings.ts";
import type { Stream } from "./stream.ts";

/** Units of the stream, half-open. */
export interface Occurrence {
  readonly start: number;
  readonly end: number;
}

/** Finds the pieces of phrases in one stream. Every index is built when it is first needed. */
export interface Finder {
  /** Whether two units of that `pairKey` follow each other anywhere. */
  hasPair(key: number): boolean;
  /** Whether two units of one of the `soundPairKey`s `[from, to)` do. */
  hasSoundPair(mask: number, keys: Int32Array, from: number, to: number): boolean;
  /** Where a branch is written, or with `bySound` where its audible pieces sound so too. In order of start. */
  branch(branch: Branch, bySound: boolean, ignoreFillers: boolean): readonly Occurrence[];
  /** Characters and words of `[start, end)`, without hesitations if they are ignored. */
  tokens(start: number, end: number, ignoreFillers: boolean): number;
}

/** Hesitations in a row that a phrase may be interrupted by. */
const MAX_HESITATIONS = 4;
/** Ways through hesitations that are followed at once; more are only in text made to be slow. */
const MAX_WAYS = 16;
/** Hesitations inside a gap, beside the characters that it counts. */
const MAX_GAP_HESITATIONS = 20;
/** More than any gap, so that no gap reaches over a break. */
const BREAK_TOKENS = 1000;
const NOWHERE: readonly Occurrence[] = [];

export function createFinder(stream: Stream): Finder {
  const { units, skips, skipsBack, hasSkips } = stream;
  let pairIndex: Postings | undefined;
  let unitIndex: Postings | undefined;
  const soundIndexes = new Map<number, Postings>();
  let counts: { all: Int32Array; spoken: Int32Array } | undefined;

  /** Calls back for each unit that may follow `at - 1`: the next one, and the ones behind hesitations. */
  const eachNext = (at: number, visit: (next: number) => void): void => {
    visit(at);
    for (let k = 0, next = at; k < MAX_HESITATIONS && skips[next]; k++) {
      next += skips[next] as number;
      visit(next);
    }
  };
  const eachPrevious = (at: number, visit: (previous: number) => void): void => {
    visit(at);
    for (let k = 0, end = at + 1; k < MAX_HESITATIONS && skipsBack[end]; k++) {
      end -= skipsBack[end] as number;
      visit(end - 1);
    }
  };

  const pairs = (): Postings => {
    pairIndex ??= groupPostings((list) => {
      for (let at = 1; at < units.length - 1; at++) {
        const left = units[at] as number;
        if (left === BREAK) continue;
        const right = units[at + 1] as number;
        if (right !== BREAK) list.add(pairKey(left, right), at);
        if (skips[at + 1])
          eachNext(at + 1, (next) => next > at + 1 && units[next] !== BREAK && list.add(pairKey(left, units[next] as number), at));
      }
    });
    return pairIndex;
  };

  const singles = (): Postings => {
    unitIndex ??= groupPostings((list) => {
      for (let at = 1; at < units.length - 1; at++) if (units[at] !== BREAK) list.add(units[at] as number, at);
    });
    return unitIndex;
  };

  const soundPairs = (mask: number): Postings => {
    const known = soundIndexes.get(mask);
    if (known) return known;
    const { at: readingsAt, classes } = soundClasses(mask);
    const made = groupPostings((list) => {
      const add = (at: number, next: number): void => {
        const left = readingsAt[units[at] as number] as number;
        const right = readingsAt[units[next] as number] as number;
        if (left === 0 || right === 0) return;
        const leftEnd = left + (classes[left] as number);
        const rightEnd = right + (classes[right] as number);
        for (let a = left + 1; a <= leftEnd; a++) {
          for (let b = right + 1; b <= rightEnd; b++) list.add(soundPairKey(classes[a] as number, classes[b] as number), at);
        }
      };
      for (let at = 1; at < units.length - 1; at++) {
        if (skips[at + 1]) eachNext(at + 1, (next) => add(at, next));
        else add(at, at + 1);
      }
    });
    soundIndexes.set(mask, made);
    return made;
  };

  /** How many tokens begin before each unit. */
  const tokenCounts = (): { all: Int32Array; spoken: Int32Array } => {
    if (counts) return counts;
    const all = new Int32Array(units.length + 1);
    const spoken = new Int32Array(units.length + 1);
    let skippedTo = 0;
    for (let at = 0; at < units.length; at++) {
      const unit = units[at] as number;
      if (skips[at]) skippedTo = Math.max(skippedTo, at + (skips[at] as number));
      const begins = unit === BREAK ? BREAK_TOKENS : unit === SPACE || (isLetter(unit) && isLetter(units[at - 1] as number)) ? 0 : 1;
      all[at + 1] = (all[at] as number) + begins;
      spoken[at + 1] = (spoken[at] as number) + (at < skippedTo && unit !== BREAK ? 0 : begins);
    }
    counts = { all, spoken };
    return counts;
  };

  const tokens = (start: number, end: number, ignoreFillers: boolean): number => {
    const table = ignoreFillers ? tokenCounts().spoken : tokenCounts().all;
    return (table[end] as number) - (table[start] as number);
  };

  /** Whether the piece's unit `k` stands at `at`; with `table`, or sounds like what does. */
  const matches = (piece: Piece, table: SoundClasses | null, at: number, k: number): boolean =>
    units[at] === piece.units[k] ||
    (table !== null && soundsLike(table, units[at] as number, piece.sound?.classes[k] as readonly number[]));

  /** The whole piece around its unit `k` at `at`, or null. */
  const around = (piece: Piece, table: SoundClasses | null, at: number, k: number, ignoreFillers: boolean): Occurrence | null => {
    const { length } = piece.units;
    const start = at - k;
    let plain = start > 0;
    for (let i = 0; plain && i < length; i++) plain = matches(piece, table, start + i, i);
    if (plain) return fits(piece, start, start + length) ? { start, end: start + length } : null;
    if (!ignoreFillers || !hasSkips || length === 1 || !matches(piece, table, at, k)) return null;
    const isAt = (place: number, unit: number): boolean => matches(piece, table, place, unit);
    const last = walk(isAt, at, k, length - 1, 1, eachNext);
    const first = last < 0 ? -1 : walk(isAt, at, k, 0, -1, eachPrevious);
    return first >= 0 && fits(piece, first, last + 1) ? { start: first, end: last + 1 } : null;
  };

  const fits = (piece: Piece, start: number, end: number): boolean =>
    isFree(piece.before, units[start - 1] as number) && isFree(piece.after, units[end] as number);

  /** The pieces around all places of their unit `k`'s key, in order. */
  const collect = (
    piece: Piece,
    table: SoundClasses | null,
    index: Postings,
    key: number,
    k: number,
    ignoreFillers: boolean,
  ): readonly Occurrence[] => {
    const found: Occurrence[] = [];
    const [from, to] = index.range(key);
    for (let i = from; i < to; i++) {
      const occurrence = around(piece, table, index.values[i] as number, k, ignoreFillers);
      if (occurrence) found.push(occurrence);
    }
    return found;
  };

  const written = (piece: Piece, ignoreFillers: boolean): readonly Occurrence[] => {
    const keys = piece.pairs;
    if (keys.length === 0) return collect(piece, null, singles(), piece.units[0] as number, 0, false);
    const index = pairs();
    let best = 0;
    let fewest = Number.POSITIVE_INFINITY;
    for (let k = 0; k < keys.length; k++) {
      const count = index.count(keys[k] as number);
      if (count === 0) return NOWHERE;
      if (count < fewest) {
        fewest = count;
        best = k;
      }
    }
    return collect(piece, null, index, keys[best] as number, best, ignoreFillers);
  };

  const heard = (piece: Piece, sound: PieceSound, ignoreFillers: boolean): readonly Occurrence[] => {
    const index = soundPairs(sound.mask);
    let best = 0;
    let fewest = Number.POSITIVE_INFINITY;
    for (let k = 0; k < sound.pairs.length; k++) {
      let count = 0;
      for (const key of sound.pairs[k] as readonly number[]) count += index.count(key);
      if (count === 0) return NOWHERE;
      if (count < fewest) {
        fewest = count;
        best = k;
      }
    }
    const table = soundClasses(sound.mask);
    const keys = sound.pairs[best] as readonly number[];
    const found = keys.map((key) => collect(piece, table, index, key, best, ignoreFillers)).filter(({ length }) => length > 0);
    return found.length > 1 || hasSkips ? inOrder(found.flat()) : (found[0] ?? NOWHERE);
  };

  const occurrences = (piece: Piece, bySound: boolean, ignoreFillers: boolean): readonly Occurrence[] =>
    bySound && piece.sound ? heard(piece, piece.sound, ignoreFillers) : written(piece, ignoreFillers);

  return {
    tokens,
    hasPair: (key) => pairs().has(key),
    hasSoundPair(mask, keys, from, to) {
      const index = soundPairs(mask);
      for (let i = from; i < to; i++) if (index.has(keys[i] as number)) return true;
      return false;
    },
    branch({ pieces, gaps }, bySound, ignoreFillers) {
      if (pieces.length === 1) return occurrences(pieces[0] as Piece, bySound, ignoreFillers);
      const places: (readonly Occurrence[])[] = [];
      for (const piece of pieces) {
        const found = occurrences(piece, bySound, ignoreFillers);
        if (found.length === 0) return NOWHERE;
        places.push(found);
      }
      let right = places.at(-1) as readonly Occurrence[];
      for (let i = pieces.length - 2; i >= 0; i--) {
        const { min, max } = gaps[i] as Gap;
        right = followed(places[i] as readonly Occurrence[], right, (start, end) => {
          const all = tokens(start, end, false);
          if (tokens(start, end, ignoreFillers) > max || all > max + MAX_GAP_HESITATIONS) return "far";
          return all < min ? "near" : "fits";
        });
      }
      return tightest(right);
    },
  };
}

/** Follows a piece from its unit `k` at `at` to its unit `to`, by way of hesitations; the nearest end, or -1. */
function walk(
  matches: (at: number, k: number) => boolean,
  at: number,
  k: number,
  to: number,
  step: 1 | -1,
  each: (at: number, visit: (next: number) => void) => void,
): number {
  let reached = new Set([at]);
  for (let i = k; i !== to && reached.size > 0; i += step) {
    const next = new Set<number>();
    for (const from of reached) each(from + step, (place) => next.size < MAX_WAYS && matches(place, i + step) && next.add(place));
    reached = next;
  }
  if (reached.size === 0) return -1;
  return step === 1 ? Math.min(...reached) : Math.max(...reached);
}

function isFree(edge: Edge, neighbour: number): boolean {
  if (edge === "any") return true;
  if (edge === "letter") return !isLetter(neighbour);
  return edge === "digit" ? !isDigit(neighbour) : !isNumeral(neighbour);
}

function soundsLike({ at, classes }: SoundClasses, unit: number, wanted: readonly number[]): boolean {
  const start = at[unit] as number;
  const end = start + (start === 0 ? 0 : (classes[start] as number));
  for (let i = start + 1; i <= end; i++) if (wanted.includes(classes[i] as number)) return true;
  return false;
}

function inOrder(occurrences: Occurrence[]): Occurrence[] {
  occurrences.sort((a, b) => a.start - b.start || a.end - b.end);
  return occurrences.filter(({ start, end }, i) => i === 0 || occurrences[i - 1]?.start !== start || occurrences[i - 1]?.end !== end);
}

/** Each of `left` with the nearest end of those of `right` that follow it within the gap; both in order of start. */
function followed(
  left: readonly Occurrence[],
  right: readonly Occurrence[],
  gap: (start: number, end: number) => "near" | "far" | "fits",
): Occurrence[] {
  const found: Occurrence[] = [];
  let first = 0;
  for (const { start, end } of left) {
    while (first < right.length && (right[first] as Occurrence).start < start) first++;
    let nearest = Number.POSITIVE_INFINITY;
    for (let i = first; i < right.length; i++) {
      const next = right[i] as Occurrence;
      if (next.start < end) continue;
      const verdict = gap(end, next.start);
      if (verdict === "far") break;
      if (verdict === "fits") nearest = Math.min(nearest, next.end);
    }
    if (nearest < Number.POSITIVE_INFINITY) found.push({ start, end: nearest });
  }
  return found;
}

/** Of occurrences that end together the shortest: 你{0..4}投诉 in 你你投诉 is 你投诉. */
function tightest(occurrences: readonly Occurrence[]): Occurrence[] {
  const latest = new Map<number, Occurrence>();
  for (const occurrence of occurrences) latest.set(occurrence.end, occurrence);
  return inOrder([...latest.values()]);
}
