/** Remembers keys for a while. */
export interface Recently {
  /** Whether the key was not met within the time; it is remembered from now on. */
  isFirst(key: string): boolean;
}

const MAX_KEYS = 10_000;

/** Opens an empty memory; beyond `MAX_KEYS` the oldest are forgotten first. */
export function createRecently(ms: number, now: () => number = Date.now): Recently {
  const met = new Map<string, number>();
  return {
    isFirst(key) {
      const before = met.get(key);
      if (before !== undefined && now() - before < ms) return false;
      met.delete(key);
      met.set(key, now());
      const [oldest] = met.keys();
      if (met.size > MAX_KEYS && oldest !== undefined) met.delete(oldest);
      return true;
    },
  };
}
