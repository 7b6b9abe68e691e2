import type { Reading } from "./reading.ts";
import type { Networks } from "./sessions.ts";

/** A decoding that further texts are compared with. */
export interface Baseline {
  /** Has read the opening and the tokens but the last. */
  readonly reading: Reading;
  readonly opening: readonly number[];
  /** Of the text that was decoded, with the natural logarithm of how likely each was. */
  readonly tokens: readonly number[];
  readonly logProbabilities: readonly number[];
  /** Of the end after them; null where it did not come. */
  readonly endLogProbability: number | null;
}

/** So many tokens after a stretch that differs are read again; further on the sound is as likely as it was. */
const AFTER = 4;
/** Tokens that are read before it is looked whether the text still matters: most wordings are given up by their first characters. */
const AT_ONCE = 5;

export interface WeighOptions {
  readonly ban: ReturnType<Networks["ban"]>;
  readonly end: number;
  /** Tokens after what differs that are read again. */
  readonly further?: number;
  /** What is found to be less likely is answered with -Infinity, with less reading. */
  readonly least?: number;
}

/**
 * Natural log-probability of a text as the whole of what was said. Only what differs from the text that was decoded is read, and a little after it: what comes before
 * is as likely as it was found, what comes long after nearly so.
 */
export async function weighAgainst(
  { reading, opening, tokens, logProbabilities, endLogProbability }: Baseline,
  text: readonly number[],
  { ban, end, further = AFTER, least = Number.NEGATIVE_INFINITY }: WeighOptions,
): Promise<number> {
  const whole = [...text, end];
  const known = endLogProbability === null ? [...tokens] : [...tokens, end];
  const worth = endLogProbability === null ? [...logProbabilities] : [...logProbabilities, endLogProbability];
  const { before, after } = partsShared(whole, known);
  if (before === whole.length && before === known.length) return sumOf(worth);
  const skipped = Math.max(0, after - further);
  // What the last token before leads to must be asked again.
  const from = Math.max(0, Math.min(before, tokens.length - 1));
  const asked = whole.slice(from, whole.length - skipped);
  const start = opening.length + from - 1;
  const fork = reading.fork(start, start + asked.length);
  const led = [from === 0 ? (opening.at(-1) as number) : (known[from - 1] as number), ...asked.slice(0, -1)];
  let sum = sumOf(worth.slice(0, from)) + sumOf(worth.slice(known.length - skipped));
  const atOnce = least === Number.NEGATIVE_INFINITY ? led.length : AT_ONCE;
  for (let at = 0; at < led.length; at += atOnce) {
    // What is yet to be read can only make it less likely.
    if (sum < least) return Number.NEGATIVE_INFINITY;
    const part = led.slice(at, at + atOnce);
    const targets = asked.slice(at, at + atOnce);
    const { targetLogProbabilities } = await fork.read(part, { rows: part.map((_, i) => i), targets, ban });
    sum += sumOf(targetLogProbabilities);
  }
  return sum;
}

/** How many tokens, or characters, two texts begin with alike, and how many of the others they end with alike. */
export function partsShared<Text extends string | readonly number[]>(
  a: Text,
  b: Text,
): { readonly before: number; readonly after: number } {
  const shorter = Math.min(a.length, b.length);
  let before = 0;
  while (before < shorter && a[before] === b[before]) before++;
  let after = 0;
  while (after < shorter - before && a[a.length - 1 - after] === b[b.length - 1 - after]) after++;
  return { before, after };
}

export function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
