import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { CallsiftError } from "../../errors.ts";
import type { Language } from "../../types.ts";
import { FAMILIES, type Family, type FamilyName, familyOf } from "./families.ts";
import { type OnnxFile, OnnxFileError, readOnnxFile } from "./onnx-file.ts";
import { parseTokens, type TokenTable } from "./tokens.ts";

/** Weights that were looked into, without loading them. */
export interface SherpaWeights {
  readonly folder: string;
  /** Name of the folder. */
  readonly name: string;
  readonly family: FamilyName;
  readonly modelPath: string;
  readonly tokensPath: string;
  readonly tokens: TokenTable;
  readonly onnx: OnnxFile;
  readonly languages: readonly Language[];
  readonly wordTimes: boolean;
}

/** The names that weights are published under, the smaller first. */
const MODELS = ["model.int8.onnx", "model.onnx"] as const;
const MOST_TOKENS_BYTES = 20_000_000;

/**
 * Recognises the family of the weights in a folder by its files and their metadata, and holds them against each other. sherpa-onnx ends the whole
 * process on weights that it dislikes, so everything that can be told without it is told here.
 *
 * @throws CallsiftError `weights/missing`, `weights/damaged`, `weights/foreign`
 */
export function inspectSherpa(folder: string): SherpaWeights {
  const names = filesOf(folder);
  const model = MODELS.find((name) => names.includes(name));
  if (!model) throw new CallsiftError("weights/missing", `expected ${MODELS.join(" or ")} in ${basename(folder)}, found neither`);
  if (!names.includes("tokens.txt"))
    throw new CallsiftError("weights/missing", `expected tokens.txt beside ${model} in ${basename(folder)}`);
  const modelPath = join(folder, model);
  const tokensPath = join(folder, "tokens.txt");
  const onnx = readModel(modelPath, model);
  const family = familyOf(onnx);
  if (!family) {
    const type = onnx.metadata.get("model_type");
    const is = type === undefined ? "has no model_type" : `is of the type ${JSON.stringify(type.slice(0, 60))}`;
    throw foreign(`expected a model of ${labels()}, but ${model} ${is} in its metadata`);
  }
  const tokens = readTokens(tokensPath);
  check(FAMILIES[family], model, onnx, tokens);
  const { languages, wordTimes } = FAMILIES[family];
  return { folder, name: basename(folder), family, modelPath, tokensPath, tokens, onnx, languages, wordTimes };
}

function labels(): string {
  return Object.values(FAMILIES)
    .map(({ label }) => label)
    .join(", ");
}

function foreign(message: string): CallsiftError {
  return new CallsiftError("weights/foreign", message);
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => statSync(join(folder, name), { throwIfNoEntry: false })?.isFile());
  } catch (error) {
    throw new CallsiftError("weights/missing", `expected a folder of weights, but ${basename(folder)} cannot be read as one`, {
      cause: error,
    });
  }
}

function readModel(path: string, name: string): OnnxFile {
  if (statSync(path).size === 0) throw new CallsiftError("weights/damaged", `${name} is empty`);
  try {
    return readOnnxFile(path);
  } catch (error) {
    if (error instanceof OnnxFileError) throw new CallsiftError("weights/damaged", `${name}: ${error.message}`, { cause: error });
    throw new CallsiftError("weights/missing", `${name} cannot be read`, { cause: error });
  }
}

function readTokens(path: string): TokenTable {
  if (statSync(path).size > MOST_TOKENS_BYTES) throw foreign("tokens.txt is far larger than a list of symbols");
  try {
    return parseTokens(new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path)));
  } catch (error) {
    throw new CallsiftError("weights/damaged", `tokens.txt is no list of symbols: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}

const FLOAT = 1;
/** Bytes of a value, by TensorProto.DataType; other kinds are not held against their size. */
const BYTES: Readonly<Record<number, number>> = { 1: 4, 2: 1, 3: 1, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8 };

function check(family: Family, name: string, onnx: OnnxFile, { symbols }: TokenTable): void {
  const { label, needs, lists } = family;
  const { metadata, inputs, outputs } = onnx;
  if (label === "SenseVoice" && metadata.get("comment")?.includes("Nano"))
    throw foreign(`${name} is Fun-ASR-Nano, which gives no usable word times`);
  for (const key of needs)
    if (!metadata.has(key)) throw foreign(`expected ${key} in the metadata of a ${label} model, but ${name} lacks it`);
  for (const key of needs)
    if (!(key in lists) && !Number.isInteger(Number(metadata.get(key)))) throw foreign(`${name}: ${key} is no whole number`);
  for (const [key, count] of Object.entries(lists)) {
    const values = (metadata.get(key) ?? "").split(",").filter((part) => part.trim() !== "");
    if (values.length !== count(onnx) || !values.every((part) => Number.isFinite(Number(part)))) {
      throw foreign(`expected ${count(onnx)} numbers under ${key} in the metadata of ${name}, got ${values.length}`);
    }
  }
  if (inputs.length !== family.inputs || outputs.length < family.outputs) {
    throw foreign(
      `expected ${family.inputs} inputs and ${family.outputs} outputs of a ${label} model, but ${name} has ${inputs.length} and ${outputs.length}`,
    );
  }
  const [first] = inputs;
  const width = first?.shape.at(-1);
  if (first?.type !== FLOAT || first.shape.length !== 3 || (typeof width === "number" && width !== family.features(onnx))) {
    throw foreign(
      `expected frames of ${family.features(onnx)} features as the first input of a ${label} model, but ${name} takes [${first?.shape}]`,
    );
  }
  const vocabulary = vocabularyOf(onnx);
  if (vocabulary === null) throw foreign(`${name} does not say how many symbols it knows`);
  // icefall lists marks of its lexicon after the symbols: #0, #1.
  const spoken = symbols.findLastIndex((symbol) => !/^#\d+$/u.test(symbol)) + 1;
  if (vocabulary !== symbols.length && vocabulary !== spoken) {
    throw foreign(`tokens.txt is of another model: it has ${symbols.length} symbols, ${name} knows ${vocabulary}`);
  }
  if (family.symbols.length > 0 && !family.symbols.some((symbol) => symbols.includes(symbol))) {
    throw foreign(`expected ${family.symbols.join(" or ")} in the tokens.txt of a ${label} model`);
  }
  for (const { name: tensor, type, elements, raw, isExternal } of onnx.initializers) {
    const bytes = BYTES[type];
    if (isExternal || !raw || bytes === undefined || raw.bodyBytes === elements * bytes) continue;
    throw new CallsiftError(
      "weights/damaged",
      `${name}: expected ${elements * bytes} bytes of ${tensor.slice(0, 60)}, got ${raw.bodyBytes}`,
    );
  }
}

/** How many symbols the model tells apart: what its output says, and its metadata must agree where both do. */
function vocabularyOf({ metadata, outputs }: OnnxFile): number | null {
  const width = outputs[0]?.shape.at(-1);
  const told = metadata.get("vocab_size");
  if (typeof width === "number" && width > 0) return told === undefined || Number(told) === width ? width : null;
  return told === undefined ? null : Number(told);
}
