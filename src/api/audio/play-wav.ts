import { randomUUID } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { openPcm, type PcmReader } from "../../pipeline/audio/pcm.ts";
import type { PcmFile } from "../../pipeline/types.ts";

/** Of a WAV with one `fmt ` and one `data` chunk. */
export const WAV_HEADER_BYTES = 44;
/** One turn of the event loop: a quarter of a second of sound at the highest rate, less than 2 ms of work. */
const BLOCK_FRAMES = 16 * 1024;

/**
 * Writes what every browser plays: a WAV of 16-bit samples, all channels at their own rate; the two files of one call side by side. It appears under its name
 * only when it is whole.
 */
export async function writePlayWav(pcm: readonly PcmFile[], path: string, signal?: AbortSignal): Promise<void> {
  const readers: PcmReader[] = [];
  const temporary = `${path}.${randomUUID()}.part`;
  let file: FileHandle | undefined;
  try {
    for (const one of pcm) readers.push(openPcm(one));
    const channels = readers.reduce((sum, reader) => sum + reader.channels, 0);
    const frames = Math.max(...readers.map((reader) => reader.frames));
    const sampleRate = Math.max(...readers.map((reader) => reader.sampleRate));
    file = await open(temporary, "wx", 0o600);
    await file.write(wavHeader(sampleRate, channels, frames));
    const samples = Array.from({ length: channels }, () => new Float32Array(BLOCK_FRAMES));
    for (let at = 0; at < frames; at += BLOCK_FRAMES) {
      signal?.throwIfAborted();
      const count = Math.min(BLOCK_FRAMES, frames - at);
      let channel = 0;
      for (const reader of readers) {
        const into = samples.slice(channel, channel + reader.channels);
        const got = reader.read(at, count, into);
        // The shorter side of a call ends in silence.
        for (const one of into) one.fill(0, got, count);
        channel += reader.channels;
      }
      await file.write(interleave(samples, count));
      await nextTurn();
    }
    await file.close();
    file = undefined;
    await rename(temporary, path);
  } finally {
    for (const reader of readers) reader.close();
    await file?.close();
    await rm(temporary, { force: true });
  }
}

function interleave(channels: readonly Float32Array[], frames: number): Buffer {
  const out = new Int16Array(frames * channels.length);
  channels.forEach((samples, channel) => {
    for (let i = 0, to = channel; i < frames; i++, to += channels.length) {
      const value = Math.round((samples[i] as number) * 32768);
      out[to] = value > 32767 ? 32767 : value < -32768 ? -32768 : value;
    }
  });
  const bytes = Buffer.from(out.buffer);
  // WAV is little-endian, whatever the machine is.
  return IS_BIG_ENDIAN ? bytes.swap16() : bytes;
}

const IS_BIG_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 0;

function wavHeader(sampleRate: number, channels: number, frames: number): Buffer {
  const header = Buffer.alloc(WAV_HEADER_BYTES);
  const dataBytes = 2 * channels * frames;
  header.write("RIFF", 0, "latin1");
  header.writeUInt32LE(36 + dataBytes, 4);
  header.write("WAVEfmt ", 8, "latin1");
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(channels, 22);
  header.writeUInt32LE(sampleRate, 24);
  header.writeUInt32LE(2 * channels * sampleRate, 28);
  header.writeUInt16LE(2 * channels, 32);
  header.writeUInt16LE(16, 34);
  header.write("data", 36, "latin1");
  header.writeUInt32LE(dataBytes, 40);
  return header;
}
