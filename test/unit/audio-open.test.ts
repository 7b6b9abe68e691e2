import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import {
  type OpenedRecording,
  type OpenOptions,
  openRecording,
  parseRawFormat,
  type RecordingSource,
} from "../../src/pipeline/audio/open.ts";
import { openPcm } from "../../src/pipeline/audio/pcm.ts";
import { CallsiftError } from "../../src/pipeline/errors.ts";
import { amplitudeAt, bytesOf, createTestFolder, FFMPEGS, ffmpeg, livingChildren, sines, wav, writeSines } from "../support/audio-files.ts";

const folder = createTestFolder();
const tempRoot = folder.file("temp");
mkdirSync(tempRoot);
const [bundled = { path: "", source: "" }] = FFMPEGS;

afterAll(() => folder.remove());
afterEach(() => {
  expect(readdirSync(tempRoot), "temporary files left behind").toEqual([]);
  expect(
    livingChildren().filter((command) => command.includes("ffmpeg")),
    "processes left behind",
  ).toEqual([]);
});

function sourceOf(path: string | Buffer): RecordingSource {
  return { name: "the call", path };
}

async function open(source: RecordingSource | string | Buffer, options: OpenOptions = {}): Promise<OpenedRecording> {
  const recording = typeof source === "string" || Buffer.isBuffer(source) ? sourceOf(source) : source;
  return await openRecording(recording, { ffmpegPath: bundled.path, tempRoot, timeoutMs: 20_000, ...options });
}

async function failure(source: RecordingSource | string | Buffer, options: OpenOptions = {}): Promise<CallsiftError> {
  try {
    const opened = await open(source, options);
    await opened[Symbol.asyncDispose]();
  } catch (error) {
    if (error instanceof CallsiftError) return error;
    throw error;
  }
  throw new Error("expected a failure, it opened");
}

/** Amplitude of each frequency in each channel. */
function spectrum(opened: OpenedRecording, frequencies: readonly number[]): number[][] {
  return opened.pcm.flatMap((file) => {
    const reader = openPcm(file);
    const channels = Array.from({ length: reader.channels }, () => new Float32Array(reader.frames));
    reader.read(0, reader.frames, channels);
    reader.close();
    return channels.map((samples) => frequencies.map((hz) => amplitudeAt(samples, hz, reader.sampleRate)));
  });
}

const stereo8k = writeSines(folder.file("stereo-8k.wav"), [440, 1000], 8000, 2);
const stereo48k = writeSines(folder.file("stereo-48k.wav"), [440, 1000], 48_000, 2);
const mono8k = writeSines(folder.file("mono-8k.wav"), [440], 8000, 2);
const mono16k = writeSines(folder.file("mono-16k.wav"), [440], 16_000, 2);

interface Made {
  readonly file: string;
  readonly from: string;
  readonly args?: readonly string[];
  readonly codec: string;
  readonly sampleRate: number;
  readonly channels: number;
}

const FORMATS: readonly Made[] = [
  { file: "a.mp3", from: stereo48k, codec: "mp3", sampleRate: 48_000, channels: 2 },
  { file: "telephone.mp3", from: mono8k, codec: "mp3", sampleRate: 8000, channels: 1 },
  { file: "a.m4a", from: stereo48k, codec: "aac", sampleRate: 48_000, channels: 2 },
  { file: "a.aac", from: stereo48k, codec: "aac", sampleRate: 48_000, channels: 2 },
  { file: "alac.m4a", from: stereo48k, args: ["-c:a", "alac"], codec: "alac", sampleRate: 48_000, channels: 2 },
  { file: "a.opus", from: stereo48k, args: ["-c:a", "libopus"], codec: "opus", sampleRate: 48_000, channels: 2 },
  { file: "a.webm", from: stereo48k, args: ["-c:a", "libopus"], codec: "opus", sampleRate: 48_000, channels: 2 },
  { file: "vorbis.ogg", from: stereo48k, args: ["-c:a", "libvorbis"], codec: "vorbis", sampleRate: 48_000, channels: 2 },
  { file: "speex.ogg", from: mono8k, args: ["-c:a", "libspeex"], codec: "speex", sampleRate: 8000, channels: 1 },
  { file: "a.flac", from: stereo8k, codec: "flac", sampleRate: 8000, channels: 2 },
  { file: "a.amr", from: mono8k, args: ["-c:a", "libopencore_amrnb"], codec: "amr_nb", sampleRate: 8000, channels: 1 },
  { file: "wide.amr", from: mono16k, args: ["-c:a", "libvo_amrwbenc"], codec: "amr_wb", sampleRate: 16_000, channels: 1 },
  { file: "a.wma", from: stereo48k, codec: "wmav2", sampleRate: 48_000, channels: 2 },
  { file: "a.g722", from: mono16k, codec: "adpcm_g722", sampleRate: 16_000, channels: 1 },
  { file: "ima.wav", from: stereo8k, args: ["-c:a", "adpcm_ima_wav"], codec: "adpcm_ima_wav", sampleRate: 8000, channels: 2 },
  { file: "ms.wav", from: stereo8k, args: ["-c:a", "adpcm_ms"], codec: "adpcm_ms", sampleRate: 8000, channels: 2 },
  { file: "mp3.wav", from: stereo8k, args: ["-c:a", "libmp3lame"], codec: "mp3", sampleRate: 8000, channels: 2 },
  { file: "g726.wav", from: mono8k, args: ["-c:a", "g726"], codec: "adpcm_g726", sampleRate: 8000, channels: 1 },
  { file: "a.aiff", from: stereo8k, codec: "pcm_s16be", sampleRate: 8000, channels: 2 },
  { file: "a.au", from: stereo8k, args: ["-c:a", "pcm_mulaw"], codec: "pcm_mulaw", sampleRate: 8000, channels: 2 },
  { file: "a.caf", from: stereo8k, codec: "pcm_s16be", sampleRate: 8000, channels: 2 },
  { file: "a.w64", from: stereo8k, codec: "pcm_s16le", sampleRate: 8000, channels: 2 },
  { file: "mp4-named.wav", from: stereo48k, args: ["-f", "mp4"], codec: "aac", sampleRate: 48_000, channels: 2 },
  {
    file: "film.mp4",
    from: stereo48k,
    args: ["-f", "lavfi", "-i", "testsrc=duration=2:size=64x64:rate=10", "-c:v", "mpeg4"],
    codec: "aac",
    sampleRate: 48_000,
    channels: 2,
  },
];

function make({ file, from, args = [] }: Made): string {
  const path = folder.file(file);
  if (!existsSync(path)) ffmpeg(bundled.path, ["-i", from, ...args, path]);
  return path;
}

describe.each(FFMPEGS)("formats, with the $source ffmpeg", ({ path: ffmpegPath }) => {
  it.each(FORMATS)("$file", async (format) => {
    const path = make(format);
    await using opened = await open(path, { ffmpegPath });
    const { codec, sampleRate, channels } = format;
    expect(opened.recording).toMatchObject({ name: "the call", codec, sampleRate, channels, bytes: readFileSync(path).length });
    expect(opened.recording.sha256).toBe(createHash("sha256").update(readFileSync(path)).digest("hex"));
    expect(Math.abs(opened.recording.durationMs - 2000)).toBeLessThan(170); // encoders pad to whole frames, mp3 with two of them
    expect(opened.problems).toEqual([]);
    for (const [channel, [at440 = 0, at1000 = 0]] of spectrum(opened, [440, 1000]).entries()) {
      const [own, other] = channel === 0 ? [at440, at1000] : [at1000, at440];
      expect(own, `channel ${channel}`).toBeGreaterThan(0.15);
      expect(other, `channel ${channel}`).toBeLessThan(0.05 * own);
    }
  });

  it("raw GSM, which only its frames and its name tell", async () => {
    // Silence by hand: the signature 0xD and a zero block amplitude in all four sub-frames.
    const frame = Buffer.alloc(33);
    frame[0] = 0xd0;
    const path = folder.file("a.gsm");
    writeFileSync(path, Buffer.concat(Array.from({ length: 100 }, () => frame)));
    await using opened = await open(path, { ffmpegPath });
    expect(opened.recording).toMatchObject({ codec: "gsm", sampleRate: 8000, channels: 1, durationMs: 2000 });
  });

  it.each(["a.mp3", "a.flac", "a.opus", "a.webm", "a.wma", "ima.wav"])("%s cut in the middle", async (file) => {
    const whole = readFileSync(make(FORMATS.find((format) => format.file === file) as Made));
    const path = folder.file(`cut-${file}`);
    writeFileSync(path, whole.subarray(0, Math.floor(whole.length * 0.6)));
    await using opened = await open(path, { ffmpegPath });
    expect(opened.problems).toMatchObject([{ code: "truncated", channel: null, unfit: true }]);
    expect(opened.recording.durationMs).toBeGreaterThan(100);
    expect(opened.recording.durationMs).toBeLessThan(1700);
  });

  it("an MP4 whose index is cut off", async () => {
    const path = folder.file("cut.m4a");
    writeFileSync(path, readFileSync(make(FORMATS.find((format) => format.file === "a.m4a") as Made)).subarray(0, 20_000));
    expect(await failure(path, { ffmpegPath })).toMatchObject({
      code: "audio/unreadable",
      message: "ffmpeg cannot decode the file: moov atom not found",
    });
  });

  it("a film without sound", async () => {
    const path = folder.file("silent-film.mp4");
    ffmpeg(bundled.path, ["-f", "lavfi", "-i", "testsrc=duration=1:size=64x64:rate=10", "-c:v", "mpeg4", path]);
    expect((await failure(path, { ffmpegPath })).code).toBe("audio/no-sound");
  });

  it("a WAV of a coding that nobody knows", async () => {
    const path = folder.file("tag.wav");
    writeFileSync(path, wav({ tag: 0x9999, data: bytesOf(sines([440], 8000, 1)) }));
    expect((await failure(path, { ffmpegPath })).code).toBe("audio/unsupported");
  });

  it("10 channels", async () => {
    const path = folder.file("ten.au");
    const head = Buffer.alloc(24);
    head.write(".snd");
    for (const [at, value] of [24, 0xffff_ffff, 3, 8000, 10].entries()) head.writeUInt32BE(value, 4 + 4 * at);
    writeFileSync(path, Buffer.concat([head, Buffer.alloc(160_000)]));
    expect(await failure(path, { ffmpegPath })).toMatchObject({
      code: "audio/too-many-channels",
      message: "expected at most 8 channels, got 10",
    });
  });

  it("more decoded sound than the limit", async () => {
    const path = make(FORMATS.find((format) => format.file === "a.flac") as Made);
    expect((await failure(path, { ffmpegPath, maxDecodedBytes: 20_000 })).code).toBe("audio/too-large");
  });

  it("gaps in the time stamps become silence, so that times stay true", async () => {
    const path = folder.file("gap.mkv");
    // 1 s of sound, 3 s lost, 1 s of sound.
    ffmpeg(bundled.path, ["-i", mono8k, "-af", "aselect='lt(t,1)+gte(t,1)',asetpts='PTS+gte(T,1)*3/TB'", "-c:a", "pcm_s16le", path]);
    await using opened = await open(path, { ffmpegPath });
    expect(Math.abs(opened.recording.durationMs - 5000)).toBeLessThan(300);
  });
});

describe("names", () => {
  const mp3 = (): Buffer => readFileSync(make(FORMATS[0] as Made));
  it.each([
    ["an option", "-i.mp3"],
    ["quotes", `it's "quoted" \`sh\` $(x).mp3`],
    ["a line break", "two\nlines.mp3"],
    ["200 characters", `${"长".repeat(65)}.mp3`],
    ["a pattern", "%03d*?[a].mp3"],
    ["a protocol", "concat:a|b.mp3"],
    ["no ending", "recording"],
  ])("%s", async (_what, name) => {
    const path = folder.file(name);
    writeFileSync(path, mp3());
    await using opened = await open(path);
    expect(opened.recording.codec).toBe("mp3");
  });

  it("bytes that are not UTF-8", async () => {
    const name = Buffer.concat([Buffer.from(`${folder.path}/`), Buffer.from([0xb5, 0xe7, 0xff, 0x2e]), Buffer.from("mp3")]);
    writeFileSync(name, mp3());
    await using opened = await open(name);
    expect(opened.recording.codec).toBe("mp3");
    const plain = Buffer.concat([Buffer.from(`${folder.path}/`), Buffer.from([0xff, 0xfe])]);
    writeFileSync(plain, readFileSync(mono8k));
    await using copied = await open(plain);
    expect(spectrum(copied, [440])[0]?.[0]).toBeGreaterThan(0.48);
  });

  it("a relative one", async () => {
    const before = process.cwd();
    process.chdir(folder.path);
    try {
      writeFileSync("-rel.mp3", mp3());
      await using opened = await open("-rel.mp3");
      expect(opened.recording.codec).toBe("mp3");
    } finally {
      process.chdir(before);
    }
  });
});

describe("what is no recording", () => {
  it.each([
    ["nothing", "", "audio/empty"],
    ["text", "Hello, this is the log of yesterday.\nNothing to see.\n", "audio/unreadable"],
    ["one character", "x", "audio/unreadable"],
    ["Chinese text", "您好，很高兴为您服务。\n".repeat(3000), "audio/unreadable"],
    ["UTF-16 text", Buffer.from("\ufeffhello there", "utf16le"), "audio/unreadable"],
    ["HTML", "<!doctype html><title>404</title>", "audio/unreadable"],
    ["a PNG", Buffer.from("89504e470d0a1a0a0000000d49484452", "hex"), "audio/unreadable"],
    ["a zip", Buffer.from("504b0304140000000800", "hex"), "audio/unreadable"],
    ["zeros", Buffer.alloc(10_000), "audio/unreadable"],
    ["noise", createHash("sha512").update("noise").digest(), "audio/unreadable"],
    ["an m3u8", "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/a.ts\n", "audio/refused"],
    ["an m3u8 with a mark in front", "\ufeff#EXTM3U\nfile:///etc/passwd\n", "audio/refused"],
    ["an ffconcat", "ffconcat version 1.0\nfile '/etc/passwd'\n", "audio/refused"],
    ["a concat list", "file '/etc/passwd'\n", "audio/refused"],
    ["an SDP", "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=audio 5004 RTP/AVP 0\r\n", "audio/refused"],
    ["a DASH manifest", '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>', "audio/refused"],
    ["an address", "https://example.org/a.mp3\n", "audio/refused"],
    ["a SILK voice message", "\x02#!SILK_V3\x0c\x00", "audio/unsupported"],
  ])("%s named .wav", async (_what, content, code) => {
    const path = folder.file("other.wav");
    writeFileSync(path, content);
    const failed = await failure(path);
    expect(failed.code).toBe(code);
    expect(failed.message).not.toContain("\n");
  });

  it("a playlist hidden in a format that ffmpeg may read", async () => {
    const path = folder.file("hidden.mp3");
    writeFileSync(path, Buffer.concat([Buffer.from("ID3\x03\0\0\0\0\0\0"), Buffer.from("#EXTM3U\nfile:///etc/passwd\n".repeat(50))]));
    expect((await failure(path)).code).toBe("audio/unreadable");
  });

  it("a directory, a dead link, a circle of links, nothing at all, an impossible path", async () => {
    symlinkSync(folder.file("nowhere"), folder.file("dead"));
    symlinkSync(folder.file("circle"), folder.file("circle"));
    expect(await failure(folder.path)).toMatchObject({ code: "audio/not-a-file", message: "expected a regular file, got a directory" });
    expect(await failure(folder.file("dead"))).toMatchObject({
      code: "audio/not-found",
      message: "expected a file, got a link to nowhere",
    });
    expect((await failure(folder.file("circle"))).code).toBe("audio/not-found");
    expect((await failure(folder.file("none.wav"))).code).toBe("audio/not-found");
    expect((await failure(folder.file("x".repeat(300)))).code).toBe("audio/not-found");
    expect((await failure(`${mono8k}/below.wav`)).code).toBe("audio/not-found");
    expect((await failure("a\0b.wav")).code).toBe("audio/not-found");
  });

  it.skipIf(process.platform === "win32")("a pipe, a device and a socket, without waiting for them", async () => {
    const pipe = folder.file("pipe.wav");
    execFileSync("mkfifo", [pipe]);
    expect(await failure(pipe)).toMatchObject({ code: "audio/not-a-file", message: "expected a regular file, got a pipe" });
    expect((await failure("/dev/zero")).code).toBe("audio/not-a-file");
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(folder.file("s.wav"), resolve));
    expect((await failure(folder.file("s.wav"))).message).toBe("expected a regular file, got a socket");
    await new Promise((resolve) => server.close(resolve));
  });

  it.skipIf(process.getuid?.() === 0)("a file that this user may not read (skipped as root, who may read all)", async () => {
    const path = folder.file("secret.wav");
    writeFileSync(path, "", { mode: 0 });
    expect((await failure(path)).code).toBe("audio/forbidden");
  });
});

describe("recordings without a header", () => {
  const samples = bytesOf(sines([440, 1000], 16_000, 1));
  const path = folder.file("call.pcm");
  writeFileSync(path, samples);

  it("need to be told how they are coded", async () => {
    expect((await failure(path)).message).toContain("mulaw:8000:1");
    await using opened = await open({ name: "raw", path, raw: parseRawFormat("s16:16000:2") });
    expect(opened.recording).toMatchObject({ codec: "pcm_s16le", sampleRate: 16_000, channels: 2, durationMs: 1000 });
    const [left = [], right = []] = spectrum(opened, [440, 1000]);
    expect(left[0]).toBeCloseTo(0.49, 1);
    expect(right[1]).toBeCloseTo(0.49, 1);
  });

  it("do not make a file with a header into one without", async () => {
    await using opened = await open({ name: "raw", path: mono8k, raw: parseRawFormat("mulaw:8000:1") });
    expect(opened.recording.codec).toBe("pcm_s16le");
  });

  it("may look like anything", async () => {
    const text = folder.file("text.raw");
    writeFileSync(text, "a".repeat(8000));
    await using opened = await open({ name: "raw", path: text, raw: parseRawFormat("ulaw:8000") });
    expect(opened.recording.durationMs).toBe(1000);
  });

  it.each(["", "mulaw", "mp3:8000:1", "mulaw:8000:0", "mulaw:8000:9", "mulaw:1:1", "mulaw:8e3:1", "mulaw:8000:1:1", "__proto__:8000:1"])(
    "%j is no such coding",
    (text) => {
      expect(() => parseRawFormat(text)).toThrow(expect.objectContaining({ code: "usage/invalid" }));
    },
  );
});

describe("two files of one call", () => {
  it("become two one-channel files, agent first, hashed one after the other", async () => {
    const customer = writeSines(folder.file("customer.wav"), [1000], 16_000, 3);
    await using opened = await open({ ...sourceOf("unused"), legs: { agent: mono8k, customer } });
    const bytes = Buffer.concat([readFileSync(mono8k), readFileSync(customer)]);
    expect(opened.recording).toEqual({
      name: "the call",
      sha256: createHash("sha256").update(bytes).digest("hex"),
      bytes: bytes.length,
      codec: "pcm_s16le",
      sampleRate: 16_000,
      channels: 2,
      durationMs: 3000,
    });
    expect(opened.pcm.map((file) => [file.channels, file.sampleRate])).toEqual([
      [1, 8000],
      [1, 16_000],
    ]);
    expect(spectrum(opened, [440])[0]?.[0]).toBeGreaterThan(0.48);
  });

  it("may need ffmpeg, and say which one is cut", async () => {
    const agent = make(FORMATS[1] as Made);
    const customer = folder.file("cut-leg.wav");
    writeFileSync(customer, readFileSync(mono8k).subarray(0, 9000));
    await using opened = await open({ ...sourceOf("unused"), legs: { agent, customer } });
    expect(opened.recording.codec).toBe("mp3+pcm_s16le");
    expect(opened.problems).toMatchObject([{ code: "truncated", channel: 1 }]);
  });

  it("fit together only with one channel each", async () => {
    const agent = make(FORMATS[1] as Made);
    const failed = await failure({ ...sourceOf("unused"), legs: { agent, customer: stereo8k } });
    expect(failed).toMatchObject({
      code: "audio/legs-mismatch",
      message: "expected one channel in the customer's file of the call, got 2",
    });
  });
});

describe.runIf(existsSync("../shared/data/formats"))("files from the field (../shared/data/formats; skipped without)", () => {
  it.each([
    ["16k-23850.amr", "amr_wb", 4060],
    ["16k.m4a", "aac", 4096],
    ["16k.wav", "pcm_s16le", 4060],
    ["asr_example.mp3", "mp3", 5547],
    ["mp4-named.wav", "aac", 40_640],
    ["test.opus", "opus", 8064],
    ["whatstheweatherlike-mulaw.wav", "pcm_mulaw", 2030],
  ])("%s", async (name, codec, durationMs) => {
    await using opened = await open(`../shared/data/formats/${name}`);
    expect(opened.recording).toMatchObject({ codec, durationMs });
    expect(opened.problems).toEqual([]);
  });

  it("headerless ones say what is needed", async () => {
    expect((await failure("../shared/data/formats/16k.pcm")).code).toBe("audio/unreadable");
    expect((await failure("../shared/data/formats/missing_wav_header.wav")).code).toBe("audio/unreadable");
  });
});

it("leaves no file open", async () => {
  const openFiles = (): number => (existsSync("/proc/self/fd") ? readdirSync("/proc/self/fd").length : 0);
  const before = openFiles();
  const mp3 = make(FORMATS[0] as Made);
  for (let i = 0; i < 5; i++) {
    await using opened = await open(i % 2 ? mp3 : mono8k);
    closeSync(openSync(opened.pcm[0]?.path as string, "r"));
    await failure(folder.path);
    await failure(make(FORMATS[0] as Made), { ffmpegPath: "/nonexistent" });
  }
  expect(openFiles()).toBeLessThanOrEqual(before + 1);
});
