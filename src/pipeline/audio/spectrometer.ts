import { createRealFft } from "./fft.ts";
import { SLOT_MS, type SpectralTrack, TRACK_RATE } from "./tracks.ts";

/** Samples of one snapshot. */
export const SNAPSHOT = (SLOT_MS * TRACK_RATE) / 1000;

const BIN_HZ = TRACK_RATE / SNAPSHOT;
/** Bins of 125 to 3,875 Hz: what a telephone carries, and a little more. */
const LOW = Math.round(125 / BIN_HZ);
const HIGH = Math.round(3875 / BIN_HZ);
/** Bins of one band of the spectrum's shape. */
const BAND = 4;
const BANDS = Math.floor((HIGH - LOW) / BAND);
/** A line stands out by this factor (13 dB) from one side and by 8 dB from the other, three to five bins away. */
const STAND_OUT = 20;
const STAND_OUT_EITHER = 6;
/** Lines weaker than this share of the power are not looked at. */
const FAINT = 3e-4;
/** A held line moves by no more than this between two snapshots, in bins: 4.7 Hz. */
const HELD_WITHIN = 0.3;
const MOST_LINES = 24;
/** One or two lines, or one hump, that carry this share of the power are a tone. */
const MOSTLY = 0.6;
/** A tone holds this share of its power from one snapshot to the next; a voice's strong lines glide. */
const STEADY = 0.3;
/** Two lines 40 or 50 Hz apart, as ring-back has them, blur into one hump of so many bins on each side of its highest. */
const HUMP = 4;

/** Takes snapshots of one channel's spectrum into a compact track. */
export interface Spectrometer {
  /**
   * Measures the `SNAPSHOT` samples of this slot, the first at `from`; true where the next slot should be measured too: one or two lines carry most
   * of the power, and are not known to move, as those of a voice do.
   */
  take(slot: number, samples: Float32Array, from: number): boolean;
  /** The sound stopped: nothing is held from before. */
  rest(): void;
  finish(slots: number): SpectralTrack;
}

/** Shared by the spectrometers of one recording: the transform and its work array. */
export interface Bench {
  readonly power: Float64Array;
  transform(samples: Float32Array, from: number): void;
}

export function createBench(): Bench {
  const fft = createRealFft(SNAPSHOT);
  const window = Float64Array.from({ length: SNAPSHOT }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / SNAPSHOT));
  const power = new Float64Array(SNAPSHOT / 2 + 1);
  return { power, transform: (samples, from) => fft.power(samples, window, power, from) };
}

/** The lines of one snapshot: frequency in bins, power. */
interface Lines {
  count: number;
  readonly at: Float64Array;
  readonly power: Float64Array;
}

const noLines = (): Lines => ({ count: 0, at: new Float64Array(MOST_LINES), power: new Float64Array(MOST_LINES) });

export function createSpectrometer(bench: Bench): Spectrometer {
  const { power } = bench;
  let track = allocate(1024);
  let lines = noLines();
  let before = noLines();
  let shape = new Float64Array(BANDS);
  let shapeBefore = new Float64Array(BANDS);
  let hasBefore = false;
  let wasTonal = false;

  return {
    take(slot, samples, from) {
      while (slot >= track.slots) track = grow(track);
      bench.transform(samples, from);
      let total = 1e-12;
      for (let k = LOW; k <= HIGH; k++) total += power[k] as number;
      findLines(power, total, lines);
      const { first, second } = strongest(lines);
      const share1 = first < 0 ? 0 : (lines.power[first] as number) / total;
      const share2 = second < 0 ? 0 : (lines.power[second] as number) / total;
      const tonal = share1 + share2 >= MOSTLY;
      const hump = tonal ? null : findHump(power);
      const isHump = hump !== null && hump.power >= MOSTLY * total;
      if (isHump) track.hump[slot] = Math.round(hump.at * BIN_HZ * 4);
      track.line1[slot] = first < 0 ? 0 : Math.round((lines.at[first] as number) * BIN_HZ * 4);
      track.share1[slot] = Math.max(1, byte(share1));
      track.line2[slot] = second < 0 ? 0 : Math.round((lines.at[second] as number) * BIN_HZ * 4);
      track.share2[slot] = byte(share2);
      const held = heldPower(lines, before) / total;
      track.held[slot] = byte(held);
      const isSteady = held >= STEADY || !wasTonal;
      wasTonal = tonal;
      track.flatness[slot] = byte(shapeOf(power, total, shape));
      track.likeness[slot] = hasBefore ? byte((likeness(shape, shapeBefore) + 1) / 2) : 0;
      [lines, before] = [before, lines];
      [shape, shapeBefore] = [shapeBefore, shape];
      hasBefore = true;
      return isHump || (tonal && isSteady);
    },
    rest() {
      wasTonal = false;
      before.count = 0;
      hasBefore = false;
    },
    finish: (slots) => resize(track, slots),
  };
}

const byte = (value: number) => Math.max(0, Math.min(255, Math.round(value * 255)));

/** Local maxima that stand out from their surroundings, with their frequency between the bins (parabola through the logarithms). */
function findLines(power: Float64Array, total: number, lines: Lines): void {
  const faint = total * FAINT;
  lines.count = 0;
  for (let k = LOW; k <= HIGH - 5 && lines.count < MOST_LINES; k++) {
    const here = power[k] as number;
    if (here < faint || here <= (power[k - 1] as number) || here < (power[k + 1] as number)) continue;
    const below = ((power[k - 3] as number) + (power[k - 4] as number) + (power[k - 5] as number)) / 3;
    const above = ((power[k + 3] as number) + (power[k + 4] as number) + (power[k + 5] as number)) / 3;
    const quieter = Math.min(below, above);
    const louder = Math.max(below, above);
    if (here < quieter * STAND_OUT || here < louder * STAND_OUT_EITHER) continue;
    const left = Math.log((power[k - 1] as number) + 1e-30);
    const middle = Math.log(here);
    const right = Math.log((power[k + 1] as number) + 1e-30);
    const bend = left - 2 * middle + right;
    lines.at[lines.count] = k + (bend < 0 ? (0.5 * (left - right)) / bend : 0);
    lines.power[lines.count++] = (power[k - 1] as number) + here + (power[k + 1] as number);
  }
}

/** The power around the highest bin, and its centre in bins. */
function findHump(power: Float64Array): { at: number; power: number } {
  let top = LOW;
  for (let k = LOW + 1; k <= HIGH; k++) if ((power[k] as number) > (power[top] as number)) top = k;
  let sum = 0;
  let moment = 0;
  for (let k = Math.max(LOW, top - HUMP); k <= Math.min(HIGH, top + HUMP); k++) {
    sum += power[k] as number;
    moment += k * (power[k] as number);
  }
  return { at: moment / sum, power: sum };
}

function strongest(lines: Lines): { first: number; second: number } {
  let first = -1;
  let second = -1;
  for (let i = 0; i < lines.count; i++) {
    if (first < 0 || (lines.power[i] as number) > (lines.power[first] as number)) {
      second = first;
      first = i;
    } else if (second < 0 || (lines.power[i] as number) > (lines.power[second] as number)) second = i;
  }
  return { first, second };
}

/** Power of the lines that were there before at the same frequency (both ascend, so one walk). */
function heldPower(lines: Lines, before: Lines): number {
  let held = 0;
  for (let i = 0, j = 0; i < lines.count; i++) {
    const at = lines.at[i] as number;
    while (j < before.count && (before.at[j] as number) < at - HELD_WITHIN) j++;
    if (j >= before.count) break;
    const ratio = (lines.power[i] as number) / (before.power[j] as number);
    if ((before.at[j] as number) <= at + HELD_WITHIN && ratio < 30 && ratio > 1 / 30) held += lines.power[i] as number;
  }
  return held;
}

/** Fills in the log bands less their mean; answers the flatness. */
function shapeOf(power: Float64Array, total: number, shape: Float64Array): number {
  const floor = total * 1e-5;
  let sum = 0;
  for (let band = 0, k = LOW; band < BANDS; band++, k += BAND) {
    const value = Math.log((power[k] as number) + (power[k + 1] as number) + (power[k + 2] as number) + (power[k + 3] as number) + floor);
    shape[band] = value;
    sum += value;
  }
  const mean = sum / BANDS;
  for (let band = 0; band < BANDS; band++) shape[band] = (shape[band] as number) - mean;
  return Math.exp(mean) / ((total + BANDS * floor) / BANDS);
}

function likeness(a: Float64Array, b: Float64Array): number {
  let aa = 0;
  let bb = 0;
  let ab = 0;
  for (let i = 0; i < BANDS; i++) {
    const x = a[i] as number;
    const y = b[i] as number;
    aa += x * x;
    bb += y * y;
    ab += x * y;
  }
  return aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : 0;
}

function allocate(slots: number): SpectralTrack {
  return {
    slots,
    line1: new Uint16Array(slots),
    share1: new Uint8Array(slots),
    line2: new Uint16Array(slots),
    share2: new Uint8Array(slots),
    hump: new Uint16Array(slots),
    held: new Uint8Array(slots),
    likeness: new Uint8Array(slots),
    flatness: new Uint8Array(slots),
  };
}

const grow = (track: SpectralTrack) => resize(track, track.slots * 2);

function resize(track: SpectralTrack, slots: number): SpectralTrack {
  const sized = allocate(slots);
  const kept = Math.min(slots, track.slots);
  for (const name of ["line1", "share1", "line2", "share2", "hump", "held", "likeness", "flatness"] as const)
    sized[name].set(track[name].subarray(0, kept));
  return sized;
}
