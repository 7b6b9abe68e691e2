import { CallsiftError } from "../errors.ts";
import type { PcmFile } from "../types.ts";
import { checkFormat } from "./limits.ts";
import type { ReadAt } from "./regular-file.ts";

/** Where the sound of a WAV file lies and how it is coded. */
export interface WavLayout {
  /** wFormatTag, or the one inside the GUID of WAVE_FORMAT_EXTENSIBLE; null for a foreign GUID. */
  readonly formatTag: number | null;
  /** null: a coding that is left to ffmpeg. */
  readonly encoding: PcmFile["encoding"] | null;
  readonly bigEndian: boolean;
  readonly sampleRate: number;
  readonly channels: number;
  readonly dataOffset: number;
  /** Bytes of sound that are really there. */
  readonly dataBytes: number;
  /** Bytes that the header promises and the file has not. */
  readonly missingBytes: number;
  /** The header was never completed (a size of 0 or the highest value): a recorder that was killed, or a stream. */
  readonly unfinished: boolean;
}

/** Whether a file begins as a WAV does: RIFF, big-endian RIFX, or the 64-bit RF64 and BW64 (EBU Tech 3306, ITU-R BS.2088). */
export function isWav(head: Uint8Array): boolean {
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, 12)).toString("latin1");
  return /^(RIFF|RIFX|RF64|BW64)/.test(text) && text.endsWith("WAVE") && text.length === 12;
}

/** Chunks that a WAV may have before its sound; more is a file made to waste time. */
const MAX_CHUNKS = 1_000;
/** From here up a 32-bit size is what writers put down for "unknown" (0x7FFFxxxx: SoX, 0xFFFFFFFF: ffmpeg and others). */
const PLACEHOLDER_FROM = 0x7fff_0000;
/** Format tags, mmreg.h. */
const TAG = { pcm: 0x0001, float: 0x0003, alaw: 0x0006, mulaw: 0x0007, extensible: 0xfffe } as const;
/** Last 14 bytes of the GUIDs that carry a format tag in their first two: KSDATAFORMAT_SUBTYPE_* and ambisonic B-format. */
const GUID_TAILS = ["000000001000800000aa00389b71", "00002107d3118644c8c1ca000000"];

interface Format {
  readonly tag: number | null;
  readonly channels: number;
  readonly sampleRate: number;
  readonly blockAlign: number;
  readonly bits: number;
}

interface Chunk {
  readonly id: string;
  readonly size: number;
  readonly bodyOffset: number;
}

function unreadable(message: string): CallsiftError {
  return new CallsiftError("audio/unreadable", message);
}

function parseFormat(body: Buffer, bigEndian: boolean): Format {
  if (body.length < 14) throw unreadable(`expected a format chunk of at least 14 bytes, got ${body.length}`);
  const u16 = (at: number): number => (bigEndian ? body.readUInt16BE(at) : body.readUInt16LE(at));
  const u32 = (at: number): number => (bigEndian ? body.readUInt32BE(at) : body.readUInt32LE(at));
  const channels = u16(2);
  const blockAlign = u16(12);
  let tag: number | null = u16(0);
  if (tag === TAG.extensible && body.length >= 40) {
    const tail = body.subarray(26, 40).toString("hex");
    tag = GUID_TAILS.includes(tail) ? u16(24) : null;
  }
  const bits = body.length >= 16 ? u16(14) : channels > 0 ? (8 * blockAlign) / channels : 0;
  return { tag, channels, sampleRate: u32(4), blockAlign, bits };
}

const PCM_BY_BYTES: Readonly<Record<number, PcmFile["encoding"]>> = { 1: "u8", 2: "s16", 3: "s24", 4: "s32" };
const FLOAT_BY_BYTES: Readonly<Record<number, PcmFile["encoding"]>> = { 4: "f32", 8: "f64" };

/** Our name of the coding, null if ffmpeg must decode it. Throws where the header contradicts itself. */
function encodingOf({ tag, channels, blockAlign, bits }: Format): PcmFile["encoding"] | null {
  if (tag !== TAG.pcm && tag !== TAG.float && tag !== TAG.alaw && tag !== TAG.mulaw) return null;
  const bytes = blockAlign / channels;
  const law = tag === TAG.alaw || tag === TAG.mulaw;
  const needed = law ? 1 : Math.max(1, Math.ceil(bits / 8));
  if (!Number.isInteger(bytes) || bytes < needed || (law && bytes !== 1)) {
    const expected = channels * needed;
    throw unreadable(`expected a block align of ${expected} (${channels} channels of ${8 * needed} bits), got ${blockAlign}`);
  }
  if (tag === TAG.alaw) return "alaw";
  if (tag === TAG.mulaw) return "mulaw";
  const encoding = (tag === TAG.pcm ? PCM_BY_BYTES : FLOAT_BY_BYTES)[bytes];
  if (!encoding) {
    throw new CallsiftError("audio/unsupported", `expected PCM of 8 to 32 bits or float of 32 or 64, got ${8 * bytes}-bit samples`);
  }
  return encoding;
}

/** Steps from chunk to chunk without reading their bodies. */
function chunkWalker(readAt: ReadAt, fileSize: number, bigEndian: boolean) {
  const looksLikeId = (id: string): boolean => /^[A-Za-z0-9_ .-]{4}$/.test(id);
  const chunkAt = async (offset: number): Promise<Chunk | null> => {
    if (offset + 8 > fileSize) return null;
    const head = await readAt(offset, 8);
    if (head.length < 8) return null;
    return {
      id: head.toString("latin1", 0, 4),
      size: bigEndian ? head.readUInt32BE(4) : head.readUInt32LE(4),
      bodyOffset: offset + 8,
    };
  };
  /** The chunk behind one that ends at `end`. Bodies of odd length are padded to even, which some writers forget. */
  const chunkAfter = async (end: number): Promise<Chunk | null> => {
    const padded = await chunkAt(end + (end & 1));
    if (end % 2 === 0 || (padded && looksLikeId(padded.id))) return padded;
    const unpadded = await chunkAt(end);
    return unpadded && looksLikeId(unpadded.id) ? unpadded : padded;
  };
  /** Whether whole chunks follow from `offset` to the very end, i.e. the writer finished its work. */
  const isFinishedFrom = async (offset: number): Promise<boolean> => {
    let end = offset;
    for (let count = 0; count < MAX_CHUNKS; count++) {
      const chunk = await chunkAfter(end);
      if (!chunk) return end >= fileSize - 1;
      if (!looksLikeId(chunk.id)) return false;
      end = chunk.bodyOffset + chunk.size;
      if (end > fileSize + 1) return false;
    }
    return false;
  };
  return { chunkAfter, isFinishedFrom };
}

/**
 * Reads the header of a WAV file, however it was left: chunks in any order, odd and unpadded ones, 64-bit sizes, sizes
 * that were never filled in or point past the end.
 *
 * @throws CallsiftError `audio/unreadable`, `audio/unsupported`, `audio/bad-rate`, `audio/too-many-channels`
 */
export async function readWavLayout(readAt: ReadAt, fileSize: number): Promise<WavLayout> {
  const magic = (await readAt(0, 4)).toString("latin1");
  const bigEndian = magic === "RIFX";
  const { chunkAfter, isFinishedFrom } = chunkWalker(readAt, fileSize, bigEndian);
  let format: Format | null = null;
  let data: Chunk | null = null;
  let longDataSize: number | null = null;
  let end = 12;
  for (let count = 0; !(format && data); count++) {
    if (count === MAX_CHUNKS) throw unreadable(`expected sound within ${MAX_CHUNKS} chunks`);
    const chunk = await chunkAfter(end);
    if (!chunk) break;
    if (chunk.id === "fmt " && !format) {
      format = parseFormat(await readAt(chunk.bodyOffset, Math.min(chunk.size, 64)), bigEndian);
    } else if (chunk.id === "ds64") {
      const body = await readAt(chunk.bodyOffset, Math.min(chunk.size, 16));
      if (body.length === 16) longDataSize = Number(body.readBigUInt64LE(8));
    } else if (chunk.id === "data" && !data) {
      data = chunk;
    }
    end = chunk.bodyOffset + chunk.size;
  }
  if (!data) throw unreadable("expected a data chunk, got a WAV header and no sound");
  if (!format) throw unreadable("expected a format chunk, got none");
  checkFormat(format);

  const present = Math.max(0, fileSize - data.bodyOffset);
  const long = data.size === 0xffff_ffff && longDataSize !== null && magic !== "RIFF";
  const promised = long ? (longDataSize ?? 0) : data.size;
  // A size of zero is true if all that follows are whole chunks, and a recorder's that never came back to it otherwise.
  const unfinished =
    (promised === 0 && present > 0 && !(await isFinishedFrom(data.bodyOffset))) ||
    (!long && promised >= PLACEHOLDER_FROM && promised > present);
  return {
    formatTag: format.tag,
    encoding: encodingOf(format),
    bigEndian,
    sampleRate: format.sampleRate,
    channels: format.channels,
    dataOffset: data.bodyOffset,
    dataBytes: unfinished ? present : Math.min(promised, present),
    missingBytes: unfinished ? 0 : Math.max(0, promised - present),
    unfinished,
  };
}
