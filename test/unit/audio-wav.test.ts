import { closeSync, ftruncateSync, openSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { type OpenedRecording, openRecording } from "../../src/pipeline/audio/open.ts";
import { openPcm } from "../../src/pipeline/audio/pcm.ts";
import { CallsiftError } from "../../src/pipeline/errors.ts";
import {
  amplitudeAt,
  bytesOf,
  chunk,
  createTestFolder,
  FFMPEGS,
  ffmpeg,
  sines,
  type WavParts,
  wav,
  writeSines,
} from "../support/audio-files.ts";

const folder = createTestFolder();
afterAll(() => folder.remove());

let files = 0;
function save(bytes: Uint8Array): string {
  const path = folder.file(`${files++}.wav`);
  writeFileSync(path, bytes);
  return path;
}

async function open(bytes: Uint8Array | string): Promise<OpenedRecording> {
  return await openRecording({ name: "a.wav", path: typeof bytes === "string" ? bytes : save(bytes) }, { tempRoot: folder.path });
}

function samplesOf({ pcm }: OpenedRecording): Float32Array[] {
  const [file] = pcm as [OpenedRecording["pcm"][0]];
  const reader = openPcm(file);
  const channels = Array.from({ length: reader.channels }, () => new Float32Array(reader.frames));
  expect(reader.read(0, reader.frames, channels)).toBe(reader.frames);
  reader.close();
  return channels;
}

async function failure(bytes: Uint8Array): Promise<{ code: string; message: string }> {
  try {
    await open(bytes);
  } catch (error) {
    if (error instanceof CallsiftError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error("expected a failure, it opened");
}

const TONE = bytesOf(sines([440], 8000, 1));
const plain = (parts: Partial<WavParts> = {}): Buffer => wav({ data: TONE, ...parts });

describe("codings", () => {
  const [program] = FFMPEGS;
  const CODINGS = [
    ["pcm_u8", 0.008],
    ["pcm_s16le", 0],
    ["pcm_s24le", 0],
    ["pcm_s32le", 0],
    ["pcm_f32le", 0],
    ["pcm_f64le", 0],
    ["pcm_mulaw", 0.02],
    ["pcm_alaw", 0.02],
  ] as const;
  const cases = CODINGS.flatMap(([codec, tolerance]) => [1, 2, 3].map((channels) => [codec, channels, tolerance] as const));

  it.each(cases)("%s with %i channels gives the samples that ffmpeg decodes", async (codec, channels, tolerance) => {
    const name = `${codec}-${channels}`;
    const source = writeSines(folder.file(`${name}-source.wav`), [440, 1000, 300].slice(0, channels), 16_000, 0.5);
    const coded = folder.file(`${name}.wav`);
    const reference = folder.file(`${name}-reference.wav`);
    ffmpeg(program?.path ?? "", ["-i", source, "-c:a", codec, coded]);
    ffmpeg(program?.path ?? "", ["-i", coded, "-c:a", "pcm_s16le", reference]);
    await using ours = await open(coded);
    await using theirs = await open(reference);
    await using original = await open(source);
    expect(ours.recording).toMatchObject({ codec, sampleRate: 16_000, channels, durationMs: 500 });
    expect(ours.pcm[0]?.path).toBe(coded);
    const wanted = samplesOf(theirs);
    const first = samplesOf(original);
    for (const [channel, samples] of samplesOf(ours).entries()) {
      const worst = (other: Float32Array | undefined): number =>
        samples.reduce((most, value, i) => Math.max(most, Math.abs(value - (other?.[i] ?? 9))), 0);
      expect(worst(wanted[channel])).toBeLessThan(1 / 32768);
      expect(worst(first[channel])).toBeLessThanOrEqual(tolerance + 1 / 32768);
    }
  });

  it("reads big-endian RIFX", async () => {
    const data = Buffer.from(TONE).swap16();
    await using opened = await open(plain({ magic: "RIFX", data }));
    expect(opened.recording.codec).toBe("pcm_s16be");
    expect(amplitudeAt(samplesOf(opened)[0] as Float32Array, 440, 8000)).toBeCloseTo(16_000 / 32_768, 2);
  });

  it("turns what is no number into silence and clips what is too loud", async () => {
    const data = Buffer.from(Float32Array.of(0.5, Number.NaN, Number.POSITIVE_INFINITY, -7, -0.25).buffer);
    await using opened = await open(wav({ tag: 3, bits: 32, data }));
    expect([...(samplesOf(opened)[0] as Float32Array)]).toEqual([0.5, 0, 1, -1, -0.25]);
  });

  it.each([
    ["PCM", 1, 24, "pcm_s24le"],
    ["float", 3, 32, "pcm_f32le"],
    ["µ-law", 7, 8, "pcm_mulaw"],
  ])("reads WAVE_FORMAT_EXTENSIBLE with %s inside", async (_name, subTag, bits, codec) => {
    const guid = Buffer.from("0000000000001000800000aa00389b71", "hex");
    guid.writeUInt16LE(subTag, 0);
    const formatTail = Buffer.concat([Buffer.from([22, 0, bits, 0, 3, 0, 0, 0]), guid]);
    await using opened = await open(wav({ tag: 0xfffe, bits, formatTail, data: Buffer.alloc(4800) }));
    expect(opened.recording.codec).toBe(codec);
  });

  it("reads 12 bits in two bytes, and 24 in four, as the container has them", async () => {
    await using twelve = await open(plain({ bits: 12, blockAlign: 2 }));
    await using wide = await open(plain({ bits: 24, blockAlign: 4 }));
    expect([twelve.recording.codec, wide.recording.codec]).toEqual(["pcm_s16le", "pcm_s32le"]);
  });
});

describe("containers", () => {
  const frames = TONE.length / 2;
  const ds64 = (dataBytes: number): Buffer => {
    const body = Buffer.alloc(28);
    body.writeBigUInt64LE(BigInt(dataBytes), 8);
    return chunk("ds64", body);
  };

  it.each([
    ["RF64", plain({ magic: "RF64", before: [ds64(TONE.length)], dataSize: 0xffff_ffff })],
    ["BW64", plain({ magic: "BW64", before: [ds64(TONE.length)], dataSize: 0xffff_ffff })],
    ["an odd chunk", plain({ before: [chunk("note", Buffer.from("odd"))] })],
    ["an odd chunk without padding", plain({ before: [chunk("note", Buffer.from("odd"), { pad: false })] })],
    ["LIST before and after", plain({ before: [chunk("LIST", Buffer.from("INFOx"))], after: [chunk("LIST", Buffer.from("INFO"))] })],
    ["an 18-byte format chunk", plain({ formatTail: Buffer.alloc(2) })],
    ["a RIFF size that lies", Buffer.concat([Buffer.from("RIFF\0\0\0\0"), plain().subarray(8)])],
  ])("reads %s", async (_name, bytes) => {
    await using opened = await open(bytes);
    expect(opened.pcm[0]?.frames).toBe(frames);
    expect(opened.problems).toEqual([]);
    expect(amplitudeAt(samplesOf(opened)[0] as Float32Array, 440, 8000)).toBeGreaterThan(0.48);
  });

  it("reads the sound before its format", async () => {
    const bytes = plain();
    const swapped = Buffer.concat([bytes.subarray(0, 12), bytes.subarray(36), bytes.subarray(12, 36)]);
    await using opened = await open(swapped);
    expect(opened.pcm[0]).toMatchObject({ frames, dataOffset: 20 });
  });

  it.each([
    ["0", 0],
    ["0xFFFFFFFF", 0xffff_ffff],
    ["SoX's 0x7FFFF000", 0x7fff_f000],
  ])("reads to the end where the recorder left a size of %s, and says so", async (_name, dataSize) => {
    await using opened = await open(plain({ dataSize }));
    expect(opened.pcm[0]?.frames).toBe(frames);
    expect(opened.problems).toMatchObject([{ code: "truncated", unfit: false }]);
    expect(opened.problems[0]?.detail).toContain("1.0 s");
  });

  it("believes a size of 0 that is followed by whole chunks", async () => {
    expect(await failure(wav({ data: Buffer.alloc(0), after: [chunk("LIST", Buffer.from("INFO"))] }))).toMatchObject({
      code: "audio/empty",
    });
  });

  it("tells how much is missing where the sound is cut", async () => {
    await using opened = await open(plain().subarray(0, 44 + 4000));
    expect(opened.pcm[0]?.frames).toBe(2000);
    expect(opened.problems).toEqual([
      { code: "truncated", channel: null, unfit: true, detail: "the header promises 1.0 s, 0.3 s are there (12000 bytes missing)" },
    ]);
    await using nearly = await open(plain().subarray(0, -100));
    expect(nearly.problems).toMatchObject([{ code: "truncated", unfit: false }]);
  });

  it("fails with a code wherever the file is cut before its sound", async () => {
    const bytes = plain({ before: [ds64(5), chunk("LIST", Buffer.from("INFOxyz"))] });
    const soundAt = bytes.indexOf("data") + 8;
    for (let length = 0; length <= soundAt + 1; length++) {
      const { code } = await failure(bytes.subarray(0, length));
      expect(["audio/empty", "audio/unreadable"], `cut at ${length}`).toContain(code);
    }
  });
});

describe("headers that lie", () => {
  it.each([
    ["a rate of 0", { sampleRate: 0 }, "audio/bad-rate", "expected a sample rate of 4000 to 192000 Hz, got 0 Hz"],
    ["a rate of 3,999", { sampleRate: 3_999 }, "audio/bad-rate", "got 3999 Hz"],
    ["a rate of 4 GHz", { sampleRate: 0xffff_ffff }, "audio/bad-rate", "got 4294967295 Hz"],
    ["65,535 channels", { channels: 65_535 }, "audio/too-many-channels", "expected at most 8 channels, got 65535"],
    ["9 channels", { channels: 9 }, "audio/too-many-channels", "got 9"],
    ["no channels", { channels: 0 }, "audio/unreadable", "expected at least one channel, got 0"],
    ["a block align of 0", { blockAlign: 0 }, "audio/unreadable", "expected a block align of 2 (1 channels of 16 bits), got 0"],
    ["a block align that fits nothing", { channels: 2, blockAlign: 3 }, "audio/unreadable", "got 3"],
    ["64-bit integers", { bits: 64 }, "audio/unsupported", "got 64-bit samples"],
    ["no samples", { data: new Uint8Array(0) }, "audio/empty", "0 bytes"],
    ["half a sample", { data: new Uint8Array(1) }, "audio/empty", "got 0 samples"],
  ] satisfies [string, Partial<WavParts>, string, string][])("%s", async (_name, parts, code, message) => {
    const failed = await failure(plain(parts));
    expect(failed.code).toBe(code);
    expect(failed.message).toContain(message);
  });

  it("more than 24 h", async () => {
    const path = save(wav({ tag: 7, bits: 8, data: new Uint8Array(0), dataSize: 0xffff_ffff }));
    const fd = openSync(path, "r+");
    ftruncateSync(fd, 44 + 8000 * 86_401); // a hole, no bytes on disk
    closeSync(fd);
    await expect(open(path)).rejects.toMatchObject({ code: "audio/too-long", message: "expected at most 24 h, got 24.0 h" });
  });

  it("thousands of empty chunks", async () => {
    const before = Array.from({ length: 5_000 }, () => chunk("junk", Buffer.alloc(0)));
    expect(await failure(plain({ before }))).toMatchObject({ code: "audio/unreadable" });
  });

  it("never anything but a coded error, whatever the header bytes", async () => {
    const bytes = plain({ before: [chunk("LIST", Buffer.from("INFO"))] }).subarray(0, 400);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { minLength: 1, maxLength: 6 }), async (changes) => {
        const mutated = Buffer.from(bytes);
        for (const [at, value] of changes) mutated[at] = value;
        // ffmpeg's part is tested apart; a program that does not exist keeps this quick.
        try {
          await using opened = await openRecording(
            { name: "x", path: save(mutated) },
            { ffmpegPath: "/nonexistent", tempRoot: folder.path },
          );
          expect(opened.pcm[0]?.frames).toBeGreaterThan(0);
          samplesOf(opened);
        } catch (error) {
          if (!(error instanceof CallsiftError) || error.code === "internal/bug") throw error;
        }
      }),
      { numRuns: 150, seed: 7 },
    );
  });
});

describe("openPcm", () => {
  const isSame = (a: Float32Array = new Float32Array(0), b: Float32Array = a): boolean => a.every((value, i) => value === b[i]);

  it("gives the same samples in any order and piece size", async () => {
    const path = writeSines(folder.file("long.wav"), [440, 1000], 8000, 12); // larger than one block of the disk
    await using opened = await open(path);
    const [left, right] = samplesOf(opened) as [Float32Array, Float32Array];
    const reader = openPcm(opened.pcm[0] as OpenedRecording["pcm"][0]);
    fc.assert(
      fc.property(fc.nat(reader.frames + 10), fc.integer({ min: 1, max: 40_000 }), (start, wanted) => {
        const into = [new Float32Array(wanted), new Float32Array(wanted)];
        const got = reader.read(start, wanted, into);
        expect(got).toBe(Math.max(0, Math.min(wanted, reader.frames - start)));
        expect(isSame(into[0]?.subarray(0, got), left.subarray(start, start + got))).toBe(true);
        expect(isSame(into[1]?.subarray(0, got), right.subarray(start, start + got))).toBe(true);
      }),
      { numRuns: 60, seed: 3 },
    );
    reader.close();
    reader.close(); // twice does no harm
  });

  it("returns less where the file has become shorter since", async () => {
    const path = writeSines(folder.file("shrinks.wav"), [440], 8000, 2);
    await using opened = await open(path);
    const reader = openPcm(opened.pcm[0] as OpenedRecording["pcm"][0]);
    const fd = openSync(path, "r+");
    ftruncateSync(fd, 44 + 2000);
    closeSync(fd);
    expect(reader.read(0, 16_000, [new Float32Array(16_000)])).toBe(1000);
    reader.close();
  });
});
