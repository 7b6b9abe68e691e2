import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** One variable of a model.bin; `values` begin anew where they are too few. */
export interface TinyVariable {
  readonly shape: readonly number[];
  readonly type: "float32" | "int8" | "float16";
  readonly values: Uint8Array;
}

export interface TinyModel {
  version: number;
  spec: string;
  variables: Map<string, TinyVariable>;
  aliases: [alias: string, target: string][];
}

const TYPE_IDS = { float32: 0, int8: 1, float16: 4 } as const;
const VALUE_BYTES = { float32: 4, int8: 1, float16: 2 } as const;
const WIDTH = 64;
export const TINY_VOCABULARY = 51_865;

/** 65,521 float16 numbers of chance, -0.25..0.25: what every variable is cut from. */
const CHANCE = (() => {
  let seed = 1;
  const halves = Uint16Array.from({ length: 65_521 }, () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    // Sign and fraction by chance, the exponent that of 2^-3 or 2^-4.
    return ((seed >> 8) & 0x83ff) | ((11 + ((seed >> 24) & 1)) << 10);
  });
  return new Uint8Array(halves.buffer);
})();

/** A Whisper of one layer of 64 with weights of chance: it writes nonsense, but all of it. */
export function tinyModel(): TinyModel {
  const variables = new Map<string, TinyVariable>();
  const add = (name: string, ...shape: number[]) => {
    variables.set(name, { shape, type: "float16", values: CHANCE.subarray(2 * (variables.size % 100)) });
  };
  const linear = (name: string, outputs: number, inputs: number) => {
    add(`${name}/weight`, outputs, inputs);
    add(`${name}/bias`, outputs);
  };
  const norm = (name: string) => {
    add(`${name}/gamma`, WIDTH);
    add(`${name}/beta`, WIDTH);
  };
  add("decoder/embeddings/weight", TINY_VOCABULARY, WIDTH);
  add("decoder/position_encodings/encodings", 448, WIDTH);
  add("encoder/position_encodings/encodings", 1500, WIDTH);
  add("encoder/conv1/weight", WIDTH, 80, 3);
  add("encoder/conv1/bias", WIDTH);
  add("encoder/conv2/weight", WIDTH, WIDTH, 3);
  add("encoder/conv2/bias", WIDTH);
  for (const side of ["encoder", "decoder"]) {
    norm(`${side}/layer_norm`);
    norm(`${side}/layer_0/self_attention/layer_norm`);
    linear(`${side}/layer_0/self_attention/linear_0`, 3 * WIDTH, WIDTH);
    linear(`${side}/layer_0/self_attention/linear_1`, WIDTH, WIDTH);
    norm(`${side}/layer_0/ffn/layer_norm`);
    linear(`${side}/layer_0/ffn/linear_0`, 4 * WIDTH, WIDTH);
    linear(`${side}/layer_0/ffn/linear_1`, WIDTH, 4 * WIDTH);
  }
  norm("decoder/layer_0/attention/layer_norm");
  linear("decoder/layer_0/attention/linear_0", WIDTH, WIDTH);
  linear("decoder/layer_0/attention/linear_1", 2 * WIDTH, WIDTH);
  linear("decoder/layer_0/attention/linear_2", WIDTH, WIDTH);
  return { version: 6, spec: "WhisperSpec", variables, aliases: [["decoder/projection/weight", "decoder/embeddings/weight"]] };
}

/** The bytes of a model.bin (CTranslate2, specs/model_spec.py). */
export function encodeTinyModel({ version, spec, variables, aliases }: TinyModel): Buffer {
  const u32 = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  };
  const text = (value: string) => {
    const bytes = Buffer.from(`${value}\0`);
    const length = Buffer.alloc(2);
    length.writeUInt16LE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const parts = [u32(version), text(spec), u32(3), u32(variables.size)];
  for (const [name, { shape, type, values }] of variables) {
    const length = shape.reduce((product, dim) => product * dim, VALUE_BYTES[type]);
    const body = Buffer.alloc(length);
    for (let at = 0; at < length; at += values.length) body.set(values.subarray(0, length - at), at);
    parts.push(text(name), Buffer.of(shape.length), ...shape.map(u32), Buffer.of(TYPE_IDS[type]), u32(length), body);
  }
  parts.push(u32(aliases.length), ...aliases.flatMap((pair) => pair.map(text)));
  return Buffer.concat(parts);
}

const SPECIAL = new Map([
  ["endoftext", 50_257],
  ["startoftranscript", 50_258],
  ["en", 50_259],
  ["zh", 50_260],
  ["translate", 50_358],
  ["transcribe", 50_359],
  ["startofprev", 50_361],
  ["nocaptions", 50_362],
  ["notimestamps", 50_363],
]);

/** A tokenizer.json whose first 188 tokens are bytes and whose others are made-up words. */
export function tinyTokenizer(): { model: Record<string, unknown>; added_tokens: { content: string; id: number }[] } {
  const printable = [
    ...Array.from({ length: 94 }, (_, i) => 33 + i),
    ...Array.from({ length: 12 }, (_, i) => 161 + i),
    ...Array.from({ length: 82 }, (_, i) => 174 + i),
  ];
  const vocab = Object.fromEntries(printable.map((byte, id) => [String.fromCharCode(byte), id]));
  for (let id = printable.length; id < 50_257; id++) vocab[`Ġw${id}`] = id;
  return {
    model: { type: "BPE", vocab, merges: ["a b"] },
    added_tokens: [...SPECIAL].map(([name, id]) => ({ content: `<|${name}|>`, id })),
  };
}

export const TINY_CONFIG = {
  alignment_heads: [[0, 0]],
  lang_ids: Array.from({ length: 99 }, (_, i) => 50_259 + i),
  suppress_ids: [1, 2, 7, 50_258, 50_362],
  suppress_ids_begin: [220, 50_257],
};

let whole: Readonly<Record<string, string | Uint8Array>> | undefined;

/** Writes a folder of weights; what is given replaces a part, null leaves it out. */
export function writeTinyWhisper(folder: string, files: Readonly<Record<string, string | Uint8Array | null>> = {}): string {
  whole ??= {
    "model.bin": encodeTinyModel(tinyModel()),
    "config.json": JSON.stringify(TINY_CONFIG),
    "tokenizer.json": JSON.stringify(tinyTokenizer()),
    "vocabulary.txt": "x\n".repeat(TINY_VOCABULARY),
  };
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries({ ...whole, ...files })) if (content !== null) writeFileSync(join(folder, name), content);
  return folder;
}
