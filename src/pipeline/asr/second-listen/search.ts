import { indexTranscript, type TextMatch } from "../../text/index-text.ts";
import { foldUnspaced, type Likeness, searchLikeness, type Wording } from "../../text/likeness.ts";
import type { CompiledPhrase } from "../../text/phrase.ts";
import type { Utterance } from "../../types.ts";
import type { HeardPiece, HeardToken } from "../recogniser.ts";
import type { ReadyPhrase } from "./wordings.ts";

/** A wording that may have been said where something like it is written. */
export interface Candidate {
  readonly phrase: ReadyPhrase;
  readonly syllables: number;
  /** Per syllable, see `Likeness`. */
  readonly distance: number;
  /** Units of the piece's folded text that give way. */
  readonly from: number;
  readonly to: number;
  /** The same as UTF-16 units of the text. */
  readonly start: number;
  readonly end: number;
  /** What stands there, and what would stand there instead. */
  readonly written: string;
  readonly wording: string;
  /** The whole text with the wording in its place. */
  readonly text: string;
  /** Lowest confidence among the characters that give way; null where the engine gives none. */
  readonly sureness: number | null;
}

/** A candidate with how much likelier it is than what was written, natural logarithm. */
export interface Weighed {
  readonly candidate: Candidate;
  readonly margin: number;
}

/** What is weighed. */
export interface SearchLimits {
  /** Farther from what is written, per syllable, a wording is not looked for. */
  readonly mostDistance: number;
  /** The same of two or three syllables, in all: too many texts have something like them. */
  readonly mostDistanceOfShort: number;
  /** Where the engine is as sure of every character that would have to be another one, it is none: at distance 0, and less for each step per syllable. */
  readonly sure: number;
  readonly surePerDistance: number;
  /** The same for wordings of four syllables and more: few texts have anything like them. */
  readonly surePerDistanceOfLong: number;
  /** Texts that are weighed for one piece, and for one group of phrases that stand for one another. */
  readonly mostWeighed: number;
  readonly mostOfGroup: number;
}

/**
 * Chosen on the lines of bench/asr/second-listen.tsv with Whisper base. The second listen of shared/performance.md, 0.62 everywhere whatever the engine was sure of,
 * found 139 of their 163 phrases where these find about 127 (and plain decoding 93), but with the phrases of all rules it invented 12, and cost half of recognition.
 */
export const LIMITS: SearchLimits = {
  mostDistance: 1 / 3,
  mostDistanceOfShort: 1 / 2,
  sure: 0.95,
  surePerDistance: 1.9,
  surePerDistanceOfLong: 1.2,
  mostWeighed: 4,
  mostOfGroup: 2,
};
const LONG = 4;
/** Characters that the engine is less sure of belong to a mishearing beside them. */
const DOUBTFUL = 0.15;

interface Alike {
  /** Per syllable. */
  readonly distance: number;
  readonly syllables: number;
}

/** How sure the engine may be of what is written. */
function surest({ distance, syllables }: Alike, { sure, surePerDistance, surePerDistanceOfLong }: SearchLimits): number {
  return sure - distance * (syllables < LONG ? surePerDistance : surePerDistanceOfLong);
}

/** What the written syllables lack of being evidence for a wording: the more, the farther they are and the fewer. Added to the margin that is asked for. */
function lackOf({ distance, syllables }: Alike): number {
  return Math.max(48 * distance, 21 / syllables) / syllables;
}

/** A piece's text as the search sees it. */
export interface SearchedText {
  readonly text: string;
  readonly tokens: readonly HeardToken[];
}

/**
 * Where a text sounds like phrases that it does not have, nearest first, so few that they can be weighed.
 *
 * @param found where the text has each phrase already, units of `foldUnspaced`
 */
export function candidatesIn(
  { text, tokens }: SearchedText,
  phrases: readonly ReadyPhrase[],
  found: (phrase: ReadyPhrase) => readonly (readonly [from: number, to: number])[],
  limits: SearchLimits = LIMITS,
): Candidate[] {
  const folded = foldUnspaced(text);
  const { units } = folded;
  if (units.length === 0 || phrases.length === 0) return [];
  const search = searchLikeness(units);
  const sureness = surenessOf(text, tokens);
  const candidates: Candidate[] = [];
  for (const phrase of phrases) {
    let best: { wording: Wording; likeness: Likeness } | null = null;
    let taken: Uint8Array | undefined;
    for (const [from, to] of phrase.wordings.length > 0 ? found(phrase) : []) {
      taken ??= new Uint8Array(units.length);
      taken.fill(1, from, to);
    }
    for (const wording of phrase.wordings) {
      const most = Math.min(
        wording.syllables < LONG ? limits.mostDistanceOfShort / wording.syllables : limits.mostDistance,
        best?.likeness.distance ?? 1,
      );
      const likeness = search.nearest(wording, most, taken);
      if (likeness && (!best || likeness.distance < best.likeness.distance || wording.syllables > best.wording.syllables)) {
        best = { wording, likeness };
      }
    }
    const place = { text, folded, sureness, limits };
    const candidate = best && inPlace(phrase, best.wording, best.likeness, place);
    if (candidate) candidates.push(widened(candidate, place));
  }
  return fewest(candidates, limits);
}

/** Those that lack least, and of equals the longest. */
function fewest(candidates: Candidate[], { mostWeighed, mostOfGroup }: SearchLimits): Candidate[] {
  candidates.sort((a, b) => lackOf(a) - lackOf(b) || b.syllables - a.syllables);
  const ofGroup = new Map<string, number>();
  const kept: Candidate[] = [];
  for (const candidate of candidates) {
    const { groups = [] } = candidate.phrase;
    if (groups.length > 0 && groups.every((group) => (ofGroup.get(group) ?? 0) >= mostOfGroup)) continue;
    for (const group of groups) ofGroup.set(group, (ofGroup.get(group) ?? 0) + 1);
    kept.push(candidate);
    if (kept.length === mostWeighed) break;
  }
  return kept;
}

interface Folded {
  readonly text: string;
  readonly folded: ReturnType<typeof foldUnspaced>;
  readonly sureness: (from: number, to: number) => number | null;
  readonly limits: SearchLimits;
}

/** The wording put where it sounds likely; null where the text would be the same, or still not have the phrase, or is too sure. */
function inPlace(
  phrase: ReadyPhrase,
  wording: Wording,
  { parts, distance }: Likeness,
  { text, folded, sureness, limits }: Folded,
): Candidate | null {
  const { starts, ends, units } = folded;
  const startOf = (unit: number): number => starts[unit] ?? text.length;
  const endOf = (from: number, to: number): number => (to > from ? (ends[to - 1] as number) : startOf(from));
  let made = "";
  let at = 0;
  let changed = false;
  let least: number | null = 1;
  let begin = -1;
  for (const [i, [from, to]] of parts.entries()) {
    const piece = wording.pieces[i];
    if (!piece) continue;
    const start = startOf(from);
    made += text.slice(at, start);
    if (begin < 0) begin = start;
    made += piece.text;
    at = endOf(from, to);
    const same = to - from === piece.units.length;
    if (same && piece.units.every((unit, k) => unit === units[from + k])) continue;
    changed = true;
    // A syllable that was lost shows in its neighbours.
    for (let k = same ? from : Math.max(from - 1, 0); k < (same ? to : Math.min(to + 1, units.length)); k++) {
      if (same && piece.units[k - from] === units[k]) continue;
      const known = sureness(startOf(k), ends[k] as number);
      least = known === null || least === null ? null : Math.min(least, known);
    }
  }
  const word = made.slice(begin);
  const whole = made + text.slice(at);
  const first = parts[0];
  const last = parts.at(-1);
  const sure = surest({ distance, syllables: wording.syllables }, limits);
  if (!changed || !first || !last || (least !== null && least >= sure) || !has(whole, phrase.loose, begin, begin + word.length))
    return null;
  return {
    phrase,
    syllables: wording.syllables,
    distance,
    from: first[0],
    to: last[1],
    start: begin,
    end: at,
    written: text.slice(begin, at),
    wording: word,
    text: whole,
    sureness: least,
  };
}

/**
 * Characters beside it that are hardly believed give way too: 评价, misheard as 请一下, is likest to 请一, but not with 下 behind it. As it was where there are none, or
 * the phrase would not be in the text.
 */
function widened(candidate: Candidate, { text, folded: { starts, ends, units }, sureness }: Folded): Candidate {
  const isDoubtful = (unit: number): boolean => {
    const known = unit < 0 || unit >= units.length ? null : sureness(starts[unit] as number, ends[unit] as number);
    return known !== null && known < DOUBTFUL;
  };
  let { from, to } = candidate;
  while (isDoubtful(from - 1)) from--;
  while (isDoubtful(to)) to++;
  if (from === candidate.from && to === candidate.to) return candidate;
  const start = from < candidate.from ? (starts[from] as number) : candidate.start;
  const end = to > candidate.to ? (ends[to - 1] as number) : candidate.end;
  const whole = text.slice(0, start) + candidate.wording + text.slice(end);
  if (!has(whole, candidate.phrase.loose, start, start + candidate.wording.length)) return candidate;
  return { ...candidate, from, to, start, end, written: text.slice(start, end), text: whole };
}

/** Confidence of the least sure token in a range of the text. */
function surenessOf(text: string, tokens: readonly HeardToken[]): (from: number, to: number) => number | null {
  const places: { from: number; to: number; confidence: number | null }[] = [];
  let at = 0;
  for (const { text: token, confidence } of tokens) {
    const from = text.indexOf(token, at);
    if (from < 0) continue;
    at = from + token.length;
    places.push({ from, to: at, confidence });
  }
  return (from, to) => {
    let least: number | null = null;
    for (const place of places) {
      if (place.to <= from || place.from >= to || place.confidence === null) continue;
      least = least === null ? place.confidence : Math.min(least, place.confidence);
    }
    return least;
  };
}

/** Whether a text has the phrase somewhere in a range of it. */
function has(text: string, phrase: CompiledPhrase, from: number, to: number): boolean {
  return matchesIn(text, phrase).some(({ start, end }) => start < to && end > from);
}

/** Where one text without times has a phrase. */
export function matchesIn(text: string, phrase: CompiledPhrase): TextMatch[] {
  const only: Utterance = { role: null, channel: null, startMs: 0, endMs: 1, text, confidence: null, words: [], timing: "estimated" };
  return indexTranscript([only]).find(phrase);
}

/**
 * Weighs candidates against the text that was written.
 *
 * @param least margin below which it is not asked how much less likely a candidate is
 */
export async function weighAll(
  text: string,
  candidates: readonly Candidate[],
  weigh: NonNullable<HeardPiece["weigh"]>,
  least: (candidate: Candidate) => number = leastMargin,
): Promise<Weighed[]> {
  if (candidates.length === 0) return [];
  const byText = new Map<string, number>();
  for (const candidate of candidates) byText.set(candidate.text, Math.min(byText.get(candidate.text) ?? 0, least(candidate)));
  const [free = Number.NaN, ...instead] = await weigh([text, ...byText.keys()], [0, ...byText.values()]);
  const margins = new Map([...byText.keys()].map((one, i) => [one, (instead[i] ?? Number.NaN) - free]));
  return candidates.map((candidate) => ({ candidate, margin: margins.get(candidate.text) as number }));
}

/** Natural logarithm by which a wording may be less likely than what was written, and still count as said, if what is written lacks nothing (shared/performance.md). */
const LEAST_MARGIN = -8;

/** What a candidate must come up to: the sound makes up for what the written syllables lack. */
function leastMargin(candidate: Candidate): number {
  return LEAST_MARGIN + lackOf(candidate);
}

/** Whether a weighed wording counts as said; never where it could not be weighed. */
export function isSaid({ candidate, margin }: Weighed): boolean {
  return margin > leastMargin(candidate);
}
