import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { inspectSherpa, type SherpaWeights } from "../../src/pipeline/asr/sherpa/inspect.ts";
import { type FieldPlace, readOnnxFile } from "../../src/pipeline/asr/sherpa/onnx-file.ts";
import { readProcessor } from "../../src/pipeline/asr/sherpa/processor.ts";
import { applyEdits, type Edit, hashFile, planSigned, writeEdited } from "../../src/pipeline/asr/sherpa/signed.ts";
import { chooseWay, signedStatus } from "../../src/pipeline/asr/sherpa/way.ts";
import { tinyModel } from "../support/sherpa-models.ts";

const PLAIN = { name: "x64 of another age", instructions: [] };
const FAST = { name: "x64 with all of it", instructions: ["avx512_vnni"] };
/** Elsewhere sums of signed weights overflow 16 bits, and the trial rightly finds other tokens. */
const CAN_BE_SIGNED = readProcessor().instructions.length > 0;

/** The values of 8-bit tensors, by name. */
function valuesOf(path: string): Map<string, { type: number; values: number[] }> {
  const file = readFileSync(path);
  const tensors = readOnnxFile(path).initializers.filter(({ type }) => type === 2 || type === 3);
  return new Map(
    tensors.map(({ name, type, raw, integers }) => {
      const bytes = raw ? file.subarray(raw.bodyAt, raw.bodyAt + raw.bodyBytes) : null;
      const values = bytes ? [...(type === 3 ? new Int8Array(Uint8Array.from(bytes).buffer) : bytes)] : [...(integers ?? [])];
      return [name, { type, values }];
    }),
  );
}

test.each(["sense-voice", "paraformer"] as const)(
  "%s: every 8-bit weight and zero point is 128 less, all else as it was",
  async (family) => {
    await using model = await tinyModel(family);
    const { modelPath, onnx } = inspectSherpa(model.path);
    const to = join(model.path, "other.onnx");
    const sha256 = await writeEdited(modelPath, to, planSigned(onnx));
    expect(sha256).toBe(await hashFile(to));
    const before = valuesOf(modelPath);
    const after = valuesOf(to);
    expect([...after.keys()]).toEqual([...before.keys()]);
    for (const [name, { type, values }] of before) {
      expect(type).toBe(2);
      expect(after.get(name)).toEqual({ type: 3, values: values.map((value) => value - 128) });
    }
    const written = readOnnxFile(to);
    expect(written.metadata).toEqual(onnx.metadata);
    expect(written.nodes).toEqual(onnx.nodes);
    expect(written.outputs).toEqual(onnx.outputs);
    // Once is enough.
    expect(planSigned(written)).toEqual([]);
  },
);

test("weights that something else uses too stay as they are", async () => {
  await using model = await tinyModel("sense-voice");
  const { onnx } = inspectSherpa(model.path);
  const shared = { ...onnx, nodes: [...onnx.nodes, { op: "DequantizeLinear", inputs: ["h_w", "h_ws", "h_wz"] }] };
  const all = planSigned(onnx).length;
  expect(planSigned(shared).length).toBeGreaterThan(0);
  expect(planSigned(shared).length).toBeLessThan(all);
  // Without a zero point it would have to be made: not done.
  const bare = {
    ...onnx,
    nodes: onnx.nodes.map((node) => (node.op === "MatMulInteger" ? { ...node, inputs: node.inputs.slice(0, 3) } : node)),
  };
  expect(planSigned(bare)).toEqual([]);
});

test("edits come out the same however the file is cut into chunks", async () => {
  const editsOf = fc.array(fc.tuple(fc.nat(8), fc.nat(6), fc.oneof(fc.constant(null), fc.uint8Array({ maxLength: 5 }))), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 70, maxLength: 90 }),
      editsOf,
      fc.array(fc.integer({ min: 1, max: 30 })),
      async (bytes, parts, sizes) => {
        const edits: Edit[] = [];
        const expected: number[] = [];
        let at = 0;
        for (const [gap, length, insert] of parts) {
          expected.push(...bytes.subarray(at, at + gap));
          at += gap;
          edits.push(insert ? { at, remove: length, insert } : { at, flip: length });
          expected.push(...(insert ?? bytes.subarray(at, at + length).map((byte) => byte ^ 0x80)));
          at += length;
        }
        expected.push(...bytes.subarray(at));
        async function* chunks() {
          let from = 0;
          for (const size of [...sizes, bytes.length]) {
            if (from >= bytes.length) return;
            yield Buffer.from(bytes.subarray(from, from + size));
            from += size;
          }
        }
        const got: number[] = [];
        for await (const chunk of applyEdits(chunks(), edits)) got.push(...chunk);
        expect(got).toEqual(expected);
      },
    ),
  );
});

test("the processor's instructions are read from what Linux says of it", () => {
  expect(readProcessor("flags\t\t: fpu sse avx2 avx512_vnni amx_int8\n").instructions).toEqual(["avx512_vnni", "amx_int8"]);
  expect(readProcessor("flags\t\t: fpu sse avx2\nbugs : avx_vnni\n").instructions).toEqual([]);
  expect(readProcessor("").instructions).toEqual([]);
});

describe("which weights are used", () => {
  test.runIf(CAN_BE_SIGNED)(
    "signed ones where the processor gains by them and the trial finds the same tokens; remembered until something changes",
    async () => {
      await using model = await tinyModel("sense-voice");
      const weights = inspectSherpa(model.path);
      expect(signedStatus(model.path, FAST).state).toBe("not-tried");
      const way = await chooseWay(weights, { processor: FAST });
      expect(way).toMatchObject({ notSigned: null, by: "ctc", notOwn: null, sha256: await hashFile(weights.modelPath) });
      expect(way.modelPath).toContain(way.sha256.slice(0, 16));
      expect(readdirSync(model.path).sort()).toEqual([
        "callsift-way.json",
        "model.int8.onnx",
        expect.stringMatching(/^signed-/),
        "tokens.txt",
      ]);
      expect(signedStatus(model.path, FAST).state).toBe("used");
      expect(await chooseWay(weights, { processor: FAST })).toEqual(way);
      // Another machine has to try for itself, and may not gain.
      expect(signedStatus(model.path, PLAIN)).toMatchObject({ state: "not-used", reason: expect.stringContaining("neither VNNI nor AMX") });
      // A file that was written to is no longer known.
      utimesSync(way.modelPath, 1, 1);
      expect(signedStatus(model.path, FAST).state).toBe("not-tried");
      const again = await chooseWay(weights, { processor: FAST });
      expect(again).toEqual(way);
      expect(statSync(again.modelPath).mtimeMs).toBeGreaterThan(1000);
    },
  );

  test("the published ones elsewhere, with the reason", async () => {
    await using model = await tinyModel("sense-voice");
    const weights = inspectSherpa(model.path);
    expect(await chooseWay(weights, { processor: PLAIN })).toMatchObject({
      modelPath: weights.modelPath,
      notSigned: expect.stringContaining("neither VNNI nor AMX"),
      by: "ctc",
    });
    expect(readdirSync(model.path)).not.toContainEqual(expect.stringMatching(/^signed-/));
    expect(signedStatus(model.path, PLAIN).state).toBe("not-used");
  });

  test("the published ones where there is nothing to re-encode", async () => {
    await using model = await tinyModel("zipformer-ctc");
    expect(await chooseWay(inspectSherpa(model.path), { processor: FAST })).toMatchObject({
      notSigned: expect.stringContaining("no unsigned 8-bit matrices"),
      by: "ctc",
    });
  });

  test.runIf(CAN_BE_SIGNED)("a family that is left to sherpa-onnx gains as well", async () => {
    await using model = await tinyModel("paraformer");
    expect(await chooseWay(inspectSherpa(model.path), { processor: FAST })).toMatchObject({ notSigned: null, by: "sherpa" });
  });

  /** Weights of which the wrong bytes would be re-encoded. */
  function misread(weights: SherpaWeights, raw: (place: FieldPlace) => FieldPlace): SherpaWeights {
    const initializers = weights.onnx.initializers.map((tensor) =>
      tensor.name === "h_w" && tensor.raw ? { ...tensor, raw: raw(tensor.raw) } : tensor,
    );
    return { ...weights, onnx: { ...weights.onnx, initializers } };
  }

  test("the published ones where the re-encoded ones give other tokens", async () => {
    await using model = await tinyModel("sense-voice");
    const weights = inspectSherpa(model.path);
    const way = await chooseWay(
      misread(weights, (place) => ({ ...place, bodyBytes: place.bodyBytes >> 1 })),
      { processor: FAST },
    );
    expect(way).toMatchObject({ modelPath: weights.modelPath, by: "ctc", notSigned: expect.stringContaining("other tokens") });
    expect(readdirSync(model.path)).not.toContainEqual(expect.stringMatching(/^signed-/));
    expect(signedStatus(model.path, FAST)).toMatchObject({ state: "not-used", reason: expect.stringContaining("other tokens") });
  });

  test("the published ones, decoded by sherpa-onnx, where the re-encoded ones end the process", async () => {
    await using model = await tinyModel("sense-voice");
    const weights = inspectSherpa(model.path);
    const way = await chooseWay(
      misread(weights, () => ({ at: 0, bodyAt: 0, bodyBytes: 64 })),
      { processor: FAST },
    );
    const ended = expect.stringContaining("ended");
    expect(way).toMatchObject({ modelPath: weights.modelPath, by: "sherpa", notSigned: ended, notOwn: ended });
    expect(readdirSync(model.path)).not.toContainEqual(expect.stringMatching(/^signed-/));
  });

  test("a memory that is not ours is made again", async () => {
    await using model = await tinyModel("sense-voice");
    writeFileSync(join(model.path, "callsift-way.json"), '{"version":1,"sha256":"../../etc"}');
    expect((await chooseWay(inspectSherpa(model.path), { processor: PLAIN })).by).toBe("ctc");
  });

  test("signed weights that cannot be written: the published ones, and it says so", async () => {
    await using model = await tinyModel("sense-voice");
    const weights = inspectSherpa(model.path);
    const inTheWay = join(model.path, `signed-${(await hashFile(weights.modelPath)).slice(0, 16)}.onnx`);
    mkdirSync(join(inTheWay, "full"), { recursive: true });
    const way = await chooseWay(weights, { processor: FAST });
    expect(way).toMatchObject({ notSigned: expect.stringContaining("could not be written"), modelPath: weights.modelPath });
    expect(readdirSync(model.path).filter((name) => name.endsWith(".partial"))).toEqual([]);
  });

  test("nothing is left behind by a re-encoding that is stopped", async () => {
    await using model = await tinyModel("sense-voice");
    const weights = inspectSherpa(model.path);
    await expect(chooseWay(weights, { processor: FAST, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
    const stop = new AbortController();
    const choosing = chooseWay(weights, { processor: FAST, signal: stop.signal });
    setTimeout(() => stop.abort(), 20);
    await expect(choosing).rejects.toMatchObject({ code: "aborted" });
    expect(readdirSync(model.path).filter((name) => name.endsWith(".partial"))).toEqual([]);
    expect(existsSync(join(model.path, "callsift-way.json"))).toBe(false);
  });
});
