import type { Span } from "../types.ts";

/** How probabilities become speech; every time in milliseconds. */
export interface SpanOptions {
  /** Speech begins where the probability reaches this … */
  readonly threshold: number;
  /** … and ends where it falls below this. */
  readonly release: number;
  /** Shorter speech is dropped. */
  readonly minSpeechMs: number;
  /** A shorter pause does not end an utterance. */
  readonly minSilenceMs: number;
  /** A longer one ends it even where the detector goes on, if the level says clearly that nobody speaks. */
  readonly splitMs: number;
  /** Added before and after. */
  readonly padMs: number;
  /** How far a start may be moved out to where the sound rises: the detector is late on soft onsets. */
  readonly reachMs: number;
}

export const SPAN_DEFAULTS: SpanOptions = {
  threshold: 0.5,
  release: 0.35,
  minSpeechMs: 100,
  minSilenceMs: 200,
  splitMs: 300,
  padMs: 0,
  reachMs: 300,
};

/** What a detector and the level track found of one channel. */
export interface SpeechTrack {
  /** One probability a hop. */
  readonly probability: Float32Array;
  readonly hopMs: number;
  /** Level of consecutive frames over the same time, dBFS. */
  readonly levelsDb: Float32Array;
  /** Length of such a frame: small against a hop. */
  readonly frameMs: number;
  readonly durationMs: number;
}

/** The detector's edges lag by up to this; the true one is looked for from here outwards, ms. */
const START_LAG_MS = 64;
const END_LAG_MS = 128;
/** Where nothing sounds within that lag, and the sound is clear, the detector has hung on: its end is brought in by at most this, ms. */
const MOST_HANG_MS = 400;
/** Closures inside words are quiet for up to this, ms. */
const HOLE_MS = 56;
/** Speech this far above the noise: its pauses are seen in the level alone, dB. */
const CLEAR_DB = 20;
/** The idle noise of telephone coding; what is below is as good as silent, dBFS. */
const SILENT_DB = -66;

/**
 * Speech of one channel: disjoint, ascending spans. The detector decides what is speech; the level decides, within its lag, where exactly it
 * starts and ends.
 */
export function speechSpans(track: SpeechTrack, options: Partial<SpanOptions> = {}): Span[] {
  const settings = { ...SPAN_DEFAULTS, ...options };
  const { frameMs, hopMs } = track;
  const levels: Levels = { db: smoothed(track.levelsDb), frameMs };
  const floorDb = percentile(levels.db, 0.1);
  const edges: [startMs: number, endMs: number][] = [];
  for (const [first, end] of runs(track.probability, settings)) {
    const startMs = first * hopMs;
    const endMs = end * hopMs;
    const loudDb = percentile(levels.db.subarray(Math.floor(startMs / frameMs), Math.ceil(endMs / frameMs)), 0.9);
    const thresholdDb = edgeThreshold(loudDb, floorDb);
    const earliestMs = Math.max(startMs - settings.reachMs, edges.at(-1)?.[1] ?? 0);
    const movedStartMs = walkOut(levels, thresholdDb, Math.min(startMs + START_LAG_MS, endMs), earliestMs) ?? startMs;
    const isClear = loudDb - floorDb >= CLEAR_DB;
    const movedEndMs =
      walkOut(levels, thresholdDb, Math.max(endMs - END_LAG_MS, movedStartMs), endMs + settings.reachMs) ??
      (isClear ? lastSound(levels, thresholdDb, endMs, Math.max(endMs - MOST_HANG_MS, movedStartMs)) : endMs);
    const splitMs = isClear ? settings.splitMs : Number.POSITIVE_INFINITY;
    edges.push(...split(levels, thresholdDb, movedStartMs, movedEndMs, splitMs));
  }
  const joined: [startMs: number, endMs: number][] = [];
  for (const [startMs, endMs] of edges) {
    const last = joined.at(-1);
    if (last && startMs - last[1] < settings.minSilenceMs) last[1] = Math.max(last[1], endMs);
    else joined.push([startMs, endMs]);
  }
  const kept = joined.filter(([startMs, endMs]) => endMs - startMs >= settings.minSpeechMs);
  return padded(kept, settings.padMs, track.durationMs);
}

/** Runs of hops that are speech, `[first, end)`, by hysteresis. */
function runs(probability: Float32Array, { threshold, release }: SpanOptions): [number, number][] {
  const found: [number, number][] = [];
  let first = -1;
  for (let hop = 0; hop < probability.length; hop++) {
    const value = probability[hop] as number;
    if (first < 0 && value >= threshold) first = hop;
    else if (first >= 0 && value < release) {
      found.push([first, hop]);
      first = -1;
    }
  }
  if (first >= 0) found.push([first, probability.length]);
  return found;
}

interface Levels {
  /** dBFS. */
  readonly db: Float32Array;
  readonly frameMs: number;
}

/** The mean of three frames each, so that one loud frame is no sound and one quiet one no pause. */
function smoothed(levelsDb: Float32Array): Float32Array {
  const smooth = new Float32Array(levelsDb.length);
  const audible = (at: number) => Math.max(levelsDb[Math.min(Math.max(at, 0), levelsDb.length - 1)] as number, SILENT_DB);
  for (let at = 0; at < smooth.length; at++) smooth[at] = (audible(at - 1) + audible(at) + audible(at + 1)) / 3;
  return smooth;
}

/** The level that a share of the values lies below, to half a dB; the silent level where there are none. */
function percentile(levelsDb: Float32Array, share: number): number {
  const histogram = new Uint32Array(2 * -SILENT_DB + 1);
  for (const level of levelsDb) {
    const at = Math.min(Math.round(2 * (level - SILENT_DB)), histogram.length - 1);
    histogram[at] = (histogram[at] as number) + 1;
  }
  let below = 0;
  for (const [at, count] of histogram.entries()) {
    below += count;
    if (below > levelsDb.length * share) return SILENT_DB + at / 2;
  }
  return SILENT_DB;
}

/** The stretch without its pauses of at least `splitMs`. */
function split({ db, frameMs }: Levels, thresholdDb: number, startMs: number, endMs: number, splitMs: number): [number, number][] {
  const parts: [number, number][] = [];
  let partMs = startMs;
  let soundMs = startMs;
  for (let frame = Math.floor(startMs / frameMs); frame * frameMs < endMs; frame++) {
    if ((db[frame] ?? SILENT_DB) < thresholdDb) continue;
    const ms = Math.max(frame * frameMs, startMs);
    if (ms - soundMs >= splitMs) {
      parts.push([partMs, soundMs]);
      partMs = ms;
    }
    soundMs = (frame + 1) * frameMs;
  }
  parts.push([partMs, endMs]);
  return parts;
}

/** What counts as sound of this stretch of speech, dBFS: a third of the way from the noise to its loud parts, but not more than 35 dB below them. */
function edgeThreshold(loudDb: number, floorDb: number): number {
  const riseDb = Math.min(Math.max((loudDb - floorDb) / 3, 3), 12);
  return Math.max(floorDb + riseDb, loudDb - 35);
}

/** The end of the last frame that sounds before `endMs`; `endMs` itself where none does from `earliestMs` on. */
function lastSound({ db, frameMs }: Levels, thresholdDb: number, endMs: number, earliestMs: number): number {
  for (let frame = Math.ceil(endMs / frameMs) - 1; frame * frameMs >= earliestMs; frame--) {
    if ((db[frame] ?? SILENT_DB) >= thresholdDb) return (frame + 1) * frameMs;
  }
  return endMs;
}

/** From one time towards another: the outer edge of the last frame that sounds before a hole; null if none does. */
function walkOut({ db, frameMs }: Levels, thresholdDb: number, fromMs: number, toMs: number): number | null {
  const back = toMs < fromMs;
  const from = back ? Math.ceil(fromMs / frameMs) - 1 : Math.floor(fromMs / frameMs);
  const to = Math.min(back ? Math.ceil(toMs / frameMs) : Math.floor(toMs / frameMs), db.length);
  let edgeMs: number | null = null;
  let quietMs = 0;
  for (let frame = from; back ? frame >= to : frame < to; frame += back ? -1 : 1) {
    if ((db[frame] ?? SILENT_DB) >= thresholdDb) {
      edgeMs = (back ? frame : frame + 1) * frameMs;
      quietMs = 0;
    } else {
      quietMs += frameMs;
      if (quietMs > HOLE_MS && edgeMs !== null) break;
    }
  }
  return edgeMs;
}

/** Longer by `padMs` at both ends, but never into the neighbour or out of the recording. */
function padded(spans: readonly Span[], padMs: number, durationMs: number): Span[] {
  const limited: Span[] = [];
  for (const [at, [startMs, endMs]] of spans.entries()) {
    const before = spans[at - 1];
    const after = spans[at + 1];
    const from = Math.max(startMs - padMs, before ? Math.ceil((before[1] + startMs) / 2) : 0, 0);
    const to = Math.min(endMs + padMs, after ? Math.floor((endMs + after[0]) / 2) : durationMs, durationMs);
    if (to > from) limited.push([from, to]);
  }
  return limited;
}
