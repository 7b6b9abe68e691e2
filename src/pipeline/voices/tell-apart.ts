import type { Span } from "../types.ts";
import { dot, type Matrix, meanDirection, rowsOf } from "./algebra.ts";
import type { Look, Prints } from "./looks.ts";
import type { Separation } from "./port.ts";
import { eigengap, type InnerSplit, innerSplits, silhouette } from "./separation.ts";
import { scoresOfTicks, spansOfVoice, type Ticks, ticksOf, voicesOfTicks } from "./turns.ts";
import { components, twoMeans } from "./two-means.ts";
import { PRINT_SIZE } from "./voice-encoder.ts";

/** Shorter looks are judged, but don't help to find the voices. */
const LEAST_CLEAR_MS = 600;
/** Looks that the voices are found from at most, evenly spread: seven minutes of speech. Affinities need the square of it. */
const MOST_CLEAR = 1000;
/** Fewer say nothing about how many people speak: three seconds of speech. */
const LEAST_LOOKS = 8;
const REESTIMATIONS = 2;

/** The speech of a channel in two voices, whether or not there are two. */
export interface Apart {
  /** By voice; `[0]` speaks first. */
  readonly speech: readonly [readonly Span[], readonly Span[]];
  readonly separation: Separation;
  /** How each voice would fall apart itself. */
  readonly inner: readonly [InnerSplit, InnerSplit];
}

/**
 * Gives every millisecond of speech to one of two voices: prints are grouped by 2-means on their six strongest components, every look is scored
 * by which group's mean it is nearer to, ticks of 50 ms take the scores around them, and a Viterbi pass decides turns; then the means are taken again
 * from the turns, twice. null where there is too little speech.
 */
export function tellApart(speech: readonly Span[], { looks, values }: Prints): Apart | null {
  const clear = evenly(
    looks.flatMap(({ startMs, endMs }, i) => (endMs - startMs >= LEAST_CLEAR_MS ? [i] : [])),
    MOST_CLEAR,
  );
  if (clear.length < LEAST_LOOKS) return null;
  const prints = rowsOf({ rows: looks.length, columns: PRINT_SIZE, values }, clear);
  const ticks = ticksOf(speech);
  let groups = twoMeans(components(prints));
  let voices: Uint8Array = new Uint8Array(ticks.startMs.length);
  for (let round = 0; round <= REESTIMATIONS; round++) {
    const means = [meanOf(prints, groups, 0), meanOf(prints, groups, 1)] as const;
    voices = voicesOfTicks(ticks, scoresOfTicks(ticks, looks, scoresOfLooks(values, looks.length, means, clear, groups)));
    if (round < REESTIMATIONS) groups = groupsOf(ticks, voices, looks, clear);
    if (!groups.includes(0) || !groups.includes(1)) break;
  }
  const first = (voices[0] ?? 0) as 0 | 1;
  return {
    speech: [spansOfVoice(ticks, voices, first), spansOfVoice(ticks, voices, (1 - first) as 0 | 1)],
    separation: { silhouette: silhouette(prints, groups), eigengap: eigengap(prints) },
    inner: innerSplits(prints, groups),
  };
}

/** At most `most` of the values, evenly spread. */
function evenly(values: readonly number[], most: number): readonly number[] {
  if (values.length <= most) return values;
  return Array.from({ length: most }, (_, i) => values[Math.floor((i * values.length) / most)] as number);
}

function meanOf(prints: Matrix, groups: Uint8Array, group: 0 | 1): Float64Array {
  return meanDirection(
    rowsOf(
      prints,
      [...groups.keys()].filter((row) => groups[row] === group),
    ),
  );
}

/** How much nearer each look is to the first mean than to the second: about 1 at the first, -1 at the second, 0 half-way between the groups. */
function scoresOfLooks(
  values: Float32Array,
  count: number,
  [zero, one]: readonly [Float64Array, Float64Array],
  clear: readonly number[],
  groups: Uint8Array,
): Float64Array {
  const apart = Math.max(1e-6, 1 - dot(zero, 0, one, 0, PRINT_SIZE));
  const difference = zero.map((value, i) => (value - (one[i] as number)) / apart);
  const scores = Float64Array.from({ length: count }, (_, look) => dot(values, look * PRINT_SIZE, difference, 0, PRINT_SIZE));
  const total: [number, number] = [0, 0];
  const size: [number, number] = [0, 0];
  for (const [i, look] of clear.entries()) {
    const group = groups[i] as 0 | 1;
    total[group] += scores[look] as number;
    size[group]++;
  }
  const middle = (total[0] / Math.max(1, size[0]) + total[1] / Math.max(1, size[1])) / 2;
  return scores.map((score) => score - middle);
}

/** The voice that has most of each look. */
function groupsOf({ startMs, endMs }: Ticks, voices: Uint8Array, looks: readonly Look[], clear: readonly number[]): Uint8Array {
  let first = 0;
  return Uint8Array.from(clear, (at) => {
    const look = looks[at] as Look;
    while ((endMs[first] as number) <= look.startMs) first++;
    let balanceMs = 0;
    for (let tick = first; tick < voices.length && (startMs[tick] as number) < look.endMs; tick++) {
      const ms = Math.min(look.endMs, endMs[tick] as number) - Math.max(look.startMs, startMs[tick] as number);
      balanceMs += voices[tick] === 0 ? ms : -ms;
    }
    return balanceMs >= 0 ? 0 : 1;
  });
}
