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
  const plateaus = createPlateaus(nativeRate);
  const wide = nativeRate >= 16000 ? createWideBand(nativeRate) : null;
  const peakHistogram = new Uint32Array(256);
  let levels = new Uint8Array(4096);
  let frames = 0;
  let samples = 0;
  let total = 0;
  /** Slow estimate of the constant part, which levels leave out. */
  let offset = 0;
  /** The frame in work: samples so far, and over them the sum, the sum of squares and the extremes. */
  let filled = 0;
  let sum = 0;
  let squares = 0;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;

  const closeFrame = () => {
    if (frames === levels.length) {
      const larger = new Uint8Array(levels.length * 2);
      larger.set(levels);
      levels = larger;
    }
    const mean = sum / filled;
    offset = frames === 0 ? mean : offset + (mean - offset) * 0.01;
    const flat = high - low <= FLAT_RANGE;
    levels[frames++] = flat ? FLAT : levelCode(squares / filled - 2 * offset * mean + offset * offset);
    if (!flat) {
      const at = levelCode(Math.max(high, -low) ** 2);
      peakHistogram[at] = (peakHistogram[at] as number) + 1;
    }
    total += sum;
    samples += filled;
    filled = 0;
    sum = 0;
    squares = 0;
    low = Number.POSITIVE_INFINITY;
    high = Number.NEGATIVE_INFINITY;
  };

  return {
    push(at8k, native) {
      for (let at = 0; at < at8k.length; ) {
        const from = at;
        const end = Math.min(at8k.length, at + FRAME - filled);
        // Locals, and two sums of each kind: the additions would otherwise wait for each other.
        let sumA = 0;
        let sumB = 0;
        let squaresA = 0;
        let squaresB = 0;
        let lowest = Number.POSITIVE_INFINITY;
        let highest = Number.NEGATIVE_INFINITY;
        for (; at + 1 < end; at += 2) {
          const a = at8k[at] as number;
          const b = at8k[at + 1] as number;
          sumA += a;
          sumB += b;
          squaresA += a * a;
          squaresB += b * b;
          const less = Math.min(a, b);
          const more = Math.max(a, b);
          if (less < lowest) lowest = less;
          if (more > highest) highest = more;
        }
        if (at < end) {
          const a = at8k[at++] as number;
          sumA += a;
          squaresA += a * a;
          if (a < lowest) lowest = a;
          if (a > highest) highest = a;
        }
        sum += sumA + sumB;
        squares += squaresA + squaresB;
        if (lowest < low) low = lowest;
        if (highest > high) high = highest;
        if (native === at8k) plateaus.take(at8k, from, end, Math.max(highest, -lowest));
        filled += end - from;
        if (filled === FRAME) closeFrame();
      }
      slots.push(at8k);
      if (native !== at8k) plateaus.push(native);
      wide?.push(native);
    },
    finish() {
      if (filled > 0) closeFrame();
      return {
        levels: levels.slice(0, frames),
        spectra: spectrometer.finish(slots.count()),
        mean: samples > 0 ? total / samples : 0,
        nativeRate,
        peakHistogram,
        ...plateaus.finish(),
        wide: wide ? wide.finish() : null,
      };
    },
  };
}

/** Cuts the sound into slots and decides which of them are worth a snapshot. */
function createSlots(spectrometer: Spectrometer): { push(samples: Float32Array): void; count(): number } {
  const buffer = new Float32Array(SNAPSHOT);
  let filled = 0;
  let slot = 0;
  let squaresBefore = 0;
  let lines = false;

  const look = (samples: Float32Array) => {
    let squares = 0;
    // Two neighbours of every four tell the level well enough; single samples would miss a tone that is zero at each of them.
    for (let i = 0; i < SNAPSHOT; i += 4) squares += (samples[i] as number) ** 2 + (samples[i + 1] as number) ** 2;
    squares /= SNAPSHOT / 2;
    if (squares < TOO_QUIET) {
      spectrometer.rest();
      lines = false;
    } else if (lines || slot % 2 === 0 || squares > squaresBefore * ONSET) lines = spectrometer.take(slot, samples);
    squaresBefore = squares;
    slot++;
  };

  return {
    push(samples) {
      let at = 0;
      while (at < samples.length) {
        if (filled === 0 && samples.length - at >= SNAPSHOT) {
          look(samples.subarray(at, at + SNAPSHOT));
          at += SNAPSHOT;
          continue;
        }
        const taken = Math.min(SNAPSHOT - filled, samples.length - at);
        buffer.set(samples.subarray(at, at + taken), filled);
        filled += taken;
        at += taken;
        if (filled === SNAPSHOT) {
          look(buffer);
          filled = 0;
        }
      }
    },
    count: () => slot,
  };
}

/** Counts runs of samples that stay at the largest magnitude so far: the flat tops that clipping leaves, at whatever level. */
interface Plateaus {
  /** The next stretch of native samples, whose largest magnitude is already known. */
  take(samples: Float32Array, from: number, to: number, largest: number): void;
  /** The next samples, in whatever length. */
  push(samples: Float32Array): void;
  finish(): { peak: number; plateaus: number; plateauSamples: number };
}

function createPlateaus(nativeRate: number): Plateaus {
  const shortest = Math.max(3, Math.round((3 * nativeRate) / 8000));
  let ceiling = 0;
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
  const take = (samples: Float32Array, from: number, to: number, largest: number) => {
    if (largest > ceiling * 1.02) {
      // What was counted below the new ceiling was not clipped there.
      plateaus = 0;
      plateauSamples = 0;
    }
    if (largest > ceiling) ceiling = largest;
    const limit = ceiling * 0.98;
    if (largest < limit) return endRun();
    for (let i = from; i < to; i++) {
      if (Math.abs(samples[i] as number) >= limit) run++;
      else if (run > 0) endRun();
    }
  };
  return {
    take,
    push(samples) {
      for (let from = 0; from < samples.length; from += FRAME) {
        const to = Math.min(samples.length, from + FRAME);
        let low = 0;
        let high = 0;
        for (let i = from; i < to; i++) {
          const value = samples[i] as number;
          if (value > high) high = value;
          if (value < low) low = value;
        }
        take(samples, from, to, Math.max(high, -low));
      }
    },
    finish() {
      endRun();
      return { peak: ceiling, plateaus, plateauSamples };
    },
  };
}

/** Looks twice a second whether there is anything above the telephone band. */
function createWideBand(nativeRate: number): { push(native: Float32Array): void; finish(): WideBand } {
  const fft = createRealFft(WIDE);
  const window = Float64Array.from({ length: WIDE }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / WIDE));
  const shaped = new Float64Array(WIDE);
  const re = new Float64Array(WIDE / 2 + 1);
  const im = new Float64Array(WIDE / 2 + 1);
  const ratioHistogram = new Uint32Array(101);
  const binOf = (hertz: number) => Math.round((hertz * WIDE) / nativeRate);
  const powerOf = (fromHz: number, toHz: number) => {
    let power = 0;
    for (let k = binOf(fromHz); k <= Math.min(WIDE / 2, binOf(toHz)); k++) power += (re[k] as number) ** 2 + (im[k] as number) ** 2;
    return power;
  };
  const every = Math.round(nativeRate / 2);
  let until = 0;
  let snapshots = 0;
  let ratios = 0;
  return {
    push(native) {
      for (; until + WIDE <= native.length; until += every) {
        for (let i = 0; i < WIDE; i++) shaped[i] = (native[until + i] as number) * (window[i] as number);
        fft.forward(shaped, re, im);
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
