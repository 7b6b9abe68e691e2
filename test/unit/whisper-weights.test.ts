import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { readIndex } from "../../src/pipeline/asr/whisper/ctranslate2.ts";
import { inspectWhisper } from "../../src/pipeline/asr/whisper/inspect.ts";
import { openWhisper } from "../../src/pipeline/asr/whisper/open.ts";
import { CallsiftError } from "../../src/pipeline/errors.ts";
import {
  encodeTinyModel,
  TINY_CONFIG,
  TINY_VOCABULARY,
  type TinyModel,
  tinyModel,
  tinyTokenizer,
  writeTinyWhisper,
} from "../support/tiny-whisper.ts";
import { whisperBase } from "../support/weights.ts";

const scratch = mkdtempSync(join(tmpdir(), "callsift-whisper-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let folders = 0;
const fresh = () => join(scratch, `weights-${folders++}`);
const sound = encodeTinyModel(tinyModel());

/** The model with something changed. */
function changed(change: (model: TinyModel) => void): Buffer {
  const model = tinyModel();
  change(model);
  return encodeTinyModel(model);
}

describe("a folder of Whisper's weights", () => {
  it("is told from its headers", async () => {
    expect(await inspectWhisper(writeTinyWhisper(fresh()))).toEqual({
      model: "whisper-64x1x1",
      mels: 80,
      layers: [1, 1],
      vocab: TINY_VOCABULARY,
      bytesInMemory: expect.any(Number),
    });
  });

  it("may have vocabulary.json, and model.bin behind a link", async () => {
    const real = writeTinyWhisper(fresh());
    const folder = writeTinyWhisper(fresh(), {
      "model.bin": null,
      "vocabulary.txt": null,
      "vocabulary.json": JSON.stringify(Array(TINY_VOCABULARY).fill("x")),
    });
    symlinkSync(join(real, "model.bin"), join(folder, "model.bin"));
    expect((await inspectWhisper(folder)).vocab).toBe(TINY_VOCABULARY);
  });

  it.skipIf(whisperBase() === null)("of Whisper base is known (needs the weights of whisper-base)", async () => {
    const facts = await inspectWhisper(whisperBase() ?? "");
    expect(facts).toMatchObject({ model: "whisper-base", mels: 80, layers: [6, 6], vocab: 51_865 });
    expect(facts.bytesInMemory).toBeLessThan(600e6);
  });

  const badly: readonly [string, Readonly<Record<string, string | Uint8Array | null>>, string][] = [
    ["without model.bin", { "model.bin": null }, "weights/missing"],
    ["without config.json", { "config.json": null }, "weights/missing"],
    ["without tokenizer.json", { "tokenizer.json": null }, "weights/missing"],
    ["without a vocabulary", { "vocabulary.txt": null }, "weights/missing"],
    ["with an empty model.bin", { "model.bin": "" }, "weights/damaged"],
    ["with a model.bin that lacks its end", { "model.bin": sound.subarray(0, -100) }, "weights/damaged"],
    ["with a model.bin that goes on", { "model.bin": Buffer.concat([sound, Buffer.alloc(7)]) }, "weights/damaged"],
    [
      "with a text file as model.bin",
      { "model.bin": "Whisper is a general-purpose speech recognition model.\n".repeat(50) },
      "weights/foreign",
    ],
    [
      "with an ONNX file as model.bin",
      { "model.bin": Buffer.concat([Buffer.from("080812077079746f726368", "hex"), Buffer.alloc(200)]) },
      "weights/foreign",
    ],
    ["of a translator", { "model.bin": changed((model) => (model.spec = "TransformerSpec")) }, "weights/foreign"],
    ["of a format yet to come", { "model.bin": changed((model) => (model.version = 7)) }, "weights/foreign"],
    [
      "that lacks a layer",
      { "model.bin": changed(({ variables }) => variables.delete("decoder/layer_0/attention/linear_1/weight")) },
      "weights/foreign",
    ],
    [
      "of unequal widths",
      { "model.bin": changed(({ variables }) => resize(variables, "encoder/layer_0/ffn/linear_1/bias", [65])) },
      "weights/foreign",
    ],
    [
      "of English only",
      {
        "model.bin": changed(({ variables }) => resize(variables, "decoder/embeddings/weight", [51_864, 64])),
        "vocabulary.txt": "x\n".repeat(51_864),
      },
      "weights/foreign",
    ],
    ["with the vocabulary of another model", { "vocabulary.txt": "x\n".repeat(51_866) }, "weights/foreign"],
    [
      "with the tokenizer of another model",
      {
        "tokenizer.json": JSON.stringify({
          ...tinyTokenizer(),
          added_tokens: tinyTokenizer().added_tokens.map(({ content, id }) => ({ content, id: id + 101 })),
        }),
      },
      "weights/foreign",
    ],
    [
      "with tokens beyond the model's",
      {
        "tokenizer.json": JSON.stringify({
          ...tinyTokenizer(),
          added_tokens: tinyTokenizer().added_tokens.map(({ content, id }) => ({ content, id: id + 9_000 })),
        }),
      },
      "weights/foreign",
    ],
    ["with a tokenizer.json of text", { "tokenizer.json": "<html>404</html>" }, "weights/damaged"],
    ["with a config.json that is cut", { "config.json": JSON.stringify(TINY_CONFIG).slice(0, 40) }, "weights/damaged"],
    [
      "with heads that the model lacks",
      { "config.json": JSON.stringify({ ...TINY_CONFIG, alignment_heads: [[5, 1]] }) },
      "weights/foreign",
    ],
    [
      "with suppressed tokens that the model lacks",
      { "config.json": JSON.stringify({ ...TINY_CONFIG, suppress_ids: [60_000] }) },
      "weights/foreign",
    ],
    ["with a config.json of null", { "config.json": "null" }, "weights/foreign"],
  ];

  it.each(badly)("is refused %s", async (_, files, code) => {
    const folder = writeTinyWhisper(fresh(), files);
    await expect(inspectWhisper(folder)).rejects.toMatchObject({ name: "CallsiftError", code });
    await expect(openWhisper({ folder, lanes: 1 })).rejects.toMatchObject({ name: "CallsiftError", code });
  });

  it("is refused where there is none", async () => {
    await expect(openWhisper({ folder: fresh() })).rejects.toMatchObject({ code: "weights/missing" });
  });

  it("is refused where model.bin is a folder or a pipe, without waiting for it", async () => {
    const withFolder = writeTinyWhisper(fresh(), { "model.bin": null });
    mkdirSync(join(withFolder, "model.bin"));
    await expect(inspectWhisper(withFolder)).rejects.toMatchObject({ code: expect.stringMatching(/^weights\//) });
    const withPipe = writeTinyWhisper(fresh(), { "model.bin": null });
    execFileSync("mkfifo", [join(withPipe, "model.bin")]);
    await expect(inspectWhisper(withPipe)).rejects.toMatchObject({ code: "weights/foreign" });
  });

  it("is opened with weights of 32 bits or of 8 with scales too", async () => {
    const floats = new Uint8Array(Float32Array.from({ length: 999 }, (_, i) => Math.sin(i) / 8).buffer);
    const model = changed(({ variables }) => {
      for (const [name, variable] of variables) variables.set(name, { ...variable, type: "float32", values: floats });
      for (const name of ["encoder/layer_0/ffn/linear_0/weight", "decoder/embeddings/weight"]) {
        const { shape } = variables.get(name) ?? { shape: [] };
        variables.set(name, { shape, type: "int8", values: Uint8Array.from({ length: 999 }, (_, i) => (i * 37) & 255) });
        variables.set(`${name}_scale`, { shape: [shape[0] ?? 0], type: "float32", values: new Uint8Array(Float32Array.of(800).buffer) });
      }
    });
    const recogniser = await openWhisper({ folder: writeTinyWhisper(fresh(), { "model.bin": model }), lanes: 1 });
    const heard = await recogniser.hear(new Float32Array(8_000).fill(0.1), { language: "zh" });
    await recogniser[Symbol.asyncDispose]();
    expect(heard.confidence).toBeGreaterThan(0);
  });

  it("of numbers that are none is found damaged when it is heard with", async () => {
    const model = changed(({ variables }) => {
      const name = "decoder/layer_norm/gamma";
      variables.set(name, { shape: [64], type: "float16", values: Uint8Array.of(0xff, 0x7f) });
    });
    const recogniser = await openWhisper({ folder: writeTinyWhisper(fresh(), { "model.bin": model }), lanes: 1 });
    await expect(recogniser.hear(new Float32Array(8_000).fill(0.1), { language: "zh" })).rejects.toMatchObject({ code: "weights/damaged" });
    await recogniser[Symbol.asyncDispose]();
  });
});

function resize(variables: TinyModel["variables"], name: string, shape: readonly number[]): void {
  const variable = variables.get(name);
  if (variable) variables.set(name, { ...variable, shape });
}

describe("the headers of a model.bin", () => {
  // Without the large tables, so that many can be tried.
  const small = changed(({ variables }) => {
    for (const name of variables.keys()) if (!name.endsWith("layer_norm/gamma")) variables.delete(name);
    variables.set("decoder/embeddings/weight", { shape: [3, 4], type: "float16", values: Uint8Array.of(1, 2, 3, 4) });
  });
  const path = join(scratch, "headers.bin");

  async function outcome(bytes: Uint8Array): Promise<string> {
    writeFileSync(path, bytes);
    const file = await open(path);
    try {
      await readIndex(file, "model.bin");
      return "read";
    } catch (error) {
      return error instanceof CallsiftError ? error.code : `not coded: ${error}`;
    } finally {
      await file.close();
    }
  }

  it("are read", async () => {
    expect(await outcome(small)).toBe("read");
  });

  it("are found damaged wherever the file is cut", async () => {
    for (let length = 0; length < small.length; length += length < 80 ? 1 : 7) {
      expect(await outcome(small.subarray(0, length))).toMatch(/^weights\/(damaged|foreign)$/);
    }
  });

  it("never fail without a code, whatever bytes are changed", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(small.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }), async (changes) => {
        const bytes = Uint8Array.from(small);
        for (const [at, value] of changes) bytes[at] = value;
        expect(await outcome(bytes)).toMatch(/^(read|weights\/(damaged|foreign))$/);
      }),
      { numRuns: 300 },
    );
  });
});
