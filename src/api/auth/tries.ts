/** Wrong tries that are borne, and for how long they count. */
const LIMIT = { tries: 10, windowMs: 5 * 60_000 };
/** Names and addresses kept; beyond it the oldest are forgotten first. */
const MAX_KEYS = 50_000;

/**
 * Counts wrong passwords by user name and by address. In this process's memory: a try is counted before the password is looked at, so that a thousand at once don't slip through between a look and
 * a write, and a flood costs the database nothing. Several API processes count each for itself, so n of them bear n times as many; scrypt is what makes guessing slow.
 */
export interface Tries {
  /** Counts one try; 0, or the milliseconds until the next may come where there were too many. */
  begin(keys: readonly string[]): number;
  /** It was right: the one is taken back. */
  succeed(keys: readonly string[]): void;
}

/** Opens an empty count. */
export function createTries(now: () => number = Date.now): Tries {
  const times = new Map<string, number[]>();
  const recent = (key: string): number[] => (times.get(key) ?? []).filter((at) => at > now() - LIMIT.windowMs);
  return {
    begin(keys) {
      const waits = keys.map((key) => {
        const before = recent(key);
        return before.length < LIMIT.tries ? 0 : (before[before.length - LIMIT.tries] ?? 0) + LIMIT.windowMs - now();
      });
      const wait = Math.max(...waits);
      // What is refused is not counted: else somebody who goes on trying would be shut out for ever.
      if (wait > 0) return wait;
      for (const key of keys) {
        const counted = [...recent(key), now()];
        times.delete(key);
        times.set(key, counted);
      }
      for (const key of times.keys()) {
        if (times.size <= MAX_KEYS) break;
        times.delete(key);
      }
      return 0;
    },
    succeed(keys) {
      for (const key of keys) times.get(key)?.pop();
    },
  };
}
