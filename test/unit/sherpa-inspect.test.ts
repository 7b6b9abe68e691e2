import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { inspectSherpa } from "../../src/pipeline/asr/sherpa/inspect.ts";
import { readOnnxFile } from "../../src/pipeline/asr/sherpa/onnx-file.ts";
import { probeSherpa } from "../../src/pipeline/asr/sherpa/probe.ts";
import { CallsiftError } from "../../src/pipeline/errors.ts";
import { scratch } from "../support/callsift.ts";
import { TINY_FAMILIES, tinyModel } from "../support/sherpa-models.ts";

const VOICES = fileURLToPath(new URL("../../src/pipeline/voices/voice-encoder.fp16.onnx", import.meta.url));

function codeOf(inspect: () => unknown): { code: string; message: string } {
  try {
    inspect();
  } catch (error) {
    if (error instanceof CallsiftError) return { code: error.code, message: error.message };
    throw error;
  }
  return { code: "none", message: "" };
}

test.each(TINY_FAMILIES)("%s is recognised by its files and metadata", async (family) => {
  await using model = await tinyModel(family);
  expect(inspectSherpa(model.path)).toMatchObject({ family, name: family, wordTimes: true });
});

test("the 8-bit model is preferred where both are there", async () => {
  await using model = await tinyModel("sense-voice");
  writeFileSync(join(model.path, "model.onnx"), "not looked at");
  expect(inspectSherpa(model.path).modelPath).toBe(join(model.path, "model.int8.onnx"));
});

test("icefall's marks after the symbols are no symbols", async () => {
  await using model = await tinyModel("zipformer-ctc");
  const path = join(model.path, "tokens.txt");
  const { length } = inspectSherpa(model.path).tokens.symbols;
  writeFileSync(path, `${readFileSync(path, "utf8")}#0 ${length}\n#1 ${length + 1}\n`);
  expect(inspectSherpa(model.path).family).toBe("zipformer-ctc");
  writeFileSync(path, `${readFileSync(path, "utf8")}好 ${length + 2}\n`);
  expect(codeOf(() => inspectSherpa(model.path)).code).toBe("weights/foreign");
});

describe("refused before native code sees them", () => {
  test("no folder, an empty one, a link to nothing, a model without its symbols", async () => {
    await using folder = await scratch();
    expect(codeOf(() => inspectSherpa(join(folder.path, "nowhere"))).code).toBe("weights/missing");
    expect(codeOf(() => inspectSherpa(folder.path))).toMatchObject({
      code: "weights/missing",
      message: expect.stringContaining("model.int8.onnx"),
    });
    symlinkSync(join(folder.path, "gone"), join(folder.path, "model.onnx"));
    expect(codeOf(() => inspectSherpa(folder.path)).code).toBe("weights/missing");
    await using model = await tinyModel("paraformer");
    rmSync(join(model.path, "tokens.txt"));
    expect(codeOf(() => inspectSherpa(model.path))).toMatchObject({
      code: "weights/missing",
      message: expect.stringContaining("tokens.txt"),
    });
  });

  test("an empty file, a text renamed, a web page, a folder of that name", async () => {
    await using folder = await scratch();
    const model = join(folder.path, "model.onnx");
    writeFileSync(join(folder.path, "tokens.txt"), "<blk> 0\n");
    for (const content of [
      "",
      "The weights are to be had from the vendor.\n",
      "<!doctype html><html><body>404</body></html>",
      "\0".repeat(5000),
    ]) {
      writeFileSync(model, content);
      expect(codeOf(() => inspectSherpa(folder.path)).code).toBe("weights/damaged");
    }
    rmSync(model);
    mkdirSync(model);
    expect(codeOf(() => inspectSherpa(folder.path)).code).toBe("weights/missing");
  });

  test("a model cut anywhere", async () => {
    await using model = await tinyModel("sense-voice");
    const path = join(model.path, "model.int8.onnx");
    const whole = readFileSync(path);
    for (let tenth = 1; tenth < 10; tenth++) {
      writeFileSync(path, whole.subarray(0, Math.floor((whole.length * tenth) / 10)));
      expect(["weights/damaged", "weights/foreign"]).toContain(codeOf(() => inspectSherpa(model.path)).code);
    }
    writeFileSync(path, whole.subarray(0, whole.length - 1));
    expect(codeOf(() => inspectSherpa(model.path)).code).toBe("weights/damaged");
  });

  test("an ONNX of another kind, without the metadata of a recogniser", async () => {
    await using model = await tinyModel("sense-voice");
    copyFileSync(VOICES, join(model.path, "model.int8.onnx"));
    expect(codeOf(() => inspectSherpa(model.path))).toMatchObject({
      code: "weights/foreign",
      message: expect.stringContaining("model_type"),
    });
  });

  test("symbols of another model, too few, in another form", async () => {
    await using model = await tinyModel("sense-voice");
    await using other = await tinyModel("paraformer");
    const tokens = join(model.path, "tokens.txt");
    copyFileSync(join(other.path, "tokens.txt"), tokens);
    expect(codeOf(() => inspectSherpa(model.path))).toMatchObject({
      code: "weights/foreign",
      message: expect.stringContaining("of another model"),
    });
    writeFileSync(tokens, readFileSync(join(other.path, "model.int8.onnx")));
    expect(codeOf(() => inspectSherpa(model.path)).code).toBe("weights/damaged");
    truncateSync(tokens, 0);
    expect(codeOf(() => inspectSherpa(model.path)).code).toBe("weights/damaged");
  });

  test("a family's metadata with a value missing, or a list too short", async () => {
    await using model = await tinyModel("sense-voice");
    const path = join(model.path, "model.int8.onnx");
    const whole = readFileSync(path).toString("latin1");
    const changed = (from: string, to: string) => {
      expect(from.length).toBe(to.length);
      writeFileSync(path, Buffer.from(whole.replace(from, to), "latin1"));
      return codeOf(() => inspectSherpa(model.path));
    };
    expect(changed("with_itn", "with_xyz")).toMatchObject({ code: "weights/foreign", message: expect.stringContaining("with_itn") });
    expect(changed("-12.0,-12.0", "-12.0;-12.0")).toMatchObject({ code: "weights/foreign", message: expect.stringContaining("neg_mean") });
    expect(changed("sense_voice_ctc", "sense_voice_rnn")).toMatchObject({
      code: "weights/foreign",
      message: expect.stringContaining("sense_voice_rnn"),
    });
    // Of the type Paraformer, but not its inputs.
    expect(changed("sense_voice_ctc", "zipformer2_ctc ").code).toBe("weights/foreign");
  });
});

test("any damage to the bytes is told, or is none to the structure: reading never hangs nor throws anything else", async () => {
  await using model = await tinyModel("sense-voice");
  const path = join(model.path, "model.int8.onnx");
  const whole = readFileSync(path);
  const structure = readOnnxFile(path);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }), (changes) => {
      const damaged = Buffer.from(whole);
      for (const [at, byte] of changes) damaged[at] = byte;
      writeFileSync(path, damaged);
      expect(["none", "weights/damaged", "weights/foreign"]).toContain(codeOf(() => inspectSherpa(model.path)).code);
    }),
    { numRuns: 200 },
  );
  expect(structure.nodes.length).toBeGreaterThan(10);
});

describe("tried in a child process", () => {
  test("sound weights pass", async () => {
    await using model = await tinyModel("fire-red-ctc");
    expect((await probeSherpa(model.path)).family).toBe("fire-red-ctc");
  });

  test("weights that end the process that loads them are told, and this process goes on", async () => {
    await using model = await tinyModel("sense-voice");
    const path = join(model.path, "model.int8.onnx");
    // An operator that onnxruntime does not know: nothing of the structure shows it.
    writeFileSync(path, Buffer.from(readFileSync(path).toString("latin1").replaceAll("MatMulInteger", "MatMulIntegrx"), "latin1"));
    expect(inspectSherpa(model.path).family).toBe("sense-voice");
    await expect(probeSherpa(model.path)).rejects.toMatchObject({ code: "weights/foreign", message: expect.stringContaining("ended") });
  });

  test("a deadline and a signal end the trial", async () => {
    await using model = await tinyModel("paraformer");
    await expect(probeSherpa(model.path, { deadlineMs: 1 })).rejects.toMatchObject({
      code: "weights/foreign",
      message: expect.stringContaining("1 ms"),
    });
    const stop = new AbortController();
    const probing = probeSherpa(model.path, { signal: stop.signal });
    stop.abort();
    await expect(probing).rejects.toMatchObject({ code: "aborted" });
    await expect(probeSherpa(model.path, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: expect.stringMatching(/Abort|Callsift/),
    });
  });
});
