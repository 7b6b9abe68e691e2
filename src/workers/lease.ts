import type { CallStore } from "../models/calls.ts";

/** How long a worker may be silent before its calls are given to others. */
export const LEASE_MS = 10_000;
const RENEW_MS = 3_000;

/** A call in one worker's hands; disposing of it ends the renewals, not the lease. */
export interface Lease extends Disposable {
  /** Aborted when the call is taken away, or with `signal`. */
  readonly signal: AbortSignal;
  /** The call was deleted, finished elsewhere, or given to another worker. */
  readonly isLost: boolean;
}

export interface LeaseOptions {
  readonly worker: string;
  readonly signal: AbortSignal;
  readonly renewMs?: number;
  readonly leaseMs?: number;
}

/**
 * Renews a lease every few seconds. A database that does not answer takes nothing away: the work goes on, and the next renewal that comes through decides.
 */
export function keepLease(calls: Pick<CallStore, "renew">, id: string, options: LeaseOptions): Lease {
  const { worker, signal, renewMs = RENEW_MS, leaseMs = LEASE_MS } = options;
  const lost = new AbortController();
  let isEnded = false;
  let timer: NodeJS.Timeout;
  const renew = async (): Promise<void> => {
    const isKept = await calls.renew(id, worker, leaseMs).catch(() => true);
    if (isEnded) return;
    if (!isKept) lost.abort();
    else next();
  };
  const next = (): void => {
    timer = setTimeout(() => void renew(), renewMs);
    timer.unref();
  };
  next();
  return {
    signal: AbortSignal.any([signal, lost.signal]),
    get isLost() {
      return lost.signal.aborted;
    },
    [Symbol.dispose]() {
      isEnded = true;
      clearTimeout(timer);
    },
  };
}
