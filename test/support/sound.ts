import { type WavParts, wav as wavFile } from "./audio-files.ts";

/** Small recordings made on the spot, for tests of the way a file takes. */

/** A 16-bit WAV of the channels' samples (-1..1); `lies` replace what its header says. */
export function wav(channels: readonly Float32Array[], lies: Partial<WavParts> = {}): Buffer {
  const frames = channels[0]?.length ?? 0;
  const data = Buffer.alloc(frames * channels.length * 2);
  for (let frame = 0, at = 0; frame < frames; frame++) {
    for (const channel of channels) at = data.writeInt16LE(Math.round(Math.max(-1, Math.min(1, channel[frame] as number)) * 32767), at);
  }
  return wavFile({ channels: channels.length, blockAlign: channels.length * 2, data, ...lies });
}

/** A sine of `seconds` at `hz`, amplitude 0.3. */
export function sine(hz: number, seconds: number, sampleRate = 8000): Float32Array {
  return Float32Array.from({ length: Math.round(seconds * sampleRate) }, (_, i) => 0.3 * Math.sin((2 * Math.PI * hz * i) / sampleRate));
}
