import { COMPARED_MS, type Echo, findEcho, type WindowReader } from "./correlate.ts";
import type { RealFft } from "./fft.ts";
import { FRAME_MS, POWER_OF_CODE } from "./tracks.ts";

/** Frames that are compared as one: 300 ms, so that a delay between the channels blurs little. */
const GROUP = 30;
/** Groups within this of the loudest tenth count as energetic, dB. */
const ENERGETIC_DB = 13;
/** The same sound keeps its level difference within this … */
const SAME_WITHIN_DB = 4;
/** … in at least this share of the energetic groups. */
const SAME_SHARE = 0.75;
/** The fainter channel is louder by this, or the difference this far from its usual value, dB: own sound … */
const OWN_DB = 6;
const OWN_AND_SAME_DB = 20;
/** … which a copy has in less than this share of its energetic groups (packets lost on one side). */
const OWN_SHARE = 0.03;
/** A copy fainter than this is taken for a leak, dB. */
const MOST_GAIN_DB = 20;
/** Three windows in four must be alike by themselves, at the one delay and polarity common to all. */
const ALIKE = 0.4;
const ALIKE_SHARE = 0.75;
const ALIKE_MEAN = 0.55;
/** Longest delay between two copies of one sound, ms (a little above the 50 ms that recorders show). */
const MOST_COPY_DELAY_MS = 60;

/** The same sound on both channels. */
export interface Copy {
  /** Of channel 1 against channel 0, dB. */
  readonly gainDb: number;
  readonly delayMs: number;
}

/**
 * Whether two channels carry the same sound, perhaps with another gain, polarity, delay, coding or noise. A split call with cross-talk
 * differs in that the level difference changes its sign with who speaks; the levels are therefore asked first.
 */
export function findCopy(levels: readonly [Uint8Array, Uint8Array], window: WindowReader, fft: RealFft): Copy | null {
  const groups = energeticGroups(levels);
  if (groups.length < 3) return null;
  const differences = groups.map((group) => group.differenceDb).sort((a, b) => a - b);
  const median = differences[differences.length >> 1] as number;
  if (Math.abs(median) > MOST_GAIN_DB) return null;
  const same = differences.filter((difference) => Math.abs(difference - median) <= SAME_WITHIN_DB).length;
  if (same < SAME_SHARE * differences.length) return null;
  // Whoever talks less shows only here: where the channel that is mostly the fainter one is clearly the louder, it has a speaker of its own.
  const own = differences.filter(
    (difference) => Math.sign(median) * difference < -OWN_DB || Math.abs(difference - median) > OWN_AND_SAME_DB,
  );
  if (own.length >= Math.max(2, OWN_SHARE * differences.length)) return null;
  const startsMs = spread(
    groups.map((group) => group.startMs),
    Math.max(8, Math.min(32, groups.length >> 2)),
    COMPARED_MS,
  );
  const echo = findEcho(window, fft, 0, 1, startsMs);
  return echo && isCopy(echo) ? { gainDb: median, delayMs: Math.round(echo.delay / 8) } : null;
}

function isCopy(echo: Echo): boolean {
  const sign = Math.sign(echo.correlation);
  const alike = echo.each.filter((value) => value * sign >= ALIKE).length;
  return (
    Math.abs(echo.delay) <= MOST_COPY_DELAY_MS * 8 && Math.abs(echo.correlation) >= ALIKE_MEAN && alike >= ALIKE_SHARE * echo.each.length
  );
}

function energeticGroups([left, right]: readonly [Uint8Array, Uint8Array]): { startMs: number; differenceDb: number }[] {
  const count = Math.floor(Math.min(left.length, right.length) / GROUP);
  const power = (levels: Uint8Array, group: number) => {
    let sum = 1e-12;
    for (let i = group * GROUP; i < (group + 1) * GROUP; i++) sum += POWER_OF_CODE[levels[i] as number] as number;
    return sum;
  };
  const groups = Array.from({ length: count }, (_, group) => {
    const a = power(left, group);
    const b = power(right, group);
    return { startMs: group * GROUP * FRAME_MS, louder: Math.max(a, b), differenceDb: 10 * Math.log10(b / a) };
  });
  const loudest = groups.map((group) => group.louder).sort((a, b) => b - a);
  const limit = Math.max((loudest[Math.floor(count / 20)] ?? 0) * 10 ** (-ENERGETIC_DB / 10), GROUP * 10 ** -5.5);
  return groups.filter((group) => group.louder >= limit);
}

/** At most `most` of ascending starts, evenly over them, no two nearer than `apartMs`. */
export function spread(startsMs: readonly number[], most: number, apartMs: number): number[] {
  const apart: number[] = [];
  for (const startMs of startsMs) if (apart.length === 0 || startMs - (apart.at(-1) as number) >= apartMs) apart.push(startMs);
  if (apart.length <= most) return apart;
  return Array.from({ length: most }, (_, i) => apart[Math.floor(((i + 0.5) * apart.length) / most)] as number);
}
