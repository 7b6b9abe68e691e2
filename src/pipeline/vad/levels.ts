/** Samples in one frame of the level track: 8 ms at 8 kHz, four to a hop. */
export const LEVEL_FRAME = 64;
export const LEVEL_FRAME_MS = 8;

/**
 * Mean squares of consecutive frames of 8 ms at 8 kHz, written to `into` from `at` on; whole frames only.
 */
export function meanSquares(samples: Float32Array, into: Float32Array, at: number): void {
  const frames = Math.floor(samples.length / LEVEL_FRAME);
  for (let frame = 0; frame < frames; frame++) {
    // Four sums side by side: one would wait for each addition to end.
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    for (let i = frame * LEVEL_FRAME, end = i + LEVEL_FRAME; i < end; i += 4) {
      const w = samples[i] as number;
      const x = samples[i + 1] as number;
      const y = samples[i + 2] as number;
      const z = samples[i + 3] as number;
      a += w * w;
      b += x * x;
      c += y * y;
      d += z * z;
    }
    into[at + frame] = (a + b + c + d) / LEVEL_FRAME;
  }
}
