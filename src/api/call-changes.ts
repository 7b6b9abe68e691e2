import { setTimeout as sleep } from "node:timers/promises";
import type { Call, CallScope } from "../models/calls.ts";
import type { ApiDeps } from "./deps.ts";

/** Changes of calls, told to all who listen: one stream from the database for all of them. */
export interface CallChanges {
  /** Changes within the scope, from now on until aborted. What a slow listener has not taken is left out, the oldest first: each change holds the whole state. */
  listen(scope: CallScope, signal: AbortSignal): AsyncIterable<Call>;
  /** Ends the stream from the database. */
  close(): void;
}

/** Waiting changes of one listener; a page that is looked at keeps up with far more. */
const MAX_WAITING = 1_000;
const AGAIN_MS = 2_000;

interface Listener {
  readonly scope: CallScope;
  readonly waiting: Map<string, Call>;
  wake: () => void;
}

/** Opens the stream with the first listener, and ends it with the last. */
export function createCallChanges({ models, log }: Pick<ApiDeps, "models" | "log">): CallChanges {
  const listeners = new Set<Listener>();
  let running: AbortController | null = null;

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const call of models.calls.changes(signal)) tell(call);
      } catch (error) {
        if (!signal.aborted) log.warn({ err: error }, "changes of calls broke off; trying again");
      }
      await sleep(AGAIN_MS, undefined, { signal }).catch(() => {});
    }
  }

  function tell(call: Call): void {
    for (const { scope, waiting, wake } of listeners) {
      if (!isInScope(call, scope)) continue;
      waiting.delete(call.id);
      waiting.set(call.id, call);
      const [oldest] = waiting.keys();
      if (waiting.size > MAX_WAITING && oldest !== undefined) waiting.delete(oldest);
      wake();
    }
  }

  return {
    async *listen(scope, signal) {
      const listener: Listener = { scope, waiting: new Map(), wake: () => {} };
      listeners.add(listener);
      if (!running) {
        running = new AbortController();
        void run(running.signal);
      }
      try {
        while (!signal.aborted) {
          const changed = [...listener.waiting.values()];
          listener.waiting.clear();
          yield* changed;
          if (listener.waiting.size > 0) continue;
          await new Promise<void>((resolve) => {
            listener.wake = resolve;
            signal.addEventListener("abort", () => resolve(), { once: true });
          });
        }
      } finally {
        listeners.delete(listener);
        if (listeners.size === 0) this.close();
      }
    },
    close() {
      running?.abort();
      running = null;
    },
  };
}

/** Whether somebody of this scope may see the call: the same as the data layer's lists. */
export function isInScope({ tenant, metadata, review, deletedAt }: Call, scope: CallScope): boolean {
  return (
    tenant === scope.tenant &&
    (scope.team === undefined || metadata.team === scope.team) &&
    (scope.agentId === undefined || metadata.agentId === scope.agentId) &&
    (!scope.reviewedOnly || review?.state === "done") &&
    deletedAt === null
  );
}
