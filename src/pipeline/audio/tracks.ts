/**
 * What the meter keeps of a channel: small tracks at a fixed pace, so that a day of sound stays a few megabytes, and anything
 * finer is fetched again where it is needed.
 */

/** Milliseconds of one value of a level track. */
export const FRAME_MS = 10;
/** Milliseconds of one slot of the spectral tracks: two hops of the speech detector. */
export const SLOT_MS = 64;
/** Samples a second that the tracks are made from. */
export const TRACK_RATE = 8000;

/** Level code of a frame that holds one constant value (give or take the smallest step of A-law): digital silence. */
export const FLAT = 0;

/** Half-decibel code of a mean square (1 = full-scale square wave): 1 for −127 dB and less, 255 for 0 dB and more. */
export function levelCode(meanSquare: number): number {
  if (meanSquare <= 0) return 1;
  const code = Math.round(255 + 20 * Math.log10(meanSquare));
  return code < 1 ? 1 : Math.min(code, 255);
}

/** dBFS of a level code; digital silence reads as −127.5. */
export function levelDb(code: number): number {
  return code / 2 - 127.5;
}

/** dB of every level code, as power relative to full scale. */
export const POWER_OF_CODE: Float64Array = Float64Array.from({ length: 256 }, (_, code) =>
  code === FLAT ? 0 : 10 ** (levelDb(code) / 10),
);

/** Spectral snapshots, one slot every `SLOT_MS`; a slot without a snapshot (too quiet, or skipped to save time) has `share1` 0. */
export interface SpectralTrack {
  readonly slots: number;
  /** Frequency of the strongest line, in quarter hertz. */
  readonly line1: Uint16Array;
  /** Share of the power between 125 and 3,875 Hz that lies in that line, 1–255 for 0–1. */
  readonly share1: Uint8Array;
  /** The second strongest line, at least 30 Hz from the first. */
  readonly line2: Uint16Array;
  readonly share2: Uint8Array;
  /** Centre, in quarter hertz, of the one narrow hump that carries most of the power where the lines alone do not (two lines 40 Hz apart); else 0. */
  readonly hump: Uint16Array;
  /** Share of the power in lines that were there, at the same frequency, in the snapshot before: 0–255 for 0–1. */
  readonly held: Uint8Array;
  /** Likeness of the spectrum's shape to that of the snapshot before (correlation of log bands): 0–255 for −1 to 1. */
  readonly likeness: Uint8Array;
  /** Spectral flatness, geometric to arithmetic mean of the bands: 0–255 for 0–1. */
  readonly flatness: Uint8Array;
}

export interface ChannelMeasures {
  /** One code for every `FRAME_MS`, the last frame perhaps short. */
  readonly levels: Uint8Array;
  readonly spectra: SpectralTrack;
  /** Mean of all samples, −1 to 1. */
  readonly mean: number;
  /** Hz of the recording. */
  readonly nativeRate: number;
  /** Largest magnitude, at the native rate. */
  readonly peak: number;
  /** Runs of at least three samples (at 8 kHz; longer at higher rates) within 2 % of the peak, and the samples in them. */
  readonly plateaus: number;
  readonly plateauSamples: number;
  /** Of the frames loud enough to reach the peak: how many have their largest magnitude at a level (codes as of the level track, of magnitude instead of RMS). */
  readonly peakHistogram: Uint32Array;
  /** Power above and below the telephone band, summed over sparse snapshots at the native rate; null at native rates under 16 kHz. */
  readonly wide: WideBand | null;
}

export interface WideBand {
  readonly snapshots: number;
  /** Mean of the ratio of power above 4.3 kHz to power between 0.2 and 3.6 kHz. */
  readonly meanRatio: number;
  /** How many snapshots have that ratio at a level: index 0 is −100 dB and less, 100 is 0 dB and more. */
  readonly ratioHistogram: Uint32Array;
}

/** All that the meter heard. */
export interface Measures {
  readonly channels: readonly ChannelMeasures[];
  /** Hz of the recording. */
  readonly nativeRate: number;
}
