import type { RealFft } from "./fft.ts";
import { TRACK_RATE } from "./tracks.ts";

/** Random access to the sound at 8 kHz, zero where there is none. */
export type WindowReader = (channel: number, startMs: number, lengthMs: number) => Float32Array;

/** Length of the stretches that are compared, ms. */
export const COMPARED_MS = 256;
/** Largest delay looked for in either direction, ms. */
export const MOST_DELAY_MS = 100;

const COMPARED = (COMPARED_MS * TRACK_RATE) / 1000;
const MOST_DELAY = (MOST_DELAY_MS * TRACK_RATE) / 1000;
/** Samples of the transform that the comparison takes. */
export const COMPARED_FFT = 4096;
/** First-order emphasis of the highs: without it the pitch of voiced speech makes any two voices alike at some delay. */
const EMPHASIS = 0.9;

/** How one channel reappears in another. */
export interface Echo {
  /** How much later it is in the other channel, in samples at 8 kHz; negative: earlier. */
  readonly delay: number;
  /** Mean correlation coefficient of the windows at that delay, −1 to 1 (negative: polarity turned). */
  readonly correlation: number;
  /** The same over its root mean square at all other delays: how far it stands out of chance. */
  readonly salience: number;
  /** Amplitude in the other channel for 1 in the source (least squares), signed. */
  readonly gain: number;
  /** Coefficient of each window at that delay. */
  readonly each: readonly number[];
}

/**
 * Looks for the sound of `source` in `receiver` over the given windows (starts in ms): normalised cross-correlation by FFT, averaged
 * over the windows, so that what is common to all of them stands out. `fft` is of `COMPARED_FFT` samples. Null without windows.
 */
export function findEcho(window: WindowReader, fft: RealFft, source: number, receiver: number, startsMs: readonly number[]): Echo | null {
  if (startsMs.length === 0) return null;
  const half = COMPARED_FFT / 2 + 1;
  const [xRe, xIm, yRe, yIm, sumRe, sumIm] = Array.from({ length: 6 }, () => new Float64Array(half)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const x = new Float64Array(COMPARED_FFT);
  const y = new Float64Array(COMPARED_FFT);
  const pairs: { x: Float64Array; y: Float64Array }[] = [];

  for (const startMs of startsMs) {
    const near = emphasise(window(source, startMs, COMPARED_MS));
    const wide = emphasise(window(receiver, startMs - MOST_DELAY_MS, COMPARED_MS + 2 * MOST_DELAY_MS));
    const scale = Math.sqrt(energy(near, 0, COMPARED) * energy(wide, MOST_DELAY, COMPARED));
    if (!(scale > 0)) continue;
    x.fill(0);
    x.set(near);
    y.fill(0);
    y.set(wide);
    fft.forward(x, xRe, xIm);
    fft.forward(y, yRe, yIm);
    for (let k = 0; k < half; k++) {
      const a = xRe[k] as number;
      const b = xIm[k] as number;
      const c = yRe[k] as number;
      const d = yIm[k] as number;
      sumRe[k] = (sumRe[k] as number) + (a * c + b * d) / scale;
      sumIm[k] = (sumIm[k] as number) + (a * d - b * c) / scale;
    }
    pairs.push({ x: near, y: wide });
  }
  if (pairs.length === 0) return null;

  const sums = new Float64Array(COMPARED_FFT);
  fft.inverse(sumRe, sumIm, sums);
  let best = 0;
  let squares = 0;
  for (let lag = 0; lag <= 2 * MOST_DELAY; lag++) {
    squares += (sums[lag] as number) ** 2;
    if (Math.abs(sums[lag] as number) > Math.abs(sums[best] as number)) best = lag;
  }
  const each: number[] = [];
  let product = 0;
  let sourceEnergy = 0;
  for (const pair of pairs) {
    const xy = dot(pair.x, pair.y, best);
    const xx = energy(pair.x, 0, COMPARED);
    each.push(xy / Math.sqrt(xx * energy(pair.y, best, COMPARED) + 1e-30));
    product += xy;
    sourceEnergy += xx;
  }
  const peak = Math.abs(sums[best] as number);
  // The peak and its flanks (a millisecond) are not chance.
  let flanks = 0;
  for (let lag = Math.max(0, best - 8); lag <= Math.min(2 * MOST_DELAY, best + 8); lag++) flanks += (sums[lag] as number) ** 2;
  const chance = Math.sqrt(Math.max(1e-12, squares - flanks) / (2 * MOST_DELAY - 16));
  return {
    delay: best - MOST_DELAY,
    correlation: each.reduce((sum, value) => sum + value, 0) / each.length,
    salience: peak / chance,
    gain: product / sourceEnergy,
    each,
  };
}

function emphasise(samples: Float32Array): Float64Array {
  const shaped = new Float64Array(samples.length);
  for (let i = 1; i < samples.length; i++) shaped[i] = (samples[i] as number) - EMPHASIS * (samples[i - 1] as number);
  return shaped;
}

function energy(samples: Float64Array, from: number, length: number): number {
  let sum = 0;
  for (let i = from; i < from + length; i++) sum += (samples[i] as number) ** 2;
  return sum;
}

function dot(x: Float64Array, y: Float64Array, lag: number): number {
  let sum = 0;
  for (let i = 0; i < COMPARED; i++) sum += (x[i] as number) * (y[i + lag] as number);
  return sum;
}
