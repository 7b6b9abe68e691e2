import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findBundledFfmpeg, findFfmpeg } from "../../src/pipeline/audio/run.ts";

/** The programs to test with: the bundled one always, the distribution's where there is one. */
export const FFMPEGS: readonly { readonly source: string; readonly path: string }[] = [
  findBundledFfmpeg(),
  findFfmpeg("/usr/local/bin:/usr/bin"),
].flatMap((found, at, all) => (found && (at === 0 || found.path !== all[0]?.path) ? [found] : []));

/** A folder for one test file; `remove` it in `afterAll`. */
export function createTestFolder(): { readonly path: string; file(name: string): string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "callsift-test-"));
  return { path, file: (name) => join(path, name), remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Runs an ffmpeg for the test's own needs. */
export function ffmpeg(program: string, args: readonly string[]): void {
  execFileSync(program, ["-hide_banner", "-loglevel", "error", "-nostdin", "-y", ...args], { stdio: ["ignore", "ignore", "pipe"] });
}

/** One sine per channel, half of full scale, interleaved. */
export function sines(frequencies: readonly number[], sampleRate: number, seconds: number): Int16Array {
  const frames = Math.round(sampleRate * seconds);
  const channels = frequencies.length;
  const samples = new Int16Array(frames * channels);
  for (const [channel, hz] of frequencies.entries()) {
    for (let i = 0; i < frames; i++) samples[i * channels + channel] = Math.round(16_000 * Math.sin((2 * Math.PI * hz * i) / sampleRate));
  }
  return samples;
}

export interface WavParts {
  readonly magic?: "RIFF" | "RIFX" | "RF64" | "BW64";
  readonly tag?: number;
  readonly channels?: number;
  readonly sampleRate?: number;
  readonly bits?: number;
  readonly blockAlign?: number;
  /** Instead of the format chunk's first 16 bytes alone. */
  readonly formatTail?: Buffer;
  readonly before?: readonly Buffer[];
  readonly after?: readonly Buffer[];
  readonly data: Uint8Array;
  /** What the header says, if not the truth. */
  readonly dataSize?: number;
}

/** A chunk with its padding. */
export function chunk(id: string, body: Uint8Array, options: { size?: number; pad?: boolean; bigEndian?: boolean } = {}): Buffer {
  const head = Buffer.alloc(8);
  head.write(id, 0, "latin1");
  const size = options.size ?? body.length;
  if (options.bigEndian) head.writeUInt32BE(size, 4);
  else head.writeUInt32LE(size, 4);
  const padding = body.length % 2 === 1 && options.pad !== false ? Buffer.alloc(1) : Buffer.alloc(0);
  return Buffer.concat([head, body, padding]);
}

/** A WAV file of any honesty. */
export function wav(parts: WavParts): Buffer {
  const { magic = "RIFF", tag = 1, channels = 1, sampleRate = 8000, bits = 16 } = parts;
  const bigEndian = magic === "RIFX";
  const blockAlign = parts.blockAlign ?? (channels * bits) / 8;
  const format = Buffer.alloc(16);
  const u16 = (value: number, at: number): number => (bigEndian ? format.writeUInt16BE(value, at) : format.writeUInt16LE(value, at));
  const u32 = (value: number, at: number): number => (bigEndian ? format.writeUInt32BE(value, at) : format.writeUInt32LE(value, at));
  u16(tag, 0);
  u16(channels, 2);
  u32(sampleRate, 4);
  u32((sampleRate * blockAlign) >>> 0, 8);
  u16(blockAlign & 0xffff, 12);
  u16(bits, 14);
  const body = Buffer.concat([
    ...(parts.before ?? []),
    chunk("fmt ", Buffer.concat([format, parts.formatTail ?? Buffer.alloc(0)]), { bigEndian }),
    chunk("data", parts.data, { bigEndian, ...(parts.dataSize !== undefined && { size: parts.dataSize }) }),
    ...(parts.after ?? []),
  ]);
  const head = Buffer.alloc(12);
  head.write(magic, 0, "latin1");
  const riffSize = magic === "RF64" || magic === "BW64" ? 0xffff_ffff : body.length + 4;
  if (bigEndian) head.writeUInt32BE(riffSize, 4);
  else head.writeUInt32LE(riffSize, 4);
  head.write("WAVE", 8, "latin1");
  return Buffer.concat([head, body]);
}

/** The bytes of 16-bit samples, little-endian. */
export function bytesOf(samples: Int16Array): Buffer {
  return Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
}

/** Writes a plain 16-bit WAV of sines and returns its path. */
export function writeSines(path: string, frequencies: readonly number[], sampleRate: number, seconds: number): string {
  const data = bytesOf(sines(frequencies, sampleRate, seconds));
  writeFileSync(path, wav({ channels: frequencies.length, sampleRate, data }));
  return path;
}

/** Amplitude (0–1) of one frequency in the samples (Goertzel). */
export function amplitudeAt(samples: Float32Array, hz: number, sampleRate: number): number {
  const omega = (2 * Math.PI * hz) / sampleRate;
  let real = 0;
  let imaginary = 0;
  for (let i = 0; i < samples.length; i++) {
    // A Hann window keeps the edges of the piece out of other frequencies.
    const weight = 1 - Math.cos((2 * Math.PI * (i + 0.5)) / samples.length);
    real += weight * (samples[i] as number) * Math.cos(omega * i);
    imaginary += weight * (samples[i] as number) * Math.sin(omega * i);
  }
  return (2 * Math.hypot(real, imaginary)) / samples.length;
}

/** Command lines of this process's living children, zombies included; empty where there is no /proc. */
export function livingChildren(): string[] {
  let pids: string[];
  try {
    pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
  return pids.flatMap((pid) => {
    try {
      const afterName = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
      return afterName[1] === String(process.pid) ? [readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")] : [];
    } catch {
      return []; // ended meanwhile
    }
  });
}

/** A small deterministic generator (mulberry32), 0 <= x < 1. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
