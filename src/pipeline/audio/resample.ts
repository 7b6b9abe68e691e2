import { createDelayLine, tapAt, tapsFor } from "./fir.ts";
import { createHalver, type Stage } from "./halve.ts";

/** Streaming change of sample rate, one channel. */
export interface Resampler {
  /** The next samples; answers those that are complete. The answer is `block` itself where the rates are equal. */
  push(block: Float32Array): Float32Array;
  /** The rest. Output sample n is the sound at time n / toHz, ceil(samples in * toHz / fromHz) in all. */
  flush(): Float32Array;
}

/** Of the lower of both Nyquist rates: flat up to there (3,400 Hz at 8 kHz), and silent from its mirror image on (4,600 Hz). */
const PASS_SHARE = 0.85;
/** More phases than this are interpolated linearly between neighbours, which is exact to better than 80 dB. */
const MAX_PHASES = 512;

const NOTHING = new Float32Array(0);

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

interface Bank {
  /** Taps of one phase, input samples. */
  readonly taps: number;
  /** Row p holds the filter for an output that lies p / phases after an input sample; one row more than there are phases. */
  readonly rows: readonly Float64Array[];
  /** For each row the one tap that is all of it (an output that lies on an input sample, where the rate is raised), or -1. */
  readonly only: readonly number[];
}

/** Taps smaller than this beside a tap of 1 are rounding. */
const NO_TAP = 1e-12;

/** Every row passes a constant unchanged. `ratio` is that of the output's rate to the input's. */
function createBank(ratio: number, phases: number): Bank {
  const cutoff = Math.min(1, ratio) / 2; // the middle of the transition
  const half = Math.ceil(tapsFor(2 * (1 - PASS_SHARE) * cutoff) / 2);
  const rows = Array.from({ length: phases + 1 }, (_, phase) => {
    const row = Float64Array.from({ length: 2 * half }, (_, tap) => tapAt(tap - half + 1 - phase / phases, half, cutoff));
    const total = row.reduce((sum, value) => sum + value, 0);
    return row.map((value) => value / total);
  });
  const only = rows.map((row) => {
    const first = row.findIndex((value) => Math.abs(value) > NO_TAP);
    return row.findLastIndex((value) => Math.abs(value) > NO_TAP) === first ? first : -1;
  });
  return { taps: 2 * half, rows, only };
}

/** Polyphase FIR: `up` outputs for every `down` inputs, which have no common factor. */
function createPolyphase(up: number, down: number): Stage {
  const isExact = up <= MAX_PHASES;
  const phases = isExact ? up : MAX_PHASES;
  const { taps, rows, only } = createBank(up / down, phases);
  const half = taps / 2;
  const line = createDelayLine(half);
  // The next output lies at input position `index + part / up`.
  let index = 0;
  let part = 0;

  /** Every output before input position `received` whose last tap is there. */
  const drain = (received: number): Float32Array => {
    const last = Math.min(line.end - half, received) - 1;
    if (index > last) return NOTHING;
    const output = new Float32Array(Math.ceil(((last + 1 - index) * up - part) / down));
    const { samples, first } = line;
    for (let n = 0; n < output.length; n++) {
      const at = index - half + 1 - first;
      if (isExact) {
        const tap = only[part] as number;
        output[n] = tap < 0 ? dot(rows[part] as Float64Array, samples, at, taps) : (samples[at + tap] as number);
      } else {
        const place = (part * phases) / up;
        const below = Math.floor(place);
        const low = dot(rows[below] as Float64Array, samples, at, taps);
        const high = dot(rows[below + 1] as Float64Array, samples, at, taps);
        output[n] = low + (place - below) * (high - low);
      }
      part += down;
      const steps = Math.floor(part / up);
      index += steps;
      part -= steps * up;
    }
    return output;
  };

  return {
    push(block) {
      line.append(block, index - half + 1);
      return drain(line.end);
    },
    flush() {
      const received = line.end;
      line.append(half, index - half + 1);
      return drain(received);
    },
  };
}

/** Four sums at a time: one alone would wait for each addition. */
function dot(row: Float64Array, samples: Float64Array, at: number, taps: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let tap = 0;
  for (; tap + 3 < taps; tap += 4) {
    a += (row[tap] as number) * (samples[at + tap] as number);
    b += (row[tap + 1] as number) * (samples[at + tap + 1] as number);
    c += (row[tap + 2] as number) * (samples[at + tap + 2] as number);
    d += (row[tap + 3] as number) * (samples[at + tap + 3] as number);
  }
  for (; tap < taps; tap++) a += (row[tap] as number) * (samples[at + tap] as number);
  return a + b + (c + d);
}

/** Halvings as far as they go (each is cheap, and makes the next filter shorter), then the rest of the ratio. */
function createStages(fromHz: number, toHz: number): Stage[] {
  const stages: Stage[] = [];
  // Rates in between may be no whole numbers, so the ratio that is left is kept as up : fromHz.
  let up = toHz;
  // A last halving leaves the transition as it shall be in the end; one before that keeps clear of it, or is left out.
  for (let rate = fromHz; rate === 2 * toHz || rate >= 2.6 * toHz; rate /= 2, up *= 2) {
    const share = rate === 2 * toHz ? PASS_SHARE : 2 - PASS_SHARE;
    stages.push(createHalver((share * toHz) / 2 / rate));
  }
  const divisor = greatestCommonDivisor(fromHz, up);
  if (up !== fromHz) stages.push(createPolyphase(up / divisor, fromHz / divisor));
  return stages;
}

/**
 * Changes from any rate to any other, without delay: silence is assumed before the first sample and after the last.
 *
 * @param fromHz 4,000–192,000
 * @param toHz 4,000–192,000
 */
export function createResampler(fromHz: number, toHz: number): Resampler {
  if (fromHz === toHz) return { push: (block) => block, flush: () => NOTHING };
  const stages = createStages(fromHz, toHz);
  let received = 0;
  let answered = 0;
  return {
    push(block) {
      received += block.length;
      const output = stages.reduce((passed, stage) => stage.push(passed), block);
      answered += output.length;
      return output;
    },
    flush() {
      let rest: Float32Array = NOTHING;
      for (const stage of stages) {
        const pushed = stage.push(rest);
        const flushed = stage.flush();
        rest = new Float32Array(pushed.length + flushed.length);
        rest.set(pushed);
        rest.set(flushed, pushed.length);
      }
      // Halving an odd number of samples rounds up: one output may lie past the end.
      return rest.subarray(0, Math.ceil((received * toHz) / fromHz) - answered);
    },
  };
}
