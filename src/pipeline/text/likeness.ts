import { normalise, SPACE } from "./normalise.ts";
import { addGaps, expandPattern, type Gap } from "./pattern.ts";
import type { CompiledPhrase } from "./phrase.ts";
import { type DistanceRow, distanceRows, FAR, hasReading } from "./syllable-distance.ts";

/** One of the ways to say a phrase, as syllables. */
export interface Wording {
  readonly pieces: readonly WordingPiece[];
  /** Between the pieces, one less than they are; in characters. */
  readonly gaps: readonly Gap[];
  /** Syllables of all pieces, at least 2. */
  readonly syllables: number;
}

export interface WordingPiece {
  /** As the phrase writes it. */
  readonly text: string;
  /** Folded. */
  readonly units: Uint16Array;
}

/** A place in a folded text that sounds like a wording. */
export interface Likeness {
  /** Where each piece would stand, units of the text, half-open; empty where nothing is written in its place. */
  readonly parts: readonly (readonly [from: number, to: number])[];
  /** Per syllable, 0 (the same sounds) to 1. */
  readonly distance: number;
}

const NO_GAP: Gap = { min: 0, max: 0 };
/** Costs are halves times this, with room below for what decides between equals: a syllable changed is likelier than one lost and one put in. */
const SCALE = 64;
const LOST = FAR * SCALE + 1;
const NEVER = 1 << 24;

/** Folded units of a text with where they come from, the spaces between words of spaced scripts left out. */
export function foldUnspaced(text: string): {
  readonly units: Uint16Array;
  readonly starts: readonly number[];
  readonly ends: readonly number[];
} {
  const folded = normalise(text);
  const kept = Array.from(folded.text, (_, i) => i).filter((i) => folded.text.charCodeAt(i) !== SPACE);
  return {
    units: Uint16Array.from(kept, (i) => folded.text.charCodeAt(i)),
    starts: kept.map((i) => folded.starts[i] as number),
    ends: kept.map((i) => folded.ends[i] as number),
  };
}

/** The ways to say a phrase that can be heard: all Chinese, of at least two syllables. None for a regular expression. */
export function wordingsOf(phrase: CompiledPhrase): Wording[] {
  if (phrase.regex) return [];
  const wordings = new Map<string, Wording>();
  for (const branch of expandPattern(phrase.source)) {
    const pieces: WordingPiece[] = [];
    const gaps: Gap[] = [];
    let gap = NO_GAP;
    for (const part of branch) {
      if (typeof part !== "string") {
        gap = addGaps(gap, part);
        continue;
      }
      const { units } = foldUnspaced(part);
      if (units.length === 0) continue;
      if (pieces.length > 0) gaps.push(gap);
      gap = NO_GAP;
      pieces.push({ text: part.replace(/[\p{P}\p{S}\s]/gu, ""), units });
    }
    const syllables = pieces.reduce((sum, { units }) => sum + units.length, 0);
    if (syllables < 2 || !pieces.every(({ units }) => units.every(hasReading))) continue;
    const key = pieces.map(({ text }, i) => `${text} ${gaps[i]?.min}-${gaps[i]?.max}`).join(" ");
    if (!wordings.has(key)) wordings.set(key, { pieces, gaps, syllables });
  }
  return [...wordings.values()];
}

/** Looks for what sounds like a wording in one text. */
export interface LikenessSearch {
  /**
   * The place least far from the wording, the first of several; null where none is within `most` (per syllable). Syllables are compared without tone, the
   * nearest of their readings: 0 the same, ½ with the same initial or the same last two letters, 1 otherwise; 1 for each too many or too few inside a piece.
   *
   * @param taken units that may not be part of it
   */
  nearest(wording: Wording, most: number, taken?: Uint8Array): Likeness | null;
}

/**
 * Prepares a text for `nearest`: approximate matching by dynamic programming with a free start (Sellers 1980, "The theory and computation of evolutionary
 * distances"), gaps taken as they are. `units`: of `foldUnspaced`, at most 65,535.
 */
export function searchLikeness(units: Uint16Array): LikenessSearch {
  const width = units.length + 1;
  const rowOf = distanceRows(units);
  let scratch = new Int32Array(width * 24);

  /** Cheap and never too high: each syllable at its best anywhere in the text. */
  const bound = (wording: Wording, limit: number): boolean => {
    let least = 0;
    for (const { units: own } of wording.pieces) {
      for (const unit of own) {
        least += rowOf(unit).least;
        if (least > limit) return false;
      }
    }
    return true;
  };

  /** Rows: for each piece one that says what it costs to begin at each place, and one for each of its syllables. */
  const fill = ({ pieces, gaps, syllables }: Wording, taken: Uint8Array | undefined): number => {
    const height = pieces.length + syllables;
    if (scratch.length < height * width) scratch = new Int32Array(height * width);
    let at = 0;
    pieces.forEach(({ units: own }, p) => {
      if (p === 0) scratch.fill(0, 0, width);
      else openAfter(at, gaps[p - 1] as Gap);
      for (const unit of own) {
        fillRow(at + width, at, rowOf(unit), taken);
        at += width;
      }
      at += width;
    });
    return at - width;
  };

  /** What it costs to begin the next piece at each place, the one before ending in the row before. */
  const openAfter = (at: number, { min, max }: Gap): void => {
    for (let i = 0; i < width; i++) {
      let least = NEVER;
      for (let back = min; back <= max && back <= i; back++) least = Math.min(least, scratch[at - width + i - back] as number);
      scratch[at + i] = least;
    }
  };

  const fillRow = (at: number, before: number, { toEach }: DistanceRow, taken: Uint8Array | undefined): void => {
    scratch[at] = (scratch[before] as number) + LOST;
    for (let i = 1; i < width; i++) {
      const over = taken?.[i - 1] ? NEVER : 0;
      const changed = (scratch[before + i - 1] as number) + SCALE * (toEach[i - 1] as number) + over;
      const missing = (scratch[before + i] as number) + LOST;
      const extra = (scratch[at + i - 1] as number) + LOST + over;
      scratch[at + i] = Math.min(changed, missing, extra);
    }
  };

  /** Where the pieces of the alignment that ends at `end` in the last row stand. */
  const trace = ({ pieces, gaps }: Wording, last: number, end: number, taken: Uint8Array | undefined): [number, number][] => {
    const parts: [number, number][] = [];
    let at = last;
    let i = end;
    for (let p = pieces.length - 1; p >= 0; p--) {
      const own = (pieces[p] as WordingPiece).units;
      const to = i;
      for (let j = own.length - 1; j >= 0; ) {
        const here = scratch[at + i] as number;
        const over = i > 0 && taken?.[i - 1] ? NEVER : 0;
        const { toEach } = rowOf(own[j] as number);
        if (i > 0 && here === (scratch[at - width + i - 1] as number) + SCALE * (toEach[i - 1] as number) + over) {
          at -= width;
          i--;
          j--;
        } else if (here === (scratch[at - width + i] as number) + LOST) {
          at -= width;
          j--;
        } else i--;
      }
      parts.unshift([i, to]);
      if (p === 0) break;
      const here = scratch[at + i] as number;
      let back = (gaps[p - 1] as Gap).min;
      while (scratch[at - width + i - back] !== here) back++;
      i -= back;
      at -= width;
    }
    return parts;
  };

  return {
    nearest(wording, most, taken) {
      const limit = Math.floor(most * wording.syllables * FAR + 1e-9);
      if (width < 2 || !bound(wording, limit)) return null;
      const last = fill(wording, taken);
      let best = (limit + 1) * SCALE;
      let end = -1;
      for (let i = 0; i < width; i++) {
        if ((scratch[last + i] as number) < best) {
          best = scratch[last + i] as number;
          end = i;
        }
      }
      return end < 0 ? null : { parts: trace(wording, last, end, taken), distance: Math.floor(best / SCALE) / (wording.syllables * FAR) };
    },
  };
}
