import type { CallSummary } from "../models/calls.ts";
import type { PolicySource } from "../models/policies.ts";
import type { StoredScreening } from "../models/stored-screening.ts";
import { CallsiftError, type ErrorCode } from "../pipeline/errors.ts";
import { startThread } from "../pipeline/start-thread.ts";

export interface RescoreOrder {
  /** Policies that the thread does not know yet, by key. */
  readonly sources: readonly (readonly [key: string, source: PolicySource])[];
  readonly calls: readonly { readonly callId: string; readonly packed: Uint8Array; readonly policyKey: string }[];
  readonly wantsScreenings: boolean;
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

/** A thread that judges stored calls, one batch at a time. */
export interface RescoreThread extends AsyncDisposable {
  /** @throws CallsiftError what scoring throws, `internal/bug` */
  judge(order: RescoreOrder): Promise<readonly JudgedCall[]>;
}

/** Starts one; it knows nothing of a database. */
export function startRescoreThread(): RescoreThread {
  const thread = startThread("./rescore-worker", import.meta.url);
  return {
    judge: (order) =>
      new Promise((resolve, reject) => {
        const onMessage = (answer: RescoreAnswer): void => {
          off();
          if (answer.kind === "judged") resolve(answer.judged);
          else reject(new CallsiftError(answer.code, answer.message));
        };
        const onError = (cause: unknown): void => {
          off();
          reject(
            new CallsiftError("internal/bug", `the thread that judges calls ended: ${cause instanceof Error ? cause.message : cause}`, {
              cause,
            }),
          );
        };
        const off = (): void => void thread.off("message", onMessage).off("error", onError).off("exit", onError);
        thread.on("message", onMessage).on("error", onError).on("exit", onError);
        thread.postMessage(order);
      }),
    async [Symbol.asyncDispose]() {
      await thread.terminate();
    },
  };
}
