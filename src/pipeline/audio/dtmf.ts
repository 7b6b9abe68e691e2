import type { Span } from "../types.ts";
import type { WindowReader } from "./correlate.ts";
import { FLAT, FRAME_MS, SLOT_MS, type SpectralTrack, TRACK_RATE } from "./tracks.ts";

/** The keypad's rows and columns, Hz (ITU-T Q.23). */
const ROWS = [697, 770, 852, 941] as const;
const COLUMNS = [1209, 1336, 1477, 1633] as const;
/** Shortest tone, ms (Q.24 has 40), less what a frame's edge hides; longest burst that is looked at. */
const LEAST_MS = 30;
const MOST_MS = 3000;
/** Stretch in the middle of a burst that is measured, ms: it separates the frequencies of a row well enough. */
const LOOKED_AT_MS = 40;
/** Row and column together carry this share of the power … */
const LEAST_SHARE = 0.6;
/** … and differ by no more than this, dB. */
const MOST_TWIST_DB = 10;
/** Frames of a burst keep within this of its loudest, in half decibels. */
const EVEN = 10;
/** Its surroundings are this much quieter, half decibels. */
const DROP = 16;
/** A line with more than this share (of 255) is clear, and a key's lies this near to its frequency. */
const CLEAR_SHARE = 40;
const NEAR_HZ = 30;
/** Bursts looked at in one channel at most; more are taken evenly over the call. */
const MOST_LOOKS = 400;

/**
 * Key tones: bursts of even level in the level track, each then measured at the eight frequencies. Answers one span a key press.
 */
export function findKeys(levels: Uint8Array, spectra: SpectralTrack, window: WindowReader, channel: number): Span[] {
  const bursts = evenBursts(levels).filter((burst) => mayBeKey(spectra, burst));
  const step = Math.max(1, bursts.length / MOST_LOOKS);
  const keys: Span[] = [];
  for (let i = 0; i < bursts.length; i += step) {
    const burst = bursts[Math.floor(i)] as Span;
    const lengthMs = Math.min(LOOKED_AT_MS, burst[1] - burst[0]);
    const samples = window(channel, burst[0] + Math.floor((burst[1] - burst[0] - lengthMs) / 2), lengthMs);
    if (isKey(samples)) keys.push(burst);
  }
  return keys;
}

/** What the snapshots in the burst do not rule out: their strongest line, if they have a clear one, lies near a frequency of the keypad. */
function mayBeKey(spectra: SpectralTrack, [startMs, endMs]: Span): boolean {
  let best = -1;
  for (let slot = Math.floor(startMs / SLOT_MS); slot < Math.min(spectra.slots, endMs / SLOT_MS); slot++)
    if ((spectra.share1[slot] as number) > (spectra.share1[best] ?? CLEAR_SHARE)) best = slot;
  if (best < 0) return true;
  const hertz = (spectra.line1[best] as number) / 4;
  return [...ROWS, ...COLUMNS].some((key) => Math.abs(key - hertz) <= NEAR_HZ);
}

function evenBursts(levels: Uint8Array): Span[] {
  const bursts: Span[] = [];
  const quietBefore = (frame: number, level: number) => frame < 0 || level - (levels[frame] as number) >= DROP;
  for (let frame = 0; frame < levels.length; frame++) {
    const level = levels[frame] as number;
    // −45 dBFS: fainter is no key press. The frame at the edge may be half filled, hence two back.
    if (level === FLAT || level < 165 || !(quietBefore(frame - 1, level) || quietBefore(frame - 2, level))) continue;
    let end = frame + 1;
    let loudest = level;
    while (end < levels.length && (levels[end] as number) > loudest - EVEN) {
      loudest = Math.max(loudest, levels[end] as number);
      end++;
    }
    const lengthMs = (end - frame) * FRAME_MS;
    const quietAfter = end >= levels.length || end + 1 >= levels.length || loudest - (levels[end + 1] as number) >= DROP;
    if (lengthMs >= LEAST_MS && lengthMs <= MOST_MS && quietAfter) {
      bursts.push([frame * FRAME_MS, end * FRAME_MS]);
      frame = end;
    }
  }
  return bursts;
}

/** Whether one row and one column frequency make up the sound. */
export function isKey(samples: Float32Array): boolean {
  let total = 0;
  for (const sample of samples) total += sample * sample;
  if (total === 0) return false;
  const row = Math.max(...ROWS.map((hertz) => energyAt(samples, hertz)));
  // Most sounds end here.
  if (row * (1 + 10 ** (MOST_TWIST_DB / 10)) < LEAST_SHARE * total) return false;
  const column = Math.max(...COLUMNS.map((hertz) => energyAt(samples, hertz)));
  const twistDb = Math.abs(10 * Math.log10((row + 1e-12) / (column + 1e-12)));
  return twistDb <= MOST_TWIST_DB && row + column >= LEAST_SHARE * total;
}

/** Energy of the samples at one frequency (Goertzel): all of it where they are a sine of that frequency. */
export function energyAt(samples: Float32Array, hertz: number): number {
  const turn = 2 * Math.cos((2 * Math.PI * hertz) / TRACK_RATE);
  let one = 0;
  let two = 0;
  for (const sample of samples) {
    const next = sample + turn * one - two;
    two = one;
    one = next;
  }
  return (2 * (one * one + two * two - turn * one * two)) / samples.length;
}
