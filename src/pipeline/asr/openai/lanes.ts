/** Runs so many works at once; further ones wait their turn, first come first served. */
export interface Lanes {
  /** Starts the work when its turn comes; where the signal says so before that, never, and fails with the signal's reason. */
  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

export function createLanes(count: number): Lanes {
  const waiting: (() => void)[] = [];
  let busy = 0;

  async function turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (busy < count) {
      busy++;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        waiting.splice(waiting.indexOf(enter), 1);
        reject(signal.reason);
      };
      const enter = (): void => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      };
      signal.addEventListener("abort", onAbort, { once: true });
      waiting.push(enter);
    });
  }

  return {
    async run(work, signal) {
      await turn(signal);
      try {
        return await work();
      } finally {
        // The lane goes from hand to hand: nobody who comes now overtakes.
        const next = waiting.shift();
        if (next) next();
        else busy--;
      }
    },
  };
}
