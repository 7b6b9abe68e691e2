import { openWindows } from "../audio/windows.ts";
import type { PcmFile, Span } from "../types.ts";
import type { Piece, QuietestMs } from "./pieces.ts";
import { RECOGNISER_RATE } from "./recogniser.ts";
import { muteWithin, type Side } from "./sides.ts";

/** Cuts the sound of pieces out of a recording. */
export interface PieceReader extends Disposable {
  /** Mono, 16 kHz, -1..1; silent where others speak. */
  read(side: Side, piece: Pick<Piece, "startMs" | "endMs">): Float32Array;
  /** Where that side is quietest. */
  quietest(side: Side): QuietestMs;
}

/** Opens the recording's samples for `read`. */
export function openPieceReader(pcm: readonly PcmFile[]): PieceReader {
  const windows = openWindows(pcm, RECOGNISER_RATE);
  return {
    read(side, { startMs, endMs }) {
      const samples = windows.window(side.soundChannel, startMs, endMs - startMs);
      for (const span of muteWithin(side, [startMs, endMs])) silence(samples, span, startMs);
      return samples;
    },
    quietest: (side) => (fromMs, toMs) => fromMs + quietestMs(windows.window(side.soundChannel, fromMs, Math.max(1, toMs - fromMs))),
    [Symbol.dispose]: () => windows.close(),
  };
}

/** Sound fades out and in over this time: a hard edge would be heard as a click. */
const FADE_MS = 5;
const PER_MS = RECOGNISER_RATE / 1000;

function silence(samples: Float32Array, [fromMs, toMs]: Span, startMs: number): void {
  const from = Math.max(0, Math.round((fromMs - startMs) * PER_MS));
  const to = Math.min(samples.length, Math.round((toMs - startMs) * PER_MS));
  const fade = Math.min(FADE_MS * PER_MS, (to - from) >> 1);
  for (let i = 0; i < fade; i++) {
    const share = 1 - (i + 1) / fade;
    samples[from + i] = (samples[from + i] as number) * share;
    samples[to - 1 - i] = (samples[to - 1 - i] as number) * share;
  }
  samples.fill(0, from + fade, Math.max(from + fade, to - fade));
}

const FRAME = 20 * PER_MS;

/** The middle of the quietest 60 ms, ms from the start. */
function quietestMs(samples: Float32Array): number {
  const frames = Math.floor(samples.length / FRAME);
  if (frames < 3) return Math.round(samples.length / PER_MS / 2);
  const energy = Float64Array.from({ length: frames }, (_, frame) => {
    let sum = 0;
    for (let i = frame * FRAME; i < (frame + 1) * FRAME; i++) sum += (samples[i] as number) ** 2;
    return sum;
  });
  let best = 1;
  let least = Number.POSITIVE_INFINITY;
  for (let frame = 1; frame < frames - 1; frame++) {
    const sum = (energy[frame - 1] as number) + (energy[frame] as number) + (energy[frame + 1] as number);
    if (sum < least) [least, best] = [sum, frame];
  }
  return Math.round(((best + 0.5) * FRAME) / PER_MS);
}
