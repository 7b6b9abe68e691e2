/** Streaming change of sample rate, one channel. */
export interface Resampler {
  /** The next samples; answers those that are complete. The answer is `block` itself where the rates are equal. */
  push(block: Float32Array): Float32Array;
  /** The rest. Output sample n is the sound at time n / toHz, ceil(samples in * toHz / fromHz) in all. */
  flush(): Float32Array;
}

/** Of the lower of both Nyquist rates: flat up to there (3,400 Hz at 8 kHz), and silent from its mirror image on (4,600 Hz). */
const PASS_SHARE = 0.85;
const STOP_DB = 60;
/** More phases than this are interpolated linearly between neighbours, which is exact to better than 80 dB. */
const MAX_PHASES = 512;

/** Kaiser, Nonrecursive digital filter design using the I0-sinh window function, 1974: shape of the window by attenuation. */
const KAISER_BETA = 0.1102 * (STOP_DB - 8.7);

function besselI0(x: number): number {
  let term = 1;
  let total = 1;
  for (let k = 1; term > 1e-12 * total; k++) {
    term *= (x / (2 * k)) ** 2;
    total += term;
  }
  return total;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

interface Bank {
  /** Taps of one phase, input samples. */
  readonly taps: number;
  /** Row p holds the filter for an output that lies p / phases after an input sample; one row more than there are phases. */
  readonly rows: readonly Float32Array[];
}

/** Kaiser-windowed sinc filters; every row passes a constant unchanged. */
function createBank(fromHz: number, toHz: number, phases: number): Bank {
  const nyquist = Math.min(fromHz, toHz) / 2;
  const cutoff = nyquist / fromHz; // cycles per input sample: the middle of the transition
  const transition = 2 * (1 - PASS_SHARE) * cutoff;
  // Kaiser's estimate of the length for this attenuation and transition width.
  const half = Math.ceil((STOP_DB - 7.95) / (2.285 * 2 * Math.PI * transition) / 2);
  const taps = 2 * half;
  const rows = Array.from({ length: phases + 1 }, (_, phase) => {
    const row = new Float64Array(taps);
    let total = 0;
    for (let tap = 0; tap < taps; tap++) {
      const distance = tap - half + 1 - phase / phases;
      const edge = distance / half;
      const window = Math.abs(edge) >= 1 ? 0 : besselI0(KAISER_BETA * Math.sqrt(1 - edge * edge)) / besselI0(KAISER_BETA);
      const angle = 2 * Math.PI * cutoff * distance;
      const value = window * (angle === 0 ? 1 : Math.sin(angle) / angle);
      row[tap] = value;
      total += value;
    }
    return Float32Array.from(row, (value) => value / total);
  });
  return { taps, rows };
}

const NOTHING = new Float32Array(0);

/**
 * Polyphase FIR from any rate to any other, without delay: silence is assumed before the first sample and after the last.
 *
 * @param fromHz 4,000–192,000
 * @param toHz 4,000–192,000
 */
export function createResampler(fromHz: number, toHz: number): Resampler {
  if (fromHz === toHz) return { push: (block) => block, flush: () => NOTHING };
  const divisor = greatestCommonDivisor(fromHz, toHz);
  const up = toHz / divisor;
  const down = fromHz / divisor;
  const isExact = up <= MAX_PHASES;
  const phases = isExact ? up : MAX_PHASES;
  const { taps, rows } = createBank(fromHz, toHz, phases);
  const half = taps / 2;

  // `held` are the input samples from index `heldFrom` on; the silence before the recording has negative indices.
  let held = new Float32Array(4096 + taps);
  let heldFrom = -half;
  let heldCount = half;
  let received = 0;
  // The next output lies at input position `index + part / up`.
  let index = 0;
  let part = 0;

  const append = (block: Float32Array | null, count: number): void => {
    const drop = Math.min(heldCount, Math.max(0, index - half + 1 - heldFrom));
    const kept = heldCount - drop;
    if (kept + count > held.length) {
      const larger = new Float32Array(kept + count);
      larger.set(held.subarray(drop, heldCount));
      held = larger;
    } else {
      held.copyWithin(0, drop, heldCount);
    }
    if (block) held.set(block, kept);
    else held.fill(0, kept, kept + count);
    heldFrom += drop;
    heldCount = kept + count;
  };

  /** Every output up to input position `end` (exclusive) whose last tap is there. */
  const drain = (end: number): Float32Array => {
    const lastIndex = Math.min(heldFrom + heldCount - half - 1, end - 1);
    if (index > lastIndex) return NOTHING;
    const output = new Float32Array(Math.ceil(((lastIndex + 1 - index) * up - part) / down));
    for (let n = 0; n < output.length; n++) {
      const at = index - half + 1 - heldFrom;
      if (isExact) {
        output[n] = dot(rows[part] as Float32Array, held, at, taps);
      } else {
        const place = (part * phases) / up;
        const below = Math.floor(place);
        const share = place - below;
        const low = dot(rows[below] as Float32Array, held, at, taps);
        const high = dot(rows[below + 1] as Float32Array, held, at, taps);
        output[n] = low + share * (high - low);
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
      append(block, block.length);
      received += block.length;
      return drain(received);
    },
    flush() {
      append(null, half + 1);
      return drain(received);
    },
  };
}

/** Four sums at a time: one alone would wait for each addition. */
function dot(row: Float32Array, samples: Float32Array, at: number, taps: number): number {
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
