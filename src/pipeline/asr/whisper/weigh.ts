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

/**
 * Natural log-probability of a text as the whole of what was said. Only what differs from the text that was decoded is read, and a little after it: what comes before
 * is as likely as it was found, what comes long after nearly so.
 */
export async function weighAgainst(
  { reading, opening, tokens, logProbabilities, endLogProbability }: Baseline,
  text: readonly number[],
  { ban, end, further = AFTER }: { readonly ban: ReturnType<Networks["ban"]>; readonly end: number; readonly further?: number },
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
  const { targetLogProbabilities } = await fork.read(led, { rows: led.map((_, i) => i), targets: asked, ban });
  return sumOf(worth.slice(0, from)) + sumOf(targetLogProbabilities) + sumOf(worth.slice(known.length - skipped));
}

/** How many tokens two texts begin with alike, and how many of the others they end with alike. */
export function partsShared(a: readonly number[], b: readonly number[]): { readonly before: number; readonly after: number } {
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
