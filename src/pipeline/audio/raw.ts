import { CallsiftError } from "../errors.ts";
import type { PcmFile } from "../types.ts";
import { MAX_CHANNELS, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE } from "./limits.ts";
import { SAMPLE_BYTES } from "./pcm.ts";

/** How a recording without a header is coded; little-endian. */
export interface RawFormat {
  readonly encoding: PcmFile["encoding"];
  /** Hz. */
  readonly sampleRate: number;
  readonly channels: number;
}

/** What other programs call the same codings. */
const ALIASES: Readonly<Record<string, RawFormat["encoding"]>> = {
  ulaw: "mulaw",
  pcmu: "mulaw",
  pcma: "alaw",
  s16le: "s16",
  s24le: "s24",
  s32le: "s32",
  f32le: "f32",
  f64le: "f64",
};

function isEncoding(name: string): name is RawFormat["encoding"] {
  return Object.hasOwn(SAMPLE_BYTES, name);
}

/**
 * Reads `encoding:rate:channels`, e.g. `mulaw:8000:1`.
 *
 * @throws CallsiftError `usage/invalid`
 */
export function parseRawFormat(text: string): RawFormat {
  const [name = "", rate = "", count = "1", ...rest] = text.trim().toLowerCase().split(":");
  const encoding = Object.hasOwn(ALIASES, name) ? ALIASES[name] : name;
  const invalid = (expected: string): CallsiftError =>
    new CallsiftError("usage/invalid", `expected a raw format like mulaw:8000:1 (${expected}), got ${JSON.stringify(text)}`);
  if (rest.length > 0 || rate === "") throw invalid("coding, rate and channels");
  if (encoding === undefined || !isEncoding(encoding)) throw invalid(`coding one of ${Object.keys(SAMPLE_BYTES).join(", ")}`);
  const sampleRate = /^\d+$/.test(rate) ? Number(rate) : 0;
  if (sampleRate < MIN_SAMPLE_RATE || sampleRate > MAX_SAMPLE_RATE) throw invalid(`rate ${MIN_SAMPLE_RATE} to ${MAX_SAMPLE_RATE} Hz`);
  const channels = /^\d+$/.test(count) ? Number(count) : 0;
  if (channels < 1 || channels > MAX_CHANNELS) throw invalid(`1 to ${MAX_CHANNELS} channels`);
  return { encoding, sampleRate, channels };
}
