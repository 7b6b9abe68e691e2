import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { addWeights } from "../../src/weights/add.ts";
import { CATALOGUE, type CatalogueEntry } from "../../src/weights/catalogue.ts";
import { WEIGHTS_NAME } from "../../src/weights/manifest.ts";
import { preferredWeights } from "../../src/weights/preferred.ts";
import { type InstalledWeights, installedWeights, removeWeights } from "../../src/weights/store.ts";
import { tryLoading } from "../../src/weights/try-loading.ts";
import { verifyWeights } from "../../src/weights/verify.ts";
import { tarOf, zipOf } from "../support/archives.ts";

const models = fileURLToPath(new URL("../../fixtures/asr-models", import.meta.url));
const model = await readFile(join(models, "sense-voice/model.int8.onnx"));
const tokens = await readFile(join(models, "sense-voice/tokens.txt"));
const families = (await readdir(models)).filter((name) => !name.includes("."));

let top = "";
let weightsDir = "";
beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), "callsift-add-"));
  weightsDir = join(top, "store");
});
afterEach(async () => {
  await rm(top, { recursive: true, force: true });
});

const add = (path: string | readonly string[], name?: string, deps: Parameters<typeof addWeights>[1]["deps"] = {}) =>
  addWeights(typeof path === "string" ? [path] : path, { weightsDir, name, deps });
async function file(path: string, content: Buffer | string): Promise<string> {
  const at = join(top, path);
  await mkdir(join(at, ".."), { recursive: true });
  await writeFile(at, content);
  return at;
}
const left = async () => (await readdir(weightsDir)).sort();

describe("addWeights", () => {
  it.each(families)("takes a folder: %s", async (family) => {
    const { weights, known } = await add(join(models, family));
    expect(known).toBe(false);
    expect(weights).toMatchObject({
      name: family,
      state: "ready",
      manifest: { engine: "sherpa", family, source: `added by hand: ${family}` },
    });
    expect(await left()).toEqual([family]);
  });

  const released = async () => [
    { name: "sherpa-onnx-x/README.md", content: "x" },
    { name: "sherpa-onnx-x/test_wavs/a.wav", content: "x" },
    { name: "sherpa-onnx-x/model.onnx", content: "the large one" },
    { name: "sherpa-onnx-x/model.int8.onnx", content: model },
    { name: "sherpa-onnx-x/tokens.txt", content: tokens },
  ];
  it.each<[string, () => Promise<Buffer>]>([
    ["x.tar", async () => tarOf((await released()).map(({ name, content }) => [{ name }, content]))],
    ["x.tar.gz", async () => gzipSync(await tarOf((await released()).map(({ name, content }) => [{ name }, content])))],
    ["x.zip", async () => zipOf(await released())],
    ["x.with another name", async () => zipOf(await released())],
  ])("takes an archive as it was released: %s", async (name, make) => {
    const { weights } = await add(await file(name, await make()));
    expect(weights.name).toBe(name === "x.with another name" ? "x.with-another-name" : "x");
    expect(await readdir(weights.folder)).toEqual(["manifest.json", "model.int8.onnx", "tokens.txt"]);
  });

  it("takes loose files, links, and the one folder below that has weights", async () => {
    const files = [await file("model.int8.onnx", model), await file("tokens.txt", tokens)];
    expect((await add(files, "loose")).weights.state).toBe("ready");
    // As the caches of other programs keep them.
    await mkdir(join(top, "snap", "abc"), { recursive: true });
    for (const path of files) await symlink(path, join(top, "snap", "abc", path.split("/").at(-1) ?? ""));
    const { weights } = await add(join(top, "snap"));
    expect(await readFile(join(weights.folder, "model.int8.onnx"))).toEqual(model);
  });

  const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
  const entry = (): CatalogueEntry => ({
    ...(CATALOGUE[0] as CatalogueEntry),
    name: "tiny",
    files: [
      { name: "model.int8.onnx", bytes: model.length, sha256: sha256(model) },
      { name: "tokens.txt", bytes: tokens.length, sha256: null },
    ],
  });
  it("knows the catalogue's weights by their bytes", async () => {
    const { weights, known } = await add(join(models, "sense-voice"), undefined, { catalogue: [entry()] });
    expect(known).toBe(true);
    expect(weights).toMatchObject({
      name: "tiny",
      manifest: { licence: { name: CATALOGUE[0]?.licence.name }, files: [{ known: true }, { known: false }] },
    });
  });
  it("does not take others under a name of the catalogue", async () => {
    for (const paths of [[join(models, "paraformer")], [await file("model.int8.onnx", model)]])
      await expect(add(paths, "tiny", { catalogue: [entry()] })).rejects.toMatchObject({
        code: "weights/damaged",
        message: expect.stringContaining("--name"),
      });
    await cp(join(models, "paraformer"), join(top, "tiny"), { recursive: true });
    await expect(add(join(top, "tiny"), undefined, { catalogue: [entry()] })).rejects.toMatchObject({ code: "weights/damaged" });
    expect(await left()).toEqual([]);
  });
  it("takes a folder of another machine's store, without what was made there", async () => {
    const { weights } = await add(join(models, "sense-voice"), "w");
    for (const name of ["signed-00ff.onnx", "callsift-way.json"]) await writeFile(join(weights.folder, name), "of that machine");
    await cp(weights.folder, join(top, "stick", "w"), { recursive: true });
    const carried = await add(join(top, "stick", "w"), "x");
    expect(await readdir(carried.weights.folder)).toEqual(["manifest.json", "model.int8.onnx", "tokens.txt"]);
  });
  it("replaces what has the name", async () => {
    await add(join(models, "paraformer"), "mine");
    const { weights } = await add(join(models, "sense-voice"), "mine");
    expect(weights.manifest?.family).toBe("sense-voice");
    expect(await left()).toEqual(["mine"]);
  });

  const wrong: readonly [what: string, code: string, make: () => Promise<string | string[]>][] = [
    ["nothing there", "weights/missing", async () => join(top, "none")],
    ["an empty folder", "weights/foreign", async () => mkdtemp(join(top, "e"))],
    ["a device", "weights/foreign", async () => "/dev/null"],
    [
      "a text file renamed",
      "weights/damaged",
      async () => [await file("r/model.int8.onnx", "no weights\n".repeat(50)), await file("r/tokens.txt", tokens)],
    ],
    [
      "tokens of another model",
      "weights/foreign",
      async () => [await file("t/model.int8.onnx", model), join(models, "paraformer/tokens.txt")],
    ],
    ["no tokens", "weights/missing", async () => await file("n/model.int8.onnx", model)],
    [
      "a model that is cut",
      "weights/damaged",
      async () => [await file("c/model.int8.onnx", model.subarray(0, model.length >> 1)), await file("c/tokens.txt", tokens)],
    ],
    ["an empty model", "weights/damaged", async () => [await file("z/model.int8.onnx", ""), await file("z/tokens.txt", tokens)]],
    [
      "an ONNX of another kind",
      "weights/foreign",
      async () => [
        fileURLToPath(new URL("../../src/pipeline/voices/voice-encoder.fp16.onnx", import.meta.url)),
        await file("v/tokens.txt", tokens),
      ],
    ],
    ["a model.bin that is none", "weights/foreign", async () => await file("b/model.bin", Buffer.alloc(1000, 7))],
    ["several models", "weights/foreign", async () => models],
    ["one file twice", "weights/foreign", async () => [await file("1/tokens.txt", tokens), await file("2/tokens.txt", tokens)]],
    ["an archive without weights", "weights/foreign", async () => await file("x.zip", zipOf([{ name: "a/readme.txt", content: "x" }]))],
    [
      "an archive that writes outside",
      "weights/unsafe-archive",
      async () => await file("x.tar", await tarOf([[{ name: "../tokens.txt" }, "x"]])),
    ],
    [
      "a bomb",
      "weights/unsafe-archive",
      async () => await file("x.zip", zipOf([{ name: "model.onnx", content: Buffer.alloc(100e6), deflate: true }])),
    ],
  ];
  it.each(wrong)("refuses %s with %s", async (_what, code, make) => {
    const made = await make();
    await expect(add(made)).rejects.toMatchObject({
      code: expect.stringMatching(code === "weights/foreign" ? /^weights\/(foreign|missing)$/ : code),
    });
    expect(await left().catch(() => [])).toEqual([]);
  });
  it.each(["../x", ".x", "a/b", "", "x".repeat(65), "a~b"])("refuses the name %j", async (name) => {
    await expect(add(join(models, "paraformer"), name)).rejects.toMatchObject({ code: "usage/invalid" });
  });
  it("checks the disk first", async () => {
    await expect(add(join(models, "paraformer"), undefined, { freeBytes: async () => 1000 })).rejects.toMatchObject({
      code: "weights/no-space",
    });
    expect(await left()).toEqual([]);
  });
});

describe("installed weights", () => {
  it("are none where there is no store", async () => {
    expect(await installedWeights(weightsDir)).toEqual([]);
    await expect(removeWeights(weightsDir, "x")).rejects.toMatchObject({ code: "weights/unknown" });
    await expect(removeWeights(weightsDir, "../store")).rejects.toMatchObject({ code: "weights/unknown" });
  });

  const spoil: readonly [what: string, spoil: (folder: string) => Promise<void>][] = [
    ["a missing file", (folder) => rm(join(folder, "tokens.txt"))],
    ["a cut file", (folder) => truncate(join(folder, "model.int8.onnx"), 10)],
    ["no manifest", (folder) => rm(join(folder, "manifest.json"))],
    ["a manifest that is no JSON", (folder) => writeFile(join(folder, "manifest.json"), "{")],
    ["a manifest of another shape", (folder) => writeFile(join(folder, "manifest.json"), '{"schema":"callsift.weights/2"}')],
    ["a manifest as large as a film", (folder) => writeFile(join(folder, "manifest.json"), " ".repeat(100_000))],
    [
      "a manifest that leads outside",
      async (folder) => {
        const text = await readFile(join(folder, "manifest.json"), "utf8");
        await writeFile(join(folder, "manifest.json"), text.replace("tokens.txt", "../tokens.txt"));
      },
    ],
  ];
  it.each(spoil)("with %s are damaged, and can be removed", async (_what, harm) => {
    const { weights } = await add(join(models, "sense-voice"), "w");
    await harm(weights.folder);
    const [found] = await installedWeights(weightsDir);
    expect(found).toMatchObject({ name: "w", state: "damaged", fault: expect.any(String) });
    expect(preferredWeights(found ? [found] : [], "zh")).toEqual([]);
    expect((await verifyWeights(found as InstalledWeights)).fault?.code).toBe("weights/damaged");
    await removeWeights(weightsDir, "w");
    expect(await left()).toEqual([]);
  });

  it("of the same size and other bytes are found by verify", async () => {
    const { weights } = await add(join(models, "sense-voice"), "w");
    const turned = Buffer.from(model);
    turned[turned.length >> 1] = (turned[turned.length >> 1] ?? 0) ^ 0xff;
    await writeFile(join(weights.folder, "model.int8.onnx"), turned);
    expect(await installedWeights(weightsDir)).toMatchObject([{ state: "ready" }]);
    expect((await verifyWeights(weights)).fault).toMatchObject({ code: "weights/damaged", message: expect.stringContaining("sha256") });
  });

  it("are preferred by language, then by what is known of their kind, then by size", () => {
    const of = (name: string, engine: "sherpa" | "whisper", family: string, languages: string[], bytes = 1): InstalledWeights => ({
      name,
      folder: name,
      manifest: { schema: "callsift.weights/1", name, engine, family, languages, licence: null, source: "", addedAt: "", files: [] },
      bytes,
      state: "ready",
      fault: null,
    });
    const installed = [
      of("wb", "whisper", "whisper", ["zh", "en", "*"], 100),
      of("wl", "whisper", "whisper", ["*"], 1000),
      of("z", "sherpa", "zipformer-ctc", ["zh"], 5),
      of("p", "sherpa", "paraformer", ["zh"], 9),
      of("s", "sherpa", "sense-voice", ["zh", "en"], 8),
    ];
    const names = (language: "zh" | "en" | "auto") => preferredWeights(installed, language).map(({ name }) => name);
    expect(names("zh")).toEqual(["s", "p", "z", "wl", "wb"]);
    expect(names("auto")).toEqual(names("zh"));
    expect(names("en")).toEqual(["s", "wl", "wb"]);
  });
});

describe("tryLoading", () => {
  it.each<[string, string, RegExp]>([
    ["crashes", "process.abort()", /a crash \(SIGABRT\)/],
    ["is killed", 'process.kill(process.pid, "SIGSEGV")', /a crash \(SIGSEGV\)/],
    ["ends with a code", "process.exit(255)", /a crash \(exit code 255\)/],
    ["ends without a word", "", /a crash \(exit code 0\)/],
    ["hangs", "for (;;);", /nothing within 1 s/],
  ])("names as foreign what %s", async (_what, script, message) => {
    const program = await file("child.cjs", script);
    const timeoutMs = script === "for (;;);" ? 1000 : 60_000;
    await expect(tryLoading("x", "sherpa", { program, timeoutMs })).rejects.toMatchObject({
      code: "weights/foreign",
      message: expect.stringMatching(message),
    });
  });
  it("hands on what the child says, and stops on request", async () => {
    const program = await file("child.cjs", 'process.send({ code: "weights/damaged", message: "so" }, () => process.exit())');
    await expect(tryLoading("x", "sherpa", { program })).rejects.toMatchObject({ code: "weights/damaged", message: "so" });
    await expect(
      tryLoading("x", "sherpa", { program: await file("h.cjs", "for (;;);"), signal: AbortSignal.timeout(200) }),
    ).rejects.toMatchObject({ code: "aborted" });
  });
});

describe("the catalogue", () => {
  it.each(CATALOGUE.map((entry) => [entry.name, entry] as const))("%s is complete", (name, { files, sources, licence }) => {
    expect(name).toMatch(WEIGHTS_NAME);
    expect(licence.url).toMatch(/^https:\/\//);
    expect(new Set(files.map((file) => file.name)).size).toBe(files.length);
    for (const { sha256: hash, bytes } of files) {
      expect(hash ?? "0".repeat(64)).toMatch(/^[0-9a-f]{64}$/);
      expect(bytes).toBeGreaterThan(0);
    }
    for (const source of sources) {
      if (source.kind === "files") expect(source.base).toMatch(/^https:\/\/[^?]+[^/]$/);
      if (source.kind === "archive") expect(source.url).toMatch(/^https:\/\/.+\.tar\.bz2$/);
      if (source.kind === "pip") expect(Object.keys(source.members).sort()).toEqual(files.map((file) => file.name).sort());
    }
  });
});
