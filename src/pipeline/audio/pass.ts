import { CallsiftError } from "../errors.ts";
import type { AudioProblem, PcmFile, Sound, Span } from "../types.ts";
import { condition, conditioningGain } from "../vad/condition.ts";
import type { SpeechDetector } from "../vad/port.ts";
import { type SpanOptions, speechSpans } from "../vad/spans.ts";
import { examine } from "./doctor.ts";
import { createMeter } from "./meter.ts";
import { NARROW_RATE, type NarrowBand, openNarrowBand } from "./narrow-band.ts";
import { FRAME_MS, levelDb } from "./tracks.ts";

/** Samples a channel that the detector takes at a time: 8 s, a few milliseconds of work. */
const RUN_SAMPLES = 65536;

/** Length and number of the looks at a channel's level. */
const LOOK_MS = 500;
const LOOKS = 40;

/** What is to be listened to; plain data, so that it can go to another thread. */
export interface ToHear {
  /** One file of up to eight channels, or the two legs of a call. */
  readonly pcm: readonly PcmFile[];
  /** The recording breaks off: its end is not the end of the call. */
  readonly truncated: boolean;
  /** What was already found wrong while opening it. */
  readonly problems: readonly AudioProblem[];
}

export interface Heard {
  readonly sound: Sound;
  /** Milliseconds spent in the speech detector. */
  readonly vadMs: number;
  /** Milliseconds of the whole pass. */
  readonly listenMs: number;
}

export interface HearOptions {
  /** Asked between blocks; true ends the pass with `aborted`. */
  readonly isAborted?: () => boolean;
  /** Milliseconds of sound listened to so far. */
  readonly onProgress?: (doneMs: number) => void;
  readonly spans?: Partial<SpanOptions>;
}

/**
 * Listens to a recording once, from start to end, with all that listens: the meter, the speech detector, then the channel doctor. Memory does
 * not grow with its length but for the detector's and the meter's tracks (some 200 bytes a second and channel).
 *
 * @throws CallsiftError `aborted`, and those of `openPcm`
 */
export async function hear(call: ToHear, detector: SpeechDetector, options: HearOptions = {}): Promise<Heard> {
  const startedAt = performance.now();
  using sound = openNarrowBand(call.pcm);
  const meter = createMeter(sound.channels, sound.nativeRate);
  const speech = createSpeechTrack(detector, sound);
  let samples = 0;
  for (const { narrow, native } of sound.blocks()) {
    if (options.isAborted?.()) throw new CallsiftError("aborted", "stopped on request while listening");
    meter.push(narrow, native);
    await speech.push(narrow);
    samples += narrow[0]?.length ?? 0;
    options.onProgress?.(Math.round((samples * 1000) / NARROW_RATE));
  }
  const { probability, vadMs } = await speech.finish();
  const measures = meter.finish();
  const { durationMs, nativeRate } = sound;
  const hopMs = (detector.hop * 1000) / detector.sampleRate;
  const spans = probability.map((track, channel): readonly Span[] => {
    const levelsDb = new Float32Array(measures.channels[channel]?.levels ?? []).map(levelDb);
    return speechSpans({ probability: track, hopMs, levelsDb, frameMs: FRAME_MS, durationMs }, options.spans);
  });
  const examined = examine({
    measures,
    speech: spans,
    probability,
    hopMs,
    durationMs,
    nativeRate,
    truncated: call.truncated,
    window: sound.window,
    inputProblems: call.problems,
  });
  return { sound: examined, vadMs, listenMs: performance.now() - startedAt };
}

/** Stretches of a channel spread over the call, enough to know how loud its speech is; all of a short call. */
function samplesOf({ durationMs, window }: NarrowBand, channel: number): Float32Array[] {
  const count = Math.min(Math.ceil(durationMs / LOOK_MS), LOOKS);
  return Array.from({ length: count }, (_, i) => window(channel, Math.floor((i * durationMs) / count), LOOK_MS));
}

/** Gathers blocks of any length for the detector and keeps its answers. */
function createSpeechTrack(detector: SpeechDetector, sound: NarrowBand) {
  const { channels, durationMs } = sound;
  const gains = Array.from({ length: channels }, (_, channel) => conditioningGain(samplesOf(sound, channel)));
  const expected = Math.ceil((durationMs * detector.sampleRate) / 1000 / detector.hop) + 2;
  const probability = Array.from({ length: channels }, () => new Float32Array(expected));
  const buffers = Array.from({ length: channels }, () => new Float32Array(RUN_SAMPLES));
  let filled = 0;
  let hops = 0;
  let vadMs = 0;
  detector.reset(channels);

  async function run(): Promise<void> {
    const whole = Math.ceil(filled / detector.hop) * detector.hop;
    for (const buffer of buffers) buffer.fill(0, filled, whole);
    const startedAt = performance.now();
    const tracks = await detector.push(buffers.map((buffer) => buffer.subarray(0, whole)));
    vadMs += performance.now() - startedAt;
    for (const [channel, track] of tracks.entries()) probability[channel]?.set(track, hops);
    hops += whole / detector.hop;
    filled = 0;
  }

  return {
    async push(blocks: readonly Float32Array[]): Promise<void> {
      const length = blocks[0]?.length ?? 0;
      for (let at = 0; at < length; ) {
        const taken = Math.min(length - at, RUN_SAMPLES - filled);
        for (const [channel, block] of blocks.entries()) {
          condition(block.subarray(at, at + taken), gains[channel] as number, buffers[channel] as Float32Array, filled);
        }
        filled += taken;
        at += taken;
        if (filled === RUN_SAMPLES) await run();
      }
    },
    async finish() {
      if (filled > 0) await run();
      return { probability: probability.map((track) => track.slice(0, hops)), vadMs };
    },
  };
}
