/** Small recordings made on the spot, for tests of the way a file takes. */

export interface WavOptions {
  readonly sampleRate?: number;
  /** Bytes of the format tag and fields that a test wants to be a lie. */
  readonly lie?: Partial<Record<"formatTag" | "channels" | "sampleRate" | "blockAlign" | "bitsPerSample" | "dataBytes", number>>;
}

/** A 16-bit WAV of the channels' samples (-1..1). */
export function wav(channels: readonly Float32Array[], { sampleRate = 8000, lie = {} }: WavOptions = {}): Buffer {
  const frames = channels[0]?.length ?? 0;
  const dataBytes = frames * channels.length * 2;
  const file = Buffer.alloc(44 + dataBytes);
  file.write("RIFF", 0, "latin1");
  file.writeUInt32LE(36 + dataBytes, 4);
  file.write("WAVEfmt ", 8, "latin1");
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(lie.formatTag ?? 1, 20);
  file.writeUInt16LE(lie.channels ?? channels.length, 22);
  file.writeUInt32LE(lie.sampleRate ?? sampleRate, 24);
  file.writeUInt32LE(sampleRate * channels.length * 2, 28);
  file.writeUInt16LE(lie.blockAlign ?? channels.length * 2, 32);
  file.writeUInt16LE(lie.bitsPerSample ?? 16, 34);
  file.write("data", 36, "latin1");
  file.writeUInt32LE(lie.dataBytes ?? dataBytes, 40);
  for (let frame = 0, at = 44; frame < frames; frame++) {
    for (const channel of channels) {
      file.writeInt16LE(Math.round(Math.max(-1, Math.min(1, channel[frame] as number)) * 32767), at);
      at += 2;
    }
  }
  return file;
}

/** A sine of `seconds` at `hz`, amplitude 0.3. */
export function sine(hz: number, seconds: number, sampleRate = 8000): Float32Array {
  return Float32Array.from({ length: Math.round(seconds * sampleRate) }, (_, i) => 0.3 * Math.sin((2 * Math.PI * hz * i) / sampleRate));
}
