/** Sound as the voice encoder takes it, after librosa's melspectrogram as Resemblyzer 0.1.4 calls it (16 kHz, n_fft 400, hop 160). */

/** Hz of the sound that frames are made of. */
export const MEL_RATE = 8000;
export const MEL_BANDS = 40;
/** Between the middles of two frames. */
export const MEL_HOP_MS = 10;
/** Sound that a frame needs before and after its middle. */
export const MEL_REACH_SAMPLES = 100;

const HOP = (MEL_RATE * MEL_HOP_MS) / 1000;
const FRAME = 2 * MEL_REACH_SAMPLES;
const HALF = FRAME / 2;
const QUARTER = FRAME / 4;
const BINS = HALF + 1;
const TOP_HZ = 8000;
/** Half the samples of a frame at 16 kHz give half the amplitude. */
const POWER_SCALE = 4;

/** Samples that `frames` frames reach over. */
export function samplesOfFrames(frames: number): number {
  return (frames - 1) * HOP + FRAME;
}

/** Writes power in 40 bands, frame after frame. The work arrays are shared between calls: one user at a time. */
export type MelWriter = (samples: Float32Array, frames: number, into: Float32Array, at: number) => void;

/**
 * Makes the writer of mel frames: power (no logarithm) under a periodic Hann window of 25 ms, every 10 ms, in 40 bands from 0 to 8 kHz as wide as
 * Slaney's, each divided by its width. Of sound at 8 kHz the upper bands stay empty; the others come out as of the same sound at 16 kHz.
 *
 * The writer takes `samplesOfFrames(frames)` samples at 8 kHz, the middle of the first frame at sample 100.
 */
export function createMelWriter(): MelWriter {
  const hann = Float64Array.from({ length: HALF + 1 }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / FRAME));
  const cosines = waves(Math.cos);
  const sines = waves(Math.sin);
  const bands = melBands();
  const sums = new Float64Array(HALF + 1);
  const differences = new Float64Array(HALF + 1);
  // The frame folded twice, about its middle and about its quarters: one for the even bins, one for the odd ones.
  const cosParts = [new Float64Array(QUARTER + 1), new Float64Array(QUARTER + 1)] as const;
  const sinParts = [new Float64Array(QUARTER + 1), new Float64Array(QUARTER + 1)] as const;
  const power = new Float64Array(BINS);

  function fold(samples: Float32Array, from: number): void {
    for (let n = 1; n < HALF; n++) {
      const left = samples[from + n] as number;
      const right = samples[from + FRAME - n] as number;
      const weight = hann[n] as number;
      sums[n] = weight * (left + right);
      differences[n] = weight * (left - right);
    }
    sums[HALF] = samples[from + HALF] as number;
    for (let n = 0; n < QUARTER; n++) {
      const s = sums[n] as number;
      const sMirror = sums[HALF - n] as number;
      const d = differences[n] as number;
      const dMirror = differences[HALF - n] as number;
      cosParts[0][n] = s + sMirror;
      cosParts[1][n] = s - sMirror;
      sinParts[0][n] = d - dMirror;
      sinParts[1][n] = d + dMirror;
    }
    cosParts[0][QUARTER] = sums[QUARTER] as number;
    sinParts[1][QUARTER] = differences[QUARTER] as number;
  }

  return (samples, frames, into, at) => {
    for (let frame = 0; frame < frames; frame++) {
      fold(samples, frame * HOP);
      for (let bin = 0; bin < BINS; bin++) {
        const odd = (bin & 1) as 0 | 1;
        const re = dot(cosParts[odd], cosines, bin * (QUARTER + 1));
        const im = dot(sinParts[odd], sines, bin * (QUARTER + 1));
        power[bin] = re * re + im * im;
      }
      for (let band = 0; band < MEL_BANDS; band++) {
        const { first, weights } = bands[band] as Band;
        let total = 0;
        for (let i = 0; i < weights.length; i++) total += (weights[i] as number) * (power[first + i] as number);
        into[at + frame * MEL_BANDS + band] = POWER_SCALE * total;
      }
    }
  };
}

/** `wave(2π bin n / 200)` for n of 0 to 50, bin after bin. */
function waves(wave: (angle: number) => number): Float64Array {
  return Float64Array.from({ length: BINS * (QUARTER + 1) }, (_, i) => {
    const bin = Math.floor(i / (QUARTER + 1));
    return wave((2 * Math.PI * ((bin * (i % (QUARTER + 1))) % FRAME)) / FRAME);
  });
}

/** Three sums at a time: one alone would wait for each addition. */
function dot(part: Float64Array, table: Float64Array, at: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  for (let n = 0; n < QUARTER + 1; n += 3) {
    a += (part[n] as number) * (table[at + n] as number);
    b += (part[n + 1] as number) * (table[at + n + 1] as number);
    c += (part[n + 2] as number) * (table[at + n + 2] as number);
  }
  return a + b + c;
}

interface Band {
  /** First bin with a weight. */
  readonly first: number;
  readonly weights: Float64Array;
}

/** Triangles that are even on Slaney's scale (Auditory Toolbox: linear below 1 kHz, logarithmic above), of equal area. */
function melBands(): readonly Band[] {
  const top = melOf(TOP_HZ);
  const edges = Array.from({ length: MEL_BANDS + 2 }, (_, i) => hertzOf((i * top) / (MEL_BANDS + 1)));
  return Array.from({ length: MEL_BANDS }, (_, band) => {
    const [low, middle, high] = edges.slice(band, band + 3) as [number, number, number];
    const weights = Array.from({ length: BINS }, (_, bin) => {
      const hertz = (bin * MEL_RATE) / FRAME;
      return (Math.max(0, Math.min((hertz - low) / (middle - low), (high - hertz) / (high - middle))) * 2) / (high - low);
    });
    const first = weights.findIndex((weight) => weight > 0);
    return first < 0
      ? { first: 0, weights: new Float64Array(0) }
      : { first, weights: Float64Array.from(weights.slice(first, 1 + weights.findLastIndex((weight) => weight > 0))) };
  });
}

const LINEAR_HZ_PER_MEL = 200 / 3;
const LOG_FROM_HZ = 1000;
const LOG_FROM_MEL = LOG_FROM_HZ / LINEAR_HZ_PER_MEL;
const LOG_STEP = Math.log(6.4) / 27;

function melOf(hertz: number): number {
  return hertz < LOG_FROM_HZ ? hertz / LINEAR_HZ_PER_MEL : LOG_FROM_MEL + Math.log(hertz / LOG_FROM_HZ) / LOG_STEP;
}

function hertzOf(mel: number): number {
  return mel < LOG_FROM_MEL ? mel * LINEAR_HZ_PER_MEL : LOG_FROM_HZ * Math.exp(LOG_STEP * (mel - LOG_FROM_MEL));
}
