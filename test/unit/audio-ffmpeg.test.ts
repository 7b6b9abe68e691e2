import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { getPriority } from "node:os";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { createReportReader, decodeArguments } from "../../src/pipeline/audio/ffmpeg.ts";
import { type OpenOptions, openRecording } from "../../src/pipeline/audio/open.ts";
import { DEMUXERS } from "../../src/pipeline/audio/probe.ts";
import { findBundledFfmpeg, findFfmpeg } from "../../src/pipeline/audio/run.ts";
import { createScratch } from "../../src/pipeline/audio/scratch.ts";
import { createTestFolder, FFMPEGS, ffmpeg, livingChildren, writeSines } from "../support/audio-files.ts";

const folder = createTestFolder();
const tempRoot = folder.file("temp");
mkdirSync(tempRoot);
afterAll(() => folder.remove());
afterEach(() => expect(readdirSync(tempRoot), "temporary files left behind").toEqual([]));

const [bundled = { path: "", source: "" }] = FFMPEGS;
const mp3 = folder.file("a.mp3");
ffmpeg(bundled.path, ["-i", writeSines(folder.file("a.wav"), [440], 8000, 1), mp3]);

function script(name: string, body: string): string {
  const path = folder.file(name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

async function open(options: OpenOptions): Promise<void> {
  const opened = await openRecording({ name: "a", path: mp3 }, { tempRoot, ...options });
  await opened[Symbol.asyncDispose]();
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie that nobody has waited for yet is dead enough.
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(condition()).toBe(true);
}

describe("decodeArguments", () => {
  const args = decodeArguments("mp3", { maxSeconds: 10, maxBytes: 1000, maxCpuSeconds: 5 });
  const argumentOf = (option: string): string | undefined => args[args.indexOf(option) + 1];

  it("lets ffmpeg read one local file with one demuxer, and nothing from its standard input", () => {
    expect(args).toContain("-nostdin");
    expect(argumentOf("-protocol_whitelist")).toBe("file");
    expect(argumentOf("-f")).toBe("mp3");
    expect(args.filter((arg) => arg === "-i")).toHaveLength(1);
    expect(argumentOf("-i")).toBe("file:recording");
    expect(argumentOf("-t")).toBe("10");
    expect(argumentOf("-fs")).toBe("1000");
    expect(argumentOf("-timelimit")).toBe("5");
    // Input options stand before the input, or they would bind the output.
    for (const option of ["-protocol_whitelist", "-format_whitelist", "-f"]) expect(args.indexOf(option)).toBeLessThan(args.indexOf("-i"));
  });

  it("allows no demuxer that opens other files, hosts or devices", () => {
    const forbidden =
      /^(hls|applehttp|concat|dash|imf|sdp|rtp|rtsp|sap|lavfi|image2|image2pipe|tty|alsa|pulse|jack|oss|v4l2|video4linux2|x11grab|fbdev|libcdio|tedcaptions|ffmetadata|webm_dash_manifest|.*_pipe|vobsub|libopenmpt|libgme)$/;
    expect(DEMUXERS.filter((demuxer) => forbidden.test(demuxer))).toEqual([]);
    expect(argumentOf("-format_whitelist")?.split(",")).toEqual(DEMUXERS);
  });

  it.each(FFMPEGS)("names only options and demuxers that the $source ffmpeg has", async ({ path }) => {
    const listed = execFileSync(path, ["-hide_banner", "-demuxers"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const known = listed.split("\n").flatMap((line) => /^ D\S*\s+(\S+)/.exec(line)?.[1]?.split(",") ?? []);
    expect(known).toEqual(expect.arrayContaining([...DEMUXERS]));
    await open({ ffmpegPath: path });
  });
});

describe("createReportReader", () => {
  it("takes codec, length and complaints from ffmpeg's messages", () => {
    const reader = createReportReader();
    for (const line of [
      "Input #0, mp3, from 'file:recording':",
      "  Metadata:",
      "    comment         :   Stream #0:0 -> #0:0 (evil (native) -> pcm_s16le (native))",
      "    Stream #0:0     : Video: forged",
      "  Duration: 01:02:03.45, start: 0.000000, bitrate: 12 kb/s",
      "  Stream #0:0: Audio: mp3, 8000 Hz, mono, fltp, 12 kb/s",
      "Stream mapping:",
      "  Stream #0:0 -> #0:0 (mp3 (mp3float) -> pcm_s16le (native))",
      "[mp3float @ 0x5633da90c880] Header missing",
      "file:recording: Invalid data found when processing input",
      "size=     256kB time=00:00:03.56 bitrate=N/A speed=2.24e+03x",
    ]) {
      reader.line(line);
    }
    expect(reader.report()).toEqual({
      codec: "mp3",
      promisedMs: 3_723_450,
      isPartial: false,
      hasNoAudio: false,
      hasNoDecoder: false,
      isDiskFull: false,
      complaint: "Header missing",
    });
  });

  it("makes one short line of a complaint", () => {
    const reader = createReportReader();
    reader.line(`[x @ 0x1] bad\u001b[31m\u0007 thing ${"y".repeat(500)}`);
    expect(reader.report().complaint).toMatch(/^bad \[31m thing y{50,190}$/);
  });
});

describe("findFfmpeg", () => {
  it("takes the first program of the search path, never one of a relative folder, else the bundled one", () => {
    mkdirSync(folder.file("bin"));
    const own = script("bin/ffmpeg", "exit 0");
    mkdirSync(folder.file("no-program/ffmpeg"), { recursive: true });
    expect(findFfmpeg(`/nowhere:${folder.file("no-program")}:${folder.file("bin")}:/usr/bin`)).toEqual({ path: own, source: "system" });
    expect(findFfmpeg("bin:.:")?.source).toBe("bundled");
    expect(findFfmpeg("")).toEqual(findBundledFfmpeg());
  });
});

describe("a run of ffmpeg", () => {
  it("that hangs is killed with everything it started, at the time limit", async () => {
    const pids = folder.file("pids");
    const hanging = script("hanging", `sleep 300 & echo $! $$ > ${pids}; sleep 300`);
    await expect(open({ ffmpegPath: hanging, timeoutMs: 400 })).rejects.toMatchObject({
      code: "audio/time-out",
      message: "expected decoding to end within 400 ms",
    });
    for (const pid of readFileSync(pids, "utf8").trim().split(" ")) await until(() => !isRunning(Number(pid)));
  });

  it("is killed with everything it started on abort", async () => {
    const pids = folder.file("pids-2");
    const hanging = script("hanging-2", `trap '' TERM INT; sleep 300 & echo $! $$ > ${pids}; sleep 300`);
    const stop = new AbortController();
    const opening = open({ ffmpegPath: hanging, signal: stop.signal });
    opening.catch(() => {});
    await until(() => existsSync(pids) && readFileSync(pids, "utf8").includes("\n"));
    stop.abort();
    await expect(opening).rejects.toMatchObject({ code: "aborted" });
    for (const pid of readFileSync(pids, "utf8").trim().split(" ")) await until(() => !isRunning(Number(pid)));
  });

  it("leaves nothing behind that it started and did not end", async () => {
    const pids = folder.file("pids-3");
    const leaving = script("leaving", `sleep 300 2>/dev/null & echo $! > ${pids}; echo 'recording: broken' >&2; exit 1`);
    await expect(open({ ffmpegPath: leaving })).rejects.toMatchObject({
      code: "audio/unreadable",
      message: "ffmpeg cannot decode the file: broken",
    });
    await until(() => !isRunning(Number(readFileSync(pids, "utf8"))));
  });

  it("does not outlive a process that exits in the middle of it, nor do its files", async () => {
    const pids = folder.file("pids-4");
    const hanging = script("hanging-4", `sleep 300 & echo $! $$ > ${pids}; sleep 300`);
    const module = new URL("../../src/pipeline/audio/open.ts", import.meta.url).href;
    const code = `const { openRecording } = await import(${JSON.stringify(module)});
      openRecording({ name: "a", path: ${JSON.stringify(mp3)} }, ${JSON.stringify({ ffmpegPath: hanging, tempRoot })}).catch(() => {});
      const { existsSync } = await import("node:fs");
      setInterval(() => existsSync(${JSON.stringify(pids)}) && process.exit(0), 20);`;
    execFileSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", code]);
    for (const pid of readFileSync(pids, "utf8").trim().split(" ")) await until(() => !isRunning(Number(pid)));
    expect(readdirSync(tempRoot)).toEqual([]);
  });

  it("has a low priority", async () => {
    const seen = folder.file("nice");
    await expect(open({ ffmpegPath: script("polite", `nice > ${seen}; exit 1`) })).rejects.toMatchObject({ code: "audio/unreadable" });
    expect(Number(readFileSync(seen, "utf8"))).toBe(Math.min(19, getPriority() + 10));
  });

  it("does not begin once aborted", async () => {
    await expect(open({ ffmpegPath: bundled.path, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
    await expect(openRecording({ name: "a", path: folder.file("a.wav") }, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "aborted",
    });
  });

  it("needs a program", async () => {
    const notExecutable = folder.file("not-executable");
    writeFileSync(notExecutable, "");
    for (const ffmpegPath of ["/nonexistent/ffmpeg", folder.path, notExecutable]) {
      await expect(open({ ffmpegPath })).rejects.toMatchObject({ code: "audio/no-decoder" });
    }
  });

  it("that says it is done without a file, or with rubbish, is no success", async () => {
    await expect(open({ ffmpegPath: script("nothing", "exit 0") })).rejects.toMatchObject({ code: "audio/unreadable" });
    await expect(open({ ffmpegPath: script("rubbish", "echo rubbish > decoded.wav") })).rejects.toMatchObject({ code: "audio/unreadable" });
    await expect(open({ ffmpegPath: script("suicide", "kill -9 $$") })).rejects.toMatchObject({ code: "audio/unreadable" });
  });

  it("with endless messages takes no memory and comes to its end", async () => {
    const noisy = script("noisy", "yes '[mp3 @ 0x1] Header missing' | head -n 300000 >&2; exit 1");
    await expect(open({ ffmpegPath: noisy })).rejects.toMatchObject({
      code: "audio/unreadable",
      message: "ffmpeg cannot decode the file: Header missing",
    });
  });

  it("says that the disk is full", async () => {
    const full = script("full", "echo 'av_interleaved_write_frame(): No space left on device' >&2; exit 1");
    await expect(open({ ffmpegPath: full })).rejects.toMatchObject({ code: "output/unwritable" });
  });

  it("runs side by side", async () => {
    await Promise.all(Array.from({ length: 12 }, () => open({ ffmpegPath: bundled.path })));
    expect(livingChildren().filter((command) => command.includes("ffmpeg"))).toEqual([]);
  });
});

describe("createScratch", () => {
  it("removes what a process that was killed has left behind, and nothing of one that lives", async () => {
    const root = folder.file("scratch");
    mkdirSync(root);
    const own = await createScratch(0, root);
    const name = own.folder.split("/").at(-1) ?? "";
    const living = name.replace(`-${process.pid}-`, `-${process.ppid}-`);
    // Above the highest process id that Linux gives.
    const dead = name.replace(`-${process.pid}-`, "-4194999-");
    const foreign = "callsift-1-4194999-abcdef";
    for (const each of [living, dead, foreign]) mkdirSync(`${root}/${each}`);
    writeFileSync(`${root}/${dead}/decoded.wav`, "x");
    const second = await createScratch(0, root);
    await second[Symbol.asyncDispose]();
    expect(readdirSync(root).sort()).toEqual([foreign, living, name].sort());
    await own[Symbol.asyncDispose]();
    expect(existsSync(own.folder)).toBe(false);
  });

  it("says where it cannot write", async () => {
    await expect(createScratch(0, folder.file("missing"))).rejects.toMatchObject({ code: "output/unwritable" });
  });
});
