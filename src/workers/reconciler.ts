import type { CallStore, Unfinished } from "../models/calls.ts";

/** How often calls of workers that are gone are looked for. */
const SWEEP_MS = 3_000;
/** How often everything unfinished is looked through, a part at a time. */
const FULL_SWEEP_MS = 60_000;
/** Of a backlog of a million, enough for all workers until the next time. */
const PART = 10_000;
const BATCH = 500;
const AT_ONCE = 50;
/** After the database was away: until then living workers have renewed the leases that ran out meanwhile. */
const SETTLE_MS = 5_000;

export interface ReconcilerDeps {
  readonly calls: Pick<CallStore, "unfinished">;
  readonly enqueue: (work: Unfinished) => Promise<void>;
  /** For work whose job may still be taken for alive. */
  readonly enqueueAgain: (work: Unfinished) => Promise<void>;
  /** Work that waits or is being done, as far as the schedule knows. */
  readonly known: () => Promise<number>;
  /** Whether it is this process's turn to look through everything. */
  readonly isTurn: (ms: number) => Promise<boolean>;
  /** Told when a sweep did not work out; the next one comes all the same. */
  readonly onTrouble: (error: unknown) => void;
  /** False where no other process can have a call: then nobody has to be waited for at the start. */
  readonly hasPeers: boolean;
  readonly now?: () => number;
}

/** Gives to the schedule what the database says is unfinished and the schedule may not know. */
export interface Reconciler {
  /** One look, as the timer does it every few seconds. */
  sweep(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

/** Created stopped; `start` looks at once. */
export function createReconciler(deps: ReconcilerDeps): Reconciler {
  const { calls, enqueue, enqueueAgain, known, isTurn, onTrouble, hasPeers, now = Date.now } = deps;
  let seenMs = now();
  let trustFromMs = hasPeers ? seenMs + SETTLE_MS : 0;
  let nextFullMs = 0;
  let after: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  let isStopped = true;

  /** False for a while after the database was away, or this process slept: nobody can have renewed a lease meanwhile. */
  function trustsLeases(): boolean {
    if (now() - seenMs > 2 * SWEEP_MS) trustFromMs = now() + SETTLE_MS;
    seenMs = now();
    return seenMs >= trustFromMs;
  }

  async function sweepAll(): Promise<void> {
    const isContinued = now() < nextFullMs;
    if (isContinued && (after === undefined || (await known()) > PART / 2)) return;
    if (!isContinued) {
      nextFullMs = now() + FULL_SWEEP_MS;
      if (!(await isTurn(FULL_SWEEP_MS - SWEEP_MS))) return;
    }
    for (let seen = 0; seen < PART; seen += BATCH) {
      const found = await calls.unfinished({ limit: BATCH, ...(after !== undefined && { after }) });
      await putAll(found, enqueue);
      after = found.length < BATCH ? undefined : found.at(-1)?.id;
      if (after === undefined) return;
    }
  }

  async function sweep(): Promise<void> {
    try {
      const abandoned = await calls.unfinished({ limit: BATCH, abandoned: true });
      if (!trustsLeases()) return;
      await putAll(abandoned, enqueueAgain);
      await sweepAll();
    } catch (error) {
      onTrouble(error);
    }
  }

  function next(delayMs: number): void {
    if (isStopped) return;
    timer = setTimeout(() => {
      running = sweep().then(() => next(SWEEP_MS));
    }, delayMs);
    timer.unref();
  }

  return {
    sweep,
    start() {
      isStopped = false;
      next(0);
    },
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}

async function putAll(works: readonly Unfinished[], put: (work: Unfinished) => Promise<void>): Promise<void> {
  for (let at = 0; at < works.length; at += AT_ONCE) await Promise.all(works.slice(at, at + AT_ONCE).map(put));
}
