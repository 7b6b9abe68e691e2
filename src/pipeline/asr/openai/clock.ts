import { setTimeout as sleep } from "node:timers/promises";

/** Time and chance, for waits between attempts. */
export interface Clock {
  /** Of any origin. */
  nowMs(): number;
  /** Rejects as soon as the signal says so. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** 0 <= x < 1. */
  random(): number;
}

export const CLOCK: Clock = {
  nowMs: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
  random: Math.random,
};
