import type { FileHandle } from "node:fs/promises";
import { CallsiftError } from "../../errors.ts";
import type { Variable } from "./ctranslate2.ts";

/**
 * How a linear layer is computed. `float32`: as the weights are. `signed`, `unsigned`: weights in 8 bits of that sign with one scale an output, the sound's values
 * likewise with one scale a position; signed only for CPUs with VNNI or AMX, elsewhere onnxruntime's signed kernel saturates. `blocks`: both with one scale for every 32
 * values, about as exact as float16.
 */
export type Arithmetic = "float32" | "signed" | "unsigned" | "blocks";

/** A stretch of the packed weights, bytes. */
export interface Stretch {
  readonly offset: number;
  readonly length: number;
}

/** The weights of one layer, [outputs, inputs], as they are to be packed. */
export interface PackedMatrix {
  readonly arithmetic: Arithmetic;
  readonly outputs: number;
  readonly inputs: number;
  /** float32: the weights transposed, [inputs, outputs]. signed, unsigned: their levels, likewise. blocks: levels + 128, [outputs, blocks, block]. */
  readonly levels: Stretch;
  /** One an output, or [outputs, blocks]; nothing for float32. */
  readonly scales: Stretch;
  /** Values that share a scale. */
  readonly block: number;
}

/**
 * Weights as onnxruntime gets them: in memory, rewritten here. (It could map float16 from model.bin and fold the rewriting into the loading, but needs five times the
 * memory for that, and keeps it.)
 */
export interface Packing {
  /** Registers a vector or table once, which becomes float32. */
  addFloats(name: string): Stretch;
  /** Registers a matrix once: [outputs, inputs], or the kernel [outputs, channels, 3] of a convolution as [outputs, 3 · channels]. */
  add(name: string, arithmetic: Arithmetic): PackedMatrix;
  /** Bytes of all that was registered. */
  readonly size: number;
  /** Reads and rewrites all of them. */
  fill(file: FileHandle): Promise<Uint8Array>;
}

const BLOCK = 32;
const SMALL_BLOCK = 16;
const LEVELS = 127;
/** Rows are read in steps of about so many bytes. */
const STEP_BYTES = 4 * 1024 * 1024;
const ALIGNMENT = 64;

export function createPacking(variables: ReadonlyMap<string, Variable>): Packing {
  const matrices = new Map<string, PackedMatrix>();
  const floats = new Map<string, Stretch>();
  let size = 0;
  const reserve = (length: number): Stretch => {
    const offset = size;
    size += Math.ceil(length / ALIGNMENT) * ALIGNMENT;
    return { offset, length };
  };

  return {
    get size() {
      return size;
    },
    addFloats(name) {
      const stretch = floats.get(name) ?? reserve(sizeOf(variables.get(name) as Variable) * 4);
      floats.set(name, stretch);
      return stretch;
    },
    add(name, arithmetic) {
      const known = matrices.get(name);
      if (known) return known;
      const { shape } = variables.get(name) as Variable;
      const outputs = shape[0] as number;
      const inputs = sizeOf(variables.get(name) as Variable) / outputs;
      const block = arithmetic === "blocks" ? (inputs % BLOCK === 0 ? BLOCK : SMALL_BLOCK) : inputs;
      const matrix: PackedMatrix = {
        arithmetic,
        outputs,
        inputs,
        block,
        levels: reserve(outputs * inputs * (arithmetic === "float32" ? 4 : 1)),
        scales: reserve(arithmetic === "float32" ? 0 : (outputs * inputs * 4) / block),
      };
      matrices.set(name, matrix);
      return matrix;
    },
    async fill(file) {
      const packed = new Uint8Array(size);
      for (const [name, { offset, length }] of floats)
        new Float32Array(packed.buffer, offset, length / 4).set(await readFloats(file, variables.get(name) as Variable));
      for (const [name, matrix] of matrices) await packMatrix(file, name, variables, matrix, packed);
      return packed;
    },
  };
}

function sizeOf({ shape }: Variable): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

async function packMatrix(
  file: FileHandle,
  name: string,
  variables: ReadonlyMap<string, Variable>,
  matrix: PackedMatrix,
  packed: Uint8Array,
): Promise<void> {
  const variable = variables.get(name) as Variable;
  const { outputs, inputs } = matrix;
  const scales = variable.type === "int8" ? await readFloats(file, variables.get(`${name}_scale`) as Variable) : null;
  const width = variable.shape.length === 3 ? (variable.shape[2] as number) : 1;
  const step = Math.max(1, Math.floor(STEP_BYTES / (inputs * 4)));
  const write = writerOf(matrix, packed);
  for (let first = 0; first < outputs; first += step) {
    const count = Math.min(step, outputs - first);
    const values = await readFloats(file, variable, first * inputs, count * inputs);
    const rows = width === 1 ? values : new Float32Array(values.length);
    const channels = inputs / width;
    for (let i = 0; i < count; i++) {
      const start = i * inputs;
      if (width > 1)
        for (let channel = 0; channel < channels; channel++)
          for (let tap = 0; tap < width; tap++) rows[start + tap * channels + channel] = values[start + channel * width + tap] as number;
      if (scales) for (let j = start; j < start + inputs; j++) rows[j] = (rows[j] as number) / (scales[first + i] as number);
    }
    write(rows, first, count);
  }
}

/** Puts rows of some outputs, one after another, where they belong. */
function writerOf(
  { arithmetic, outputs, inputs, block, levels, scales }: PackedMatrix,
  packed: Uint8Array,
): (rows: Float32Array, first: number, count: number) => void {
  if (arithmetic === "float32") {
    const target = new Float32Array(packed.buffer, levels.offset, outputs * inputs);
    return (rows, first, count) => transpose(rows, target.subarray(first), { count, inputs, outputs });
  }
  const target = packed.subarray(levels.offset, levels.offset + levels.length);
  const steps = new Float32Array(packed.buffer, scales.offset, scales.length / 4);
  const zero = arithmetic === "signed" ? 0 : 128;
  const toLevels = (rows: Float32Array, to: Uint8Array, ownSteps: Float32Array): void => {
    for (let from = 0, step = 0; from < rows.length; from += block, step++) {
      let peak = 1e-9;
      for (let i = from; i < from + block; i++) {
        const size = Math.abs(rows[i] as number);
        if (size > peak) peak = size;
      }
      ownSteps[step] = peak / LEVELS;
      const factor = LEVELS / peak;
      for (let i = from; i < from + block; i++) to[i] = Math.round((rows[i] as number) * factor) + zero;
    }
  };
  return (rows, first, count) => {
    const ownSteps = steps.subarray((first * inputs) / block);
    if (arithmetic === "blocks") return toLevels(rows, target.subarray(first * inputs), ownSteps);
    const own = new Uint8Array(count * inputs);
    toLevels(rows, own, ownSteps);
    transpose(own, target.subarray(first), { count, inputs, outputs });
  };
}

/** Rows and columns that are transposed together, so that both fit in the cache. */
const TILE = 64;

/** Writes [count, inputs] as columns of [inputs, outputs]. */
function transpose<Values extends Float32Array | Uint8Array>(
  from: Values,
  to: Values,
  { count, inputs, outputs }: { readonly count: number; readonly inputs: number; readonly outputs: number },
): void {
  for (let row = 0; row < count; row += TILE)
    for (let column = 0; column < inputs; column += TILE) {
      const lastRow = Math.min(count, row + TILE);
      const lastColumn = Math.min(inputs, column + TILE);
      for (let j = column; j < lastColumn; j++) for (let i = row; i < lastRow; i++) to[j * outputs + i] = from[i * inputs + j] as number;
    }
}

async function readFloats(file: FileHandle, variable: Variable, first = 0, count = sizeOf(variable)): Promise<Float32Array> {
  const size = bytesOf(variable);
  const bytes = new Uint8Array(count * size);
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, variable.offset + first * size + done);
    if (bytesRead === 0) throw new CallsiftError("weights/damaged", "model.bin: expected what its headers promise, but it became shorter");
    done += bytesRead;
  }
  return toFloats(variable, bytes);
}

/** Bytes of one value. */
export function bytesOf({ type }: Variable): number {
  return type === "float32" ? 4 : type === "float16" ? 2 : 1;
}

/** The values of a variable of float32, float16 or int8, from its bytes, which begin where a buffer does. */
export function toFloats({ type }: Variable, bytes: Uint8Array): Float32Array {
  if (type === "float32") return new Float32Array(bytes.buffer);
  if (type === "int8") return new Float32Array(new Int8Array(bytes.buffer));
  const table = halfFloats();
  const values = new Uint16Array(bytes.buffer);
  // Float32Array.from with a function takes ten times as long.
  const floats = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) floats[i] = table[values[i] as number] as number;
  return floats;
}

let halves: Float32Array | undefined;

/** Every float16 as float32. */
function halfFloats(): Float32Array {
  halves ??= Float32Array.from({ length: 65_536 }, (_, bits) => {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
  return halves;
}
