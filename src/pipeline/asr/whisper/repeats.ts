/** A stretch of so many tokens (at most) is a loop when it comes so often without a break. */
const LOOPS = [
  { most: 1, times: 5 },
  { most: 3, times: 3 },
  { most: Number.POSITIVE_INFINITY, times: 2 },
] as const;

/**
 * How many tokens are left when everything after the first copy of a loop is taken away: a stretch of 4 tokens or more twice, of 2 or 3 three times, of 1 five times; null where
 * there is no loop. Only for texts that ran into the length limit: people do repeat themselves, telephone numbers too.
 */
export function endOfFirstCopy(tokens: readonly number[]): number | null {
  for (let from = 0; from < tokens.length; from++) {
    for (let length = 1; from + 2 * length <= tokens.length; length++) {
      const { times } = LOOPS.find(({ most }) => length <= most) as (typeof LOOPS)[number];
      if (from + times * length > tokens.length) continue;
      let same = from + length;
      while (same < from + times * length && tokens[same] === tokens[same - length]) same++;
      if (same === from + times * length) return from + length;
    }
  }
  return null;
}
