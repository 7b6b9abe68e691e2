import { setTimeout as sleep } from "node:timers/promises";
import { CallsiftError } from "../pipeline/errors.ts";

const AGAIN_MS = 1_000;

/**
 * Does something with the database, again and again while it is away: minutes of listening are not thrown away because of a minute without it. For what may be done twice only.
 *
 * @throws what `use` throws, but for `store/unreachable` before the signal is aborted
 */
export async function untilStored<T>(use: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await use();
    } catch (error) {
      if (!(error instanceof CallsiftError) || error.code !== "store/unreachable" || signal.aborted) throw error;
      // An abort ends the waiting; the next try then says how it is.
      await sleep(AGAIN_MS, undefined, { signal }).catch(() => {});
    }
  }
}
