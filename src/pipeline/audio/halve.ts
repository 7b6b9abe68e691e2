import { createDelayLine, tapAt, tapsFor } from "./fir.ts";

/** One step of resampling: streaming, without delay. */
export interface Stage {
  push(block: Float32Array): Float32Array;
  flush(): Float32Array;
}

const NOTHING = new Float32Array(0);

/**
 * Every second sample, by a half-band filter: every second tap is zero and the rest are symmetric, so that a quarter of the
 * multiplications remain.
 *
 * @param pass upper edge of what must stay untouched, cycles per input sample; what would fold onto it is removed
 */
export function createHalver(pass: number): Stage {
  const pairs = Math.ceil((tapsFor(0.5 - 2 * pass) + 1) / 4);
  const half = 2 * pairs;
  const taps = Float64Array.from({ length: pairs }, (_, i) => tapAt(2 * i + 1, half, 0.25));
  // A constant passes unchanged: the centre is one half, both sides together the other.
  const total = taps.reduce((sum, tap) => sum + tap, 0);
  for (let i = 0; i < pairs; i++) taps[i] = (taps[i] as number) / (4 * total);

  const line = createDelayLine(half);
  let centre = 0;
  const drain = (received: number): Float32Array => {
    const last = Math.min(line.end - half, received - 1);
    if (centre > last) return NOTHING;
    const output = new Float32Array(Math.floor((last - centre) / 2) + 1);
    const { samples } = line;
    let at = centre - line.first;
    for (let n = 0; n < output.length; n++, at += 2) {
      let sum = 0.5 * (samples[at] as number);
      for (let i = 0, offset = 1; i < pairs; i++, offset += 2) {
        sum += (taps[i] as number) * ((samples[at - offset] as number) + (samples[at + offset] as number));
      }
      output[n] = sum;
    }
    centre += 2 * output.length;
    return output;
  };
  return {
    push(block) {
      line.append(block, centre - half);
      return drain(line.end);
    },
    flush() {
      const received = line.end;
      line.append(half, centre - half);
      return drain(received);
    },
  };
}
