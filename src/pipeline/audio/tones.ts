import type { Span, ToneKind } from "../types.ts";
import type { WindowReader } from "./correlate.ts";
import { energyAt } from "./dtmf.ts";
import { FLAT, FRAME_MS, levelDb, POWER_OF_CODE, SLOT_MS, type SpectralTrack } from "./tracks.ts";

/** A steady sound of one or two lines. */
export interface Burst {
  readonly startMs: number;
  readonly endMs: number;
  /** Hz, the lower first; 0 where there is only one line. */
  readonly lowHz: number;
  readonly highHz: number;
}

/** A tone with the parts of it that really sound: a ring-back's span also covers the pauses between the rings. */
export interface FoundTone {
  readonly kind: ToneKind;
  readonly startMs: number;
  readonly endMs: number;
  readonly sounding: readonly Span[];
}

/** Share of the power that one or two lines must carry. */
const LEAST_SHARE = 0.62;
/** A second line counts when it carries this share of the first. */
const SECOND_LINE = 0.2;
/** Lines of one burst agree within this, quarter hertz. */
const AGREE = 4 * 9;
/** A burst's edge is where its level falls by this, dB. */
const EDGE_DB = 6;
/** Frames inside a burst stay this near to their middle level (a tenth of them may not), dB. A voice does not, for long. */
const STEADY_DB = 3;
const STEADY_BEEP_DB = 2;
/** A beep's surroundings are this much quieter, dB. */
const BEEP_ABOVE_DB = 12;
/** Beating lines (440 + 480 Hz) sway by themselves: their level is taken over this many frames. */
const BEAT_FRAMES = 5;

const near = (hertz: number, target: number, tolerance = 12) => Math.abs(hertz - target) <= tolerance;

/** The bursts of a channel, in order: slots whose lines agree, with edges from the level track. */
export function findBursts(spectra: SpectralTrack, levels: Uint8Array): Burst[] {
  const bursts: Burst[] = [];
  for (let slot = 0; slot < spectra.slots; ) {
    if (!isTonal(spectra, slot)) {
      slot++;
      continue;
    }
    let end = slot + 1;
    while (end < spectra.slots && isTonal(spectra, end) && sameLines(spectra, end - 1, end)) end++;
    const burst = edges(spectra, levels, slot, end);
    if (burst) bursts.push(burst);
    slot = end;
  }
  return bursts;
}

function isTonal(spectra: SpectralTrack, slot: number): boolean {
  const one = (spectra.share1[slot] as number) / 255;
  const two = (spectra.share2[slot] as number) / 255;
  return (spectra.hump[slot] as number) > 0 || one >= LEAST_SHARE || (one > 0 && two >= one * SECOND_LINE && one + two >= LEAST_SHARE);
}

/** The two strongest lines as a set: which of them is stronger may change. A faint second line is noise. */
function linesOf(spectra: SpectralTrack, slot: number): readonly [number, number] {
  if ((spectra.hump[slot] as number) > 0) return [spectra.hump[slot] as number, 0];
  const one = spectra.line1[slot] as number;
  const two = (spectra.share2[slot] as number) >= (spectra.share1[slot] as number) * SECOND_LINE ? (spectra.line2[slot] as number) : 0;
  return two === 0 ? [one, 0] : one < two ? [one, two] : [two, one];
}

function sameLines(spectra: SpectralTrack, a: number, b: number): boolean {
  const [lowA, highA] = linesOf(spectra, a);
  const [lowB, highB] = linesOf(spectra, b);
  const agree = (x: number, y: number) => Math.abs(x - y) <= AGREE;
  // A slot that the burst only partly fills, or one where the two lines blur into one, shows fewer lines.
  return agree(lowA, lowB) || (highA > 0 && agree(highA, highB)) || (highA > 0 && agree(highA, lowB)) || (highB > 0 && agree(lowA, highB));
}

function edges(spectra: SpectralTrack, levels: Uint8Array, fromSlot: number, toSlot: number): Burst | null {
  const first = Math.ceil((fromSlot * SLOT_MS) / FRAME_MS);
  const last = Math.min(levels.length, Math.floor((toSlot * SLOT_MS) / FRAME_MS));
  const inside = Array.from(levels.subarray(first, last)).sort((a, b) => a - b);
  // The upper half: a burst may fill little of its only slot.
  const level = inside[Math.floor(inside.length * 0.75)] ?? FLAT;
  if (level === FLAT) return null;
  const limit = level - 2 * EDGE_DB;
  const reach = Math.ceil(SLOT_MS / FRAME_MS) + 1;
  let start = -1;
  for (let frame = Math.max(0, first - reach); frame < last && start < 0; frame++) if (loudNear(levels, frame, 1) >= limit) start = frame;
  let end = -1;
  for (let frame = Math.min(levels.length, last + reach) - 1; frame >= first && end < 0; frame--)
    if (loudNear(levels, frame, -1) >= limit) end = frame + 1;
  if (start < 0 || end <= start) return null;
  const middle = middleSlot(spectra, fromSlot, toSlot);
  const [low, high] = linesOf(spectra, middle);
  return { startMs: start * FRAME_MS, endMs: end * FRAME_MS, lowHz: low / 4, highHz: high / 4 };
}

/** The level at a frame, if the frame after (or before) it holds it too: a click is no edge. */
function loudNear(levels: Uint8Array, frame: number, step: 1 | -1): number {
  const here = levels[frame] ?? FLAT;
  const next = Math.max(levels[frame + step] ?? FLAT, levels[frame + 2 * step] ?? FLAT);
  return Math.min(here, next);
}

/** The slot of a burst that shows its lines best. */
function middleSlot(spectra: SpectralTrack, fromSlot: number, toSlot: number): number {
  let best = fromSlot;
  const clear = (slot: number) =>
    (spectra.share1[slot] as number) + (spectra.share2[slot] as number) + (slot > fromSlot && slot < toSlot - 1 ? 64 : 0);
  for (let slot = fromSlot; slot < toSlot; slot++) if (clear(slot) > clear(best)) best = slot;
  return best;
}

/** Whether the level stays as even within the burst as only a machine's does, and the burst begins or ends at once. */
function isEven(levels: Uint8Array, burst: Burst, withinDb: number): boolean {
  const from = burst.startMs / FRAME_MS + 1;
  const to = burst.endMs / FRAME_MS - 1;
  const power: number[] = [];
  for (let frame = from; frame + BEAT_FRAMES <= to; frame++) {
    let sum = 0;
    for (let i = 0; i < BEAT_FRAMES; i++) sum += POWER_OF_CODE[levels[frame + i] as number] as number;
    power.push(10 * Math.log10(sum + 1e-13));
  }
  if (power.length === 0) for (let frame = from; frame < to; frame++) power.push(levelDb(levels[frame] as number));
  if (power.length === 0) return false;
  const sorted = power.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] as number;
  return at(0.95) - at(0.05) <= withinDb;
}

const lengthOf = (burst: Burst) => burst.endMs - burst.startMs;

/** Single line, or two that blur into one between them. */
const isRingLine = (burst: Burst) =>
  burst.highHz === 0 || burst.highHz - burst.lowHz < 12
    ? near(burst.lowHz, 450) || near(burst.lowHz, 425) || near(burst.lowHz, 460, 15)
    : (near(burst.lowHz, 440) && near(burst.highHz, 480)) ||
      (near(burst.lowHz, 400) && near(burst.highHz, 450)) ||
      // A faint second line beside a ring's own is noise.
      near(burst.lowHz, 450, 6) ||
      near(burst.highHz, 450, 6);
/** Most countries use the ring's own frequency for busy, with another cadence. */
const isBusyLine = (burst: Burst) => isRingLine(burst) || (near(burst.lowHz, 480) && near(burst.highHz, 620));

/**
 * Names the bursts by their lines and cadence: ITU-T E.180 supplement 2 (national tones) for ring-back and busy, T.30 and V.25 for fax.
 * What is steady, short and one line, `isPure` agreeing, is a beep; the rest stays unnamed.
 */
export function nameBursts(bursts: readonly Burst[], levels: Uint8Array, isPure: (burst: Burst) => boolean): FoundTone[] {
  const steady = bursts.filter((burst) => isEven(levels, burst, STEADY_DB));
  const used = new Set<Burst>();
  const found: FoundTone[] = [];
  const name = (kind: ToneKind, parts: readonly Burst[]) => {
    for (const part of parts) used.add(part);
    found.push({
      kind,
      startMs: (parts[0] as Burst).startMs,
      endMs: (parts.at(-1) as Burst).endMs,
      sounding: parts.map((part) => [part.startMs, part.endMs] as const),
    });
  };

  for (const parts of chains(steady.filter(isBusyLine), 120, 800, 900)) if (parts.length >= 3 && isRegular(parts)) name("busy", parts);

  for (const parts of chains(
    steady.filter((burst) => !used.has(burst) && isRingLine(burst)),
    150,
    2800,
    5600,
  )) {
    const short = parts.length >= 2 && parts.every((part) => lengthOf(part) >= 320 && lengthOf(part) <= 480);
    // Double rings are 2 s apart; three and more at one short pace are a busy tone whose lengths a codec has frayed.
    const paced = parts.length >= 3 && parts.every((part, i) => i === 0 || part.startMs - (parts[i - 1] as Burst).endMs <= 900);
    if (short && paced) name("busy", parts);
    else if (short || parts.some((part) => lengthOf(part) >= 650)) name("ring-back", parts);
  }

  for (const parts of chains(
    steady.filter((burst) => !used.has(burst) && near(burst.lowHz, 1100, 30) && burst.highHz === 0),
    380,
    650,
    3800,
  ))
    name("fax", parts);
  for (const parts of chains(
    steady.filter((burst) => !used.has(burst) && near(burst.lowHz, 2100, 20) && burst.highHz === 0),
    150,
    5000,
    250,
  ))
    if ((parts.at(-1) as Burst).endMs - (parts[0] as Burst).startMs >= 1200) name("fax", parts);

  for (const burst of steady) {
    if (used.has(burst) || burst.lowHz < 380 || lengthOf(burst) < 90 || lengthOf(burst) > 1500) continue;
    if (burst.highHz === 0 && isEven(levels, burst, STEADY_BEEP_DB) && standsAlone(levels, burst) && isPure(burst)) name("beep", [burst]);
  }
  return found.sort((a, b) => a.startMs - b.startMs);
}

/** Whether bursts and pauses keep their lengths, as a busy tone's do (the first and the last burst may be cut). */
function isRegular(parts: readonly Burst[]): boolean {
  const even = (lengths: readonly number[]) => Math.max(...lengths) <= 1.3 * Math.min(...lengths) + 2 * FRAME_MS;
  const pauses = parts.slice(1).map((part, i) => part.startMs - (parts[i] as Burst).endMs);
  const inner = parts.slice(1, -1).map(lengthOf);
  const longest = Math.max(...inner);
  return (
    longest >= 180 && even(inner) && even(pauses) && [parts[0], parts.at(-1)].every((part) => lengthOf(part as Burst) <= 1.3 * longest)
  );
}

/** Bursts of `least … most` ms that follow each other with at most `gap` ms between. */
function chains(bursts: readonly Burst[], least: number, most: number, gap: number): Burst[][] {
  const all: Burst[][] = [];
  for (const burst of bursts) {
    if (lengthOf(burst) < least || lengthOf(burst) > most) continue;
    const open = all.at(-1);
    const before = open?.at(-1);
    if (open && before && burst.startMs - before.endMs <= gap) open.push(burst);
    else all.push([burst]);
  }
  return all;
}

/** A beep begins and ends within 30 ms, against what is around it. */
function standsAlone(levels: Uint8Array, burst: Burst): boolean {
  const first = burst.startMs / FRAME_MS;
  const last = burst.endMs / FRAME_MS;
  const inside = levels[(first + last) >> 1] ?? FLAT;
  const drop = (frame: number) => frame < 0 || frame >= levels.length || inside - (levels[frame] as number) >= 2 * BEEP_ABOVE_DB;
  return (drop(first - 3) || drop(first - 2)) && (drop(last + 2) || drop(last + 1));
}

/** Longest stretch of a burst that is compared with a sine, ms, and the share of its energy that must be one. */
const PURE_MS = 160;
const PURE_SHARE = 0.92;

/** Whether the burst is one sine and nothing else: a sung note drifts, sways and has overtones. */
export function isSine(burst: Burst, window: WindowReader, channel: number): boolean {
  const lengthMs = Math.min(PURE_MS, lengthOf(burst) - 3 * FRAME_MS);
  if (lengthMs < 4 * FRAME_MS) return false;
  const samples = window(channel, burst.startMs + Math.floor((lengthOf(burst) - lengthMs) / 2), lengthMs);
  let total = 0;
  for (const sample of samples) total += sample * sample;
  let most = 0;
  for (let hertz = burst.lowHz - 6; hertz <= burst.lowHz + 6; hertz += 1) most = Math.max(most, energyAt(samples, hertz));
  return most >= PURE_SHARE * total;
}
