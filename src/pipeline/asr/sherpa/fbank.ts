/** How sound becomes frames of log-mel features, as Kaldi does it (feat/feature-fbank.cc, feature-window.cc, mel-computations.cc), without dither. */
export interface FbankOptions {
  readonly window: "hamming" | "povey";
  /** Hz; 0 or less counts from half the sample rate. */
  readonly lowHz: number;
  readonly highHz: number;
  /** Only whole windows; else as many frames as 10 ms fit, the sound reflected at its ends. */
  readonly snipEdges: boolean;
  /** Samples are multiplied by it: 32,768 where the model wants 16-bit values. */
  readonly scale: number;
}

const RATE = 16_000;
const LENGTH = 400;
const SHIFT = 160;
const FFT = 512;
const HALF = FFT / 2;
export const MEL_BINS = 80;
const PRE_EMPHASIS = 0.97;
/** The smallest difference from 1 that float32 knows: Kaldi's floor of an energy. */
const FLOOR = 1.1920928955078125e-7;

/** Makes features of sound at 16 kHz: frame after frame, 80 values each. */
export type Fbank = (sound: Float32Array) => Float32Array;

export function framesIn(samples: number, snipEdges: boolean): number {
  if (snipEdges) return samples < LENGTH ? 0 : 1 + Math.floor((samples - LENGTH) / SHIFT);
  return Math.floor((samples + SHIFT / 2) / SHIFT);
}

export function createFbank(options: FbankOptions): Fbank {
  const window = windowOf(options.window);
  const filters = melFilters(options);
  const transform = createPowerSpectrum();
  const frame = new Float64Array(FFT);
  const power = new Float64Array(HALF + 1);
  return (sound) => {
    const frames = framesIn(sound.length, options.snipEdges);
    const features = new Float32Array(frames * MEL_BINS);
    for (let index = 0; index < frames; index++) {
      const start = options.snipEdges ? index * SHIFT : index * SHIFT + SHIFT / 2 - LENGTH / 2;
      cut(sound, start, options.scale, frame);
      shape(frame, window);
      transform(frame, power);
      for (let bin = 0; bin < MEL_BINS; bin++) {
        const { from, weights } = filters[bin] as Filter;
        let energy = 0;
        for (let i = 0; i < weights.length; i++) energy += (weights[i] as number) * (power[from + i] as number);
        features[index * MEL_BINS + bin] = Math.log(Math.max(energy, FLOOR));
      }
    }
    return features;
  };
}

/** 400 samples from `start` on; outside the sound it is mirrored. */
function cut(sound: Float32Array, start: number, scale: number, frame: Float64Array): void {
  const inside = start >= 0 && start + LENGTH <= sound.length;
  for (let i = 0; i < LENGTH; i++) {
    let at = start + i;
    if (!inside) {
      while (at < 0 || at >= sound.length) at = at < 0 ? -at - 1 : 2 * sound.length - 1 - at;
    }
    frame[i] = (sound[at] as number) * scale;
  }
  frame.fill(0, LENGTH);
}

/** Takes the mean out, lifts the high frequencies, fades both ends. */
function shape(frame: Float64Array, window: Float64Array): void {
  let mean = 0;
  for (let i = 0; i < LENGTH; i++) mean += frame[i] as number;
  mean /= LENGTH;
  for (let i = LENGTH - 1; i > 0; i--) {
    frame[i] = ((frame[i] as number) - mean - PRE_EMPHASIS * ((frame[i - 1] as number) - mean)) * (window[i] as number);
  }
  frame[0] = ((frame[0] as number) - mean) * (1 - PRE_EMPHASIS) * (window[0] as number);
}

function windowOf(kind: FbankOptions["window"]): Float64Array {
  return Float64Array.from({ length: LENGTH }, (_, i) => {
    const wave = Math.cos((2 * Math.PI * i) / (LENGTH - 1));
    return kind === "hamming" ? 0.54 - 0.46 * wave : (0.5 - 0.5 * wave) ** 0.85;
  });
}

interface Filter {
  /** First bin of the spectrum. */
  readonly from: number;
  readonly weights: Float64Array;
}

const mel = (hz: number): number => 1127 * Math.log(1 + hz / 700);

/** Triangles evenly spaced on the mel scale. */
function melFilters({ lowHz, highHz }: FbankOptions): Filter[] {
  const low = mel(lowHz);
  const high = mel(highHz > 0 ? highHz : RATE / 2 + highHz);
  const step = (high - low) / (MEL_BINS + 1);
  return Array.from({ length: MEL_BINS }, (_, bin) => {
    const left = low + bin * step;
    const centre = left + step;
    const right = centre + step;
    const weights: number[] = [];
    let from = 0;
    for (let i = 0; i < HALF; i++) {
      const at = mel((RATE / FFT) * i);
      if (at <= left || at >= right) continue;
      if (weights.length === 0) from = i;
      weights.push(at <= centre ? (at - left) / (centre - left) : (right - at) / (right - centre));
    }
    return { from, weights: Float64Array.from(weights) };
  });
}

/** |FFT|² of 512 real values, as a complex transform of 256 whose halves are told apart afterwards. */
function createPowerSpectrum(): (frame: Float64Array, power: Float64Array) => void {
  const re = new Float64Array(HALF);
  const im = new Float64Array(HALF);
  const reversed = Uint16Array.from({ length: HALF }, (_, i) => {
    let out = 0;
    for (let bit = 1, rest = i; bit < HALF; bit *= 2, rest >>= 1) out = out * 2 + (rest & 1);
    return out;
  });
  const cos = Float64Array.from({ length: HALF }, (_, i) => Math.cos((-2 * Math.PI * i) / FFT));
  const sin = Float64Array.from({ length: HALF }, (_, i) => Math.sin((-2 * Math.PI * i) / FFT));
  return (frame, power) => {
    for (let i = 0; i < HALF; i++) {
      const to = reversed[i] as number;
      re[to] = frame[2 * i] as number;
      im[to] = frame[2 * i + 1] as number;
    }
    for (let size = 1; size < HALF; size *= 2) {
      // Twiddles of this stage lie FFT / (2 size) apart in the table of 512.
      const stride = HALF / size;
      for (let k = 0; k < size; k++) {
        const c = cos[k * stride] as number;
        const s = sin[k * stride] as number;
        for (let a = k; a < HALF; a += 2 * size) {
          const b = a + size;
          const br = re[b] as number;
          const bi = im[b] as number;
          const tr = br * c - bi * s;
          const ti = br * s + bi * c;
          const ar = re[a] as number;
          const ai = im[a] as number;
          re[b] = ar - tr;
          im[b] = ai - ti;
          re[a] = ar + tr;
          im[a] = ai + ti;
        }
      }
    }
    power[0] = ((re[0] as number) + (im[0] as number)) ** 2;
    power[HALF] = ((re[0] as number) - (im[0] as number)) ** 2;
    for (let k = 1; k < HALF; k++) {
      const j = HALF - k;
      const evenRe = ((re[k] as number) + (re[j] as number)) / 2;
      const evenIm = ((im[k] as number) - (im[j] as number)) / 2;
      const oddRe = ((im[k] as number) + (im[j] as number)) / 2;
      const oddIm = ((re[j] as number) - (re[k] as number)) / 2;
      const c = cos[k] as number;
      const s = sin[k] as number;
      const r = evenRe + oddRe * c - oddIm * s;
      const i = evenIm + oddRe * s + oddIm * c;
      power[k] = r * r + i * i;
    }
  };
}
