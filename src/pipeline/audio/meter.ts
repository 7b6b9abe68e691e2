import { createRealFft } from "./fft.ts";
import { type Bench, createBench, createSpectrometer, SNAPSHOT, type Spectrometer } from "./spectrometer.ts";
import { type ChannelMeasures, FLAT, FRAME_MS, levelCode, type Measures, TRACK_RATE, type WideBand } from "./tracks.ts";

/** Listens to a recording once, in order, and keeps small tracks of it. */
export interface Meter {
  /**
   * The next stretch of every channel, samples within −1 … 1: at 8 kHz, and at the native rate (the same arrays where that is
   * 8 kHz). Blocks may have any length. They are read, not kept.
   */
  push(at8k: readonly Float32Array[], native: readonly Float32Array[]): void;
  /** The tracks of all that was pushed. The meter is spent. */
  finish(): Measures;
}

const FRAME = (FRAME_MS * TRACK_RATE) / 1000;
/** Range of values that is still one constant value: A-law has no zero, its silence alternates between ±8 of 32,768. */
const FLAT_RANGE = 17 / 32768;
/** Variance of the loudest of such frames, with a margin. */
const NEARLY_FLAT = (9 / 32768) ** 2;
/** Slots quieter than this have no snapshot: mean square, −58 dBFS. */
const TOO_QUIET = 10 ** -5.8;
/** A slot this much louder than the one before is an onset and gets a snapshot: mean square, 9 dB. */
const ONSET = 8;
/** Native samples of one look at the sound above the telephone band. */
const WIDE = 512;

/** A meter for this many channels of a recording with this native rate in Hz. */
export function createMeter(channels: number, nativeRate: number): Meter {
  const bench = createBench();
  const meters = Array.from({ length: channels }, () => createChannelMeter(bench, nativeRate));
  return {
    push(at8k, native) {
      for (const [channel, meter] of meters.entries()) meter.push(at8k[channel] as Float32Array, native[channel] as Float32Array);
    },
    finish: () => ({ channels: meters.map((meter) => meter.finish()), nativeRate }),
  };
}

interface ChannelMeter {
  push(at8k: Float32Array, native: Float32Array): void;
  finish(): ChannelMeasures;
}

function createChannelMeter(bench: Bench, nativeRate: number): ChannelMeter {
  const spectrometer = createSpectrometer(bench);
  const slots = createSlots(spectrometer);
  const ceiling = createCeiling(nativeRate);
  const wide = nativeRate >= 16000 ? createWideBand(nativeRate) : null;
  let levels = new Uint8Array(4096);
  let frames = 0;
  let samples = 0;
  let total = 0;
  /** Slow estimate of the constant part, which levels leave out. */
  let offset = 0;

  const measure = (frame: Float32Array, from: number, to: number) => {
    if (frames === levels.length) {
      const larger = new Uint8Array(levels.length * 2);
      larger.set(levels);
      levels = larger;
    }
    // Several sums of each kind: the additions would otherwise wait for each other.
    let sumA = 0;
    let sumB = 0;
    let squaresA = 0;
    let squaresB = 0;
    let squaresC = 0;
    let squaresD = 0;
    let i = from;
    for (; i + 3 < to; i += 4) {
      const a = frame[i] as number;
      const b = frame[i + 1] as number;
      const c = frame[i + 2] as number;
      const d = frame[i + 3] as number;
      sumA += a + c;
      sumB += b + d;
      squaresA += a * a;
      squaresB += b * b;
      squaresC += c * c;
      squaresD += d * d;
    }
    for (; i < to; i++) {
      sumA += frame[i] as number;
      squaresA += (frame[i] as number) ** 2;
    }
    const length = to - from;
    const mean = (sumA + sumB) / length;
    const meanSquare = (squaresA + squaresB + squaresC + squaresD) / length;
    offset = frames === 0 ? mean : offset + (mean - offset) * 0.01;
    // Only what hardly varies is looked at again: extremes of every frame would cost more than all the rest.
    const flat = meanSquare === 0 || (meanSquare - mean * mean <= NEARLY_FLAT && isFlat(frame, from, to));
    levels[frames++] = flat ? FLAT : levelCode(meanSquare - 2 * offset * mean + offset * offset);
    total += sumA + sumB;
    samples += length;
    return meanSquare * length;
  };

  const frames8k = createChunks(FRAME, (frame, from, to) => {
    const squares = measure(frame, from, to);
    if (nativeRate === TRACK_RATE) ceiling.take(frame, from, to, squares);
  });

  return {
    push(at8k, native) {
      frames8k.push(at8k);
      slots.push(at8k);
      if (nativeRate !== TRACK_RATE) ceiling.push(native);
      wide?.push(native);
    },
    finish() {
      frames8k.finish();
      return {
        levels: levels.slice(0, frames),
        spectra: spectrometer.finish(slots.count()),
        mean: samples > 0 ? total / samples : 0,
        nativeRate,
        ...ceiling.finish(),
        wide: wide ? wide.finish() : null,
      };
    },
  };
}

function isFlat(samples: Float32Array, from: number, to: number): boolean {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let i = from; i < to; i++) {
    const value = samples[i] as number;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return high - low <= FLAT_RANGE;
}

/** Cuts blocks of any length into chunks of one length, in place where a chunk lies within a block. */
function createChunks(
  length: number,
  take: (samples: Float32Array, from: number, to: number) => void,
): { push(block: Float32Array): void; finish(): void } {
  const kept = new Float32Array(length);
  let filled = 0;
  return {
    push(block) {
      let at = 0;
      while (at < block.length) {
        if (filled === 0 && block.length - at >= length) {
          take(block, at, at + length);
          at += length;
          continue;
        }
        const end = Math.min(block.length, at + length - filled);
        kept.set(block.subarray(at, end), filled);
        filled += end - at;
        at = end;
        if (filled === length) {
          take(kept, 0, length);
          filled = 0;
        }
      }
    },
    /** The last chunk may be short. */
    finish() {
      if (filled > 0) take(kept, 0, filled);
      filled = 0;
    },
  };
}

/** Decides which slots are worth a snapshot. */
function createSlots(spectrometer: Spectrometer): { push(samples: Float32Array): void; count(): number } {
  let slot = 0;
  let squaresBefore = 0;
  let lines = false;
  const chunks = createChunks(SNAPSHOT, (samples, from) => {
    let squares = 0;
    // Two neighbours of every eight tell the level well enough; single samples would miss a tone that is zero at each of them.
    for (let i = from; i < from + SNAPSHOT; i += 8) {
      const a = samples[i] as number;
      const b = samples[i + 1] as number;
      squares += a * a + b * b;
    }
    squares /= SNAPSHOT / 4;
    if (squares < TOO_QUIET) {
      spectrometer.rest();
      lines = false;
    } else if (lines || slot % 3 === 0 || squares > squaresBefore * ONSET) lines = spectrometer.take(slot, samples, from);
    squaresBefore = squares;
    slot++;
  });
  return { push: chunks.push, count: () => slot };
}

/**
 * Counts runs of samples that stay at the largest magnitude so far: the flat tops that clipping leaves, at whatever level. A stretch is
 * looked at only if its energy allows for one sample as high.
 */
interface Ceiling {
  /** The next native samples, the sum of whose squares is known. */
  take(samples: Float32Array, from: number, to: number, squares: number): void;
  /** The next native samples, in whatever length. */
  push(samples: Float32Array): void;
  finish(): Pick<ChannelMeasures, "peak" | "plateaus" | "plateauSamples" | "peakHistogram">;
}

function createCeiling(nativeRate: number): Ceiling {
  const shortest = Math.max(3, Math.round((3 * nativeRate) / TRACK_RATE));
  const peakHistogram = new Uint32Array(256);
  let peak = 0;
  let plateaus = 0;
  let plateauSamples = 0;
  let run = 0;
  const endRun = () => {
    if (run >= shortest) {
      plateaus++;
      plateauSamples += run;
    }
    run = 0;
  };
  const take = (samples: Float32Array, from: number, to: number, squares: number) => {
    if (squares < 0.95 * peak * peak) return endRun();
    let largest = 0;
    for (let i = from; i < to; i++) {
      const magnitude = Math.abs(samples[i] as number);
      if (magnitude > largest) largest = magnitude;
    }
    const code = levelCode(largest * largest);
    peakHistogram[code] = (peakHistogram[code] as number) + 1;
    if (largest > peak * 1.02) {
      // What was counted below the new ceiling was not clipped there.
      plateaus = 0;
      plateauSamples = 0;
    }
    if (largest > peak) peak = largest;
    const limit = peak * 0.98;
    if (largest < limit) return endRun();
    for (let i = from; i < to; i++) {
      if (Math.abs(samples[i] as number) >= limit) run++;
      else if (run > 0) endRun();
    }
  };
  const chunks = createChunks(FRAME, (samples, from, to) => {
    let squares = 0;
    for (let i = from; i < to; i++) squares += (samples[i] as number) * (samples[i] as number);
    take(samples, from, to, squares);
  });
  return {
    take,
    push: chunks.push,
    finish() {
      chunks.finish();
      endRun();
      return { peak, plateaus, plateauSamples, peakHistogram };
    },
  };
}

/** Looks twice a second whether there is anything above the telephone band. */
function createWideBand(nativeRate: number): { push(native: Float32Array): void; finish(): WideBand } {
  const fft = createRealFft(WIDE);
  const window = Float64Array.from({ length: WIDE }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / WIDE));
  const power = new Float64Array(WIDE / 2 + 1);
  const ratioHistogram = new Uint32Array(101);
  const binOf = (hertz: number) => Math.round((hertz * WIDE) / nativeRate);
  const powerOf = (fromHz: number, toHz: number) => {
    let sum = 0;
    for (let k = binOf(fromHz); k <= Math.min(WIDE / 2, binOf(toHz)); k++) sum += power[k] as number;
    return sum;
  };
  const every = Math.round(nativeRate / 2);
  let until = 0;
  let snapshots = 0;
  let ratios = 0;
  return {
    push(native) {
      for (; until + WIDE <= native.length; until += every) {
        fft.power(native, window, power, until);
        const below = powerOf(200, 3600);
        // A window of 512 samples with this power in the band is sound of about −45 dBFS.
        if (below < 3e-5 * WIDE * WIDE * 0.1) continue;
        const ratio = powerOf(4300, nativeRate / 2) / below;
        const at = Math.max(0, Math.min(100, 100 + Math.round(10 * Math.log10(ratio + 1e-12))));
        ratioHistogram[at] = (ratioHistogram[at] as number) + 1;
        ratios += ratio;
        snapshots++;
      }
      until = Math.max(0, until - native.length);
    },
    finish: () => ({ snapshots, meanRatio: snapshots > 0 ? ratios / snapshots : 0, ratioHistogram }),
  };
}
