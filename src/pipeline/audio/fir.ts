/** What the filters of resampling share: their design, and the samples they look at. */

/** Attenuation of what must not be heard; telephone speech has a range of 40 dB. */
const STOP_DB = 60;
/** Kaiser, Nonrecursive digital filter design using the I0-sinh window function, 1974: shape and length by attenuation. */
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

/** Taps that a transition of this width (cycles per sample) needs. */
export function tapsFor(transition: number): number {
  return Math.ceil((STOP_DB - 7.95) / (2.285 * 2 * Math.PI * transition));
}

/** Kaiser-windowed sinc: the tap at `distance` samples from the centre, for a cutoff in cycles per sample. */
export function tapAt(distance: number, half: number, cutoff: number): number {
  const edge = distance / half;
  if (Math.abs(edge) >= 1) return 0;
  const angle = 2 * Math.PI * cutoff * distance;
  const sinc = angle === 0 ? 1 : Math.sin(angle) / angle;
  return (sinc * besselI0(KAISER_BETA * Math.sqrt(1 - edge * edge))) / besselI0(KAISER_BETA);
}

/** The last samples of a stream, addressed by their index in it; before the first there is silence. */
export interface DelayLine {
  /** Sample i of the stream is `samples[i - first]`. Doubles, for they are multiplied as such. */
  readonly samples: Float64Array;
  readonly first: number;
  /** Index after the last sample. */
  readonly end: number;
  /** Adds a block, or that many zeros, and forgets what lies before index `from`. */
  append(block: Float32Array | number, from: number): void;
}

/** @param silence samples of silence before the first one */
export function createDelayLine(silence: number): DelayLine {
  let samples = new Float64Array(4096 + silence);
  let first = -silence;
  let end = 0;
  return {
    get samples() {
      return samples;
    },
    get first() {
      return first;
    },
    get end() {
      return end;
    },
    append(block, from) {
      const count = typeof block === "number" ? block : block.length;
      const drop = Math.min(end, Math.max(first, from)) - first;
      const kept = end - first - drop;
      if (kept + count > samples.length) {
        const larger = new Float64Array(2 * (kept + count));
        larger.set(samples.subarray(drop, drop + kept));
        samples = larger;
      } else {
        samples.copyWithin(0, drop, drop + kept);
      }
      if (typeof block === "number") samples.fill(0, kept, kept + count);
      else samples.set(block, kept);
      first += drop;
      end += count;
    },
  };
}
