import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { fieldsOf } from "../onnx/wire.ts";

/**
 * What is in an ONNX file besides its weights, read without them: a model of 230 MB costs its few hundred KB of structure
 * (field numbers: https://github.com/onnx/onnx/blob/v1.16.0/onnx/onnx.proto3).
 */
export interface OnnxFile {
  readonly bytes: number;
  readonly metadata: ReadonlyMap<string, string>;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  /** Where the graph's own length is written, and its value: what a change of its size must rewrite. */
  readonly graph: FieldPlace;
}

export interface OnnxValue {
  readonly name: string;
  /** TensorProto.DataType. */
  readonly type: number;
  /** A string is a dimension that is free. */
  readonly shape: readonly (number | string)[];
}

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
}

/** Where a field lies in the file, bytes from its start. */
export interface FieldPlace {
  /** Of its key. */
  readonly at: number;
  /** Of what it holds. */
  readonly bodyAt: number;
  readonly bodyBytes: number;
}

export interface OnnxTensor extends FieldPlace {
  readonly name: string;
  /** TensorProto.DataType: 2 uint8, 3 int8. */
  readonly type: number;
  /** The type's byte, where it is a single one. */
  readonly typeAt: number | null;
  readonly elements: number;
  readonly dims: readonly number[];
  /** The raw bytes of its values; null where they are kept in another way. */
  readonly raw: FieldPlace | null;
  /** Small ones that are kept as varints. */
  readonly integers: readonly number[] | null;
  /** The values lie in another file. */
  readonly isExternal: boolean;
}

/** The file is no ONNX model, or a damaged one. */
export class OnnxFileError extends Error {}

/** Longest of anything but weights, bytes: a node with its attributes, a text of the metadata. */
const MOST_STRUCTURE = 4_000_000;
const MOST_FIELDS = 2_000_000;

/** @throws OnnxFileError, and what reading a file throws */
export function readOnnxFile(path: string): OnnxFile {
  const file = openSync(path, "r");
  try {
    return readModel(file, fstatSync(file).size);
  } catch (error) {
    if (error instanceof RangeError) throw new OnnxFileError(error.message, { cause: error });
    throw error;
  } finally {
    closeSync(file);
  }
}

interface Field {
  readonly number: number;
  /** null: a varint, whose value is `value`. */
  readonly place: FieldPlace | null;
  readonly value: number;
}

/** Reads fields at any place of a file through one window of it. */
function createFieldReader(file: number, bytes: number) {
  const window = Buffer.alloc(65_536);
  let from = 0;
  let filled = 0;
  let fields = 0;

  function load(at: number): void {
    from = at;
    filled = readSync(file, window, 0, window.length, at);
    if (filled === 0) throw new OnnxFileError(`damaged ONNX file: it ends at byte ${bytes}, inside a field`);
  }

  function varint(at: number, end: number): { value: number; next: number } {
    let value = 0;
    let next = at;
    for (let scale = 1; ; scale *= 128) {
      if (next >= end || next - at > 9) throw new OnnxFileError(`damaged ONNX file: no number at byte ${at}`);
      if (next < from || next >= from + filled) load(next);
      const byte = window[next++ - from] as number;
      value += (byte & 127) * scale;
      if (byte < 128) return { value, next };
    }
  }

  return {
    /** The fields of the message in `[at, end)`, in file order; what they hold is passed over unread. */
    *fields(start: number, end: number): Generator<Field> {
      let at = start;
      while (at < end) {
        if (++fields > MOST_FIELDS) throw new OnnxFileError("damaged ONNX file: no model has so many fields");
        const key = varint(at, end);
        const number = Math.floor(key.value / 8);
        const wire = key.value & 7;
        if (number === 0) throw new OnnxFileError(`damaged ONNX file: field 0 at byte ${at}`);
        let next: number;
        if (wire === 0) {
          const { value, next: after } = varint(key.next, end);
          yield { number, place: null, value };
          next = after;
        } else {
          const fixed = wire === 1 ? 8 : wire === 5 ? 4 : null;
          const length = fixed !== null ? { value: fixed, next: key.next } : wire === 2 ? varint(key.next, end) : null;
          if (!length) throw new OnnxFileError(`damaged ONNX file: wire type ${wire} at byte ${at}`);
          next = length.next + length.value;
          if (next > end)
            throw new OnnxFileError(`damaged ONNX file: ${length.value} bytes promised at byte ${at}, ${end - length.next} left`);
          yield { number, place: { at, bodyAt: length.next, bodyBytes: length.value }, value: 0 };
        }
        at = next;
      }
    },
    read({ bodyAt, bodyBytes }: FieldPlace): Buffer {
      if (bodyBytes > MOST_STRUCTURE) throw new OnnxFileError(`damaged ONNX file: a part of ${bodyBytes} bytes that should be small`);
      const body = Buffer.alloc(bodyBytes);
      if (readSync(file, body, 0, bodyBytes, bodyAt) < bodyBytes)
        throw new OnnxFileError(`damaged ONNX file: it ends at byte ${bytes}, inside a field`);
      return body;
    },
  };
}

type FieldReader = ReturnType<typeof createFieldReader>;

function readModel(file: number, bytes: number): OnnxFile {
  const reader = createFieldReader(file, bytes);
  const metadata = new Map<string, string>();
  let graph: FieldPlace | null = null;
  for (const { number, place } of reader.fields(0, bytes)) {
    if (number === 7 && place) graph = place;
    if (number === 14 && place) {
      const item = reader.read(place);
      metadata.set(textIn(item, 1), textIn(item, 2));
    }
  }
  if (!graph) throw new OnnxFileError("no ONNX file: it holds no graph");
  const inputs: OnnxValue[] = [];
  const outputs: OnnxValue[] = [];
  const nodes: OnnxNode[] = [];
  const initializers: OnnxTensor[] = [];
  for (const { number, place } of reader.fields(graph.bodyAt, graph.bodyAt + graph.bodyBytes)) {
    if (!place) continue;
    if (number === 1) nodes.push(...readNode(reader, place));
    if (number === 5) initializers.push(readTensor(reader, place));
    if (number === 11) inputs.push(valueInfoOf(reader.read(place)));
    if (number === 12) outputs.push(valueInfoOf(reader.read(place)));
  }
  // Old models list their weights among the inputs too.
  const held = new Set(initializers.map(({ name }) => name));
  return { bytes, metadata, inputs: inputs.filter(({ name }) => !held.has(name)), outputs, nodes, initializers, graph };
}

/** A node, and those of its bodies: they may use the same weights. */
function readNode(reader: FieldReader, place: FieldPlace): OnnxNode[] {
  const inputs: string[] = [];
  let op = "";
  const inner: OnnxNode[] = [];
  for (const field of reader.fields(place.bodyAt, place.bodyAt + place.bodyBytes)) {
    if (!field.place) continue;
    if (field.number === 1) inputs.push(reader.read(field.place).toString());
    if (field.number === 4) op = reader.read(field.place).toString();
    if (field.number !== 5) continue;
    for (const part of reader.fields(field.place.bodyAt, field.place.bodyAt + field.place.bodyBytes)) {
      if ((part.number !== 6 && part.number !== 11) || !part.place) continue;
      for (const body of reader.fields(part.place.bodyAt, part.place.bodyAt + part.place.bodyBytes)) {
        if (body.number === 1 && body.place) inner.push(...readNode(reader, body.place));
      }
    }
  }
  return [{ op, inputs }, ...inner];
}

/** Tensors up to this many values may be kept as varints; weights never are. */
const FEW = 100_000;

function readTensor(reader: FieldReader, place: FieldPlace): OnnxTensor {
  const dims: number[] = [];
  let type = 0;
  let typeAt: number | null = null;
  let name = "";
  let raw: FieldPlace | null = null;
  let integers: number[] | null = null;
  let isExternal = false;
  let at = place.bodyAt;
  for (const field of reader.fields(place.bodyAt, place.bodyAt + place.bodyBytes)) {
    if (field.number === 1) {
      if (field.place) dims.push(...varintsIn(reader.read(field.place)));
      else dims.push(field.value);
    }
    if (field.number === 2 && !field.place) {
      type = field.value;
      // One byte of key, one of value: no type is beyond 127.
      typeAt = at + 1;
    }
    if (field.number === 5) {
      integers ??= [];
      if (!field.place) integers.push(field.value);
      else if (field.place.bodyBytes <= 10 * FEW) for (const value of varintsIn(reader.read(field.place))) integers.push(value);
    }
    if (field.number === 8 && field.place) name = reader.read(field.place).toString();
    if (field.number === 9) raw = field.place;
    if (field.number === 13 || (field.number === 14 && field.value === 1)) isExternal = true;
    at = field.place ? field.place.bodyAt + field.place.bodyBytes : at + 1 + varintBytes(field.value);
  }
  return { ...place, name, type, typeAt, dims, elements: dims.reduce((product, dim) => product * dim, 1), raw, integers, isExternal };
}

/** Bytes that a number takes as a varint. */
export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

function varintsIn(packed: Uint8Array): number[] {
  const values: number[] = [];
  let value = 0;
  let scale = 1;
  for (const byte of packed) {
    value += (byte & 127) * scale;
    scale *= 128;
    if (byte >= 128) continue;
    values.push(value);
    value = 0;
    scale = 1;
  }
  return values;
}

function textIn(message: Uint8Array, number: number): string {
  for (const field of fieldsOf(message))
    if (field.number === number && typeof field.value !== "number") return Buffer.from(field.value).toString();
  return "";
}

function childOf(message: Uint8Array, number: number): Uint8Array {
  for (const field of fieldsOf(message)) if (field.number === number && typeof field.value !== "number") return field.value;
  return new Uint8Array();
}

/** ValueInfoProto: a name with a tensor's type and shape. */
function valueInfoOf(info: Uint8Array): OnnxValue {
  const tensor = childOf(childOf(info, 2), 1);
  let type = 0;
  for (const { number, value } of fieldsOf(tensor)) if (number === 1 && typeof value === "number") type = value;
  const shape: (number | string)[] = [];
  for (const { number, value } of fieldsOf(childOf(tensor, 2))) {
    if (number !== 1 || typeof value === "number") continue;
    let dim: number | string = "";
    for (const part of fieldsOf(value)) dim = typeof part.value === "number" ? part.value : Buffer.from(part.value).toString();
    shape.push(dim);
  }
  return { name: textIn(info, 1), type, shape };
}
