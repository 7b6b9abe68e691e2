import type { PcmFile } from "../types.ts";
import { openPcm, type PcmReader } from "./pcm.ts";
import { createResampler } from "./resample.ts";

/** Sound before and after a stretch that its resampling needs at most. */
export const LEAD_MS = 20;

/** Any stretch of any channel of one recording, at one sample rate whatever its files are like. */
export interface Windows extends Disposable {
  readonly readers: readonly PcmReader[];
  readonly channels: number;
  /** Samples of one channel, -1..1, zeros where there is no sound. The channels of several files follow one another. */
  window(channel: number, startMs: number, lengthMs: number): Float32Array;
  close(): void;
}

/**
 * Opens one file of several channels, or several files whose channels follow one another (the legs of a call).
 *
 * @param sampleRate Hz of the answers
 * @throws CallsiftError of `openPcm`
 */
export function openWindows(files: readonly PcmFile[], sampleRate: number): Windows {
  const readers: PcmReader[] = [];
  const close = () => {
    for (const reader of readers) reader.close();
  };
  try {
    for (const file of files) readers.push(openPcm(file));
  } catch (error) {
    close();
    throw error;
  }
  const channels = readers.reduce((sum, reader) => sum + reader.channels, 0);
  return {
    readers,
    channels,
    window(channel, startMs, lengthMs) {
      let first = 0;
      for (const reader of readers) {
        if (channel < first + reader.channels) return cutWindow(reader, channel - first, startMs, lengthMs, sampleRate);
        first += reader.channels;
      }
      throw new RangeError(`expected a channel below ${channels}, got ${channel}`);
    },
    close,
    [Symbol.dispose]: close,
  };
}

function cutWindow(reader: PcmReader, channel: number, startMs: number, lengthMs: number, toHz: number): Float32Array {
  const isNative = reader.sampleRate === toHz;
  const leadMs = isNative ? 0 : LEAD_MS;
  const from = Math.round(((startMs - leadMs) * reader.sampleRate) / 1000);
  const count = Math.round(((lengthMs + 2 * leadMs) * reader.sampleRate) / 1000);
  const buffers = Array.from({ length: reader.channels }, () => new Float32Array(count));
  const before = Math.min(count, Math.max(0, -from));
  if (from + before < reader.frames && before < count) {
    const targets = before > 0 ? buffers.map((buffer) => buffer.subarray(before)) : buffers;
    reader.read(from + before, count - before, targets);
  }
  const samples = buffers[channel] as Float32Array;
  if (isNative) return samples;
  const changed = createResampler(reader.sampleRate, toHz).push(samples);
  const first = (leadMs * toHz) / 1000;
  return changed.slice(first, first + Math.round((lengthMs * toHz) / 1000));
}
