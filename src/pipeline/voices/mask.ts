import { createMelWriter, MEL_BANDS, samplesOfFrames } from "./mel.ts";

/** Level of each of the two noises, dBFS: 18 dB below the speech (`SPEECH_DB` of looks.ts). */
const NOISE_DB = -48;
/** Of the noise that falls towards the upper bands, as speech does. */
const POLE = 0.8;

/** Frames of noise before it is heard again: twenty seconds. */
export const MASK_FRAMES = 2000;

/**
 * Mel frames of a steady noise, half of it white, half of it falling as speech does. Laid under all speech alike it drowns what lines add of their own (hiss,
 * hum, a coder's artefacts): the encoder is so sensitive to noise that without it one voice on two lines passes for two voices.
 * The same on every machine.
 */
export function maskFrames(): Float32Array {
  const level = 10 ** (NOISE_DB / 20);
  const scale = Math.sqrt(1 - POLE * POLE);
  const chance = createChance();
  let falling = 0;
  const noise = Float32Array.from({ length: samplesOfFrames(MASK_FRAMES) }, () => {
    falling = POLE * falling + scale * chance();
    return level * (falling + chance());
  });
  const frames = new Float32Array(MASK_FRAMES * MEL_BANDS);
  createMelWriter()(noise, MASK_FRAMES, frames, 0);
  return frames;
}

/** Numbers of mean 0 and variance 1, evenly spread, from a linear congruential generator (Numerical Recipes, 7.1). */
function createChance(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.sqrt(12) * (state / 2 ** 32 - 0.5);
  };
}
