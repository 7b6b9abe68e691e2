import type { Decision } from "../pipeline/scoring/score.ts";
import type { Score } from "../pipeline/types.ts";

/** What a person says of a screening; every version is kept. */
export interface Review {
  readonly callId: string;
  /** 1, 2, … */
  readonly version: number;
  /** The screening that it is of. */
  readonly recipe: string;
  readonly policy: string;
  readonly by: string;
  readonly at: Date;
  readonly findings: readonly { readonly id: string; readonly decision: Decision; readonly note?: string }[];
  readonly items: readonly { readonly item: string; readonly points: number; readonly reason: string }[];
  readonly added: readonly { readonly rule: string; readonly startMs: number; readonly endMs: number; readonly note?: string }[];
  readonly status: "draft" | "submitted";
  /** Derived by the scorer from screening and review. */
  readonly score: Score;
}

export interface ReviewStore {
  /**
   * Saves the version after `review.version - 1`, and the call's own review state with it, for who holds the claim. Decided by the unique index of (call, version): of two at once one is told `stale`.
   * `not-claimed`: somebody else holds the call. A submitted review may be followed by another version.
   */
  save(review: Review, claimMs: number): Promise<"saved" | "stale" | "not-claimed">;
  latest(callId: string): Promise<Review | null>;
  history(callId: string): Promise<readonly Review[]>;
  removeCall(callId: string): Promise<number>;
}
