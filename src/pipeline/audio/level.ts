import type { Span, SpeechLevel } from "../types.ts";
import { FLAT, FRAME_MS, levelDb, POWER_OF_CODE } from "./tracks.ts";

/** Longest stretch of speech that gets one level, ms. */
const STRETCH_MS = 1000;
/** A remainder shorter than this joins the stretch before it. */
const LEAST_STRETCH_MS = 300;

/** Decibels of a mean square, −127.5 for none. */
export function decibels(meanSquare: number): number {
  return meanSquare > 0 ? Math.max(-127.5, 10 * Math.log10(meanSquare)) : -127.5;
}

/** Mean square over the frames that lie in the spans; null where there are none. Digital silence counts as zero. */
export function powerOver(levels: Uint8Array, spans: readonly Span[]): number | null {
  let power = 0;
  let frames = 0;
  for (const [startMs, endMs] of spans) {
    const end = Math.min(levels.length, Math.round(endMs / FRAME_MS));
    for (let frame = Math.round(startMs / FRAME_MS); frame < end; frame++) {
      power += POWER_OF_CODE[levels[frame] as number] as number;
      frames++;
    }
  }
  return frames > 0 ? power / frames : null;
}

/** The level code that this share (0–1) of the frames in the spans do not exceed, digital silence left out; null with fewer than `least` frames. */
export function percentile(levels: Uint8Array, spans: readonly Span[], share: number, least = 1): number | null {
  const counts = new Uint32Array(256);
  let frames = 0;
  for (const [startMs, endMs] of spans) {
    const end = Math.min(levels.length, Math.round(endMs / FRAME_MS));
    for (let frame = Math.round(startMs / FRAME_MS); frame < end; frame++) {
      const code = levels[frame] as number;
      if (code === FLAT) continue;
      counts[code] = (counts[code] as number) + 1;
      frames++;
    }
  }
  if (frames < least) return null;
  let seen = 0;
  for (let code = 0; code < 256; code++) {
    seen += counts[code] as number;
    if (seen > 0 && seen >= share * frames) return code;
  }
  return 255;
}

/** Level of speech, stretch by stretch of at most about a second, each within one span. */
export function speechLevels(levels: Uint8Array, speech: readonly Span[]): SpeechLevel[] {
  const stretches: SpeechLevel[] = [];
  for (const [startMs, endMs] of speech) {
    for (let at = startMs; at < endMs; ) {
      const end = endMs - at <= STRETCH_MS + LEAST_STRETCH_MS ? endMs : at + STRETCH_MS;
      const power = powerOver(levels, [[at, end]]);
      if (power !== null) stretches.push({ startMs: at, endMs: end, levelDb: tenth(decibels(power)) });
      at = end;
    }
  }
  return stretches;
}

/** Level of the background of a channel, dBFS: what a twentieth of its sounding frames stay below; −127.5 where nothing sounds. */
export function backgroundDb(levels: Uint8Array): number {
  const code = percentile(levels, [[0, levels.length * FRAME_MS]], 0.05);
  return code === null ? -127.5 : levelDb(code);
}

/** Rounded to a tenth, as figures are shown. */
export function tenth(value: number): number {
  return Math.round(value * 10) / 10;
}
