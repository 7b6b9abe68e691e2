import { CallsiftError } from "../errors.ts";

/** A call is shorter than a day; what claims more is a damaged header or an attack. */
export const MAX_SECONDS = 24 * 60 * 60;
export const MAX_CHANNELS = 8;
/** Hz: half a telephone's rate, and the highest of studio gear. */
export const MIN_SAMPLE_RATE = 4_000;
export const MAX_SAMPLE_RATE = 192_000;

/** Throws `audio/bad-rate`, `audio/too-many-channels` or `audio/unreadable` where no call sounds like that. */
export function checkFormat(format: { readonly sampleRate: number; readonly channels: number }): void {
  const { sampleRate, channels } = format;
  if (!(sampleRate >= MIN_SAMPLE_RATE && sampleRate <= MAX_SAMPLE_RATE)) {
    throw new CallsiftError(
      "audio/bad-rate",
      `expected a sample rate of ${MIN_SAMPLE_RATE} to ${MAX_SAMPLE_RATE} Hz, got ${sampleRate} Hz`,
    );
  }
  if (channels > MAX_CHANNELS) {
    throw new CallsiftError("audio/too-many-channels", `expected at most ${MAX_CHANNELS} channels, got ${channels}`);
  }
  if (channels < 1) throw new CallsiftError("audio/unreadable", `expected at least one channel, got ${channels}`);
}

/** Throws `audio/empty` or `audio/too-long`. */
export function checkLength(frames: number, sampleRate: number): void {
  if (frames < 1) throw new CallsiftError("audio/empty", "expected sound, got 0 samples");
  if (frames > MAX_SECONDS * sampleRate) {
    throw new CallsiftError("audio/too-long", `expected at most 24 h, got ${(frames / sampleRate / 3600).toFixed(1)} h`);
  }
}
