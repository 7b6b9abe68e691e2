/** What a CTC model gives: a row of scores for every frame, one score a symbol; any constant may be missing from a row. */
export interface Scores {
  readonly data: Float32Array;
  readonly frames: number;
  readonly symbols: number;
}

/** The best symbol of a frame, and where it goes on, as greedy decoding finds them. */
export interface CtcToken {
  readonly id: number;
  /** The first frame. */
  readonly frame: number;
  /** Natural log-probability in the frame where it stands out most. */
  readonly logProb: number;
}

const STEPS = 256;
const DEEPEST = 20;
/** exp(-i / 256) at the middle of each step: right to 0.2 %, and ten times as fast as Math.exp. */
const EXP = Float64Array.from({ length: DEEPEST * STEPS + 1 }, (_, i) => (i === DEEPEST * STEPS ? 0 : Math.exp(-(i + 0.5) / STEPS)));

/** Logarithm of the sum of a row's exponentials, right to 0.002: what its scores lack to be log-probabilities. */
export function logSum({ data, symbols }: Scores, frame: number): number {
  const from = frame * symbols;
  let most = Number.NEGATIVE_INFINITY;
  for (let i = from; i < from + symbols; i++) if ((data[i] as number) > most) most = data[i] as number;
  if (!Number.isFinite(most)) return most;
  let sum = 0;
  for (let i = from; i < from + symbols; i++) sum += EXP[Math.min((most - (data[i] as number)) * STEPS, DEEPEST * STEPS) | 0] as number;
  // The best one's own share is exact, whatever the step's middle says.
  return most + Math.log(sum - (EXP[0] as number) + 1);
}

/**
 * The best symbol of each frame from `first` on, blanks and repeats left out (Graves et al. 2006, "best path decoding"). Of equal scores the lower symbol wins, as
 * sherpa-onnx has it.
 */
export function decodeGreedily(scores: Scores, blank: number, first = 0): CtcToken[] {
  const { data, frames, symbols } = scores;
  const tokens: CtcToken[] = [];
  let before = -1;
  let began = 0;
  let strongest = 0;
  let strength = 0;
  const close = () => {
    if (before < 0 || before === blank) return;
    const score = data[strongest * symbols + before] as number;
    tokens.push({ id: before, frame: began, logProb: Math.min(0, score - logSum(scores, strongest)) });
  };
  for (let frame = first; frame < frames; frame++) {
    const from = frame * symbols;
    let best = 0;
    let most = data[from] as number;
    for (let i = 1; i < symbols; i++) {
      const score = data[from + i] as number;
      if (score > most) {
        most = score;
        best = i;
      }
    }
    const margin = most - (data[from + blank] as number);
    if (best !== before) {
      close();
      before = best;
      began = frame;
      strongest = frame;
      strength = margin;
    } else if (margin > strength) {
      strongest = frame;
      strength = margin;
    }
  }
  close();
  return tokens;
}

/** Makes rows into log-probabilities once, for any number of texts. */
export interface Judge {
  /** Natural logarithm of the probability of exactly these symbols, over all their paths; -Infinity where they have no room or are not known. */
  weigh(ids: readonly number[]): number;
}

/** Judges symbols against the frames from `first` on, by the forward algorithm of CTC (Graves et al. 2006, section 4.1). */
export function createJudge(scores: Scores, blank: number, first = 0): Judge {
  const { data, frames, symbols } = scores;
  const sums = Float64Array.from({ length: frames }, (_, frame) => (frame < first ? 0 : logSum(scores, frame)));
  const logProb = (frame: number, id: number): number => (data[frame * symbols + id] as number) - (sums[frame] as number);
  return {
    weigh(ids) {
      if (ids.some((id) => !(id >= 0 && id < symbols))) return Number.NEGATIVE_INFINITY;
      // States: blank, first symbol, blank, second symbol, …, blank.
      const states = 2 * ids.length + 1;
      const symbolOf = (state: number): number => (state % 2 === 0 ? blank : (ids[(state - 1) / 2] as number));
      let alpha = new Float64Array(states).fill(Number.NEGATIVE_INFINITY);
      let next = new Float64Array(states);
      if (first >= frames) return ids.length === 0 ? 0 : Number.NEGATIVE_INFINITY;
      alpha[0] = logProb(first, blank);
      if (states > 1) alpha[1] = logProb(first, symbolOf(1));
      for (let frame = first + 1; frame < frames; frame++) {
        for (let state = 0; state < states; state++) {
          let sum = alpha[state] as number;
          if (state > 0) sum = logAdd(sum, alpha[state - 1] as number);
          if (state > 1 && state % 2 === 1 && symbolOf(state) !== symbolOf(state - 2)) sum = logAdd(sum, alpha[state - 2] as number);
          next[state] = sum === Number.NEGATIVE_INFINITY ? sum : sum + logProb(frame, symbolOf(state));
        }
        [alpha, next] = [next, alpha];
      }
      const end = alpha[states - 1] as number;
      return states === 1 ? end : logAdd(end, alpha[states - 2] as number);
    },
  };
}

function logAdd(a: number, b: number): number {
  if (a === Number.NEGATIVE_INFINITY) return b;
  if (b === Number.NEGATIVE_INFINITY) return a;
  return a > b ? a + Math.log1p(Math.exp(b - a)) : b + Math.log1p(Math.exp(a - b));
}
