/** Small linear algebra on rows of numbers that lie one after the other. */

/** Rows of equal length. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array | Float32Array;
}

/** Multiplies `columns` numbers from `a` and `b` pairwise and adds up. */
export function dot(a: ArrayLike<number>, aFrom: number, b: ArrayLike<number>, bFrom: number, columns: number): number {
  let total = 0;
  for (let i = 0; i < columns; i++) total += (a[aFrom + i] as number) * (b[bFrom + i] as number);
  return total;
}

/** Some of the rows, in the order asked for. */
export function rowsOf({ columns, values }: Matrix, rows: readonly number[]): Matrix {
  const picked = new Float64Array(rows.length * columns);
  for (const [i, row] of rows.entries()) picked.set(values.subarray(row * columns, (row + 1) * columns), i * columns);
  return { rows: rows.length, columns, values: picked };
}

/** The mean of the rows, brought to length 1; zeros where there is none. */
export function meanDirection({ rows, columns, values }: Matrix): Float64Array {
  const sum = new Float64Array(columns);
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < columns; i++) sum[i] = (sum[i] as number) + (values[row * columns + i] as number);
  const length = Math.sqrt(dot(sum, 0, sum, 0, columns));
  return length > 0 ? sum.map((value) => value / length) : sum;
}

/** The rows less their mean. */
export function centred({ rows, columns, values }: Matrix): Matrix {
  const mean = new Float64Array(columns);
  for (let i = 0; i < rows * columns; i++) mean[i % columns] = (mean[i % columns] as number) + (values[i] as number) / rows;
  return {
    rows,
    columns,
    values: Float64Array.from({ length: rows * columns }, (_, i) => (values[i] as number) - (mean[i % columns] as number)),
  };
}

/** How a symmetric matrix acts on a vector: writes the product into `into`. */
export type Product = (vector: Float64Array, into: Float64Array) => void;

export interface EigenPairs {
  /** Descending. */
  readonly values: readonly number[];
  /** Of length 1, orthogonal, one after the other. */
  readonly vectors: readonly Float64Array[];
}

/** Rounds at most; the values of clearly different vectors settle in a tenth of them. */
const MOST_ROUNDS = 60;
const SETTLED = 1e-7;
/** Vectors that are followed beside those asked for: the last ones settle slowly. */
const SPARE = 3;

/**
 * The `count` largest eigenvalues of a symmetric matrix of which no eigenvalue is below zero by more than the wanted ones are above it, with their
 * vectors, by subspace iteration (Golub, Van Loan: Matrix Computations, 8.2.4). Starts from the same vectors each time: the same matrix gives the same answer.
 */
export function largestEigenPairs(size: number, product: Product, count: number): EigenPairs {
  const width = Math.min(size, count + SPARE);
  let basis = orthonormal(
    Array.from({ length: width }, (_, v) => Float64Array.from({ length: size }, (_, i) => Math.sin(1 + i * (v + 1) * 1.7 + v))),
  );
  let values: number[] = [];
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const images = basis.map((vector) => {
      const image = new Float64Array(size);
      product(vector, image);
      return image;
    });
    const turn = jacobi(basis.map((vector) => images.map((image) => dot(vector, 0, image, 0, size))));
    const settled = turn.values.every(
      (value, i) => i >= count || Math.abs(value - (values[i] ?? Number.POSITIVE_INFINITY)) <= SETTLED * Math.max(1, Math.abs(value)),
    );
    values = turn.values;
    if (settled) {
      basis = turned(basis, turn.vectors);
      break;
    }
    basis = orthonormal(turned(images, turn.vectors));
  }
  return { values: values.slice(0, count), vectors: basis.slice(0, count) };
}

/** Each new vector is the sum of the old ones by the weights of one row. */
function turned(vectors: readonly Float64Array[], weights: readonly (readonly number[])[]): Float64Array[] {
  return weights.map((row) => {
    const sum = new Float64Array(vectors[0]?.length ?? 0);
    vectors.forEach((vector, v) => {
      const weight = row[v] as number;
      for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + weight * (vector[i] as number);
    });
    return sum;
  });
}

/** Gram–Schmidt, each vector twice; one that lies in the span of those before becomes zero. */
function orthonormal(vectors: Float64Array[]): Float64Array[] {
  for (const [v, vector] of vectors.entries()) {
    const { length } = vector;
    for (let pass = 0; pass < 2; pass++) {
      for (const earlier of vectors.slice(0, v)) {
        const share = dot(vector, 0, earlier, 0, length);
        for (let i = 0; i < length; i++) vector[i] = (vector[i] as number) - share * (earlier[i] as number);
      }
      const norm = Math.sqrt(dot(vector, 0, vector, 0, length));
      for (let i = 0; i < length; i++) vector[i] = norm > 1e-12 ? (vector[i] as number) / norm : 0;
    }
  }
  return vectors;
}

/** All eigenvalues of a small symmetric matrix, descending, with their vectors as rows, by Jacobi's rotations (Golub, Van Loan, 8.5). */
export function jacobi(matrix: readonly (readonly number[])[]): { values: number[]; vectors: number[][] } {
  const size = matrix.length;
  const a = matrix.map((row) => [...row]);
  const vectors = Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_, k) => (i === k ? 1 : 0)));
  const at = (i: number, k: number) => a[i]?.[k] as number;
  for (let sweep = 0; sweep < 30; sweep++) {
    let off = 0;
    let on = 0;
    for (let i = 0; i < size; i++)
      for (let k = 0; k < size; k++)
        if (i === k) on += at(i, k) ** 2;
        else off += at(i, k) ** 2;
    if (off <= 1e-24 * on) break;
    for (let p = 0; p < size; p++) {
      for (let q = p + 1; q < size; q++) {
        if (at(p, q) === 0) continue;
        const theta = (at(q, q) - at(p, p)) / (2 * at(p, q));
        const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const cosine = 1 / Math.sqrt(t * t + 1);
        rotateColumns(a, p, q, cosine, t * cosine);
        rotateRows(a, p, q, cosine, t * cosine);
        rotateRows(vectors, p, q, cosine, t * cosine);
      }
    }
  }
  const order = Array.from({ length: size }, (_, i) => i).sort((i, k) => at(k, k) - at(i, i));
  return { values: order.map((i) => at(i, i)), vectors: order.map((i) => vectors[i] as number[]) };
}

function rotateColumns(a: number[][], p: number, q: number, cosine: number, sine: number): void {
  for (const row of a) {
    const x = row[p] as number;
    const y = row[q] as number;
    row[p] = cosine * x - sine * y;
    row[q] = sine * x + cosine * y;
  }
}

function rotateRows(a: number[][], p: number, q: number, cosine: number, sine: number): void {
  const [left, right] = [a[p] as number[], a[q] as number[]];
  for (let i = 0; i < left.length; i++) {
    const x = left[i] as number;
    const y = right[i] as number;
    left[i] = cosine * x - sine * y;
    right[i] = sine * x + cosine * y;
  }
}
