import { lengthOf, overlap } from "../timeline.ts";
import type { Span } from "../types.ts";
import type { WindowReader } from "./correlate.ts";
import { percentile } from "./level.ts";
import { FLAT, FRAME_MS, TRACK_RATE } from "./tracks.ts";

/** Lengths that count, ms: a lost packet or more; a longer hole is a pause that the recorder wrote as silence. */
const LEAST_MS = 28;
const MOST_MS = 500;
/** Just before and after, the sound is within this of the usual level of speech, dB: it was cut, it did not fade. */
const CUT_DB = 22;
/** Samples on each side that tell. */
const EDGE = 40;
/** Range of a constant value: see the meter. */
const CONSTANT = 9 / 32768;
/** Holes looked at in a channel; of more, an even choice stands for all. */
const MOST_LOOKS = 400;

export interface DropOuts {
  readonly count: number;
  readonly lostMs: number;
}

/**
 * Runs of digital silence inside speech. Recorders with silence suppression write the same zeros between words, but there the sound
 * fades before the hole; a loss cuts it off and lets it begin again at full strength.
 */
export function countDropOuts(levels: Uint8Array, speech: readonly Span[], window: WindowReader, channel: number): DropOuts {
  const usual = percentile(levels, speech, 0.5, 20);
  if (usual === null) return { count: 0, lostMs: 0 };
  const holes: Span[] = [];
  for (let frame = 1; frame < levels.length; frame++) {
    if (levels[frame] !== FLAT) continue;
    let end = frame + 1;
    while (end < levels.length && levels[end] === FLAT) end++;
    const lengthMs = (end - frame) * FRAME_MS;
    const sounding = (at: number) => Math.max(levels[at] ?? FLAT, levels[at - 1] ?? FLAT) >= usual - 2 * CUT_DB;
    if (end < levels.length && lengthMs + 2 * FRAME_MS >= LEAST_MS && lengthMs <= MOST_MS && sounding(frame - 1) && sounding(end + 1))
      holes.push([frame * FRAME_MS, end * FRAME_MS]);
    frame = end;
  }
  // A loss may split what the detector hears as one; its own edges lie within a quarter of a second of the hole.
  const nearSpeech = speech.map(([startMs, endMs]): Span => [startMs - 250, endMs + 250]);
  const looks = overlap(holes, nearSpeech);
  const least = 10 ** ((usual / 2 - 127.5 - CUT_DB) / 10);
  const step = Math.max(1, looks.length / MOST_LOOKS);
  let count = 0;
  let lostMs = 0;
  for (let i = 0; i < looks.length; i += step) {
    const hole = looks[Math.floor(i)] as Span;
    const exact = cutHole(window(channel, hole[0] - 30, hole[1] - hole[0] + 60), least);
    if (!exact) continue;
    count++;
    lostMs += lengthOf(exact);
  }
  return { count: Math.round(count * step), lostMs: Math.round(lostMs * step) };
}

/** The hole in these samples to the millisecond, if both its edges are cuts. */
function cutHole(samples: Float32Array, leastPower: number): Span | null {
  const middle = samples.length >> 1;
  const quiet = (at: number) => Math.abs(samples[at] as number) <= CONSTANT;
  let from = middle;
  while (from > 0 && quiet(from - 1)) from--;
  let to = middle;
  while (to < samples.length && quiet(to)) to++;
  const lengthMs = ((to - from) * 1000) / TRACK_RATE;
  if (lengthMs < LEAST_MS || from < EDGE || to + EDGE > samples.length) return null;
  const power = (start: number) => {
    let sum = 0;
    for (let i = start; i < start + EDGE; i++) sum += (samples[i] as number) ** 2;
    return sum / EDGE;
  };
  if (power(from - EDGE) < leastPower || power(to) < leastPower) return null;
  return [Math.round((from * 1000) / TRACK_RATE), Math.round((to * 1000) / TRACK_RATE)];
}
