/** A discrete Fourier transform of real signals of one length. The work arrays are shared between calls: one user at a time. */
export interface RealFft {
  /** Samples in: a power of two of at least 16. */
  readonly size: number;
  /** Bins `0 … size / 2` of the transform of `input` (not scaled), into `re` and `im` of at least `size / 2 + 1`. */
  forward(input: ArrayLike<number>, re: Float64Array, im: Float64Array): void;
  /** Power of bins `0 … size / 2` of the `size` samples at `from` (0 by default) under a window, into `power`: what `forward` would give, squared, in one go. */
  power(input: Float32Array, window: Float64Array, power: Float64Array, from?: number): void;
  /** The real signal whose bins these are (scaled: undoes `forward`), into `output` of `size`. */
  inverse(re: Float64Array, im: Float64Array, output: Float64Array): void;
}

/**
 * Builds the transform: a complex one of half the length (Cooley–Tukey, decimation in time, two radix-2 stages taken together so
 * that memory is walked half as often), then the usual split of its bins into those of the real signal.
 */
export function createRealFft(size: number): RealFft {
  const half = size / 2;
  const reversed = bitReversal(half);
  const stages = twiddles(half);
  const splitCos = new Float64Array(half + 1);
  const splitSin = new Float64Array(half + 1);
  for (let k = 0; k <= half; k++) {
    splitCos[k] = Math.cos((-2 * Math.PI * k) / size);
    splitSin[k] = Math.sin((-2 * Math.PI * k) / size);
  }
  const re = new Float64Array(half);
  const im = new Float64Array(half);

  return {
    size,
    forward(input, outRe, outIm) {
      for (let i = 0; i < half; i++) {
        const from = 2 * (reversed[i] as number);
        re[i] = input[from] as number;
        im[i] = input[from + 1] as number;
      }
      transform(re, im, stages);
      outRe[0] = (re[0] as number) + (im[0] as number);
      outIm[0] = 0;
      outRe[half] = (re[0] as number) - (im[0] as number);
      outIm[half] = 0;
      for (let k = 1, m = half - 1; k <= m; k++, m--) {
        const rk = re[k] as number;
        const ik = im[k] as number;
        const rm = re[m] as number;
        const imag = im[m] as number;
        const evenRe = (rk + rm) / 2;
        const evenIm = (ik - imag) / 2;
        const oddRe = (ik + imag) / 2;
        const oddIm = (rm - rk) / 2;
        const wr = splitCos[k] as number;
        const wi = splitSin[k] as number;
        const tr = oddRe * wr - oddIm * wi;
        const ti = oddRe * wi + oddIm * wr;
        outRe[k] = evenRe + tr;
        outIm[k] = evenIm + ti;
        outRe[m] = evenRe - tr;
        outIm[m] = ti - evenIm;
      }
    },
    power(input, window, power, from = 0) {
      for (let i = 0; i < half; i++) {
        const at = 2 * (reversed[i] as number);
        re[i] = (input[from + at] as number) * (window[at] as number);
        im[i] = (input[from + at + 1] as number) * (window[at + 1] as number);
      }
      transform(re, im, stages);
      const r0 = re[0] as number;
      const i0 = im[0] as number;
      power[0] = (r0 + i0) * (r0 + i0);
      power[half] = (r0 - i0) * (r0 - i0);
      for (let k = 1, m = half - 1; k <= m; k++, m--) {
        const rk = re[k] as number;
        const ik = im[k] as number;
        const rm = re[m] as number;
        const imag = im[m] as number;
        const evenRe = (rk + rm) / 2;
        const evenIm = (ik - imag) / 2;
        const oddRe = (ik + imag) / 2;
        const oddIm = (rm - rk) / 2;
        const wr = splitCos[k] as number;
        const wi = splitSin[k] as number;
        const tr = oddRe * wr - oddIm * wi;
        const ti = oddRe * wi + oddIm * wr;
        power[k] = (evenRe + tr) * (evenRe + tr) + (evenIm + ti) * (evenIm + ti);
        power[m] = (evenRe - tr) * (evenRe - tr) + (ti - evenIm) * (ti - evenIm);
      }
    },
    inverse(inRe, inIm, output) {
      // The half-length spectrum is put together again and transformed conjugated, which inverts.
      for (let i = 0; i < half; i++) {
        const k = reversed[i] as number;
        const m = half - k;
        const evenRe = ((inRe[k] as number) + (inRe[m] as number)) / 2;
        const evenIm = ((inIm[k] as number) - (inIm[m] as number)) / 2;
        const diffRe = ((inRe[k] as number) - (inRe[m] as number)) / 2;
        const diffIm = ((inIm[k] as number) + (inIm[m] as number)) / 2;
        const wr = splitCos[k] as number;
        const wi = -(splitSin[k] as number);
        re[i] = evenRe - (diffRe * wi + diffIm * wr);
        im[i] = -(evenIm + diffRe * wr - diffIm * wi);
      }
      transform(re, im, stages);
      for (let i = 0; i < half; i++) {
        output[2 * i] = (re[i] as number) / half;
        output[2 * i + 1] = -(im[i] as number) / half;
      }
    },
  };
}

/** In place on `re`, `im`, which hold the input in bit-reversed order. */
function transform(re: Float64Array, im: Float64Array, stages: readonly Float64Array[]): void {
  const length = re.length;
  for (let i = 0; i < length; i += 4) {
    const ar = (re[i] as number) + (re[i + 1] as number);
    const ai = (im[i] as number) + (im[i + 1] as number);
    const br = (re[i] as number) - (re[i + 1] as number);
    const bi = (im[i] as number) - (im[i + 1] as number);
    const cr = (re[i + 2] as number) + (re[i + 3] as number);
    const ci = (im[i + 2] as number) + (im[i + 3] as number);
    const dr = (re[i + 2] as number) - (re[i + 3] as number);
    const di = (im[i + 2] as number) - (im[i + 3] as number);
    re[i] = ar + cr;
    im[i] = ai + ci;
    re[i + 1] = br + di;
    im[i + 1] = bi - dr;
    re[i + 2] = ar - cr;
    im[i + 2] = ai - ci;
    re[i + 3] = br - di;
    im[i + 3] = bi + dr;
  }
  let span = 4;
  for (const table of stages) {
    if (table.length === 2 * span) {
      radix2(re, im, span, table);
      span *= 2;
    } else {
      radix4(re, im, span, table);
      span *= 4;
    }
  }
}

function radix2(re: Float64Array, im: Float64Array, span: number, table: Float64Array): void {
  for (let start = 0; start < re.length; start += 2 * span) {
    for (let k = 0; k < span; k++) {
      const a = start + k;
      const b = a + span;
      const wr = table[2 * k] as number;
      const wi = table[2 * k + 1] as number;
      const xr = (re[b] as number) * wr - (im[b] as number) * wi;
      const xi = (re[b] as number) * wi + (im[b] as number) * wr;
      const yr = re[a] as number;
      const yi = im[a] as number;
      re[a] = yr + xr;
      im[a] = yi + xi;
      re[b] = yr - xr;
      im[b] = yi - xi;
    }
  }
}

function radix4(re: Float64Array, im: Float64Array, span: number, table: Float64Array): void {
  for (let start = 0; start < re.length; start += 4 * span) {
    for (let k = 0, t = 0; k < span; k++, t += 6) {
      const a = start + k;
      const b = a + span;
      const c = b + span;
      const d = c + span;
      const w1r = table[t] as number;
      const w1i = table[t + 1] as number;
      const w2r = table[t + 2] as number;
      const w2i = table[t + 3] as number;
      const w3r = table[t + 4] as number;
      const w3i = table[t + 5] as number;
      const ar = re[a] as number;
      const ai = im[a] as number;
      const br = (re[b] as number) * w1r - (im[b] as number) * w1i;
      const bi = (re[b] as number) * w1i + (im[b] as number) * w1r;
      const cr = (re[c] as number) * w2r - (im[c] as number) * w2i;
      const ci = (re[c] as number) * w2i + (im[c] as number) * w2r;
      const dr = (re[d] as number) * w3r - (im[d] as number) * w3i;
      const di = (re[d] as number) * w3i + (im[d] as number) * w3r;
      const pr = ar + br;
      const pi = ai + bi;
      const qr = ar - br;
      const qi = ai - bi;
      const ur = cr + dr;
      const ui = ci + di;
      const vr = cr - dr;
      const vi = ci - di;
      re[a] = pr + ur;
      im[a] = pi + ui;
      re[c] = pr - ur;
      im[c] = pi - ui;
      re[b] = qr + vi;
      im[b] = qi - vr;
      re[d] = qr - vi;
      im[d] = qi + vr;
    }
  }
}

/** Factors of each stage after the first, in the order they are used: three a butterfly of four, one a butterfly of two. */
function twiddles(length: number): Float64Array[] {
  const stages: Float64Array[] = [];
  const factor = (table: Float64Array, at: number, turns: number) => {
    table[at] = Math.cos(-2 * Math.PI * turns);
    table[at + 1] = Math.sin(-2 * Math.PI * turns);
  };
  let span = 4;
  while (span < length) {
    if (2 * span === length) {
      const table = new Float64Array(2 * span);
      for (let k = 0; k < span; k++) factor(table, 2 * k, k / (2 * span));
      stages.push(table);
      span *= 2;
    } else {
      const table = new Float64Array(6 * span);
      for (let k = 0; k < span; k++) {
        factor(table, 6 * k, k / (2 * span));
        factor(table, 6 * k + 2, k / (4 * span));
        factor(table, 6 * k + 4, (3 * k) / (4 * span));
      }
      stages.push(table);
      span *= 4;
    }
  }
  return stages;
}

function bitReversal(length: number): Uint32Array {
  const bits = Math.log2(length);
  const order = new Uint32Array(length);
  for (let i = 0; i < length; i++) {
    let mirrored = 0;
    for (let bit = 0; bit < bits; bit++) if (i & (1 << bit)) mirrored |= 1 << (bits - 1 - bit);
    order[i] = mirrored;
  }
  return order;
}
