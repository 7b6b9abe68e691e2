/**
 * The few protobuf fields of ONNX that building one graph needs, read and written byte for byte
 * (field numbers: https://github.com/onnx/onnx/blob/v1.16.0/onnx/onnx.proto3, wire format: https://protobuf.dev/programming-guides/encoding/).
 */

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

export interface Field {
  readonly number: number;
  readonly value: number | Uint8Array;
}

/** The fields of one message in file order; varints as numbers, everything else as bytes. */
export function* fieldsOf(message: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++];
      if (byte === undefined) throw new RangeError("damaged ONNX file: it ends inside a number");
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const bytes = (length: number): Uint8Array => {
    if (at + length > message.length) throw new RangeError(`damaged ONNX file: ${length} bytes promised, ${message.length - at} left`);
    at += length;
    return message.subarray(at - length, at);
  };
  while (at < message.length) {
    const key = varint();
    const number = Math.floor(key / 8);
    const wire = key & 7;
    if (wire === VARINT) yield { number, value: varint() };
    else if (wire === BYTES) yield { number, value: bytes(varint()) };
    else if (wire === FIXED64) yield { number, value: bytes(8) };
    else if (wire === FIXED32) yield { number, value: bytes(4) };
    else throw new RangeError(`damaged ONNX file: wire type ${wire}`);
  }
}

export function messagesOf(message: Uint8Array, number: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (const field of fieldsOf(message)) if (field.number === number && typeof field.value !== "number") found.push(field.value);
  return found;
}

export function textOf(message: Uint8Array, number: number): string {
  const [bytes] = messagesOf(message, number);
  return new TextDecoder().decode(bytes ?? new Uint8Array());
}

export interface FloatTensor {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** A TensorProto of float32 values kept as raw little-endian bytes; null for any other kind. */
function floatTensorOf(tensor: Uint8Array): FloatTensor | null {
  const dims: number[] = [];
  let type = 0;
  for (const { number, value } of fieldsOf(tensor)) {
    if (typeof value !== "number") continue;
    if (number === 1) dims.push(value);
    if (number === 2) type = value;
  }
  const [raw] = messagesOf(tensor, 9);
  if (type !== 1 || !raw || dims.length === 0) return null;
  return { dims, data: new Float32Array(Uint8Array.from(raw).buffer) };
}

/**
 * The float constants inside one branch of the model's top-level `If`, by the tensor's own name.
 * `else_branch` is what runs when the condition is false.
 */
export function constantsOfBranch(model: Uint8Array, branch: "then_branch" | "else_branch"): Map<string, FloatTensor> {
  const constants = new Map<string, FloatTensor>();
  for (const graph of messagesOf(model, 7)) {
    for (const node of messagesOf(graph, 1)) {
      if (textOf(node, 4) !== "If") continue;
      for (const attribute of messagesOf(node, 5)) {
        if (textOf(attribute, 1) !== branch) continue;
        for (const inner of messagesOf(attribute, 6).flatMap((body) => messagesOf(body, 1))) {
          if (textOf(inner, 4) !== "Constant") continue;
          for (const tensor of messagesOf(inner, 5).flatMap((value) => messagesOf(value, 5))) {
            const constant = floatTensorOf(tensor);
            if (constant) constants.set(textOf(tensor, 8), constant);
          }
        }
      }
    }
  }
  return constants;
}

/** A node of the graph to write; attributes are integers, which is all that we use. */
export interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, number>>;
}

export interface Graph {
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly floats: Readonly<Record<string, FloatTensor>>;
  readonly integers: Readonly<Record<string, readonly number[]>>;
  /** Shapes of float32 values; a string is a dimension that is free. */
  readonly inputs: Readonly<Record<string, readonly (number | string)[]>>;
  readonly outputs: Readonly<Record<string, readonly (number | string)[]>>;
}

function varintBytes(value: number): number[] {
  // Negative numbers are 64-bit two's complement, hence ten bytes.
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return bytes;
}

export function integer(number: number, value: number): Uint8Array {
  return Uint8Array.from([...varintBytes(number * 8 + VARINT), ...varintBytes(value)]);
}

export function nested(number: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat(parts);
  return Buffer.concat([Uint8Array.from([...varintBytes(number * 8 + BYTES), ...varintBytes(body.length)]), body]);
}

export function text(number: number, value: string): Uint8Array {
  return nested(number, new TextEncoder().encode(value));
}

function valueInfo(name: string, shape: readonly (number | string)[]): Uint8Array[] {
  const dims = shape.map((dim) => nested(1, typeof dim === "number" ? integer(1, dim) : text(2, dim)));
  return [text(1, name), nested(2, nested(1, integer(1, 1), nested(2, ...dims)))];
}

const INT_ATTRIBUTE = 2;
const INT64 = 7;

/** The graph as an ONNX model file (IR 8, opset 16, float32); the same graph gives the same bytes. */
export function encodeModel(graph: Graph): Uint8Array {
  const body: Uint8Array[] = [];
  for (const { op, inputs, outputs, attributes } of graph.nodes) {
    const fields = [...inputs.map((name) => text(1, name)), ...outputs.map((name) => text(2, name)), text(4, op)];
    for (const [name, value] of Object.entries(attributes ?? {})) {
      fields.push(nested(5, text(1, name), integer(3, value), integer(20, INT_ATTRIBUTE)));
    }
    body.push(nested(1, ...fields));
  }
  body.push(text(2, graph.name));
  for (const [name, { dims, data }] of Object.entries(graph.floats)) {
    const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    body.push(nested(5, ...dims.map((dim) => integer(1, dim)), integer(2, 1), text(8, name), nested(9, raw)));
  }
  for (const [name, values] of Object.entries(graph.integers)) {
    const raw = new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer);
    body.push(nested(5, integer(1, values.length), integer(2, INT64), text(8, name), nested(9, raw)));
  }
  for (const [name, shape] of Object.entries(graph.inputs)) body.push(nested(11, ...valueInfo(name, shape)));
  for (const [name, shape] of Object.entries(graph.outputs)) body.push(nested(12, ...valueInfo(name, shape)));
  return Buffer.concat([integer(1, 8), nested(7, ...body), nested(8, integer(2, 16))]);
}
