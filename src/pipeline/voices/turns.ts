import type { Span } from "../types.ts";
import type { Look } from "./looks.ts";

/** Time whose voice is decided as one. */
export const TICK_MS = 50;
/** What a change of voice costs, in scores times ticks: within speech, and over a pause. */
const SWITCH_COST = 0.1;
const SWITCH_COST_PAUSE = 0.02;

/** Whose speech: 0 or 1 per tick, stretch by stretch. */
export interface Ticks {
  /** Start of each tick, ms; the last of a stretch may be shorter than 50 ms. */
  readonly startMs: Float64Array;
  readonly endMs: Float64Array;
  /** 1 where a tick is the first after a pause. */
  readonly afterPause: Uint8Array;
}

export function ticksOf(speech: readonly Span[]): Ticks {
  const starts: number[] = [];
  const ends: number[] = [];
  const afterPause: number[] = [];
  for (const [startMs, endMs] of speech) {
    for (let fromMs = startMs; fromMs < endMs; fromMs += TICK_MS) {
      starts.push(fromMs);
      ends.push(Math.min(endMs, fromMs + TICK_MS));
      afterPause.push(fromMs === startMs ? 1 : 0);
    }
  }
  return { startMs: Float64Array.from(starts), endMs: Float64Array.from(ends), afterPause: Uint8Array.from(afterPause) };
}

/** The mean of the looks' scores per tick, each weighted by the cube of how near its middle is; 0 where nothing was looked at. */
export function scoresOfTicks(ticks: Ticks, looks: readonly Look[], scores: Float64Array): Float64Array {
  const result = new Float64Array(ticks.startMs.length);
  let first = 0;
  for (let tick = 0; tick < result.length; tick++) {
    const atMs = ((ticks.startMs[tick] as number) + (ticks.endMs[tick] as number)) / 2;
    while (first < looks.length && (looks[first] as Look).endMs <= atMs) first++;
    let total = 0;
    let weights = 0;
    for (let look = first; look < looks.length; look++) {
      const { startMs, endMs } = looks[look] as Look;
      if (startMs >= atMs) break;
      const half = (endMs - startMs) / 2;
      const near = Math.max(0, 1 - Math.abs(atMs - startMs - half) / half) ** 3;
      total += near * (scores[look] as number);
      weights += near;
    }
    result[tick] = weights > 0 ? total / weights : 0;
  }
  return result;
}

/** The likeliest voice per tick (Viterbi): 0 where scores are above zero, 1 where below, unless a change costs more than it brings. */
export function voicesOfTicks({ afterPause }: Ticks, scores: Float64Array): Uint8Array {
  const count = scores.length;
  const cameFrom = [new Uint8Array(count), new Uint8Array(count)] as const;
  let [zero, one] = [0, 0];
  for (let tick = 0; tick < count; tick++) {
    const cost = afterPause[tick] === 1 ? SWITCH_COST_PAUSE : SWITCH_COST;
    const score = scores[tick] as number;
    const [toZero, toOne] = [one - cost > zero ? 1 : 0, zero - cost > one ? 0 : 1];
    cameFrom[0][tick] = toZero;
    cameFrom[1][tick] = toOne;
    [zero, one] = [(toZero === 0 ? zero : one - cost) + score, (toOne === 1 ? one : zero - cost) - score];
  }
  const voices = new Uint8Array(count);
  let voice: 0 | 1 = zero >= one ? 0 : 1;
  for (let tick = count - 1; tick >= 0; tick--) {
    voices[tick] = voice;
    voice = cameFrom[voice][tick] as 0 | 1;
  }
  return voices;
}

/** The spans of one voice: ticks that touch are one. */
export function spansOfVoice({ startMs, endMs }: Ticks, voices: Uint8Array, voice: 0 | 1): Span[] {
  const spans: [number, number][] = [];
  for (let tick = 0; tick < voices.length; tick++) {
    if (voices[tick] !== voice) continue;
    const last = spans.at(-1);
    if (last && last[1] === startMs[tick]) last[1] = endMs[tick] as number;
    else spans.push([startMs[tick] as number, endMs[tick] as number]);
  }
  return spans;
}
