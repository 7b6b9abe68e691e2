import { CallsiftError } from "../errors.ts";
import type { Span } from "../types.ts";
import { dot } from "./algebra.ts";
import { MASK_FRAMES, maskFrames } from "./mask.ts";
import { createMelWriter, MEL_BANDS, MEL_HOP_MS, MEL_RATE, MEL_REACH_SAMPLES, samplesOfFrames } from "./mel.ts";
import { PRINT_BATCH, PRINT_FRAMES, PRINT_SIZE, type VoiceEncoder } from "./voice-encoder.ts";

const LOOK_MS = PRINT_FRAMES * MEL_HOP_MS;
const STEP_MS = 400;
const STEP_FRAMES = STEP_MS / MEL_HOP_MS;
/** A stretch of speech shorter than this is not looked at: it shows what is around it rather than a voice. */
const LEAST_MS = 200;
/** RMS that every look is brought to, dBFS: what the encoder was trained on. */
const SPEECH_DB = -30;
/** RMS below which a look is silence, and stays it. */
const LEAST_DB = -80;
/** Frames whose sound is read at once: those of a full batch of looks. */
const BLOCK_FRAMES = PRINT_FRAMES + (PRINT_BATCH - 1) * STEP_FRAMES;

/** Mel values of a print. */
const PRINT_VALUES = PRINT_FRAMES * MEL_BANDS;

/** One look at the speech of a channel: 0.8 s, or a whole stretch of speech that is shorter. */
export interface Look {
  readonly startMs: number;
  readonly endMs: number;
}

/** Looks in order of time, with the print of each. */
export interface Prints {
  readonly looks: readonly Look[];
  /** 256 numbers a look, of length 1 as a vector. */
  readonly values: Float32Array;
}

/** Every 0.4 s of each stretch of speech, the last look at its end. */
export function looksOf(speech: readonly Span[]): Look[] {
  return speech.flatMap(([startMs, endMs]): Look[] => {
    const lengthMs = endMs - startMs;
    if (lengthMs < LEAST_MS) return [];
    if (lengthMs <= LOOK_MS) return [{ startMs, endMs }];
    const count = 1 + Math.ceil((lengthMs - LOOK_MS) / STEP_MS);
    return Array.from({ length: count }, (_, i) => {
      const fromMs = Math.min(startMs + i * STEP_MS, endMs - LOOK_MS);
      return { startMs: fromMs, endMs: fromMs + LOOK_MS };
    });
  });
}

export interface PrintOptions {
  readonly speech: readonly Span[];
  /** Samples at 8 kHz from any time on, zeros where there is no sound. */
  readonly window: (startMs: number, lengthMs: number) => Float32Array;
  /** Asked between batches; true ends it with `aborted`. */
  readonly isAborted?: () => boolean;
}

/**
 * Makes the print of every look at the speech, in batches; no more than seven seconds of sound are held at once. Each look is brought to the same level and
 * lies over the same noise (`maskFrames`), so that neither a line's level nor its noise is taken for a voice.
 */
export async function printLooks(encoder: VoiceEncoder, { speech, window, isAborted }: PrintOptions): Promise<Prints> {
  const looks = looksOf(speech);
  const values = new Float32Array(looks.length * PRINT_SIZE);
  const writeMel = createMelWriter();
  const mask = maskFrames();
  const frames = new Float32Array(BLOCK_FRAMES * MEL_BANDS);
  const batch = new Float32Array(PRINT_BATCH * PRINT_VALUES);
  let waiting = 0;
  let done = 0;

  async function flush(): Promise<void> {
    if (waiting === 0) return;
    if (isAborted?.()) throw new CallsiftError("aborted", "stopped on request while telling voices apart");
    values.set(await encoder.print(batch, waiting), done * PRINT_SIZE);
    done += waiting;
    waiting = 0;
  }

  for (let at = 0; at < looks.length; ) {
    const { startMs } = looks[at] as Look;
    // Looks that overlap share their frames.
    let next = at + 1;
    while (next < looks.length && next - at < PRINT_BATCH && (looks[next] as Look).startMs < (looks[next - 1] as Look).endMs) next++;
    const count = Math.floor(((looks[next - 1] as Look).endMs - startMs) / MEL_HOP_MS);
    const samples = window(startMs - (1000 * MEL_REACH_SAMPLES) / MEL_RATE, (1000 * samplesOfFrames(count)) / MEL_RATE);
    writeMel(samples, count, frames, 0);
    for (; at < next; at++) {
      const look = looks[at] as Look;
      const firstFrame = Math.round((look.startMs - startMs) / MEL_HOP_MS);
      const length = Math.min(PRINT_FRAMES, count - firstFrame);
      const firstSample = MEL_REACH_SAMPLES + (firstFrame * MEL_HOP_MS * MEL_RATE) / 1000;
      const gain =
        10 ** (SPEECH_DB / 10) / Math.max(10 ** (LEAST_DB / 10), powerOf(samples, firstSample, (length * MEL_HOP_MS * MEL_RATE) / 1000));
      const maskFrom = ((done + waiting) * PRINT_FRAMES) % MASK_FRAMES;
      fill(batch, waiting * PRINT_VALUES, { frames, first: firstFrame, length, gain, mask, maskFrom });
      if (++waiting === PRINT_BATCH) await flush();
    }
  }
  await flush();
  return { looks, values };
}

function powerOf(samples: Float32Array, from: number, length: number): number {
  return dot(samples, from, samples, from, length) / Math.max(1, length);
}

interface Filling {
  readonly frames: Float32Array;
  readonly first: number;
  readonly length: number;
  /** Of the power. */
  readonly gain: number;
  readonly mask: Float32Array;
  readonly maskFrom: number;
}

/** The frames, again and again until there are enough (the encoder was trained on stretches of one length), over the mask. */
function fill(target: Float32Array, at: number, { frames, first, length, gain, mask, maskFrom }: Filling): void {
  for (let frame = 0; frame < PRINT_FRAMES; frame++) {
    const from = (first + (frame % length)) * MEL_BANDS;
    const maskAt = ((maskFrom + frame) % MASK_FRAMES) * MEL_BANDS;
    const to = at + frame * MEL_BANDS;
    for (let band = 0; band < MEL_BANDS; band++)
      target[to + band] = gain * (frames[from + band] as number) + (mask[maskAt + band] as number);
  }
}
