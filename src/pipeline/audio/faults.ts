import { gaps, totalMs, union } from "../timeline.ts";
import type { AudioProblem, ChannelSound, ProblemCode, Span } from "../types.ts";
import type { WindowReader } from "./correlate.ts";
import { countDropOuts } from "./drop-outs.ts";
import type { RealFft } from "./fft.ts";
import { findHum } from "./hum.ts";
import { decibels, percentile, powerOver, tenth } from "./level.ts";
import { type ChannelMeasures, levelDb, type WideBand } from "./tracks.ts";

/** Constant part of the signal worth a note, as a share of full scale. */
const OFFSET = 0.01;
/** Speech levels, dBFS RMS: below and above them a note; below the last the evidence is unfit. */
const LOW_DB = -40;
const HOT_DB = -9;
const UNFIT_LOW_DB = -58;
/** Speech against pauses, dB: below it a note, and below the second the evidence is unfit. */
const NOISY_DB = 15;
const UNFIT_NOISY_DB = 5;
/** Samples of speech that stay on the ceiling: share worth a note (with at least so many flat tops), and unfit share. */
const CLIPPED = 0.001;
const LEAST_PLATEAUS = 10;
const UNFIT_CLIPPED = 0.1;
/** Loud frames whose peak lies within 2 dB of the highest: beyond this share a ceiling cut them, whatever a codec did since. Natural speech has 0.03–0.19. */
const CROWDED = 0.25;
/** Drop-outs: at least this many are worth a note; unfit are so many a minute of speech that take such a share of it. */
const DROP_OUTS = 2;
const UNFIT_DROP_OUTS_A_MINUTE = 6;
const UNFIT_LOST = 0.04;
/** Sound of a true wide band exceeds these somewhere, dB of the power above 4.3 kHz against the telephone band. */
const NARROW_MEAN_DB = -38;
const NARROW_PEAK_DB = -24;
/** Pauses nearer than this to speech hold its reverberation and the detector's edges, ms. */
const PAUSE_MARGIN_MS = 150;

const problem = (code: ProblemCode, channel: number | null, detail: string, unfit = false): AudioProblem => ({
  code,
  channel,
  detail,
  unfit,
});

/** What is known of one channel when its faults are looked for. */
export interface Examined {
  readonly channel: number;
  readonly measures: ChannelMeasures;
  readonly sound: ChannelSound;
  /** Where neither side speaks and no tone or music sounds. */
  readonly pauses: readonly Span[];
}

/** Where no channel has speech, tone or music, kept clear of their edges. */
export function pausesOf(busy: readonly Span[], durationMs: number): Span[] {
  const wide = busy.map(([startMs, endMs]): Span => [startMs - PAUSE_MARGIN_MS, endMs + PAUSE_MARGIN_MS]);
  return gaps(union(wide), [0, durationMs]);
}

/** Level of the background in the pauses, dBFS: their middle level; null where there is too little that is not digital silence. */
export function noiseDb(levels: Uint8Array, pauses: readonly Span[]): number | null {
  const code = percentile(levels, pauses, 0.5, 30);
  return code === null ? null : levelDb(code);
}

/** Speech against pauses, dB, the background's own part in the speech taken out. */
export function signalToNoiseDb(levels: Uint8Array, speech: readonly Span[], pauses: readonly Span[]): number | null {
  const together = powerOver(levels, speech);
  const noise = noiseDb(levels, pauses);
  if (together === null || noise === null) return null;
  const noisePower = 10 ** (noise / 10);
  return tenth(decibels(Math.max(together - noisePower, noisePower / 100)) - noise);
}

/** The faults of one channel's sound, with their figures; `fft` is of `COMPARED_FFT` samples. */
export function findFaults({ channel, measures, sound, pauses }: Examined, window: WindowReader, fft: RealFft): AudioProblem[] {
  const found: (AudioProblem | null)[] = [
    clipping(channel, measures, sound.speech),
    Math.abs(measures.mean) >= OFFSET ? problem("dc-offset", channel, `${percent(measures.mean)} of full scale`) : null,
    level(channel, sound),
    hum(channel, pauses, window, fft),
    noise(channel, sound),
    dropOuts(channel, measures, sound.speech, window),
    measures.wide ? upsampled(channel, measures.wide) : null,
  ];
  return found.filter((entry) => entry !== null);
}

function clipping(channel: number, measures: ChannelMeasures, speech: readonly Span[]): AudioProblem | null {
  const speechSamples = (totalMs(speech) * measures.nativeRate) / 1000;
  if (speechSamples === 0) return null;
  const share = measures.plateauSamples / speechSamples;
  const ceiling = `${tenth(20 * Math.log10(measures.peak))} dBFS`;
  if (measures.plateaus >= LEAST_PLATEAUS && share >= CLIPPED)
    return problem(
      "clipping",
      channel,
      `${percent(share)} of speech samples at the ceiling of ${ceiling}, ${measures.plateaus} flat tops`,
      share >= UNFIT_CLIPPED,
    );
  const crowded = crowding(measures.peakHistogram);
  return crowded >= CROWDED
    ? problem("clipping", channel, `${percent(crowded)} of loud frames peak within 2 dB of the ceiling of ${ceiling}`)
    : null;
}

/** Of the frames whose peak is loud enough to reach the ceiling (the highest hundredth left out: overshoot), the share whose peak is within 2 dB of it. */
function crowding(histogram: Uint32Array): number {
  const above = (code: number) => histogram.subarray(Math.max(0, code)).reduce((sum, count) => sum + count, 0);
  let top = 255;
  while (top > 0 && histogram[top] === 0) top--;
  const loud = above(top - 40);
  if (loud < 100) return 0;
  while (top > 0 && above(top) < loud / 100) top--;
  return above(top - 3) / loud;
}

function level(channel: number, sound: ChannelSound): AudioProblem | null {
  const speechDb = sound.speechLevelDb;
  if (speechDb === null) return null;
  if (speechDb < LOW_DB)
    return problem("too-low", channel, `speech at ${speechDb} dBFS, expected above ${LOW_DB}`, speechDb < UNFIT_LOW_DB);
  return speechDb > HOT_DB ? problem("too-hot", channel, `speech at ${speechDb} dBFS, expected below ${HOT_DB}`) : null;
}

function hum(channel: number, pauses: readonly Span[], window: WindowReader, fft: RealFft): AudioProblem | null {
  const found = findHum(pauses, window, fft, channel);
  return found ? problem("hum", channel, `${found.mainsHz} Hz and harmonics at ${tenth(found.levelDb)} dBFS`) : null;
}

function noise(channel: number, { snrDb }: ChannelSound): AudioProblem | null {
  if (snrDb === null || snrDb >= NOISY_DB) return null;
  return problem("noise", channel, `speech ${snrDb} dB above the background, expected ${NOISY_DB}`, snrDb < UNFIT_NOISY_DB);
}

function dropOuts(channel: number, measures: ChannelMeasures, speech: readonly Span[], window: WindowReader): AudioProblem | null {
  const { count, lostMs } = countDropOuts(measures.levels, speech, window, channel);
  if (count < DROP_OUTS) return null;
  const speechMs = Math.max(1, totalMs(speech));
  const aMinute = (count * 60000) / speechMs;
  return problem(
    "drop-outs",
    channel,
    `${count} in speech, ${lostMs} ms lost, ${tenth(aMinute)} a minute of speech`,
    count >= 3 && aMinute >= UNFIT_DROP_OUTS_A_MINUTE && lostMs >= UNFIT_LOST * speechMs,
  );
}

function upsampled(channel: number, wide: WideBand): AudioProblem | null {
  if (wide.snapshots < 4) return null;
  const meanDb = 10 * Math.log10(wide.meanRatio + 1e-12);
  // The loudest twentieth of the looks, fricatives above all, shows a wide band if there is one.
  let seen = 0;
  let peakDb = 0;
  for (let at = 100; at >= 0 && seen <= wide.snapshots / 20; at--) {
    seen += wide.ratioHistogram[at] as number;
    peakDb = at - 100;
  }
  if (meanDb >= NARROW_MEAN_DB || peakDb >= NARROW_PEAK_DB) return null;
  return problem("upsampled", channel, `sound above 4.3 kHz is ${tenth(-meanDb)} dB below the telephone band`);
}

function percent(share: number): string {
  const value = share * 100;
  return `${Math.abs(value) < 10 ? Math.round(value * 100) / 100 : Math.round(value)} %`;
}
