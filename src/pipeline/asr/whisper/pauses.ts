import type { Span } from "../../types.ts";
import { RATE } from "./mel-filters.ts";

/** Shorter silences belong to the words around them, ms. */
const LEAST_MS = 150;
const STEP_MS = 10;
const STEP = (RATE * STEP_MS) / 1000;
/** Of the levels from the quietest tenth to the loudest tenth: below this share it is a pause. */
const THRESHOLD = 0.35;
/** Between quiet and loud there must be so much, or there are no pauses to be seen, dB. */
const LEAST_RANGE_DB = 9;

/** Where a piece is silent for 150 ms or longer, ms from its start, ascending. */
export function findPauses(sound: Float32Array): Span[] {
  const count = Math.floor(sound.length / STEP);
  if (count < 10) return [];
  const levels = levelsOf(sound, count);
  const sorted = Float64Array.from(levels).sort();
  const quiet = sorted[Math.floor(count * 0.1)] as number;
  const loud = sorted[Math.floor(count * 0.9)] as number;
  if (loud - quiet < LEAST_RANGE_DB) return [];
  const threshold = quiet + THRESHOLD * (loud - quiet);
  const pauses: Span[] = [];
  let from = -1;
  for (let step = 0; step <= count; step++) {
    const isQuiet = step < count && (levels[step] as number) < threshold;
    if (isQuiet && from < 0) from = step;
    if (isQuiet || from < 0) continue;
    if ((step - from) * STEP_MS >= LEAST_MS) pauses.push([from * STEP_MS, step * STEP_MS]);
    from = -1;
  }
  return pauses;
}

/** dB of each 10 ms, over 30 ms around it; digital silence is −80. */
function levelsOf(sound: Float32Array, count: number): Float64Array {
  const energy = new Float64Array(count);
  for (let step = 0; step < count; step++) {
    let sum = 0;
    for (let i = step * STEP; i < (step + 1) * STEP; i++) sum += (sound[i] as number) ** 2;
    energy[step] = sum / STEP;
  }
  return energy.map((own, step) => {
    const mean = ((energy[step - 1] ?? own) + own + (energy[step + 1] ?? own)) / 3;
    return 10 * Math.log10(Math.max(1e-8, mean));
  });
}

/**
 * The span of a token without the pauses that the alignment gave to it: it keeps the longer part on either side of each, or, if it lies wholly in a pause, nothing, at
 * the nearer edge.
 */
export function withoutPauses([start, end]: Span, pauses: readonly Span[]): Span {
  let [from, to] = [start, end];
  for (const [pauseFrom, pauseTo] of pauses) {
    if (pauseTo <= from || pauseFrom >= to) continue;
    const before = pauseFrom - from;
    const after = to - pauseTo;
    if (before <= 0 && after <= 0) {
      const edge = from - pauseFrom < pauseTo - to ? pauseFrom : pauseTo;
      return [edge, edge];
    }
    if (before > after) to = pauseFrom;
    else from = pauseTo;
  }
  return [from, to];
}
