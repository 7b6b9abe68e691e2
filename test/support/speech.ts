import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { buildSilero } from "../../scripts/build-silero.ts";
import { g711Table } from "../../src/pipeline/audio/g711.ts";
import { sileroPath } from "../../src/pipeline/vad/silero-weights.ts";

const LINES = fileURLToPath(new URL("../../fixtures/lines/", import.meta.url));

/** The speech detector's weights are part of the build; a test that runs before any makes them. */
export function ensureWeights(): void {
  if (!existsSync(sileroPath())) buildSilero();
}

/** Lines of one spoken voice of the fixtures (`zf-xiaobei`, `am-fenrir` …), one after the other with pauses, 8 kHz. */
export function spokenBy(voice: string, seconds: number, pauseSeconds = 0.8): Float32Array {
  const lines = readdirSync(LINES)
    .filter((name) => name.startsWith(`${voice}-`) && name.endsWith(".wav"))
    .sort();
  if (lines.length === 0) throw new Error(`expected lines of the voice ${voice} in fixtures/lines, found none`);
  const samples = new Float32Array(Math.round(seconds * 8000));
  let at = Math.round(pauseSeconds * 8000);
  for (let i = 0; at < samples.length; i++) {
    const line = mulawSamples(readFileSync(`${LINES}${lines[i % lines.length]}`));
    samples.set(line.subarray(0, samples.length - at), at);
    at += line.length + Math.round(pauseSeconds * 8000);
  }
  return samples;
}

function mulawSamples(wav: Buffer): Float32Array {
  const data = wav.indexOf("data", 12, "latin1");
  const table = g711Table("mulaw");
  return Float32Array.from(wav.subarray(data + 8, data + 8 + wav.readUInt32LE(data + 4)), (byte) => table[byte] as number);
}

/** The same noise on every machine: white, uniform, of this level in dBFS (RMS). */
export function whiteNoise(seconds: number, levelDb: number, seed = 1): Float32Array {
  const peak = 10 ** (levelDb / 20) * Math.sqrt(3);
  let state = seed;
  return Float32Array.from({ length: Math.round(seconds * 8000) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 31 - 1) * peak;
  });
}

/** Both sounds at once, as long as the first. */
export function mixed(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((sample, i) => sample + (b[i] ?? 0));
}
