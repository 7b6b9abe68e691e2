import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { openRecording } from "../../src/pipeline/audio/open.ts";
import { openPcm } from "../../src/pipeline/audio/pcm.ts";
import { CallsiftError } from "../../src/pipeline/errors.ts";
import { createTestFolder, FFMPEGS, ffmpeg, livingChildren, seededRandom, wav, writeSines } from "../support/audio-files.ts";

const folder = createTestFolder();
const tempRoot = folder.file("temp");
mkdirSync(tempRoot);
afterAll(() => folder.remove());

const [bundled = { path: "", source: "" }] = FFMPEGS;
const source = writeSines(folder.file("source.wav"), [440], 8000, 1);

const CODERS: readonly (readonly [file: string, args: readonly string[]])[] = [
  ["plain.wav", []],
  ["mulaw.wav", ["-c:a", "pcm_mulaw"]],
  ["adpcm.wav", ["-c:a", "adpcm_ms"]],
  ["a.mp3", []],
  ["a.opus", ["-c:a", "libopus", "-ar", "48000"]],
  ["a.amr", ["-c:a", "libopencore_amrnb"]],
  ["a.flac", []],
  ["a.m4a", ["-movflags", "+faststart"]],
  ["a.webm", ["-c:a", "libopus", "-ar", "48000"]],
];

/** Some bytes changed (most of them near the front, where headers are), now and then a stretch lost, doubled or zeroed. */
function mutate(bytes: Buffer, random: () => number): Buffer {
  const below = (limit: number): number => Math.floor(random() * limit);
  const place = (): number => below(random() < 0.6 ? Math.min(bytes.length, 200) : bytes.length);
  const mutated = Buffer.from(bytes);
  for (let i = 1 + below(8); i > 0; i--) mutated[place()] = random() < 0.3 ? 0xff : below(256);
  const [from, to] = [place(), place()].sort((a, b) => a - b) as [number, number];
  const kind = random();
  if (kind < 0.15) return Buffer.concat([mutated.subarray(0, from), mutated.subarray(to)]);
  if (kind < 0.25) return Buffer.concat([mutated.subarray(0, to), mutated.subarray(from)]);
  if (kind < 0.35) mutated.fill(0, from, to);
  if (kind < 0.5) return mutated.subarray(0, to);
  return mutated;
}

/** Opens and reads it; a coded failure counts as handled. */
async function outcome(path: string, ffmpegPath: string): Promise<string> {
  try {
    await using opened = await openRecording({ name: "x", path }, { ffmpegPath, tempRoot, timeoutMs: 20_000 });
    for (const file of opened.pcm) {
      const reader = openPcm(file);
      const block = Array.from({ length: reader.channels }, () => new Float32Array(4096));
      let at = 0;
      for (let got = -1; got !== 0; at += got) got = reader.read(at, 4096, block);
      reader.close();
      if (at !== reader.frames) return `read ${at} of ${reader.frames} frames`;
    }
    return opened.recording.durationMs >= 0 ? "opened" : "no duration";
  } catch (error) {
    if (!(error instanceof CallsiftError)) throw error;
    return error.message.includes("\n") ? "more than one line" : error.code;
  }
}

const HANDLED = [
  "opened",
  "audio/unreadable",
  "audio/empty",
  "audio/unsupported",
  "audio/no-sound",
  "audio/refused",
  "audio/too-long",
  "audio/too-large",
];
const HANDLED_LIMITS = ["audio/too-many-channels", "audio/bad-rate"];

describe.each(FFMPEGS.map(({ path, source }, at) => ({ path, source, count: at === 0 ? 100 : 6 })))(
  "damaged recordings, with the $source ffmpeg",
  ({ path: ffmpegPath, count }) => {
    it.each(CODERS)("%s: every mutation opens or fails with a code, and leaves nothing behind", async (file, args) => {
      const whole = folder.file(file);
      ffmpeg(bundled.path, ["-i", source, ...args, whole]);
      const bytes = readFileSync(whole);
      expect(await outcome(whole, ffmpegPath)).toBe("opened");
      const random = seededRandom(20 + file.length);
      const damaged = Array.from({ length: count }, (_, i) => {
        const path = folder.file(`${i}-${file}`);
        writeFileSync(path, mutate(bytes, random));
        return path;
      });
      const outcomes: string[] = [];
      const next = damaged.values();
      const drain = async (): Promise<void> => {
        for (const path of next) outcomes.push(await outcome(path, ffmpegPath));
      };
      await Promise.all([drain(), drain(), drain()]);
      expect(outcomes).toHaveLength(count);
      for (const each of outcomes) expect([...HANDLED, ...HANDLED_LIMITS]).toContain(each);
      if (count === 100) expect(new Set(outcomes).size, "the mutations change nothing").toBeGreaterThan(1);
      expect(readdirSync(tempRoot)).toEqual([]);
      expect(livingChildren().filter((command) => command.includes("ffmpeg"))).toEqual([]);
    });
  },
);

it("a 6-hour recording takes no more memory than a short one", () => {
  const path = folder.file("long.wav");
  const seconds = 6 * 3600;
  writeFileSync(path, wav({ tag: 7, bits: 8, channels: 2, sampleRate: 8000, data: new Uint8Array(0), dataSize: seconds * 16_000 }));
  truncateSync(path, 44 + seconds * 16_000); // a hole: no bytes on disk
  const output = execFileSync(process.execPath, ["--import", "tsx", "test/support/read-through.ts", path], { encoding: "utf8" });
  const { frames, peakMegabytes } = JSON.parse(output) as { frames: number; peakMegabytes: number };
  expect(frames).toBe(seconds * 8000);
  expect(peakMegabytes).toBeLessThan(200);
});
