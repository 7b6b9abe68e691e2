import { dot, largestEigenPairs, type Matrix } from "./algebra.ts";

/** Share of a row's affinities that count in full. */
const KEPT_SHARE = 0.3;
const REST = 0.01;

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
  // The smallest values of the Laplacian are 1 less the largest of the affinity divided by both degrees; half a one is added so that they are the largest in size.
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
