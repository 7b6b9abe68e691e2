/** Hz of the sound. */
export const RATE = 16_000;
/** Samples of a window, and from one to the next. */
export const WINDOW = 400;
export const HOP = 160;
export const BINS = WINDOW / 2 + 1;

/** Linear below 1 kHz at 200/3 Hz a mel, logarithmic above with 27 mels to a factor of 6.4 (Slaney's Auditory Toolbox). */
const LINEAR_HZ = 200 / 3;
const KNEE_HZ = 1000;
const LOG_STEP = Math.log(6.4) / 27;

function melOf(hz: number): number {
  return hz < KNEE_HZ ? hz / LINEAR_HZ : KNEE_HZ / LINEAR_HZ + Math.log(hz / KNEE_HZ) / LOG_STEP;
}

function hzOf(mel: number): number {
  const knee = KNEE_HZ / LINEAR_HZ;
  return mel < knee ? mel * LINEAR_HZ : KNEE_HZ * Math.exp((mel - knee) * LOG_STEP);
}

/** Whisper's mel filters (triangles of equal area, 0–8 kHz): row after row of a matrix [201 bins, mels]. */
export function melFilters(mels: number): Float32Array {
  const top = melOf(RATE / 2);
  const edges = Float64Array.from({ length: mels + 2 }, (_, i) => hzOf((top * i) / (mels + 1)));
  const filters = new Float32Array(BINS * mels);
  for (let mel = 0; mel < mels; mel++) {
    const [low, middle, high] = [edges[mel] as number, edges[mel + 1] as number, edges[mel + 2] as number];
    for (let bin = 0; bin < BINS; bin++) {
      const hz = (bin * RATE) / WINDOW;
      const height = Math.min((hz - low) / (middle - low), (high - hz) / (high - middle));
      filters[bin * mels + mel] = (Math.max(0, height) * 2) / (high - low);
    }
  }
  return filters;
}
