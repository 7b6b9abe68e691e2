import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { CallsiftError } from "../errors.ts";
import type { PcmFile } from "../types.ts";
import { g711Table } from "./g711.ts";

/** Samples of a file, read at random in the calling thread. */
export interface PcmReader {
  /** Hz. */
  readonly sampleRate: number;
  readonly channels: number;
  readonly frames: number;
  /** Fills one Float32Array per channel (-1..1) with up to `frames` frames from frame `start`; returns how many there were. */
  read(start: number, frames: number, into: readonly Float32Array[]): number;
  close(): void;
}

type Encoding = PcmFile["encoding"];

/** Bytes of one sample. */
export const SAMPLE_BYTES = { u8: 1, mulaw: 1, alaw: 1, s16: 2, s24: 3, s32: 4, f32: 4, f64: 8 } as const satisfies Record<
  Encoding,
  number
>;

/** One read of the disk: large enough to cost nothing per sample, small enough for the processor's cache. */
const BLOCK_BYTES = 64 * 1024;

/** Turns `count` frames from byte `offset` of the block into samples at `out` of each channel. */
type Decode = (offset: number, count: number, into: readonly Float32Array[], out: number) => void;

function decodeBytes(bytes: Uint8Array, table: Float32Array, channels: number): Decode {
  if (channels === 2) return decodeBytePairs(bytes, table);
  return (offset, count, into, out) => {
    for (let channel = 0; channel < channels; channel++) {
      const target = into[channel] as Float32Array;
      for (let i = out, from = offset + channel, end = out + count; i < end; i++, from += channels) {
        target[i] = table[bytes[from] as number] as number;
      }
    }
  };
}

/** The usual call: both sides in one pass take little more than half the time. */
function decodeBytePairs(bytes: Uint8Array, table: Float32Array): Decode {
  return (offset, count, into, out) => {
    const [left, right] = into as [Float32Array, Float32Array];
    const end = out + count;
    let i = out;
    let from = offset;
    // Two frames at a time, loads before stores.
    for (; i + 1 < end; i += 2, from += 4) {
      const a = table[bytes[from] as number] as number;
      const b = table[bytes[from + 1] as number] as number;
      const c = table[bytes[from + 2] as number] as number;
      const d = table[bytes[from + 3] as number] as number;
      left[i] = a;
      left[i + 1] = c;
      right[i] = b;
      right[i + 1] = d;
    }
    if (i < end) {
      left[i] = table[bytes[from] as number] as number;
      right[i] = table[bytes[from + 1] as number] as number;
    }
  };
}

function decodeWords(words: Int16Array | Int32Array, scale: number, channels: number): Decode {
  if (words instanceof Int16Array && channels === 2) return decodeWordPairs(words, scale);
  const width = words.BYTES_PER_ELEMENT;
  return (offset, count, into, out) => {
    for (let channel = 0; channel < channels; channel++) {
      const target = into[channel] as Float32Array;
      for (let i = out, from = offset / width + channel, end = out + count; i < end; i++, from += channels) {
        target[i] = (words[from] as number) * scale;
      }
    }
  };
}

function decodeWordPairs(words: Int16Array, scale: number): Decode {
  return (offset, count, into, out) => {
    const [left, right] = into as [Float32Array, Float32Array];
    for (let i = out, from = offset / 2, end = out + count; i < end; i++, from += 2) {
      left[i] = (words[from] as number) * scale;
      right[i] = (words[from + 1] as number) * scale;
    }
  };
}

function decode24(bytes: Uint8Array, bigEndian: boolean, channels: number): Decode {
  const [high, low] = bigEndian ? [0, 2] : [2, 0];
  return (offset, count, into, out) => {
    for (let channel = 0; channel < channels; channel++) {
      const target = into[channel] as Float32Array;
      for (let i = out, from = offset + 3 * channel, end = out + count; i < end; i++, from += 3 * channels) {
        const word = ((bytes[from + high] as number) << 24) | ((bytes[from + 1] as number) << 16) | ((bytes[from + low] as number) << 8);
        target[i] = word / 2147483648;
      }
    }
  };
}

/** Floats may be anything in a damaged file; what is no number is silence, what is too loud is clipped. */
function decodeFloats(floats: Float32Array | Float64Array, channels: number): Decode {
  const width = floats.BYTES_PER_ELEMENT;
  return (offset, count, into, out) => {
    for (let channel = 0; channel < channels; channel++) {
      const target = into[channel] as Float32Array;
      for (let i = out, from = offset / width + channel, end = out + count; i < end; i++, from += channels) {
        const value = floats[from] as number;
        target[i] = value >= -1 && value <= 1 ? value : value > 1 ? 1 : value < -1 ? -1 : 0;
      }
    }
  };
}

const LINEAR_8 = (): Float32Array => Float32Array.from({ length: 256 }, (_, byte) => (byte - 128) / 128);

function decoderOf(encoding: Encoding, bigEndian: boolean, channels: number, block: Buffer): Decode {
  const { buffer, byteOffset, byteLength } = block;
  switch (encoding) {
    case "mulaw":
    case "alaw":
      return decodeBytes(block, g711Table(encoding), channels);
    case "u8":
      return decodeBytes(block, LINEAR_8(), channels);
    case "s16":
      return decodeWords(new Int16Array(buffer, byteOffset, byteLength >> 1), 1 / 32768, channels);
    case "s24":
      return decode24(block, bigEndian, channels);
    case "s32":
      return decodeWords(new Int32Array(buffer, byteOffset, byteLength >> 2), 1 / 2147483648, channels);
    case "f32":
      return decodeFloats(new Float32Array(buffer, byteOffset, byteLength >> 2), channels);
    case "f64":
      return decodeFloats(new Float64Array(buffer, byteOffset, byteLength >> 3), channels);
  }
}

const IS_BIG_ENDIAN_HOST = new Uint8Array(new Uint16Array([1]).buffer)[0] === 0;

/** The typed views above read in the host's order. */
function swapper(encoding: Encoding, bigEndian: boolean): ((bytes: Buffer) => void) | null {
  const width = SAMPLE_BYTES[encoding];
  if (bigEndian === IS_BIG_ENDIAN_HOST) return null;
  if (width === 2) return (bytes) => bytes.swap16();
  if (width === 4) return (bytes) => bytes.swap32();
  if (width === 8) return (bytes) => bytes.swap64();
  return null;
}

/**
 * Opens samples for reading in this thread, with one buffer of 64 KB whatever the length.
 *
 * @throws CallsiftError `audio/not-found`, `audio/not-a-file`; `audio/unreadable` from `read` if the disk fails
 */
export function openPcm(file: PcmFile): PcmReader {
  const { sampleRate, channels, frames, encoding, bigEndian, dataOffset } = file;
  const frameBytes = channels * SAMPLE_BYTES[encoding];
  const blockFrames = Math.floor(BLOCK_BYTES / frameBytes);
  // Of its own, not from Node's pool: typed views need it aligned.
  const block = Buffer.from(new ArrayBuffer(blockFrames * frameBytes));
  const decode = decoderOf(encoding, bigEndian, channels, block);
  const swap = swapper(encoding, bigEndian);
  const fd = openForReading(file.path);
  let heldStart = 0;
  let heldFrames = 0;
  let isOpen = true;

  const fill = (start: number): void => {
    const wanted = Math.min(blockFrames, frames - start) * frameBytes;
    const position = dataOffset + start * frameBytes;
    let filled = 0;
    heldFrames = 0;
    try {
      while (filled < wanted) {
        const got = readSync(fd, block, filled, wanted - filled, position + filled);
        if (got === 0) break;
        filled += got;
      }
    } catch (error) {
      throw new CallsiftError("audio/unreadable", "the disk reports a read error", { cause: error });
    }
    heldStart = start;
    heldFrames = Math.floor(filled / frameBytes);
    swap?.(block.subarray(0, heldFrames * frameBytes));
  };

  return {
    sampleRate,
    channels,
    frames,
    read(start, wanted, into) {
      const end = Math.min(start + wanted, frames);
      let at = start;
      while (at < end) {
        if (at < heldStart || at >= heldStart + heldFrames) {
          fill(at);
          if (heldFrames === 0) break; // the file became shorter since it was probed
        }
        const count = Math.min(end, heldStart + heldFrames) - at;
        decode((at - heldStart) * frameBytes, count, into, at - start);
        at += count;
      }
      return Math.max(0, at - start);
    },
    close() {
      if (isOpen) closeSync(fd);
      isOpen = false;
    },
  };
}

function openForReading(path: string | Uint8Array): number {
  const name = typeof path === "string" ? path : Buffer.from(path.buffer, path.byteOffset, path.byteLength);
  let fd: number;
  try {
    fd = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw new CallsiftError("audio/not-found", "the samples can no longer be opened", { cause: error });
  }
  if (!fstatSync(fd).isFile()) {
    closeSync(fd);
    throw new CallsiftError("audio/not-a-file", "expected a regular file");
  }
  return fd;
}
