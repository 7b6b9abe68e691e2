import { centred, dot, largestEigenPairs, type Matrix } from "./algebra.ts";

/** Dimensions in which voices are grouped: more hold words and noise. */
const DIMENSIONS = 6;
/** Components by which the groups are first split, each by sign and at its median. */
const SPLITS = 3;
const MOST_ROUNDS = 50;

/** The rows on their `count` strongest components (principal component analysis: SVD of the rows less their mean). */
export function components(points: Matrix, count = DIMENSIONS): Matrix {
  const { rows, columns, values } = centred(points);
  const width = Math.min(count, rows, columns);
  const onRows = new Float64Array(rows);
  // The covariance is never built: its product with a vector is two of the rows'.
  const { vectors } = largestEigenPairs(
    columns,
    (vector, into) => {
      for (let row = 0; row < rows; row++) onRows[row] = dot(values, row * columns, vector, 0, columns);
      into.fill(0);
      for (let row = 0; row < rows; row++) {
        const weight = onRows[row] as number;
        for (let i = 0; i < columns; i++) into[i] = (into[i] as number) + weight * (values[row * columns + i] as number);
      }
    },
    width,
  );
  const projected = new Float64Array(rows * width);
  for (let row = 0; row < rows; row++) {
    for (const [i, vector] of vectors.entries()) projected[row * width + i] = dot(values, row * columns, vector, 0, columns);
  }
  return { rows, columns: width, values: projected };
}

/** Groups points (already on their components) in two: 0 or 1 for each, by the best of six starts. All 0 where there is nothing to split. */
export function twoMeans(points: Matrix): Uint8Array {
  let best: { groups: Uint8Array; spread: number } = { groups: new Uint8Array(points.rows), spread: Number.POSITIVE_INFINITY };
  for (let component = 0; component < Math.min(SPLITS, points.columns); component++) {
    const track = Float64Array.from({ length: points.rows }, (_, row) => points.values[row * points.columns + component] as number);
    const median = Float64Array.from(track).sort()[points.rows >> 1] ?? 0;
    for (const border of [0, median]) {
      const found = settle(
        points,
        Uint8Array.from(track, (value) => (value > border ? 1 : 0)),
      );
      if (found && found.spread < best.spread) best = found;
    }
  }
  return best.groups;
}

/** Moves every point to the nearer mean until none moves; null where a group runs empty. */
function settle({ rows, columns, values }: Matrix, groups: Uint8Array): { groups: Uint8Array; spread: number } | null {
  for (let round = 0; ; round++) {
    const means = [new Float64Array(columns), new Float64Array(columns)] as const;
    const sizes: [number, number] = [0, 0];
    for (let row = 0; row < rows; row++) sizes[groups[row] as 0 | 1]++;
    if (sizes[0] === 0 || sizes[1] === 0) return null;
    for (let row = 0; row < rows; row++) {
      const group = groups[row] as 0 | 1;
      const mean = means[group];
      for (let i = 0; i < columns; i++) mean[i] = (mean[i] as number) + (values[row * columns + i] as number) / sizes[group];
    }
    let moved = 0;
    let spread = 0;
    for (let row = 0; row < rows; row++) {
      const [near, far] = means.map((mean) => {
        let distance = 0;
        for (let i = 0; i < columns; i++) distance += ((values[row * columns + i] as number) - (mean[i] as number)) ** 2;
        return distance;
      }) as [number, number];
      const group = near <= far ? 0 : 1;
      if (group !== groups[row]) moved++;
      groups[row] = group;
      spread += Math.min(near, far);
    }
    if (moved === 0 || round === MOST_ROUNDS) return { groups, spread };
  }
}
