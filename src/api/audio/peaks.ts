import { open } from "node:fs/promises";
import { WAV_HEADER_BYTES } from "./play-wav.ts";

/** The outline of a recording: per channel, for each of N equal parts, its lowest and highest sample (-1..1). */
export interface Peaks {
  readonly durationMs: number;
  readonly points: number;
  readonly channels: readonly (readonly (readonly [min: number, max: number])[])[];
}

const BLOCK_BYTES = 256 * 1024;

/**
 * Reads the peaks of a WAV that `writePlayWav` wrote. A part shorter than a sample shows the sample it lies on.
 *
 * @param points 1 and above
 */
export async function readPeaks(path: string, points: number): Promise<Peaks> {
  await using file = await open(path, "r");
  const header = Buffer.alloc(WAV_HEADER_BYTES);
  await file.read(header, 0, WAV_HEADER_BYTES, 0);
  const channels = header.readUInt16LE(22);
  const sampleRate = header.readUInt32LE(24);
  const frames = header.readUInt32LE(40) / (2 * channels);
  const lowest = Array.from({ length: channels }, () => new Int16Array(points).fill(32767));
  const highest = Array.from({ length: channels }, () => new Int16Array(points).fill(-32768));
  const frameBytes = 2 * channels;
  const block = Buffer.alloc(Math.floor(BLOCK_BYTES / frameBytes) * frameBytes);
  for (let frame = 0; frame < frames; ) {
    const { bytesRead } = await file.read(block, 0, block.length, WAV_HEADER_BYTES + frame * frameBytes);
    const count = Math.floor(bytesRead / frameBytes);
    if (count === 0) break;
    for (let i = 0, offset = 0; i < count; i++) {
      const point = Math.min(points - 1, Math.floor(((frame + i) * points) / frames));
      for (let channel = 0; channel < channels; channel++, offset += 2) {
        const value = block.readInt16LE(offset);
        const low = lowest[channel] as Int16Array;
        const high = highest[channel] as Int16Array;
        if (value < (low[point] as number)) low[point] = value;
        if (value > (high[point] as number)) high[point] = value;
      }
    }
    frame += count;
  }
  return {
    durationMs: Math.round((frames * 1000) / sampleRate),
    points,
    channels: lowest.map((low, channel) => pairs(low, highest[channel] as Int16Array)),
  };
}

function pairs(low: Int16Array, high: Int16Array): [number, number][] {
  let last: [number, number] = [0, 0];
  return Array.from(low, (min, i) => {
    const max = high[i] as number;
    // No sample begins in this part: the one before goes on.
    if (min <= max) last = [Math.round(min / 3.2768) / 10_000, Math.round(max / 3.2768) / 10_000];
    return last;
  });
}
