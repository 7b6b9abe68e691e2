import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { zipOf } from "../support/archives.ts";
import { callsift, type RunOptions } from "../support/callsift.ts";
import { openMirror } from "../support/mirror.ts";

const models = fileURLToPath(new URL("../../fixtures/asr-models", import.meta.url));
const senseVoice = join(models, "sense-voice");

let top = "";
beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), "callsift-models-"));
});
afterEach(async () => {
  await rm(top, { recursive: true, force: true });
});

const store = () => join(top, "callsift", "weights");
const run = (args: readonly string[], { env, ...options }: RunOptions = {}) =>
  callsift(["models", ...args], { ...options, env: { XDG_CACHE_HOME: top, ...env } });

describe("callsift models", () => {
  it("lists what can be had, with size and licence, where nothing is installed", async () => {
    const { code, stdout, stderr } = await run(["list"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^Installed, in .*:\n {2}none\n/);
    expect(stdout).toMatch(/sense-voice-small: .* 240 MB; for Mandarin.*\n.*emotion.*\n.*licence: FunASR Model License 1\.1 \(https:/);
    const { catalogue, installed } = JSON.parse((await run(["list", "--json"])).stdout) as {
      catalogue: { name: string }[];
      installed: unknown[];
    };
    expect(catalogue.map(({ name }) => name)).toContain("whisper-base");
    expect(installed).toEqual([]);
  });

  it("adds, lists, verifies and removes", async () => {
    const archive = join(top, "mine.zip");
    const files = await Promise.all(
      ["model.int8.onnx", "tokens.txt"].map(async (name) => ({ name: `x/${name}`, content: await readFile(join(senseVoice, name)) })),
    );
    await writeFile(archive, zipOf(files));
    for (const path of [archive, senseVoice]) {
      const added = await run(["add", path]);
      expect({ code: added.code, stderr: added.stderr }).toEqual({ code: 0, stderr: "" });
      expect(added.stdout).toMatch(/^(mine|sense-voice): sense-voice \(.*zh.*\), 0\.0\d+ MB.*\n.*does not know these bytes/);
    }
    const { installed } = JSON.parse((await run(["list", "--json"])).stdout) as { installed: { name: string; state: string }[] };
    expect(installed).toMatchObject([
      { name: "mine", state: "ready" },
      { name: "sense-voice", state: "ready" },
    ]);

    const doctor = await callsift(["doctor"], { env: { XDG_CACHE_HOME: top } });
    expect(doctor.stdout).toMatch(/ok {3}weights mine: sense-voice, .* workers fit/);

    const removed = await run(["remove", "mine"]);
    expect(removed).toMatchObject({ code: 0, stdout: expect.stringMatching(/^mine is removed/) });
    expect(await readdir(store())).toEqual(["sense-voice"]);
  });

  it("verifies by loading in a process of its own", async () => {
    await run(["add", senseVoice]);
    const { code, stdout } = await run(["verify"]);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^sense-voice: ok: 0 files as known, 2 as recorded .*; loads and hears in \d/),
    });
  });

  it("verify names what is wrong, and exits 3", async () => {
    await run(["add", senseVoice]);
    await run(["add", join(models, "paraformer")]);
    await cp(join(store(), "paraformer", "tokens.txt"), join(store(), "sense-voice", "tokens.txt"));
    await truncate(join(store(), "paraformer", "model.int8.onnx"), 100);
    const { code, stdout } = await run(["verify", "--json"]);
    expect(code).toBe(3);
    const { results } = JSON.parse(stdout) as { results: { name: string; fault: { code: string } | null }[] };
    expect(results.map(({ name, fault }) => [name, fault?.code])).toEqual([
      ["paraformer", "weights/damaged"],
      ["sense-voice", "weights/damaged"],
    ]);
    expect((await run(["verify", "paraformer"])).stdout).toMatch(
      /^paraformer: weights\/damaged: model\.int8\.onnx: expected \d+ bytes, got 100\n$/,
    );
  });

  it.each([
    [["pull", "nothing"], "weights/unknown"],
    [["remove", "nothing"], "weights/unknown"],
    [["verify", "nothing"], "weights/unknown"],
    [["add", "/nowhere/at/all"], "weights/missing"],
    [["add", senseVoice, "--name", "../x"], "usage/invalid"],
  ])("%j is a mistake of the command: %s", async (args, code) => {
    const ran = await run(args);
    expect(ran).toMatchObject({ code: 2, stderr: expect.stringMatching(new RegExp(`^callsift: ${code}: `)) });
  });

  it("add says what is wrong with the files, and exits 3", async () => {
    const path = join(top, "model.int8.onnx");
    await writeFile(path, "no weights at all");
    const ran = await run(["add", path, join(senseVoice, "tokens.txt")]);
    expect(ran).toMatchObject({ code: 3, stderr: expect.stringMatching(/^callsift: weights\/\w+: /) });
    expect(await readdir(store())).toEqual([]);
  });

  it("stops at Ctrl-C, keeps the part for the next time, and tells no password", async () => {
    // Of the length that the catalogue knows, so that it is not given up before it stalls; the mirror comes first, so nobody else is asked.
    const config = Buffer.alloc(2_309, "x");
    await using mirror = await openMirror({ "/m/whisper-base/config.json": config }, () => ({ stallAfter: 1_000 }));
    let stop = (): void => {};
    const watch = setInterval(() => mirror.asked.some(({ sent }) => sent === 1_000) && stop(), 200);
    const ran = await run(["pull", "whisper-base"], {
      env: { CALLSIFT_MODELS_URL: `${mirror.url.replace("://", "://user:geheim@")}/m` },
      started: (child) => {
        stop = () => {
          clearInterval(watch); // a second Ctrl-C would not wait for anything
          child.kill("SIGINT");
        };
      },
    }).finally(() => clearInterval(watch));
    expect(ran).toMatchObject({ code: 130, stderr: expect.stringMatching(/callsift: aborted: .* goes on from here/) });
    expect(ran.stderr).toMatch(/^fetching: 0 MB of 148 MB from 127\.0\.0\.1/);
    expect(ran.stderr + ran.stdout).not.toContain("geheim");
    const [work = ""] = await readdir(store());
    expect((await readFile(join(store(), work, "scratch", "config.json.part"))).length).toBe(1_000);
    expect((await run(["list", "--json"])).stdout).toContain('"installed":[],');
  });
});
