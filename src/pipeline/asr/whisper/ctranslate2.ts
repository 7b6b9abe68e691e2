import type { FileHandle } from "node:fs/promises";
import { CallsiftError } from "../../errors.ts";
import type { DataType } from "../onnx/build.ts";

/** One variable of a CTranslate2 model, as it lies in the file. */
export interface Variable {
  readonly type: DataType;
  readonly shape: readonly number[];
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

/** What the headers of a model.bin say. */
export interface Ctranslate2Index {
  /** Class of the model, e.g. `WhisperSpec`. */
  readonly spec: string;
  readonly variables: ReadonlyMap<string, Variable>;
}

/** CTranslate2's own numbers of its types (its specs/model_spec.py), with the bytes of one value. */
const TYPES: readonly (readonly [DataType, number])[] = [
  ["float32", 4],
  ["int8", 1],
  ["int16", 2],
  ["int32", 4],
  ["float16", 2],
];
const OLDEST = 3;
const NEWEST = 6;
const MOST_VARIABLES = 20_000;
const LONGEST_NAME = 500;
/** The file is read in steps of this size, since a header lies before each variable, bytes. */
const STEP = 4096;

/**
 * Reads where each variable of a CTranslate2 model lies (format: CTranslate2's specs/model_spec.py, versions 3–6): headers only, whatever the size.
 *
 * @throws CallsiftError `weights/foreign` for another kind of file, `weights/damaged` for one that is cut or has more than it should
 */
export async function readIndex(file: FileHandle, name: string): Promise<Ctranslate2Index> {
  const { size } = await file.stat();
  let at = 0;
  let page = Buffer.alloc(0);
  let pageAt = 0;

  const foreign = (found: string) => new CallsiftError("weights/foreign", `${name}: expected a model of CTranslate2, found ${found}`);
  const damaged = (found: string) => new CallsiftError("weights/damaged", `${name}: expected a whole model of CTranslate2, found ${found}`);

  async function bytes(count: number): Promise<Buffer> {
    if (at + count > size) throw damaged(`a file that ends after ${size} bytes, inside a header`);
    if (at < pageAt || at + count > pageAt + page.length) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.max(STEP, count)), 0, Math.max(STEP, count), at);
      page = buffer.subarray(0, bytesRead);
      pageAt = at;
      if (bytesRead < count) throw damaged(`a file that ends after ${at + bytesRead} bytes, inside a header`);
    }
    at += count;
    return page.subarray(at - count - pageAt, at - pageAt);
  }
  const u32 = async () => (await bytes(4)).readUInt32LE();
  const u8 = async () => (await bytes(1)).readUInt8();
  const text = async () => {
    const length = (await bytes(2)).readUInt16LE();
    if (length === 0 || length > LONGEST_NAME) throw damaged(`a name of ${length} bytes at byte ${at}`);
    return (await bytes(length)).toString("latin1").replace(/\0+$/, "");
  };

  if (size < 16) throw damaged(`a file of ${size} bytes`);
  const version = await u32();
  if (version < OLDEST || version > NEWEST)
    throw foreign(`a file that begins with ${version} where its version ${OLDEST}–${NEWEST} should stand`);
  const nameLength = (await bytes(2)).readUInt16LE();
  if (nameLength === 0 || nameLength > LONGEST_NAME) throw foreign(`no name of a model class`);
  const spec = (await bytes(nameLength)).toString("latin1").replace(/\0+$/, "");
  if (!/^\w+$/.test(spec)) throw foreign(`no name of a model class`);
  await u32();

  const variables = new Map<string, Variable>();
  const count = await u32();
  if (count === 0 || count > MOST_VARIABLES) throw damaged(`${count} variables`);
  for (let i = 0; i < count; i++) {
    const variable = await text();
    const shape: number[] = [];
    for (let rank = await u8(); rank > 0; rank--) shape.push(await u32());
    const type = await u8();
    const length = await u32();
    const [dataType, valueSize] = TYPES[type] ?? [];
    if (!dataType || !valueSize) throw damaged(`a variable ${JSON.stringify(variable)} of unknown type ${type}`);
    if (shape.reduce((product, dim) => product * dim, valueSize) !== length)
      throw damaged(`a variable ${JSON.stringify(variable)} of shape [${shape}] and ${length} bytes`);
    if (at + length > size) throw damaged(`a file of ${size} bytes that should have ${at + length} at least: it is cut`);
    variables.set(variable, { type: dataType, shape, offset: at, length });
    at += length;
  }
  // Other names of variables that are there already.
  for (let aliases = await u32(); aliases > 0; aliases--) {
    const alias = await text();
    const target = variables.get(await text());
    if (!target) throw damaged(`the name ${JSON.stringify(alias)} for a variable that is not there`);
    variables.set(alias, target);
  }
  if (at !== size) throw damaged(`${size - at} bytes more than its headers promise`);
  return { spec, variables };
}
