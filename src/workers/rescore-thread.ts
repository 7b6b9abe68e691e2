import type { CallSummary } from "../models/calls.ts";
import type { PolicySource } from "../models/policies.ts";
import type { StoredScreening } from "../models/stored-screening.ts";
import { CallsiftError, type ErrorCode } from "../pipeline/errors.ts";
import { startThread } from "../pipeline/start-thread.ts";

export interface RescoreOrder {
  /** Policies that the thread does not know yet, by key. */
  readonly sources: readonly (readonly [key: string, source: PolicySource])[];
  readonly calls: readonly RescoreCall[];
  readonly wantsScreenings: boolean;
}

export interface RescoreCall {
  readonly callId: string;
  /** What was heard. */
  readonly packed: Uint8Array;
  /** Of the rules to judge by. */
  readonly policyKey: string;
  /** What the call was judged to be, and by what: a policy hash, which is the key of its source too. null where one of them is gone. */
  readonly earlier: { readonly packed: Uint8Array; readonly policy: string } | null;
}

export interface JudgedCall {
  readonly callId: string;
  readonly policy: string;
  readonly summary: CallSummary;
  /** null where nobody wants it. */
  readonly screening: StoredScreening | null;
}

export type RescoreAnswer =
  | { readonly kind: "judged"; readonly judged: readonly JudgedCall[] }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly message: string };

/** A thread that judges stored calls, one batch after the other. */
export interface RescoreThread extends AsyncDisposable {
  /** @throws CallsiftError what scoring throws, `internal/bug` */
  judge(order: RescoreOrder): Promise<readonly JudgedCall[]>;
}

/** Starts one; it knows nothing of a database. */
export function startRescoreThread(): RescoreThread {
  const thread = startThread("./rescore-worker", import.meta.url);
  let ended: CallsiftError | null = null;
  let waiting: ((answer: RescoreAnswer | CallsiftError) => void) | null = null;
  const end = (cause: unknown): void => {
    const why = cause instanceof Error ? cause.message : `exit code ${cause}`;
    ended ??= new CallsiftError("internal/bug", `the thread that judges calls ended: ${why}`, { cause });
    waiting?.(ended);
  };
  thread
    .on("message", (answer: RescoreAnswer) => waiting?.(answer))
    .on("error", end)
    .on("exit", end);

  const ask = async (order: RescoreOrder): Promise<readonly JudgedCall[]> => {
    if (ended) throw ended;
    const answered = new Promise<RescoreAnswer | CallsiftError>((resolve) => {
      waiting = resolve;
    });
    thread.postMessage(order);
    const answer = await answered;
    if (answer instanceof CallsiftError) throw answer;
    if (answer.kind === "failed") throw new CallsiftError(answer.code, answer.message);
    return answer.judged;
  };
  let last: Promise<unknown> = Promise.resolve();
  return {
    judge(order) {
      const answer = last.then(() => ask(order));
      last = answer.catch(() => {});
      return answer;
    },
    async [Symbol.asyncDispose]() {
      await thread.terminate();
    },
  };
}
