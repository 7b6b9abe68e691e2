import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { integer, nested, text } from "../onnx/wire.ts";
import { type OnnxFile, type OnnxTensor, varintBytes } from "./onnx-file.ts";

/** A change of a file's bytes: `[at, at + remove)` gives way to `insert`, or keeps its length with the top bit of every byte turned over. */
export type Edit =
  | { readonly at: number; readonly remove: number; readonly insert: Uint8Array }
  | { readonly at: number; readonly flip: number };

const UINT8 = 2;
const INT8 = 3;

/** Where the operators that multiply 8-bit integers take their weights, and the zero points of these (onnxruntime, docs/ContribOperators.md). */
const WEIGHT_INPUTS: Readonly<Record<string, { readonly weights: number; readonly zero: number }>> = {
  MatMulInteger: { weights: 1, zero: 3 },
  DynamicQuantizeMatMul: { weights: 1, zero: 3 },
  MatMulIntegerToFloat: { weights: 1, zero: 5 },
};

/**
 * How to write a model's unsigned 8-bit weights as signed ones: 128 less, and their zero points too, so that every product is what it was. onnxruntime has
 * faster kernels for them on CPUs with VNNI or AMX (../shared/perf/u8_to_s8.py). Weights that anything else uses stay as they are.
 *
 * @returns edits in file order; empty where nothing can be re-encoded
 */
export function planSigned({ initializers, nodes, graph }: OnnxFile): Edit[] {
  const tensors = new Map(initializers.map((tensor) => [tensor.name, tensor]));
  const pairs = new Map<string, string>();
  const barred = new Set<string>();
  for (const { op, inputs } of nodes) {
    const place = WEIGHT_INPUTS[op];
    inputs.forEach((name, i) => {
      if (place && (i === place.weights || i === place.zero)) return;
      if (tensors.has(name)) barred.add(name);
    });
    if (!place) continue;
    const [weights = "", zero = ""] = [inputs[place.weights], inputs[place.zero]];
    if (isFlippable(tensors.get(weights)) && isZeroPoint(tensors.get(zero)) && (pairs.get(weights) ?? zero) === zero)
      pairs.set(weights, zero);
    else for (const name of [weights, zero]) barred.add(name);
  }
  // A zero point may serve several weights: one that stays keeps it, and so the others.
  for (let changed = true; changed; ) {
    changed = false;
    for (const [weights, zero] of pairs) {
      if (!barred.has(weights) && !barred.has(zero)) continue;
      pairs.delete(weights);
      barred.add(weights).add(zero);
      changed = true;
    }
  }
  const edits: Edit[] = [];
  for (const name of pairs.keys()) edits.push(...flipEdits(tensors.get(name) as OnnxTensor));
  let grownBy = 0;
  for (const name of new Set(pairs.values())) {
    const tensor = tensors.get(name) as OnnxTensor;
    if (tensor.raw) edits.push(...flipEdits(tensor));
    else {
      const insert = rawTensor(tensor);
      const remove = tensor.bodyAt + tensor.bodyBytes - tensor.at;
      edits.push({ at: tensor.at, remove, insert });
      grownBy += insert.length - remove;
    }
  }
  if (grownBy !== 0) edits.push({ at: graph.at, remove: graph.bodyAt - graph.at, insert: lengthField(7, graph.bodyBytes + grownBy) });
  return edits.sort((a, b) => a.at - b.at);
}

function isFlippable(tensor: OnnxTensor | undefined): boolean {
  return tensor?.type === UINT8 && tensor.raw !== null && tensor.typeAt !== null && !tensor.isExternal;
}

function isZeroPoint(tensor: OnnxTensor | undefined): boolean {
  if (tensor?.type !== UINT8 || tensor.isExternal) return false;
  return (
    isFlippable(tensor) ||
    (tensor.integers !== null && tensor.integers.length === tensor.elements && tensor.integers.every((value) => value < 256))
  );
}

function flipEdits({ typeAt, raw }: OnnxTensor): Edit[] {
  if (typeAt === null || !raw) return [];
  return [
    { at: typeAt, remove: 1, insert: Uint8Array.of(INT8) },
    { at: raw.bodyAt, flip: raw.bodyBytes },
  ];
}

/** A small tensor, signed and as raw bytes, for negative numbers take ten bytes as varints. */
function rawTensor({ name, dims, integers }: OnnxTensor): Uint8Array {
  const bytes = Uint8Array.from(integers ?? [], (value) => value ^ 0x80);
  return nested(5, ...dims.map((dim) => integer(1, dim)), integer(2, INT8), text(8, name), nested(9, bytes));
}

function lengthField(number: number, length: number): Uint8Array {
  const bytes = new Uint8Array(1 + varintBytes(length));
  bytes[0] = number * 8 + 2;
  let rest = length;
  for (let i = 1; i < bytes.length; i++) {
    bytes[i] = (rest % 128) + (i < bytes.length - 1 ? 128 : 0);
    rest = Math.floor(rest / 128);
  }
  return bytes;
}

/** Writes a changed copy of a file under a temporary name, then renames it. @returns the copy's sha256, hex */
export async function writeEdited(from: string, to: string, edits: readonly Edit[], signal?: AbortSignal): Promise<string> {
  const partial = `${to}.${process.pid}.${Math.random().toString(36).slice(2)}.partial`;
  const hash = createHash("sha256");
  try {
    const changed = Readable.from(applyEdits(createReadStream(from, { highWaterMark: 1 << 20 }), edits), { objectMode: true });
    await pipeline(
      changed,
      async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          hash.update(chunk);
          yield chunk;
        }
      },
      createWriteStream(partial, { flush: true }),
      { ...(signal && { signal }) },
    );
    await rename(partial, to);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  return hash.digest("hex");
}

/** The chunks of a file with edits applied; edits are in file order and do not overlap. */
export async function* applyEdits(chunks: AsyncIterable<Buffer>, edits: readonly Edit[]): AsyncGenerator<Buffer> {
  let next = 0;
  let at = 0;
  for await (const chunk of chunks) {
    const end = at + chunk.length;
    let done = at;
    for (let edit = edits[next]; edit && edit.at < end; edit = edits[next]) {
      const length = "flip" in edit ? edit.flip : edit.remove;
      const from = Math.max(edit.at, at);
      const to = Math.min(edit.at + length, end);
      if (from > done) yield chunk.subarray(done - at, from - at);
      if ("flip" in edit) yield flipped(chunk.subarray(from - at, to - at));
      else if (edit.at >= at) yield Buffer.from(edit.insert);
      done = to;
      if (edit.at + length > end) break;
      next++;
    }
    if (done < end) yield chunk.subarray(done - at);
    at = end;
  }
}

function flipped(bytes: Buffer): Buffer {
  const out = Buffer.allocUnsafe(bytes.length);
  for (let i = 0; i < bytes.length; i++) out[i] = (bytes[i] as number) ^ 0x80;
  return out;
}

/** The sha256 of a file, hex. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}
