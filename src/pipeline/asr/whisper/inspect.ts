import { constants } from "node:fs";
import { type FileHandle, open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { CallsiftError } from "../../errors.ts";
import { hasDotProducts } from "../onnx/cpu.ts";
import { readIndex } from "./ctranslate2.ts";
import type { GraphSource, WhisperSizes } from "./graphs.ts";
import { sizesOf } from "./sizes.ts";
import { readTokenizer, type Tokenizer } from "./tokenizer.ts";

/** What the files of a Whisper say of it, without computing anything. */
export interface WhisperFolder extends GraphSource {
  /** E.g. `whisper-base`, by its sizes. */
  readonly model: string;
  readonly weightsPath: string;
  /** Bytes of model.bin. */
  readonly weightsBytes: number;
  readonly tokenizer: Tokenizer;
  /** Never written. */
  readonly suppressed: readonly number[];
  /** Never written first. */
  readonly suppressedFirst: readonly number[];
}

/** Width and layers of the published ones. */
const PUBLISHED: Readonly<Record<string, string>> = {
  "384/4/4": "tiny",
  "512/6/6": "base",
  "768/12/12": "small",
  "1024/24/24": "medium",
  "1280/32/32": "large",
  "1280/32/4": "large-v3-turbo",
};

/** Larger ones are none of Whisper's small files, bytes. */
const LARGEST_TEXT = 64 * 1024 * 1024;

/**
 * Reads a folder of CTranslate2's format: the headers of model.bin, config.json, tokenizer.json, vocabulary.txt or .json, and holds them against one another.
 *
 * @throws CallsiftError `weights/missing`, `weights/damaged`, `weights/foreign`
 */
export async function readWhisperFolder(folder: string): Promise<WhisperFolder> {
  const [config, tokens, vocabulary, weights] = await Promise.all([
    readJson(folder, "config.json"),
    readText(folder, "tokenizer.json"),
    countVocabulary(folder),
    readWeights(folder),
  ]);
  const tokenizer = readTokenizer(tokens, "tokenizer.json");
  const { sizes, variables } = weights;
  if (vocabulary !== sizes.vocabulary)
    throw new CallsiftError("weights/foreign", `vocabulary: expected ${sizes.vocabulary} tokens as in model.bin, found ${vocabulary}`);
  const { special } = tokenizer;
  for (const [name, id] of Object.entries(special))
    if (id >= sizes.vocabulary)
      throw new CallsiftError(
        "weights/foreign",
        `tokenizer.json: expected tokens below ${sizes.vocabulary} as in model.bin, found ${name} as ${id}`,
      );
  if (!isRecord(config)) throw new CallsiftError("weights/foreign", "config.json: expected an object, found other JSON");
  const languages = idsOf(config.lang_ids, sizes.vocabulary);
  if (languages && !(languages.includes(special.chinese) && languages.includes(special.english)))
    throw new CallsiftError("weights/foreign", "config.json: expected the languages of tokenizer.json, found those of another model");
  return {
    ...weights,
    variables,
    model: nameOf(sizes),
    tokenizer,
    suppressed: idsOf(config.suppress_ids, sizes.vocabulary) ?? [],
    suppressedFirst: idsOf(config.suppress_ids_begin, sizes.vocabulary) ?? [],
    alignmentHeads: alignmentHeads(config.alignment_heads, sizes),
  };
}

/** What `models verify` and `doctor` tell of a Whisper. */
export interface WhisperFacts {
  readonly model: string;
  readonly mels: number;
  /** Of the encoder and the decoder. */
  readonly layers: readonly [encoder: number, decoder: number];
  readonly vocab: number;
  /** Estimate for one lane, the process itself apart. */
  readonly bytesInMemory: number;
}

/**
 * Says what a folder holds: only headers and small files are read.
 *
 * @throws CallsiftError `weights/missing`, `weights/damaged`, `weights/foreign`
 */
export async function inspectWhisper(folder: string): Promise<WhisperFacts> {
  const { model, sizes } = await readWhisperFolder(folder);
  return {
    model,
    mels: sizes.mels,
    layers: [sizes.encoderLayers, sizes.decoderLayers],
    vocab: sizes.vocabulary,
    bytesInMemory: bytesInMemory(sizes),
  };
}

/**
 * Of one lane, measured on Whisper base and scaled by the sizes: the weights as they are computed with, those of one network once more while it is loaded, what a piece of 20 s
 * needs, the runtime with its libraries and the tokens.
 */
function bytesInMemory({ width, encoderLayers, decoderLayers, vocabulary }: WhisperSizes): number {
  const encoder = (encoderLayers * 12 + decoderLayers * 2 + 3) * width ** 2;
  const decoder = decoderLayers * 14 * width ** 2 + vocabulary * width;
  const isExact = hasDotProducts();
  const loaded = [encoder * (isExact ? 1 : 4), decoder * (isExact ? 1.125 : 1)] as const;
  const positions = 1100;
  const piece = (24 + 2 * decoderLayers) * positions * width * 4;
  return Math.round(loaded[0] + loaded[1] + Math.max(...loaded, piece) + RUNTIME_BYTES);
}

const RUNTIME_BYTES = 130e6;

function nameOf({ width, encoderLayers, decoderLayers, mels }: WhisperSizes): string {
  const size = PUBLISHED[`${width}/${encoderLayers}/${decoderLayers}`];
  if (!size) return `whisper-${width}x${encoderLayers}x${decoderLayers}`;
  return `whisper-${size}${size === "large" && mels === 128 ? "-v3" : ""}`;
}

interface Weights extends Omit<GraphSource, "alignmentHeads"> {
  readonly weightsPath: string;
  readonly weightsBytes: number;
}

async function readWeights(folder: string): Promise<Weights> {
  const path = join(folder, "model.bin");
  const file = await openFile(path, "model.bin");
  try {
    const { spec, variables } = await readIndex(file, "model.bin");
    if (spec !== "WhisperSpec") throw new CallsiftError("weights/foreign", `model.bin: expected a WhisperSpec, found a ${spec}`);
    return { sizes: sizesOf(variables), variables, weightsPath: path, weightsBytes: (await file.stat()).size };
  } finally {
    await file.close();
  }
}

/** As the config says; where it says nothing, all heads of the decoder's upper half. */
function alignmentHeads(list: unknown, { decoderLayers, heads }: WhisperSizes): [layer: number, head: number][] {
  if (Array.isArray(list) && list.length > 0) {
    return (list as unknown[]).map((pair) => {
      const [layer, head] = Array.isArray(pair) ? (pair as unknown[]) : [];
      if (!isBelow(layer, decoderLayers) || !isBelow(head, heads))
        throw new CallsiftError(
          "weights/foreign",
          `config.json: expected alignment heads within ${decoderLayers} layers of ${heads}, found ${JSON.stringify(pair)}`,
        );
      return [layer, head];
    });
  }
  const from = Math.floor(decoderLayers / 2);
  return Array.from({ length: (decoderLayers - from) * heads }, (_, i) => [from + Math.floor(i / heads), i % heads]);
}

function isBelow(value: unknown, end: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < end;
}

/** Token ids of the config; null where it has none. */
function idsOf(list: unknown, vocabulary: number): number[] | null {
  if (!Array.isArray(list)) return null;
  return (list as unknown[]).map((id) => {
    if (!isBelow(id, vocabulary))
      throw new CallsiftError(
        "weights/foreign",
        `config.json: expected tokens below ${vocabulary} as in model.bin, found ${JSON.stringify(id)}`,
      );
    return id;
  });
}

async function countVocabulary(folder: string): Promise<number> {
  const lines = await readText(folder, "vocabulary.txt").catch((error: unknown) => {
    if (error instanceof CallsiftError && error.code === "weights/missing") return null;
    throw error;
  });
  // A token may be a carriage return or another separator: only line feeds end lines.
  if (lines !== null) return lines.split("\n").length - (lines.endsWith("\n") ? 1 : 0);
  const list = await readJson(folder, "vocabulary.json");
  if (!Array.isArray(list)) throw new CallsiftError("weights/foreign", "vocabulary.json: expected a list, found other JSON");
  return list.length;
}

async function readJson(folder: string, name: string): Promise<unknown> {
  const text = await readText(folder, name);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CallsiftError("weights/damaged", `${name}: expected JSON, found something that is not, or is cut`, { cause });
  }
}

async function readText(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  const info = await stat(path).catch((cause: unknown) => {
    throw missing(name, cause);
  });
  if (!info.isFile()) throw new CallsiftError("weights/foreign", `${name}: expected a file, found something else`);
  if (info.size > LARGEST_TEXT)
    throw new CallsiftError("weights/foreign", `${name}: expected at most ${LARGEST_TEXT} bytes, found ${info.size}`);
  return readFile(path, "utf8").catch((cause: unknown) => {
    throw missing(name, cause);
  });
}

async function openFile(path: string, name: string): Promise<FileHandle> {
  // Not to hang on a pipe of that name.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
    throw missing(name, cause);
  });
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new CallsiftError("weights/foreign", `${name}: expected a file, found something else`);
}

function missing(name: string, cause: unknown): CallsiftError {
  return new CallsiftError("weights/missing", `expected a readable ${name} in the folder of the weights, found none`, { cause });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
