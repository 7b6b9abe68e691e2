import { union } from "../timeline.ts";
import type { Role, Span, Utterance } from "../types.ts";
import { foldReadable, type Normalised, originalRange } from "./normalise.ts";
import { createFinder, type Finder, type Occurrence } from "./occurrences.ts";
import type { Branch, CompiledPhrase } from "./phrase.ts";
import { layOut, type Place, type Stream } from "./stream.ts";
import { type TimedText, timeText } from "./word-times.ts";

export { countUnits } from "./count-units.ts";

/** A phrase found in a transcript, mapped back to the original characters and to time. */
export interface TextMatch {
  /** As the rule lists it. */
  readonly phrase: string;
  /** Index into the transcript's utterances. */
  readonly utterance: number;
  readonly role: Role | null;
  /**
   * Offsets into the utterance's original text, in UTF-16 units, half-open. A match that goes on in the next utterance ends
   * here with the text of its first one; `endMs` and `quote` reach to its real end.
   */
  readonly start: number;
  readonly end: number;
  readonly startMs: number;
  readonly endMs: number;
  /** What was really written there. */
  readonly quote: string;
  readonly by: "exact" | "sound";
  /** 0–1: the recogniser's confidence of those words (1 where unknown), lowered for a match by sound. */
  readonly confidence: number;
}

/** A transcript prepared once so that hundreds of phrases can be looked up in microseconds. */
export interface TextIndex {
  readonly utterances: readonly Utterance[];
  /**
   * All matches in order of time, longest first where two start together; matches of one phrase never overlap. `role`: only what that
   * side said (null or absent: whoever). `within`: only matches whose middle lies in one of the spans.
   */
  find(phrase: CompiledPhrase, options?: { readonly role?: Role | null; readonly within?: readonly Span[] }): TextMatch[];
}

/** A match as offsets into the texts of all utterances laid end to end (see `Stream`). */
interface Hit {
  readonly start: number;
  readonly end: number;
  readonly by: "exact" | "sound";
  /** What is left of the recogniser's confidence. */
  readonly factor: number;
}

/**
 * Prepares a transcript for `find`. A phrase may go on over utterances of the same role that follow each other within 800 ms, as
 * recognisers cut where they like; regular expressions stay inside one utterance. Where a phrase is found as written, it is not
 * reported by sound too.
 */
export function indexTranscript(utterances: readonly Utterance[]): TextIndex {
  const stream = layOut(utterances);
  const finder = createFinder(stream);
  const readable = new Map<number, Normalised>();
  const timed = new Map<number, TimedText>();
  const lookUp: LookUp = { utterances, stream, finder, readable };

  const toMatch = ({ start, end, by, factor }: Hit, phrase: string): TextMatch => {
    const first = placeAt(stream.places, start);
    const head = stream.places[first] as Place;
    let startMs = Number.NaN;
    let endMs = Number.NaN;
    let counted = 0;
    let sum = 0;
    let quote = "";
    for (let i = first; i < stream.places.length; i++) {
      const place = stream.places[i] as Place;
      if (i > first && place.base >= end) break;
      const text = textAt(place);
      const from = Math.max(0, start - place.base);
      const to = Math.min(text.length, end - place.base);
      if (to <= from) continue;
      const timed = timedAt(place);
      const { count, confidence } = timed.words(from, to);
      const [partStartMs, partEndMs] = timed.time(from, to);
      counted += count;
      sum += count * (confidence ?? 1);
      if (Number.isNaN(startMs)) startMs = partStartMs;
      endMs = partEndMs;
      quote = joinQuotes(quote, text.slice(from, to));
    }
    return {
      phrase,
      utterance: head.utterance,
      role: (utterances[head.utterance] as Utterance).role,
      start: start - head.base,
      end: Math.min(textAt(head).length, end - head.base),
      startMs,
      endMs: Math.max(startMs, endMs),
      quote,
      by,
      confidence: (sum / counted) * factor,
    };
  };
  const roleAt = ({ start }: Hit): Role | null => {
    const { utterance } = stream.places[placeAt(stream.places, start)] as Place;
    return (utterances[utterance] as Utterance).role;
  };
  const textAt = (place: Place): string => (utterances[place.utterance] as Utterance).text;
  const timedAt = (place: Place): TimedText => {
    const known = timed.get(place.utterance) ?? timeText(utterances[place.utterance] as Utterance);
    timed.set(place.utterance, known);
    return known;
  };

  return {
    utterances,
    find(phrase, { role = null, within } = {}) {
      const hits = hitsOf(phrase, lookUp);
      if (hits.length === 0) return [];
      const spans = within && union(within);
      return hits
        .filter((hit) => role === null || roleAt(hit) === role)
        .map((hit) => toMatch(hit, phrase.source))
        .filter(({ startMs, endMs }) => !spans || spans.some(([from, to]) => from * 2 <= startMs + endMs && startMs + endMs < to * 2))
        .sort((a, b) => a.startMs - b.startMs || b.endMs - a.endMs || a.utterance - b.utterance || a.start - b.start);
    },
  };
}

interface LookUp {
  readonly utterances: readonly Utterance[];
  readonly stream: Stream;
  readonly finder: Finder;
  /** Texts folded for regular expressions, by utterance. */
  readonly readable: Map<number, Normalised>;
}

/** All matches of a phrase that count, disjoint. */
function hitsOf(phrase: CompiledPhrase, lookUp: LookUp): readonly Hit[] {
  const written = phrase.regex ? regexHits(phrase, lookUp) : branchHits(phrase, false, lookUp);
  const heard = phrase.bySound ? branchHits(phrase, true, lookUp) : [];
  if (written.length === 0 && heard.length === 0) return [];
  const writtenExcept = phrase.except.flatMap((except) => exactHits(except, lookUp));
  const exact = disjoint(outside(written, writtenExcept));
  if (heard.length === 0) return exact;
  // What is written outranks what it sounds like: a written 保证 counts even before 今天, which sounds like 保证金 天.
  const heardExcept = phrase.except.flatMap((except) => (except.bySound ? branchHits(except, true, lookUp) : []));
  const bySound = apart(disjoint(outside(heard, [...writtenExcept, ...heardExcept])), exact);
  return [...exact, ...bySound];
}

const exactHits = (phrase: CompiledPhrase, lookUp: LookUp): Hit[] =>
  phrase.regex ? regexHits(phrase, lookUp) : branchHits(phrase, false, lookUp);

/** Every place of every branch; they may overlap. */
function branchHits(phrase: CompiledPhrase, bySound: boolean, lookUp: LookUp): Hit[] {
  const hits: Hit[] = [];
  // Most branches of most phrases are nowhere in the call: one look at a row of numbers tells, before any piece is touched.
  if (bySound) {
    const { heardKeys } = phrase;
    for (let i = 0; i < heardKeys.length; ) {
      const from = i + 3;
      const to = from + (heardKeys[i + 2] as number);
      if (lookUp.finder.hasSoundPair(heardKeys[i + 1] as number, heardKeys, from, to)) {
        addHits(phrase, phrase.branches[heardKeys[i] as number] as Branch, true, lookUp, hits);
      }
      i = to;
    }
  } else {
    const { writtenKeys } = phrase;
    for (let i = 0; i < writtenKeys.length; i++) {
      const key = writtenKeys[i] as number;
      if (key === 0 || lookUp.finder.hasPair(key)) addHits(phrase, phrase.branches[i] as Branch, false, lookUp, hits);
    }
  }
  return hits;
}

function addHits(phrase: CompiledPhrase, branch: Branch, bySound: boolean, lookUp: LookUp, hits: Hit[]): void {
  const { finder, stream } = lookUp;
  const { ignoreFillers } = phrase;
  for (const occurrence of finder.branch(branch, bySound, ignoreFillers)) {
    if (phrase.wholeUtterance && !isWhole(branch, occurrence, ignoreFillers, lookUp)) continue;
    hits.push({
      start: stream.from[occurrence.start] as number,
      end: stream.to[occurrence.end - 1] as number,
      by: bySound ? "sound" : "exact",
      factor: bySound ? soundFactor(branch.length) : 1,
    });
  }
}

/** How far a match by sound is believed: the shorter, the more other words sound like it. */
function soundFactor(syllables: number): number {
  if (syllables <= 2) return 0.4;
  return syllables === 3 ? 0.5 : 0.6;
}

/** Whether nothing else was said in the utterances that the occurrence lies in, but what the pattern's open ends allow. */
function isWhole({ lead, trail }: Branch, { start, end }: Occurrence, ignoreFillers: boolean, { stream, finder }: LookUp): boolean {
  const first = stream.places[placeAt(stream.places, stream.from[start] as number)] as Place;
  const last = stream.places[placeAt(stream.places, stream.from[end - 1] as number)] as Place;
  const before = finder.tokens(first.start, start, ignoreFillers);
  const after = finder.tokens(end, last.end, ignoreFillers);
  return before >= lead.min && before <= lead.max && after >= trail.min && after <= trail.max;
}

function regexHits({ regex, wholeUtterance }: CompiledPhrase, { utterances, stream, readable }: LookUp): Hit[] {
  if (!regex) return [];
  return stream.places.flatMap(({ utterance, base }): Hit[] => {
    const { text } = utterances[utterance] as Utterance;
    const folded = readable.get(utterance) ?? foldReadable(text);
    readable.set(utterance, folded);
    return regex
      .matches(folded.text)
      .map(([from, to]) => originalRange(folded, from, to))
      .filter(([start, end]) => !wholeUtterance || !/[\p{L}\p{N}]/u.test(text.slice(0, start) + text.slice(end)))
      .map(([start, end]) => ({ start: base + start, end: base + end, by: "exact", factor: 1 }));
  });
}

/** The index of the place whose text holds the offset. */
function placeAt(places: readonly Place[], offset: number): number {
  let low = 0;
  let high = places.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((places[middle] as Place).base <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

const byPlace = (a: Hit, b: Hit): number => a.start - b.start || b.end - a.end;

/** Hits from left to right, the longest of those that start together, none that overlaps one before. */
function disjoint(hits: readonly Hit[]): Hit[] {
  const kept: Hit[] = [];
  for (const hit of hits.length > 1 ? [...hits].sort(byPlace) : hits) if (hit.start >= (kept.at(-1)?.end ?? 0)) kept.push(hit);
  return kept;
}

/** Hits that lie inside none of `longer`. */
function outside(hits: readonly Hit[], longer: readonly Hit[]): readonly Hit[] {
  if (longer.length === 0) return hits;
  const sorted = [...longer].sort(byPlace);
  let next = 0;
  let reach = -1;
  return [...hits].sort(byPlace).filter((hit) => {
    for (; next < sorted.length && (sorted[next] as Hit).start <= hit.start; next++) reach = Math.max(reach, (sorted[next] as Hit).end);
    return hit.end > reach;
  });
}

/** Hits that share nothing with `others`; both disjoint and in order. */
function apart(hits: readonly Hit[], others: readonly Hit[]): Hit[] {
  let next = 0;
  return hits.filter((hit) => {
    while (next < others.length && (others[next] as Hit).end <= hit.start) next++;
    const other = others[next];
    return other === undefined || other.start >= hit.end;
  });
}

/** Quotes of one match from several utterances; words of spaced scripts stay apart. */
function joinQuotes(whole: string, quote: string): string {
  if (whole === "") return quote;
  return /[a-z0-9]$/i.test(whole) && /^[a-z0-9]/i.test(quote) ? `${whole} ${quote}` : whole + quote;
}
