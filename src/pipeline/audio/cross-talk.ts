import { gaps, union } from "../timeline.ts";
import type { Span } from "../types.ts";
import { findEcho, type WindowReader } from "./correlate.ts";
import type { RealFft } from "./fft.ts";
import { spread } from "./layout.ts";
import { backgroundDb, percentile } from "./level.ts";
import { FLAT, FRAME_MS, levelDb, POWER_OF_CODE } from "./tracks.ts";

/** How one side is heard on the other's channel. */
export interface Leak {
  readonly source: number;
  readonly receiver: number;
  /** Level of the leak against its source, dB. */
  readonly gainDb: number;
  /** How much later it is heard, ms. */
  readonly delayMs: number;
}

/** Above this, dB, the leak cannot be told from the receiver's own speaker by level. */
export const UNSURE_ABOVE_DB = -6;

/** Leaks fainter than this are of no consequence, dB. */
const FAINTEST_DB = -42;
/** The source is at least this much louder than the receiver where its leak is looked for, dB. */
const LOUDER_BY_DB = 3;
/** Correlation that a leak stands out with: of its own, and against other delays. */
const LEAST_CORRELATION = 0.06;
const LEAST_SALIENCE = 6.5;
/** Own speech exceeds the predicted leak and background by this, dB. */
const OWN_ABOVE_DB = 4.5;
/** Level of the leak against the background from which it can have misled the speech detector, dB. */
const AUDIBLE_ABOVE_DB = -10;
/** Frames on each side over which the prediction takes the loudest: echoes smear. */
const SMEAR = 3;
/** Own frames further apart than this are two stretches, ms; stretches shorter than `LEAST_OWN_MS` in a leak are chance. */
const JOIN_MS = 260;
const LEAST_OWN_MS = 90;
/** Own speech takes in this many still frames on each side, as the detector had them. */
const MOST_STILL = 15;

/** Where the source's leak is looked for: frames a window takes (250 ms), and the step between starts. */
const WINDOW = 25;
const STEP = 10;
/** The source counts as loud within this of its loudest tenth, and above this level. */
const LOUD_WITHIN_DB = 14;
const LOUD_AT_LEAST_DB = -50;

/**
 * Looks for the sound of `source` on the channel `receiver`, wherever the source is loud and clearly louder than the receiver; `leftOut`
 * are the spans of its tones and music, whose periods are alike at many delays. Null where there is no leak worth naming.
 */
export function findLeak(
  levels: readonly Uint8Array[],
  leftOut: readonly Span[],
  window: WindowReader,
  fft: RealFft,
  source: number,
  receiver: number,
): Leak | null {
  const from = levels[source] as Uint8Array;
  const to = levels[receiver] as Uint8Array;
  const durationMs = from.length * FRAME_MS;
  const loudest = percentile(from, [[0, durationMs]], 0.9, WINDOW);
  if (loudest === null) return null;
  const least = WINDOW * 10 ** (Math.max(LOUD_AT_LEAST_DB, levelDb(loudest) - LOUD_WITHIN_DB) / 10);
  const startsMs: number[] = [];
  for (const [startMs, endMs] of gaps(leftOut, [0, durationMs])) {
    for (let frame = Math.ceil(startMs / FRAME_MS); frame + WINDOW <= Math.floor(endMs / FRAME_MS); frame += STEP) {
      const near = sumOf(from, frame);
      if (near >= least && near >= sumOf(to, frame) * 10 ** (LOUDER_BY_DB / 10)) startsMs.push(frame * FRAME_MS);
    }
  }
  const most = Math.max(12, Math.min(20, Math.round(from.length / 500)));
  const echo = findEcho(window, fft, source, receiver, spread(startsMs, most, 200));
  if (!echo || Math.abs(echo.correlation) < LEAST_CORRELATION || echo.salience < LEAST_SALIENCE) return null;
  const delayMs = Math.round(echo.delay / 8);
  const gainDb = leakGainDb(from, to, startsMs, delayMs, 20 * Math.log10(Math.abs(echo.gain) + 1e-9));
  return gainDb < FAINTEST_DB ? null : { source, receiver, gainDb, delayMs };
}

function sumOf(levels: Uint8Array, first: number): number {
  let sum = 0;
  for (let frame = first; frame < first + WINDOW; frame++) sum += POWER_OF_CODE[levels[frame] ?? FLAT] as number;
  return sum;
}

/**
 * Level of the leak by the levels themselves, which also count what an echo's filtering hides from the correlation: the middle of the
 * level differences near the correlation's figure; that figure itself where the background hides the leak.
 */
function leakGainDb(from: Uint8Array, to: Uint8Array, startsMs: readonly number[], delayMs: number, correlatedDb: number): number {
  const delay = Math.round(delayMs / FRAME_MS);
  const background = backgroundDb(to);
  const differences: number[] = [];
  for (const startMs of startsMs) {
    for (let frame = startMs / FRAME_MS; frame < startMs / FRAME_MS + STEP; frame++) {
      const heard = to[frame + delay];
      if (heard === undefined || heard === FLAT || levelDb(heard) < background + 6) continue;
      const difference = levelDb(heard) - levelDb(from[frame] as number);
      if (difference > correlatedDb - 4 && difference < correlatedDb + 7) differences.push(difference);
    }
  }
  if (differences.length < 20) return correlatedDb;
  differences.sort((a, b) => a - b);
  return Math.max(correlatedDb, differences[differences.length >> 1] as number);
}

/**
 * The spans of the receiver's own speech: without stretches that are no louder than the other side's leak. What the detector found while
 * the leak is too faint to have misled it stays as it is.
 */
export function withoutLeak(levels: readonly Uint8Array[], spans: readonly Span[], leak: Leak): Span[] {
  const from = levels[leak.source] as Uint8Array;
  const to = levels[leak.receiver] as Uint8Array;
  const delay = Math.round(leak.delayMs / FRAME_MS);
  const background = 10 ** (Math.min(-35, backgroundDb(to)) / 10);
  const gain = 10 ** (leak.gainDb / 10);
  const audible = background * 10 ** (AUDIBLE_ABOVE_DB / 10);
  const above = 10 ** (OWN_ABOVE_DB / 10);
  const own: Span[] = [];
  for (const span of spans) {
    const start = Math.floor(span[0] / FRAME_MS);
    const end = Math.min(to.length, Math.ceil(span[1] / FRAME_MS));
    const louder: Span[] = [];
    /** Frames where the source is too still to be heard: there the detector is believed next to own speech. */
    const still = new Uint8Array(end - start);
    for (let frame = start; frame < end; frame++) {
      let predicted = 0;
      for (let i = frame - delay - SMEAR; i <= frame - delay + SMEAR; i++) {
        const power = POWER_OF_CODE[from[i] ?? FLAT] as number;
        if (power > predicted) predicted = power;
      }
      predicted *= gain;
      if (predicted < audible) still[frame - start] = 1;
      const heard = POWER_OF_CODE[to[frame] as number] as number;
      if (heard >= (predicted + background) * above) louder.push([frame, frame + 1]);
    }
    if (still.every((value) => value === 1)) {
      own.push(span);
      continue;
    }
    for (const [first, last] of union(louder, JOIN_MS / FRAME_MS)) {
      if ((last - first) * FRAME_MS < LEAST_OWN_MS) continue;
      let opening = first;
      let closing = last;
      while (opening > start && first - opening < MOST_STILL && still[opening - 1 - start] === 1) opening--;
      while (closing < end && closing - last < MOST_STILL && still[closing - start] === 1) closing++;
      own.push([Math.max(span[0], opening * FRAME_MS), Math.min(span[1], closing * FRAME_MS)]);
    }
  }
  return union(own);
}
