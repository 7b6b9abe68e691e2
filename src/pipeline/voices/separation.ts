import { dot, largestEigenPairs, type Matrix, meanDirection, rowsOf } from "./algebra.ts";
import { components, twoMeans } from "./two-means.ts";

/** Share of a row's affinities that count in full. */
const KEPT_SHARE = 0.3;
const REST = 0.01;
/** Looks that are taken together to see a voice without the words: two seconds of speech. */
const STRETCH = 5;
const LEAST_STRETCH = 3;
/** Fewer stretches of a voice don't show whether it is two. */
const LEAST_STRETCHES = 6;

/**
 * Mean silhouette of two groups of unit vectors in cosine distance (Rousseeuw 1987); 0 where a group is empty. The distance to a group's
 * members is 1 less the product with their sum, so that no pair is looked at.
 */
export function silhouette({ rows, columns, values }: Matrix, groups: Uint8Array): number {
  const sums = [new Float64Array(columns), new Float64Array(columns)] as const;
  const sizes: [number, number] = [0, 0];
  for (let row = 0; row < rows; row++) {
    const group = groups[row] as 0 | 1;
    const sum = sums[group];
    sizes[group]++;
    for (let i = 0; i < columns; i++) sum[i] = (sum[i] as number) + (values[row * columns + i] as number);
  }
  if (sizes[0] === 0 || sizes[1] === 0) return 0;
  let total = 0;
  for (let row = 0; row < rows; row++) {
    const own = groups[row] as 0 | 1;
    const other = (1 - own) as 0 | 1;
    // A group of one has a silhouette of 0.
    if (sizes[own] === 1) continue;
    const within = (sizes[own] - dot(values, row * columns, sums[own], 0, columns)) / (sizes[own] - 1);
    const between = 1 - dot(values, row * columns, sums[other], 0, columns) / sizes[other];
    total += (between - within) / Math.max(within, between, 1e-9);
  }
  return total / rows;
}

/**
 * λ3 − λ2 of the normalised Laplacian of the unit vectors' affinity (their cosine, not below 0; the strongest 30 % of a row in full, the rest a
 * hundredth of it; made symmetric): near 1 where there are two groups and no more. 0 for fewer than three vectors.
 */
export function eigengap({ rows, columns, values }: Matrix): number {
  if (rows < 3) return 0;
  const affinity = new Float64Array(rows * rows);
  for (let row = 0; row < rows; row++) {
    for (let other = row; other < rows; other++) {
      const cosine = Math.max(0, dot(values, row * columns, values, other * columns, columns));
      affinity[row * rows + other] = cosine;
      affinity[other * rows + row] = cosine;
    }
  }
  const least = Float64Array.from({ length: rows }, (_, row) => {
    const sorted = affinity.slice(row * rows, (row + 1) * rows).sort();
    return sorted[Math.floor((1 - KEPT_SHARE) * rows)] as number;
  });
  const degrees = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    for (let other = row; other < rows; other++) {
      const cosine = affinity[row * rows + other] as number;
      const kept = ((cosine >= (least[row] as number) ? 1 : REST) + (cosine >= (least[other] as number) ? 1 : REST)) / 2;
      affinity[row * rows + other] = cosine * kept;
      affinity[other * rows + row] = cosine * kept;
    }
  }
  for (let row = 0; row < rows; row++) {
    let degree = 0;
    for (let other = 0; other < rows; other++) degree += affinity[row * rows + other] as number;
    degrees[row] = 1 / Math.sqrt(Math.max(degree, 1e-9));
  }
  // The smallest values of the Laplacian are 1 less the largest of the affinity divided by the roots of both degrees.
  const { values: largest } = largestEigenPairs(
    rows,
    (vector, into) => {
      for (let row = 0; row < rows; row++) {
        let total = 0;
        for (let other = 0; other < rows; other++)
          total += (affinity[row * rows + other] as number) * (degrees[other] as number) * (vector[other] as number);
        into[row] = total * (degrees[row] as number);
      }
    },
    3,
  );
  return (largest[1] as number) - (largest[2] as number);
}

/** How a group falls apart in two itself: as two people would whom the grouping took for one. */
export interface InnerSplit {
  /** Of the two halves. */
  readonly silhouette: number;
  /** Distance of the halves' means, by that of the groups' means. */
  readonly share: number;
}

/**
 * Splits each group once more, by the means of some seconds of speech each, in which words weigh less than voices. A half of fewer than two of them is none.
 *
 * @param prints unit vectors in order of time
 */
export function innerSplits(prints: Matrix, groups: Uint8Array): readonly [InnerSplit, InnerSplit] {
  const stretches = stretchesOf(prints, groups);
  const ofGroup = (group: 0 | 1) =>
    rowsOf(
      stretches.means,
      [...stretches.groups.keys()].filter((row) => stretches.groups[row] === group),
    );
  const [zero, one] = [ofGroup(0), ofGroup(1)];
  const apart = distance(zero, one);
  const inner = (own: Matrix): InnerSplit => {
    if (own.rows < LEAST_STRETCHES) return { silhouette: 0, share: 0 };
    const halves = twoMeans(components(own));
    const [a, b] = ([0, 1] as const).map((half) =>
      rowsOf(
        own,
        [...halves.keys()].filter((row) => halves[row] === half),
      ),
    ) as [Matrix, Matrix];
    if (Math.min(a.rows, b.rows) < 2) return { silhouette: 0, share: 0 };
    return { silhouette: silhouette(own, halves), share: distance(a, b) / Math.max(apart, 1e-6) };
  };
  return [inner(zero), inner(one)];
}

/** Cosine distance of the means. */
function distance(a: Matrix, b: Matrix): number {
  return 1 - dot(meanDirection(a), 0, meanDirection(b), 0, a.columns);
}

/** Means of up to five neighbours of one group. */
function stretchesOf(prints: Matrix, groups: Uint8Array): { readonly means: Matrix; readonly groups: Uint8Array } {
  const means: number[] = [];
  const owners: number[] = [];
  for (let from = 0; from < prints.rows; ) {
    let to = from + 1;
    while (to < prints.rows && to - from < STRETCH && groups[to] === groups[from]) to++;
    if (to - from >= LEAST_STRETCH) {
      means.push(
        ...meanDirection(
          rowsOf(
            prints,
            Array.from({ length: to - from }, (_, i) => from + i),
          ),
        ),
      );
      owners.push(groups[from] as number);
    }
    from = to;
  }
  return { means: { rows: owners.length, columns: prints.columns, values: Float64Array.from(means) }, groups: Uint8Array.from(owners) };
}
