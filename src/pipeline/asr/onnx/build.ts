import { integer, nested, text } from "./wire.ts";

/** Numbers of onnx.proto3's TensorProto.DataType. */
export const DATA_TYPES = { float32: 1, uint8: 2, int8: 3, int16: 5, int32: 6, int64: 7, float16: 10 } as const;
export type DataType = keyof typeof DATA_TYPES;

/** Where the values of a constant lie in another file. */
export interface ExternalValues {
  /** File name beside the graph. */
  readonly file: string;
  /** Bytes from its start. */
  readonly offset: number;
  readonly length: number;
}

/** Integers, lists of integers, or `{ float }`. */
export type Attribute = number | readonly number[] | { readonly float: number };

export interface OpOptions {
  readonly domain?: "com.microsoft";
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

/** A dimension: its size, or a name where it is free. */
export type Shape = readonly (number | string)[];

/** A graph that is being written, node after node; every method that makes a value answers its name. */
export interface GraphBuilder {
  op(kind: string, inputs: readonly string[], options?: OpOptions): string;
  /** A node of several outputs. */
  ops(kind: string, inputs: readonly string[], outputs: number, options?: OpOptions): string[];
  integers(values: readonly number[]): string;
  /** A constant without dimensions. */
  integer(value: number): string;
  float(value: number): string;
  floats(values: Float32Array, shape: readonly number[]): string;
  /** One byte without dimensions. */
  byte(type: "uint8" | "int8", value: number): string;
  external(name: string, type: DataType, shape: readonly number[], values: ExternalValues): string;
  input(name: string, type: DataType, shape: Shape): string;
  output(name: string, value: string, type: DataType, shape: Shape): void;
  /** The bytes of the model file: IR 8, opset 17, the same for the same calls. */
  encode(name: string): Uint8Array;
}

const ATTRIBUTE = { float: 1, int: 2, ints: 7 } as const;
const EXTERNAL = 1;

function fixed32(number: number, value: number): Uint8Array {
  const bytes = new Uint8Array(5);
  bytes[0] = number * 8 + 5;
  new DataView(bytes.buffer).setFloat32(1, value, true);
  return bytes;
}

function attribute(name: string, value: Attribute): Uint8Array {
  if (typeof value === "number") return nested(5, text(1, name), integer(3, value), integer(20, ATTRIBUTE.int));
  if ("float" in value) return nested(5, text(1, name), fixed32(2, value.float), integer(20, ATTRIBUTE.float));
  return nested(5, text(1, name), ...value.map((one) => integer(8, one)), integer(20, ATTRIBUTE.ints));
}

function valueInfo(name: string, type: DataType, shape: Shape): Uint8Array[] {
  const dims = shape.map((dim) => nested(1, typeof dim === "number" ? integer(1, dim) : text(2, dim)));
  return [text(1, name), nested(2, nested(1, integer(1, DATA_TYPES[type]), nested(2, ...dims)))];
}

/** Starts an empty graph. */
export function createGraph(): GraphBuilder {
  const nodes: Uint8Array[] = [];
  const constants = new Map<string, Uint8Array>();
  const inputs: Uint8Array[] = [];
  const outputs: Uint8Array[] = [];
  let made = 0;

  function constant(name: string, type: DataType, shape: readonly number[], raw: Uint8Array): string {
    if (!constants.has(name)) {
      constants.set(name, nested(5, ...shape.map((dim) => integer(1, dim)), integer(2, DATA_TYPES[type]), text(8, name), nested(9, raw)));
    }
    return name;
  }

  function node(kind: string, from: readonly string[], to: readonly string[], { domain, attributes = {} }: OpOptions): void {
    nodes.push(
      nested(
        1,
        ...from.map((name) => text(1, name)),
        ...to.map((name) => text(2, name)),
        text(4, kind),
        ...Object.entries(attributes).map(([name, value]) => attribute(name, value)),
        ...(domain ? [text(7, domain)] : []),
      ),
    );
  }

  const int64 = (values: readonly number[]) => new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer);
  const builder: GraphBuilder = {
    op: (kind, from, options) => builder.ops(kind, from, 1, options)[0] as string,
    ops(kind, from, count, options = {}) {
      const to = Array.from({ length: count }, () => `${kind}_${made++}`);
      node(kind, from, to, options);
      return to;
    },
    integers: (values) => constant(`i[${values}]`, "int64", [values.length], int64(values)),
    integer: (value) => constant(`i${value}`, "int64", [], int64([value])),
    float: (value) => constant(`f${value}`, "float32", [], new Uint8Array(Float32Array.of(value).buffer)),
    floats(values, shape) {
      const copy = Uint8Array.from(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
      return constant(`floats_${made++}`, "float32", shape, copy);
    },
    byte: (type, value) => constant(`${type}_${value}`, type, [], Uint8Array.of(value & 255)),
    external(name, type, shape, { file, offset, length }) {
      const entry = (key: string, value: string | number) => nested(13, text(1, key), text(2, String(value)));
      if (!constants.has(name)) {
        constants.set(
          name,
          nested(
            5,
            ...shape.map((dim) => integer(1, dim)),
            integer(2, DATA_TYPES[type]),
            text(8, name),
            entry("location", file),
            entry("offset", offset),
            entry("length", length),
            integer(14, EXTERNAL),
          ),
        );
      }
      return name;
    },
    input(name, type, shape) {
      inputs.push(nested(11, ...valueInfo(name, type, shape)));
      return name;
    },
    output(name, value, type, shape) {
      node("Identity", [value], [name], {});
      outputs.push(nested(12, ...valueInfo(name, type, shape)));
    },
    encode(name) {
      const opset = (domain: string, version: number) => nested(8, ...(domain ? [text(1, domain)] : []), integer(2, version));
      return Buffer.concat([
        integer(1, 8),
        nested(7, ...nodes, text(2, name), ...constants.values(), ...inputs, ...outputs),
        opset("", 17),
        opset("com.microsoft", 1),
      ]);
    },
  };
  return builder;
}
