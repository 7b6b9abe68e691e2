import { execFileSync } from "node:child_process";
import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { ERRORS } from "../../src/pipeline/errors.ts";
import { scratch, screenJson } from "../support/callsift.ts";
import { sine, wav } from "../support/sound.ts";

const good = wav([sine(440, 2), sine(550, 2)]);

/** Each of these lies beside good recordings, under a name that says WAV. */
const BAD: readonly [name: string, bytes: Buffer, codes: readonly string[]][] = [
  ["empty", Buffer.alloc(0), ["audio/empty"]],
  ["text", Buffer.from("this is not a recording\n".repeat(50)), ["audio/unreadable"]],
  ["html", Buffer.from("<!doctype html><html><body><h1>404</h1></body></html>"), ["audio/unreadable"]],
  [
    "png",
    Buffer.concat([Buffer.from("89504e470d0a1a0a0000000d49484452", "hex"), deflateSync(Buffer.alloc(400))]),
    ["audio/unreadable", "audio/refused", "audio/no-sound"],
  ],
  ["zip", Buffer.concat([Buffer.from("504b0304", "hex"), Buffer.alloc(200, 7)]), ["audio/unreadable"]],
  [
    "m3u8",
    Buffer.from("#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"),
    ["audio/refused", "audio/unreadable"],
  ],
  ["ffconcat", Buffer.from("ffconcat version 1.0\nfile '/etc/passwd'\n"), ["audio/refused", "audio/unreadable"]],
  ["rate-0", wav([sine(440, 1)], { sampleRate: 0 }), ["audio/bad-rate"]],
  ["channels-65535", wav([sine(440, 1)], { channels: 65_535 }), ["audio/too-many-channels"]],
  ["block-align-0", wav([sine(440, 1)], { blockAlign: 0 }), ["audio/unreadable"]],
  ["no-samples", wav([new Float32Array(0)]), ["audio/empty"]],
  ["header-only", good.subarray(0, 20), ["audio/unreadable", "audio/empty"]],
];

describe("bad recordings among good ones", () => {
  it("each fails with one clear line and its code; the others are screened; nothing is left behind", async () => {
    await using folder = await scratch();
    await using temporary = await scratch();
    const inside = (name: string): string => join(folder.path, name);
    await writeFile(inside("0-good.wav"), good);
    await writeFile(inside("z-good.wav"), good);
    for (const [name, bytes] of BAD) await writeFile(inside(`${name}.wav`), bytes);
    execFileSync("mkfifo", [inside("fifo.wav")]);
    await symlink("/nowhere/at/all.wav", inside("dead-link.wav"));
    const { code, results, stderr } = await screenJson([folder.path], { env: { CALLSIFT_TEMP_DIR: temporary.path } });
    expect(code).toBe(3);
    expect(stderr).toBe("");
    const byName = new Map(results.map((result) => [result.recording.name, result]));
    const expected: readonly [string, readonly string[]][] = [
      ...BAD.map(([name, , codes]): [string, readonly string[]] => [name, codes]),
      ["fifo", ["audio/not-a-file"]],
      ["dead-link", ["audio/not-found"]],
    ];
    for (const [name, codes] of expected) {
      const result = byName.get(`${name}.wav`);
      expect(result?.status, name).toBe("failed");
      expect(codes, name).toContain(result?.status === "failed" && result.error.code);
      expect(result?.status === "failed" && result.error.message, name).toMatch(/^[^\n]{10,}$/);
    }
    expect(byName.get("0-good.wav")?.status).toBe("scored");
    expect(byName.get("z-good.wav")?.status).toBe("scored");
    expect(results).toHaveLength(expected.length + 2);
    expect(await readdir(temporary.path)).toEqual([]);
  });

  it("names a missing file, a directory given as a recording, and an empty folder", async () => {
    await using folder = await scratch();
    await mkdir(join(folder.path, "looks.wav"));
    await writeFile(join(folder.path, "ok.wav"), good);
    const missing = await screenJson([join(folder.path, "ok.wav"), join(folder.path, "missing.wav")]);
    expect(missing.code).toBe(3);
    expect(missing.results.map((result) => result.error?.code ?? null)).toEqual([null, "audio/not-found"]);
    const empty = await screenJson([join(folder.path, "looks.wav")]);
    expect(empty).toMatchObject({ code: 2, results: [] });
    expect(empty.stderr).toMatch(/usage\/invalid: expected recordings in the folder/);
  });

  it("every code in results is one of the table", () => {
    for (const [, , codes] of BAD) for (const code of codes) expect(ERRORS).toHaveProperty([code]);
  });
});

describe("file names", () => {
  it.each([
    "-i.wav",
    'it\'s "quoted".wav',
    "two\nlines.wav",
    "空格 和 中文.wav",
    `${"n".repeat(196)}.wav`,
    "$(touch x);`id`.wav",
    "%d.wav",
    "a:b?c*.mp3",
  ])("screens %j", async (name) => {
    await using folder = await scratch();
    const path = join(folder.path, name);
    if (name.endsWith(".mp3")) {
      await writeFile(join(folder.path, "in.wav"), good);
      const { findFfmpeg } = await import("../../src/pipeline/audio/run.ts");
      execFileSync(findFfmpeg(process.env.PATH ?? "")?.path as string, [
        "-v",
        "error",
        "-i",
        join(folder.path, "in.wav"),
        "-f",
        "mp3",
        `file:${path}`,
      ]);
    } else await writeFile(path, good);
    const { code, results } = await screenJson(["--", name], { cwd: folder.path });
    expect(code).toBe(0);
    expect(results[0]).toMatchObject({ status: "scored", recording: { name, channels: 2 } });
  });

  it("screens names that are no UTF-8, given by name and in a folder", async () => {
    await using folder = await scratch();
    const path = Buffer.concat([Buffer.from(`${folder.path}/`), Buffer.from([0xc2, 0xbc, 0xd2, 0xf4]), Buffer.from(".wav")]);
    await writeFile(path, good);
    const inFolder = await screenJson([folder.path]);
    expect(inFolder).toMatchObject({ code: 0, results: [{ status: "scored" }] });
    // Node itself cannot pass such an argument on; a shell can.
    const bin = new URL("../../bin/callsift.js", import.meta.url).pathname;
    const byName = execFileSync("bash", ["-c", `exec node "${bin}" screen --json ./*.wav`], { cwd: folder.path, encoding: "utf8" });
    expect(JSON.parse(byName)).toMatchObject({ status: "scored" });
  });
});

it("leaves no folder of ours in the system's temporary folder", async () => {
  const before = new Set(await readdir(tmpdir()));
  await using folder = await scratch();
  await writeFile(join(folder.path, "a.wav"), good);
  await screenJson([folder.path]);
  const after = (await readdir(tmpdir())).filter((name) => !before.has(name) && /callsift(?!-test)/.test(name));
  expect(after).toEqual([]);
});
