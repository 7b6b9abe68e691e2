import type { Span } from "../../types.ts";
import { POSITION_MS } from "./align.ts";

/** Speech that goes on for so long after the last tokens' place was not written, ms. */
const UNWRITTEN_MS = 1_500;
/** Tokens whose places are looked at. */
const LAST = 4;
/** A syllable goes on for about so long after the heads looked at it most, ms. */
const SYLLABLE_MS = 200;
/** A pause is looked for so long after it, ms; a stretch begins so long before speech, ms. */
const SEARCH_MS = 800;
const LEAD_MS = 100;

/**
 * Where the speech begins that a text which came to its end does not have, ms; null where the text has all. It is told by where the alignment heads looked most at the last
 * four tokens: speech that goes on for more than 1.5 s after that was left out.
 *
 * @param attention of the text's tokens: [heads, stride], the first `positions` of which are of the sound
 */
export function startOfUnwritten(
  attention: readonly Float32Array[],
  { stride, positions, pauses }: { readonly stride: number; readonly positions: number; readonly pauses: readonly Span[] },
): number | null {
  const lengthMs = positions * POSITION_MS;
  const peakMs = Math.max(0, ...attention.slice(-LAST).map((row) => peakOf(row, stride, positions) * POSITION_MS));
  const leftMs = pauses.reduce((sum, [from, to]) => sum - Math.max(0, Math.min(to, lengthMs) - Math.max(from, peakMs)), lengthMs - peakMs);
  if (leftMs <= UNWRITTEN_MS) return null;
  const pause = pauses.find(([from, to]) => to > peakMs && from < peakMs + SEARCH_MS);
  return pause ? Math.max(pause[0], pause[1] - LEAD_MS) : peakMs + SYLLABLE_MS;
}

/** The position that the heads together looked at most. */
function peakOf(row: Float32Array, stride: number, positions: number): number {
  const sums = new Float64Array(positions);
  for (let at = 0; at < row.length; at += stride)
    for (let i = 0; i < positions; i++) sums[i] = (sums[i] as number) + (row[at + i] as number);
  return sums.indexOf(Math.max(...sums));
}
