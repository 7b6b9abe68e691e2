import type { PcmFile } from "../types.ts";
import type { PcmReader } from "./pcm.ts";
import { createResampler } from "./resample.ts";
import { LEAD_MS, openWindows } from "./windows.ts";

/** Samples a second of everything that listens. */
export const NARROW_RATE = 8000;
/** Time of one block: its samples stay in the processor's cache while they are used. */
const BLOCK_SAMPLES = 8192;
const BLOCK_SECONDS = BLOCK_SAMPLES / NARROW_RATE;

/** The next stretch of every channel. The arrays are used again for the block after. */
export interface Block {
  /** 8 kHz, of one length. */
  readonly narrow: readonly Float32Array[];
  /** At each file's own rate, some milliseconds ahead; the same arrays where that is 8 kHz. */
  readonly native: readonly Float32Array[];
}

/** All channels of one recording as telephone-band sound, whatever its files are like. */
export interface NarrowBand extends Disposable {
  readonly channels: number;
  /** Hz; the highest where the files differ. */
  readonly nativeRate: number;
  readonly durationMs: number;
  /** In order, about a second each; files that end before the longest go on as silence. */
  blocks(): Iterable<Block>;
  /** Any stretch of one channel at 8 kHz, zeros where there is no sound. */
  window(channel: number, startMs: number, lengthMs: number): Float32Array;
}

/**
 * Opens one file of several channels, or several files whose channels follow one another (the legs of a call).
 *
 * @throws CallsiftError of `openPcm`
 */
export function openNarrowBand(files: readonly PcmFile[]): NarrowBand {
  const { readers, channels, window, close } = openWindows(files, NARROW_RATE);
  const seconds = Math.max(0, ...readers.map((reader) => reader.frames / reader.sampleRate));
  return {
    channels,
    nativeRate: Math.max(0, ...readers.map((reader) => reader.sampleRate)),
    durationMs: Math.round(seconds * 1000),
    *blocks() {
      const total = Math.round(seconds * NARROW_RATE);
      const streams = readers.map((reader) => openStream(reader, seconds));
      for (let start = 0; start < total; start += BLOCK_SAMPLES) {
        const parts = streams.map((read) => read(Math.min(BLOCK_SAMPLES, total - start)));
        yield { narrow: parts.flatMap((part) => part.narrow), native: parts.flatMap((part) => part.native) };
      }
    },
    window,
    [Symbol.dispose]: close,
  };
}

/** Reads one file in order: each call answers the next `count` samples at 8 kHz. The file counts as `seconds` long, with silence after its end. */
function openStream(reader: PcmReader, seconds: number): (count: number) => Block {
  const { sampleRate, channels } = reader;
  const frames = Math.round(seconds * sampleRate);
  const buffers = Array.from({ length: channels }, () => new Float32Array(Math.ceil((BLOCK_SECONDS + LEAD_MS / 1000) * sampleRate)));
  let at = 0;
  const readTo = (end: number): Float32Array[] => {
    const count = Math.min(end, frames) - at;
    const read = reader.read(at, count, buffers);
    at += count;
    return buffers.map((buffer) => buffer.fill(0, read, count).subarray(0, count));
  };
  if (sampleRate === NARROW_RATE) {
    return (count) => {
      const samples = readTo(at + count);
      return { narrow: samples, native: samples };
    };
  }
  const sides = buffers.map(() => ({ resampler: createResampler(sampleRate, NARROW_RATE), ready: createQueue() }));
  let done = 0;
  return (count) => {
    done += count;
    const native = readTo(Math.round((done / NARROW_RATE + LEAD_MS / 1000) * sampleRate));
    const narrow = sides.map(({ resampler, ready }, channel) => {
      ready.put(resampler.push(native[channel] as Float32Array));
      if (at === frames && ready.length() < count) ready.put(resampler.flush());
      return ready.take(count);
    });
    return { narrow, native };
  };
}

/** Samples that came out of a resampler and wait for their block: 20 ms between blocks. */
function createQueue() {
  let samples = new Float32Array(2 * BLOCK_SAMPLES);
  let held = 0;
  return {
    length: () => held,
    put(block: Float32Array): void {
      if (held + block.length > samples.length) {
        const larger = new Float32Array(2 * (held + block.length));
        larger.set(samples.subarray(0, held));
        samples = larger;
      }
      samples.set(block, held);
      held += block.length;
    },
    /** The first `count` samples, with zeros where there are fewer. */
    take(count: number): Float32Array {
      const taken = new Float32Array(count);
      taken.set(samples.subarray(0, Math.min(count, held)));
      samples.copyWithin(0, count, held);
      held = Math.max(0, held - count);
      return taken;
    },
  };
}
