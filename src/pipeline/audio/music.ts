import { lengthOf, subtract, union } from "../timeline.ts";
import type { Span } from "../types.ts";
import { FRAME_MS, levelDb, SLOT_MS, type SpectralTrack } from "./tracks.ts";

/** Shorter music is not told from a few sung words, ms. */
const LEAST_MS = 3000;
/** Pauses inside music, and words that the detector wrongly hears in it, up to this, ms. */
const MOST_PAUSE_MS = 900;
const MOST_FALSE_WORD_MS = 1500;
/** A frame sounds when it is this far above the quietest of the channel, but never below these bounds, dBFS. */
const ABOVE_DB = 10;
const SOUNDS_AT_LEAST_DB = -55;
const SOUNDS_AT_MOST_DB = -30;
/**
 * What tells harmony from speech: how much of the power lies in lines that held since the snapshot before, and how alike the two spectra
 * are. Measured over 4 s: speech holds 0–0.1 of its power at a likeness of 0.3–0.7, babble 0.03 at 0.7, pink noise none at 0.8; chords,
 * melodies and real hold music hold 0.1–0.9 at 0.6–0.97 (10 dB of noise costs 0.2 of the likeness).
 */
const HELD = 0.06;
const HARMONY = 0.85;
/** Harmony so clear that it is music whatever the detector says. */
const CLEAR_HELD = 0.12;
const CLEAR_LIKENESS = 0.8;
/** Mean probability of speech above which less clear harmony, and sound without any, is not music. Speech that the detector misses still gets more. */
const MOST_PROBABLE_HARMONY = 0.2;
const MOST_PROBABLE_CLEAR = 0.75;
const MOST_PROBABLE = 0.08;
/** Music without harmony (drums, effects): hardly any lines, where speech has them in most snapshots; loud, and swinging as no noise does. */
const LINE_SHARE = 13;
const MOST_LINES = 0.3;
const LOUD_DB = -42;
const SWING_DB = 9;
const UNHARMONIC_LEAST_MS = 4000;

/** An end of the music is where its level comes within this of the usual one, dB. */
const FAINT_BY_DB = 12;
/** How far back the true start of music may lie, and what it is told by: a jump to a level that then stays, dB. */
const MOST_LAG_MS = 800;
const OPENING_MS = 1000;
const STEADY_DB = 7;
const JUMP_DB = 7;
const BEFORE_MS = 50;

export interface MusicInput {
  readonly levels: Uint8Array;
  readonly spectra: SpectralTrack;
  /** Probability of speech, one every `hopMs`. */
  readonly probability: Float32Array;
  readonly hopMs: number;
  readonly speech: readonly Span[];
  /** Other tones already named: not music. */
  readonly tones: readonly Span[];
}

/** Stretches of music of at least three seconds, in order. */
export function findMusic(input: MusicInput): Span[] {
  // Music that fills a channel is its own background: there the lines tell where it sounds, not the level.
  const sounding = subtract([...soundingSpans(input.levels), ...harmonicSpans(input.spectra, isHarmony)], input.tones);
  // What the detector calls speech cuts the sound into pieces, unless clear harmony goes on under it.
  const voiced = subtract(input.speech, harmonicSpans(input.spectra, isClearHarmony));
  const pieces = union(subtract(sounding, voiced), MOST_PAUSE_MS).filter((piece) => lengthOf(piece) >= 500);
  const joined: Span[] = [];
  for (const piece of pieces) {
    const before = joined.at(-1);
    if (before && bridges(input, before, piece)) joined[joined.length - 1] = [before[0], piece[1]];
    else joined.push(piece);
  }
  return joined
    .filter((piece) => lengthOf(piece) >= LEAST_MS && isMusic(input, piece))
    .map((piece) => withOnset(input.levels, withoutFaintEnds(input.levels, piece)));
}

/** Without sound at either end that is far softer than the music: the other side's leak, before and after. */
function withoutFaintEnds(levels: Uint8Array, [startMs, endMs]: Span): Span {
  let first = Math.floor(startMs / FRAME_MS);
  let end = Math.min(levels.length, Math.ceil(endMs / FRAME_MS));
  const sorted = levels.slice(first, end).sort();
  const least = (sorted[sorted.length >> 1] as number) - 2 * FAINT_BY_DB;
  while (first < end && (levels[first] as number) < least) first++;
  while (end > first && (levels[end - 1] as number) < least) end--;
  return [first * FRAME_MS, end * FRAME_MS];
}

/**
 * The detector goes on hearing speech for half a second into music that begins as somebody stops: the start is moved back over sound as loud as the
 * music, if it began with a jump.
 */
function withOnset(levels: Uint8Array, [startMs, endMs]: Span): Span {
  const level = (frame: number) => {
    const at = (i: number) => levelDb(levels[Math.min(Math.max(i, 0), levels.length - 1)] ?? 0);
    return (at(frame - 1) + at(frame) + at(frame + 1)) / 3;
  };
  const first = Math.floor(startMs / FRAME_MS);
  const opening = Array.from({ length: Math.min(OPENING_MS, endMs - startMs) / FRAME_MS }, (_, i) => level(first + i)).sort(
    (a, b) => a - b,
  );
  const usualDb = opening[opening.length >> 1] as number;
  let onset = first;
  while (onset > 0 && (first - onset) * FRAME_MS < MOST_LAG_MS && Math.abs(level(onset - 1) - usualDb) <= STEADY_DB) onset--;
  const before = Array.from({ length: BEFORE_MS / FRAME_MS }, (_, i) => level(onset - 2 - i));
  const beforeDb = before.reduce((sum, db) => sum + db, 0) / before.length;
  return usualDb - beforeDb >= JUMP_DB ? [Math.min(startMs, onset * FRAME_MS), endMs] : [startMs, endMs];
}

const isHarmony = ({ held, likeness }: Harmony) => held >= HELD && 2 * held + likeness >= HARMONY;
const isClearHarmony = ({ held, likeness }: Harmony) => held >= CLEAR_HELD && likeness >= CLEAR_LIKENESS;

/** Means over some snapshots: share of power in held lines, likeness to the snapshot before. */
interface Harmony {
  readonly held: number;
  readonly likeness: number;
}

/** Whether only a short false word, no pause, lies between two pieces that are each music-like. */
function bridges(input: MusicInput, before: Span, after: Span): boolean {
  const between: Span = [before[1], after[0]];
  if (lengthOf(between) > MOST_FALSE_WORD_MS) return false;
  return lengthOf(before) >= 1000 && lengthOf(after) >= 1000 && isMusic(input, before) && isMusic(input, after);
}

function isMusic(input: MusicInput, piece: Span): boolean {
  const heard = spectrumOver(input.spectra, piece);
  if (heard.snapshots < 8) return false;
  const probable = meanOver(input.probability, input.hopMs, piece);
  if (isClearHarmony(heard)) return probable <= MOST_PROBABLE_CLEAR;
  if (isHarmony(heard)) return probable <= MOST_PROBABLE_HARMONY;
  if (probable > MOST_PROBABLE || heard.lines > MOST_LINES || lengthOf(piece) < UNHARMONIC_LEAST_MS) return false;
  const swing = swings(input.levels, piece);
  return swing.upperDb >= LOUD_DB && swing.upperDb - swing.lowerDb >= SWING_DB;
}

function soundingSpans(levels: Uint8Array): Span[] {
  const sorted = new Uint32Array(256);
  for (const code of levels) sorted[code] = (sorted[code] as number) + 1;
  let quietest = 0;
  for (let seen = 0; quietest < 255; quietest++) {
    seen += sorted[quietest] as number;
    if (seen >= levels.length * 0.05) break;
  }
  const limit = Math.min(SOUNDS_AT_MOST_DB, Math.max(SOUNDS_AT_LEAST_DB, levelDb(quietest) + ABOVE_DB));
  const spans: Span[] = [];
  let start = -1;
  for (let frame = 0; frame <= levels.length; frame++) {
    const sounds = frame < levels.length && levelDb(levels[frame] as number) >= limit;
    if (sounds && start < 0) start = frame;
    else if (!sounds && start >= 0) {
      spans.push([start * FRAME_MS, frame * FRAME_MS]);
      start = -1;
    }
  }
  return union(spans, 300);
}

/** Where harmony goes on for at least two seconds, as the mean over a second on both sides shows it. */
function harmonicSpans(spectra: SpectralTrack, isHarmonic: (heard: Harmony) => boolean): Span[] {
  const reach = Math.round(1000 / SLOT_MS);
  const spans: Span[] = [];
  let held = 0;
  let like = 0;
  let snapshots = 0;
  const count = (slot: number, sign: 1 | -1) => {
    if (slot < 0 || slot >= spectra.slots || spectra.share1[slot] === 0) return;
    snapshots += sign;
    held += (sign * (spectra.held[slot] as number)) / 255;
    like += sign * ((spectra.likeness[slot] as number) / 127.5 - 1);
  };
  for (let slot = 0; slot < reach; slot++) count(slot, 1);
  for (let slot = 0; slot < spectra.slots; slot++) {
    count(slot + reach, 1);
    count(slot - reach - 1, -1);
    if (snapshots >= reach * 0.7 && isHarmonic({ held: held / snapshots, likeness: like / snapshots }))
      spans.push([slot * SLOT_MS, (slot + 1) * SLOT_MS]);
  }
  return union(spans, 500)
    .filter((span) => lengthOf(span) >= 2000)
    .map((span) => betweenHeld(spectra, span));
}

/** The span from its first snapshot with a held line to its last: the mean over two seconds reaches beyond the music. */
function betweenHeld({ held }: SpectralTrack, [startMs, endMs]: Span): Span {
  let first = startMs / SLOT_MS;
  let end = endMs / SLOT_MS;
  const holds = (slot: number) => (held[slot] ?? 0) >= 255 * HELD;
  while (first < end && !holds(first)) first++;
  while (end > first && !holds(end - 1)) end--;
  // What is held was there a snapshot earlier.
  return [Math.max(startMs, (first - 2) * SLOT_MS), end * SLOT_MS];
}

function spectrumOver(spectra: SpectralTrack, [startMs, endMs]: Span) {
  let snapshots = 0;
  let held = 0;
  let likeness = 0;
  let lines = 0;
  for (let slot = Math.ceil(startMs / SLOT_MS); (slot + 1) * SLOT_MS <= endMs && slot < spectra.slots; slot++) {
    if (spectra.share1[slot] === 0) continue;
    snapshots++;
    held += (spectra.held[slot] as number) / 255;
    likeness += (spectra.likeness[slot] as number) / 127.5 - 1;
    if ((spectra.share1[slot] as number) >= LINE_SHARE) lines++;
  }
  const count = Math.max(1, snapshots);
  return { snapshots, held: held / count, likeness: likeness / count, lines: lines / count };
}

/** Mean of a track over a span; 0 where it has no value there. */
export function meanOver(track: Float32Array, hopMs: number, [startMs, endMs]: Span): number {
  const from = Math.max(0, Math.ceil(startMs / hopMs));
  const to = Math.min(track.length, Math.floor(endMs / hopMs));
  let sum = 0;
  for (let i = from; i < to; i++) sum += track[i] as number;
  return to > from ? sum / (to - from) : 0;
}

/** Levels that a tenth and nine tenths of the frames stay below. */
function swings(levels: Uint8Array, [startMs, endMs]: Span): { lowerDb: number; upperDb: number } {
  const sorted = levels.slice(Math.floor(startMs / FRAME_MS), Math.ceil(endMs / FRAME_MS)).sort();
  const at = (share: number) => levelDb(sorted[Math.floor(share * (sorted.length - 1))] ?? 0);
  return { lowerDb: at(0.1), upperDb: at(0.9) };
}
