import { setTimeout as sleep } from "node:timers/promises";

/** The clock that a pace keeps to. */
export interface PaceClock {
  readonly now: () => number;
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
}

const CLOCK: PaceClock = {
  now: () => performance.now(),
  wait: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => {}),
};

/** Lets through so many a second, evenly, whoever asks; what was not used for a while is not made up for. null: all at once. */
export function createPace(perSecond: number | null, { now, wait }: PaceClock = CLOCK): (signal: AbortSignal) => Promise<void> {
  let nextMs = 0;
  return async (signal) => {
    if (perSecond === null) return;
    const startMs = Math.max(now(), nextMs);
    nextMs = startMs + 1000 / perSecond;
    const waitMs = startMs - now();
    if (waitMs > 0) await wait(waitMs, signal);
  };
}
