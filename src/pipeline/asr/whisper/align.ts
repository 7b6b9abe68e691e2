/** ms of one position of the encoder. */
export const POSITION_MS = 20;
const MEDIAN = 7;

/**
 * When each token began, in positions of 20 ms, by what the alignment heads looked at when it was chosen: each head's weights normalised over the tokens, smoothed
 * by a median of 7 positions, averaged, and the cheapest monotonous path through them (dynamic time warping), as openai-whisper's timing.py does.
 *
 * @param rows of each token: [heads, stride], the first `positions` of which are of the sound
 * @returns one start a row, ascending
 */
export function alignTokens(
  rows: readonly Float32Array[],
  { stride, positions }: { readonly stride: number; readonly positions: number },
): number[] {
  const count = rows.length;
  if (count === 0 || positions === 0) return rows.map(() => 0);
  const heads = (rows[0] as Float32Array).length / stride;
  const cost = new Float64Array(count * positions);
  const weights = new Float64Array(count * positions);
  const line = new Float64Array(positions);
  for (let head = 0; head < heads; head++) {
    rows.forEach((row, token) => {
      let total = 1e-12;
      for (let at = 0; at < positions; at++) total += row[head * stride + at] as number;
      for (let at = 0; at < positions; at++) weights[token * positions + at] = (row[head * stride + at] as number) / total;
    });
    normaliseColumns(weights, count, positions);
    for (let token = 0; token < count; token++) {
      medianFilter(weights.subarray(token * positions, (token + 1) * positions), line);
      for (let at = 0; at < positions; at++)
        cost[token * positions + at] = (cost[token * positions + at] as number) - (line[at] as number) / heads;
    }
  }
  return cheapestPath(cost, count, positions);
}

/** Each column to mean 0 and standard deviation 1. */
function normaliseColumns(values: Float64Array, rows: number, columns: number): void {
  const means = new Float64Array(columns);
  const scales = new Float64Array(columns);
  // Row by row, as they lie in memory.
  for (let start = 0; start < values.length; start += columns)
    for (let column = 0; column < columns; column++) {
      const value = values[start + column] as number;
      means[column] = (means[column] as number) + value / rows;
      scales[column] = (scales[column] as number) + (value * value) / rows;
    }
  for (let column = 0; column < columns; column++)
    scales[column] = 1 / (Math.sqrt(Math.max(0, (scales[column] as number) - (means[column] as number) ** 2)) || 1);
  for (let start = 0; start < values.length; start += columns)
    for (let column = 0; column < columns; column++)
      values[start + column] = ((values[start + column] as number) - (means[column] as number)) * (scales[column] as number);
}

/** Median of 7 around each value, mirrored at both ends. @param target as many values */
export function medianFilter(values: Float64Array, target: Float64Array): void {
  const half = (MEDIAN - 1) / 2;
  const last = values.length - 1;
  const valueAt = (at: number): number => {
    const mirrored = Math.abs(at);
    return values[mirrored > last ? Math.max(0, 2 * last - mirrored) : mirrored] as number;
  };
  // Sorted all along: one value leaves it and one comes in.
  const window = Float64Array.from({ length: MEDIAN }, (_, i) => valueAt(i - half)).sort();
  for (let at = 0; at <= last; at++) {
    target[at] = window[half] as number;
    const gone = valueAt(at - half);
    const come = valueAt(at + half + 1);
    let place = 0;
    while (place < MEDIAN - 1 && window[place] !== gone) place++;
    for (; place > 0 && (window[place - 1] as number) > come; place--) window[place] = window[place - 1] as number;
    for (; place < MEDIAN - 1 && (window[place + 1] as number) < come; place++) window[place] = window[place + 1] as number;
    window[place] = come;
  }
}

const DIAGONAL = 0;
const DOWN = 1;

/** Column at which the cheapest path from the first cell to the last enters each row. */
function cheapestPath(cost: Float64Array, rows: number, columns: number): number[] {
  let above = new Float64Array(columns + 1).fill(Number.POSITIVE_INFINITY);
  above[0] = 0;
  let here = new Float64Array(columns + 1);
  const steps = new Uint8Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    here[0] = Number.POSITIVE_INFINITY;
    for (let column = 0; column < columns; column++) {
      const diagonal = above[column] as number;
      const down = above[column + 1] as number;
      const right = here[column] as number;
      const step = diagonal < down && diagonal < right ? DIAGONAL : down < diagonal && down < right ? DOWN : 2;
      steps[row * columns + column] = step;
      here[column + 1] = (cost[row * columns + column] as number) + (step === DIAGONAL ? diagonal : step === DOWN ? down : right);
    }
    [above, here] = [here, above];
  }
  const starts = new Array<number>(rows).fill(0);
  for (let row = rows - 1, column = columns - 1; row >= 0 && column >= 0; ) {
    starts[row] = column;
    const step = steps[row * columns + column];
    if (step !== 2) row--;
    if (step !== DOWN) column--;
  }
  return starts;
}
