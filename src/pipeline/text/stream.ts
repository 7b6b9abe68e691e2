import type { Role, Utterance } from "../types.ts";
import { HESITATIONS } from "./fillers.ts";
import { appendNormalised, BREAK, isLetter, normalise, SPACE, UnitBuffer } from "./normalise.ts";

/**
 * All that was said as one row of folded units, side by side per role. Recognisers cut utterances where they like, so an utterance
 * goes on in the next one of the same known role if that starts at most JOIN_MS after its end; elsewhere a BREAK lies between.
 */
export interface Stream {
  /** Begins and ends with a BREAK, so that each unit has neighbours. */
  readonly units: Uint16Array;
  /** For each unit, where it comes from: offsets into the texts of all utterances laid end to end, see `places`. */
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly places: readonly Place[];
  /** For each unit the length of the hesitation that begins there, and of the one that ends before it; 0 = none. */
  readonly skips: Uint8Array;
  readonly skipsBack: Uint8Array;
  readonly hasSkips: boolean;
}

/** Where one utterance lies in the stream. */
export interface Place {
  /** Index into the utterances. */
  readonly utterance: number;
  /** Of its text among the texts laid end to end. */
  readonly base: number;
  /** Its units, half-open, without the space that may join it to the one before. */
  readonly start: number;
  readonly end: number;
}

/** The longest pause, in ms, over which a phrase may go on into the next utterance. */
export const JOIN_MS = 800;

/** Lays the utterances out as a stream. */
export function layOut(utterances: readonly Utterance[]): Stream {
  const order = utterances.map((_, i) => i);
  const rank = (role: Role | null): number => (role === "agent" ? 0 : role === "customer" ? 1 : 2);
  const at = (i: number): Utterance => utterances[i] as Utterance;
  order.sort((a, b) => rank(at(a).role) - rank(at(b).role) || at(a).startMs - at(b).startMs || a - b);

  const buffer = new UnitBuffer();
  const places: Place[] = [];
  let base = 0;
  let previous: Utterance | undefined;
  buffer.push(BREAK, 0, 0);
  for (const i of order) {
    const utterance = at(i);
    const joined = previous !== undefined && goesOn(previous, utterance);
    if (previous && !joined) buffer.push(BREAK, base, base);
    const before = buffer.length;
    appendNormalised(buffer, utterance.text, base, joined);
    const start = buffer.units[before] === SPACE && buffer.length > before ? before + 1 : before;
    places.push({ utterance: i, base, start, end: buffer.length });
    base += utterance.text.length + 1;
    previous = utterance;
  }
  buffer.push(BREAK, base, base);

  // Not by `from`, which asks arrays for one value after the other.
  const units = new Uint16Array(buffer.units);
  return { units, from: new Int32Array(buffer.from), to: new Int32Array(buffer.to), places, ...findHesitations(units) };
}

function goesOn(previous: Utterance, next: Utterance): boolean {
  return next.role !== null && next.role === previous.role && next.startMs - previous.endMs <= JOIN_MS;
}

interface Hesitation {
  readonly units: readonly number[];
  readonly isWord: boolean;
}
let hesitationsByFirst: ReadonlyMap<number, readonly Hesitation[]> | undefined;

function hesitations(): ReadonlyMap<number, readonly Hesitation[]> {
  if (hesitationsByFirst) return hesitationsByFirst;
  const byFirst = new Map<number, Hesitation[]>();
  for (const [language, words] of Object.entries(HESITATIONS)) {
    for (const word of words) {
      const units = Array.from(normalise(word).text, (character) => character.charCodeAt(0));
      const first = units[0] as number;
      byFirst.set(first, [...(byFirst.get(first) ?? []), { units, isWord: language === "en" }]);
    }
  }
  for (const list of byFirst.values()) list.sort((a, b) => b.units.length - a.units.length);
  hesitationsByFirst = byFirst;
  return byFirst;
}

/** Marks hesitations; a word of a spaced script is taken with the space after it. */
function findHesitations(units: Uint16Array): Pick<Stream, "skips" | "skipsBack" | "hasSkips"> {
  const known = hesitations();
  const skips = new Uint8Array(units.length);
  const skipsBack = new Uint8Array(units.length);
  let hasSkips = false;
  for (let at = 1; at < units.length; at++) {
    const candidates = known.get(units[at] as number);
    if (!candidates) continue;
    for (const { units: word, isWord } of candidates) {
      let end = at + word.length;
      if (!word.every((unit, i) => units[at + i] === unit)) continue;
      if (isWord) {
        if (isLetter(units[at - 1] as number) || isLetter(units[end] as number)) continue;
        if (units[end] === SPACE) end++;
      }
      skips[at] = end - at;
      skipsBack[end] = end - at;
      hasSkips = true;
      break;
    }
  }
  return { skips, skipsBack, hasSkips };
}
