import { CallsiftError } from "../errors.ts";
import { indexTranscript, type TextMatch } from "../text/index-text.ts";
import { foldUnspaced } from "../text/likeness.ts";
import { timeText } from "../text/word-times.ts";
import type { Span, Utterance } from "../types.ts";
import { confirmHits, rounded } from "./second-listen/confirm.ts";
import type { Judged, PlacedPiece, SecondListenOptions } from "./second-listen/placed-piece.ts";
import { candidatesIn, isSaid, type Weighed, weighAll } from "./second-listen/search.ts";
import { type ReadyPhrase, readyPhrases } from "./second-listen/wordings.ts";

/**
 * Judges phrases on the sound of one piece; roles are not known yet. What the text has and costs points is decoded again, cut otherwise and at another level;
 * where the text (Chinese) has something that sounds like a phrase, the phrase's own wording is put in its place and both texts are weighed on the sound.
 * Ascending by start; of what is searched for only what was said. An engine that fails here has heard nothing again: the words stand as they are.
 *
 * @throws CallsiftError `aborted`
 */
export async function listenAgain(piece: PlacedPiece, options: SecondListenOptions): Promise<Judged[]> {
  const phrases = readyPhrases(options.phrases, options.language);
  if (phrases.length === 0 || piece.utterances.length === 0) return [];
  const index = indexTranscript(piece.utterances);
  const found = new Map<ReadyPhrase, readonly TextMatch[]>();
  for (const phrase of phrases) {
    const matches = index.find(phrase.phrase);
    if (matches.length > 0) found.set(phrase, matches);
  }
  const hits = [...found].flatMap(([phrase, matches]) =>
    phrase.confirm ? matches.filter(({ by }) => by === "exact").map((match) => ({ phrase, match })) : [],
  );
  const judged = [
    ...(await unlessFailed(() => confirmHits(piece, hits, options))),
    ...(options.language === "zh" ? await unlessFailed(() => searchPiece(piece, phrases, found, options)) : []),
  ];
  return judged.sort((a, b) => a.startMs - b.startMs || a.endMs - b.endMs);
}

async function unlessFailed(work: () => Promise<Judged[]>): Promise<Judged[]> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CallsiftError && error.code.startsWith("asr/")) return [];
    throw error;
  }
}

/** Phrases that the text does not have but sounds like, weighed on the sound. */
async function searchPiece(
  piece: PlacedPiece,
  phrases: readonly ReadyPhrase[],
  found: ReadonlyMap<ReadyPhrase, readonly TextMatch[]>,
  options: SecondListenOptions,
): Promise<Judged[]> {
  const { heard } = piece;
  if (!heard.weigh && !options.judge) return [];
  const satisfied = new Set([...found.keys()].flatMap(({ groups = [] }) => groups));
  const asked = phrases.filter(({ search, groups }) => search && !groups?.every((group) => satisfied.has(group)));
  const places = placesOf(piece.utterances);
  const written = foldUnspaced(heard.text).units;
  // Words that are not where they are thought to be would be judged in the wrong place.
  if (written.length !== places.length || places.some(({ unit }, i) => unit !== written[i])) return [];

  const candidates = candidatesIn(heard, asked, (phrase) => (found.get(phrase) ?? []).map((match) => unitsOf(match, places))).filter(
    ({ phrase, from, to }) => !phrase.phrase.wholeUtterance || isWhole(places, from, to),
  );
  const weighed = await weigh(piece, candidates, options);
  return weighed.filter(isSaid).map(({ candidate, margin }) => {
    const [startMs, endMs] = spanOf(piece.utterances, places, candidate.from, candidate.to);
    const { phrase, wording, written: instead } = candidate;
    return {
      startMs,
      endMs,
      phrase: phrase.phrase.source,
      wording,
      written: instead,
      check: "search" as const,
      said: true,
      margin: rounded(margin),
    };
  });
}

/** By the engine that heard the piece, or by the second one, which must hear it first. */
async function weigh(
  { heard, sound }: PlacedPiece,
  candidates: Parameters<typeof weighAll>[1],
  { judge, language, signal, timeoutMs }: SecondListenOptions,
): Promise<Weighed[]> {
  if (candidates.length === 0) return [];
  if (heard.weigh) return weighAll(heard.text, candidates, heard.weigh);
  const second = await judge?.();
  if (!second) return [];
  const again = await second.hear(sound, {
    language,
    keep: true,
    ...(signal && { signal }),
    ...(timeoutMs !== undefined && { timeoutMs }),
  });
  try {
    return again.weigh ? await weighAll(heard.text, candidates, again.weigh) : [];
  } finally {
    again.release();
  }
}

/** Where a unit of the piece's folded text stands. */
interface Place {
  readonly unit: number;
  readonly utterance: number;
  readonly start: number;
  readonly end: number;
}

function placesOf(utterances: readonly Utterance[]): Place[] {
  return utterances.flatMap(({ text }, utterance) => {
    const { units, starts, ends } = foldUnspaced(text);
    return Array.from(units, (unit, i): Place => ({ unit, utterance, start: starts[i] as number, end: ends[i] as number }));
  });
}

/** The units of a match in its first utterance. */
function unitsOf({ utterance, start, end }: TextMatch, places: readonly Place[]): [from: number, to: number] {
  const inside = (place: Place): boolean => place.utterance === utterance && place.start < end && place.end > start;
  const from = places.findIndex(inside);
  return [Math.max(from, 0), places.findLastIndex(inside) + 1];
}

/** Whether nothing else is said in the utterances that the units lie in. */
function isWhole(places: readonly Place[], from: number, to: number): boolean {
  const before = places[from - 1];
  const after = places[to];
  return before?.utterance !== places[from]?.utterance && after?.utterance !== places[to - 1]?.utterance;
}

/** When the units are said; where none is, the moment between its neighbours. */
function spanOf(utterances: readonly Utterance[], places: readonly Place[], from: number, to: number): Span {
  const timeOf = (place: Place | undefined): Span | null => {
    const utterance = place && utterances[place.utterance];
    return place && utterance ? timeText(utterance).time(place.start, place.end) : null;
  };
  const first = timeOf(places[from]) ?? timeOf(places[from - 1]);
  const last = timeOf(places[Math.max(from, to - 1)]) ?? first;
  return first && last ? [first[0], Math.max(first[0] + 1, last[1])] : [0, 1];
}
