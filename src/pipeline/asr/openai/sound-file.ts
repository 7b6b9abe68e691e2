import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findBundledFfmpeg, findFfmpeg, runFfmpeg } from "../../audio/run.ts";
import { createScratch } from "../../audio/scratch.ts";
import { CallsiftError } from "../../errors.ts";
import { RECOGNISER_RATE } from "../recogniser.ts";

/** A piece of sound as it is sent. */
export interface SoundFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly name: string;
  readonly type: string;
}

/** Writes pieces as FLAC (about half the bytes, nothing lost), or as WAV where there is no ffmpeg. */
export interface SoundFileWriter extends AsyncDisposable {
  write(sound: Float32Array, signal: AbortSignal): Promise<SoundFile>;
}

/** Servers refuse less than 0.1 s, and some models fail on little more: zeros are put behind, samples. */
const LEAST_SAMPLES = RECOGNISER_RATE / 2;
/** Encoding 30 s takes milliseconds. */
const ENCODE_MS = 10_000;

/** A few pieces at once, twice each. */
const EXPECTED_BYTES = 16 * 1024 * 1024;

/** @param searchPath folders in which ffmpeg is looked for where none came with npm */
export async function openSoundFileWriter(searchPath: string): Promise<SoundFileWriter> {
  // The bundled one starts in 2 ms, the distribution's in 50; the sound is our own, so its age does no harm.
  let ffmpegPath = (findBundledFfmpeg() ?? findFfmpeg(searchPath))?.path ?? null;
  const scratch = ffmpegPath === null ? null : await createScratch(EXPECTED_BYTES).catch(() => null);
  if (!scratch) ffmpegPath = null;
  let written = 0;

  async function toFlac(wav: Uint8Array, program: string, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer> | null> {
    const folder = scratch?.folder ?? "";
    const name = `piece-${written++}`;
    const [input, output] = [join(folder, `${name}.wav`), join(folder, `${name}.flac`)];
    try {
      await writeFile(input, wav);
      const args = flacArguments(`${name}.wav`, `${name}.flac`);
      const exitCode = await runFfmpeg({ ffmpegPath: program, folder, args, timeoutMs: ENCODE_MS, signal, onLine: () => undefined });
      return exitCode === 0 ? new Uint8Array(await readFile(output)) : null;
    } finally {
      await Promise.all([rm(input, { force: true }), rm(output, { force: true })]);
    }
  }

  return {
    async write(sound, signal) {
      const wav = toWav(sound);
      if (ffmpegPath !== null) {
        try {
          const flac = await toFlac(wav, ffmpegPath, signal);
          if (flac) return { bytes: flac, name: "piece.flac", type: "audio/flac" };
        } catch (error) {
          if (error instanceof CallsiftError && error.code === "aborted") throw error;
        }
        // Slower to send, and as good: no reason to fail, nor to try again.
        ffmpegPath = null;
      }
      return { bytes: wav, name: "piece.wav", type: "audio/wav" };
    },
    async [Symbol.asyncDispose]() {
      await scratch?.[Symbol.asyncDispose]();
    },
  };
}

function flacArguments(input: string, output: string): string[] {
  return [
    ...["-hide_banner", "-nostdin", "-nostats", "-y", "-loglevel", "error"],
    ...["-protocol_whitelist", "file", "-threads", "1", "-f", "wav", "-i", `file:${input}`],
    ...["-map_metadata", "-1", "-c:a", "flac", "-threads", "1", "-fflags", "+bitexact", "-f", "flac", `file:${output}`],
  ];
}

/** 16-bit mono; what is no number is silence. */
function toWav(sound: Float32Array): Uint8Array<ArrayBuffer> {
  const samples = Math.max(sound.length, LEAST_SAMPLES);
  const file = Buffer.alloc(44 + 2 * samples);
  file.write("RIFF", 0, "latin1");
  file.writeUInt32LE(36 + 2 * samples, 4);
  file.write("WAVEfmt ", 8, "latin1");
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(RECOGNISER_RATE, 24);
  file.writeUInt32LE(2 * RECOGNISER_RATE, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write("data", 36, "latin1");
  file.writeUInt32LE(2 * samples, 40);
  for (let i = 0; i < sound.length; i++) {
    const value = Math.round((sound[i] as number) * 32_767);
    file.writeInt16LE(value > 32_767 ? 32_767 : value < -32_768 ? -32_768 : value || 0, 44 + 2 * i);
  }
  return new Uint8Array(file);
}
