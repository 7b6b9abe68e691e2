import { lengthOf } from "../timeline.ts";
import type { Span } from "../types.ts";
import { COMPARED_FFT, type WindowReader } from "./correlate.ts";
import type { RealFft } from "./fft.ts";
import { spread } from "./layout.ts";
import { TRACK_RATE } from "./tracks.ts";

const SIZE = COMPARED_FFT;
const WINDOW_MS = (SIZE * 1000) / TRACK_RATE;
const BIN_HZ = TRACK_RATE / SIZE;
/** Pauses looked at. */
const MOST_WINDOWS = 6;
/** Harmonics up to this frequency, Hz; the telephone band cuts the lowest, mains hum seldom reaches higher. */
const HIGHEST_HZ = 720;
/** A harmonic stands out of its surroundings by this factor of power (12 dB). */
const STAND_OUT = 16;
const LEAST_HARMONICS = 2;
/** Hum fainter than this does no harm, dBFS; of the background, it carries at least this share. */
const FAINTEST_DB = -60;
const LEAST_SHARE = 0.3;

export interface Hum {
  readonly mainsHz: 50 | 60;
  readonly levelDb: number;
}

/** Mains hum in the pauses: lines at the harmonics of 50 or 60 Hz. */
export function findHum(pauses: readonly Span[], window: WindowReader, fft: RealFft, channel: number): Hum | null {
  const starts = pauses.flatMap((pause) => {
    const count = Math.min(64, Math.floor(lengthOf(pause) / WINDOW_MS));
    return Array.from({ length: count }, (_, i) => pause[0] + i * WINDOW_MS);
  });
  const chosen = spread(starts, MOST_WINDOWS, WINDOW_MS);
  if (chosen.length === 0) return null;

  const hann = Float64Array.from({ length: SIZE }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / SIZE));
  const heard = new Float64Array(SIZE / 2 + 1);
  const power = new Float64Array(SIZE / 2 + 1);
  for (const startMs of chosen) {
    fft.power(window(channel, startMs, WINDOW_MS), hann, heard);
    // Scaled so that the sum over all bins is the mean square (Hann's own power is 3/8).
    for (let k = 1; k <= SIZE / 2; k++) power[k] = (power[k] as number) + (heard[k] as number) / (SIZE * SIZE * 0.1875 * chosen.length);
  }
  let total = 0;
  for (let k = Math.round(40 / BIN_HZ); k <= SIZE / 2; k++) total += power[k] as number;
  const [fifty, sixty] = [comb(power, 50), comb(power, 60)];
  const [mainsHz, found] = fifty.power >= sixty.power ? ([50, fifty] as const) : ([60, sixty] as const);
  const levelDb = 10 * Math.log10(found.power + 1e-15);
  return found.harmonics >= LEAST_HARMONICS && levelDb >= FAINTEST_DB && found.power >= LEAST_SHARE * total ? { mainsHz, levelDb } : null;
}

function comb(power: Float64Array, mainsHz: number): { harmonics: number; power: number } {
  let harmonics = 0;
  let sum = 0;
  for (let hertz = mainsHz; hertz <= HIGHEST_HZ; hertz += mainsHz) {
    const middle = Math.round(hertz / BIN_HZ);
    let line = 0;
    let peak = 0;
    for (let k = middle - 2; k <= middle + 2; k++) {
      line += power[k] as number;
      peak = Math.max(peak, power[k] as number);
    }
    let around = 0;
    for (let k = 5; k <= 9; k++) around += ((power[middle - k] as number) + (power[middle + k] as number)) / 10;
    if (peak < STAND_OUT * around) continue;
    harmonics++;
    sum += line;
  }
  return { harmonics, power: sum };
}
