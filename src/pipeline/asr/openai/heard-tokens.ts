import type { HeardToken } from "../recogniser.ts";
import { alignLetters } from "./align-letters.ts";
import { lettersOf } from "./split-text.ts";

/** A letter or character as the server spelt it, ms from the start of the piece. */
export interface Letter {
  readonly letter: string;
  readonly startMs: number | null;
  readonly endMs: number | null;
  /** 0–1. */
  readonly confidence: number | null;
}

/** Servers put 30 s under every piece, so the last word may hang over; by more than this the times are of something else, ms. */
const MOST_OUTSIDE_MS = 1_000;
/** Nobody says a token in less, on the mean of a whole piece, ms. */
const LEAST_TOKEN_MS = 15;
/** Share of the letters of a text that must be among the words' for their times to be its. */
const LEAST_FOUND = 0.8;

/**
 * The tokens of a text with the times and confidences of their letters. Times are ascending and inside the piece; all are null where they cannot be true
 * (far outside, backwards, all at one place) or cover too little of the text.
 *
 * @param lengthMs of the piece
 */
export function tokensWith(tokens: readonly string[], spelt: readonly Letter[], lengthMs: number): HeardToken[] {
  const letters = tokens.map(lettersOf);
  const places = alignLetters(
    letters.flat(),
    spelt.map(({ letter }) => letter),
  );
  let at = 0;
  const own = letters.map(({ length }) => {
    const found = [...places.subarray(at, at + length)].flatMap((place) => (place < 0 ? [] : [spelt[place] as Letter]));
    at += length;
    return found;
  });
  const times = timesOf(own, places.length, lengthMs);
  return tokens.map((text, i) => ({
    text,
    startMs: times?.[i]?.[0] ?? null,
    endMs: times?.[i]?.[1] ?? null,
    confidence: leastOf(own[i] as Letter[]),
  }));
}

function leastOf(letters: readonly Letter[]): number | null {
  const known = letters.flatMap(({ confidence }) => (confidence === null ? [] : [confidence]));
  return known.length > 0 ? Math.min(...known) : null;
}

type Times = [startMs: number, endMs: number];

function timesOf(own: readonly (readonly Letter[])[], letterCount: number, lengthMs: number): Times[] | null {
  const timed = own.map((letters) =>
    letters.flatMap(({ startMs, endMs }) => (startMs === null || endMs === null ? [] : [[startMs, endMs]])),
  );
  if (timed.flat().length < LEAST_FOUND * letterCount) return null;
  const known = timed.map((spans): Times | null =>
    spans.length === 0 ? null : [Math.min(...spans.map(([start]) => start as number)), Math.max(...spans.map(([, end]) => end as number))],
  );
  if (!isCredible(known, lengthMs)) return null;
  const times: Times[] = [];
  let lastMs = 0;
  for (const [i, span] of known.entries()) {
    // What has no letters in common with the words lies between its neighbours.
    const [startMs, endMs] = span ?? [times[i - 1]?.[1] ?? 0, known.slice(i).find((next) => next !== null)?.[0] ?? lengthMs];
    const fromMs = Math.min(Math.max(startMs, lastMs, 0), lengthMs);
    times.push([fromMs, Math.min(Math.max(endMs, fromMs), lengthMs)]);
    lastMs = fromMs;
  }
  return times;
}

function isCredible(known: readonly (Times | null)[], lengthMs: number): boolean {
  const spans = known.flatMap((span) => (span === null ? [] : [span]));
  let firstMs = Number.POSITIVE_INFINITY;
  let lastMs = 0;
  for (const [startMs, endMs] of spans) {
    if (startMs < -MOST_OUTSIDE_MS || startMs < lastMs - MOST_OUTSIDE_MS || endMs > lengthMs + MOST_OUTSIDE_MS) return false;
    firstMs = Math.min(firstMs, startMs);
    lastMs = Math.max(lastMs, endMs);
  }
  return spans.length < 2 || lastMs - firstMs >= Math.min(LEAST_TOKEN_MS * spans.length, lengthMs / 2);
}
