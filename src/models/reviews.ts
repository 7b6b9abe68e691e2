import { isDeepStrictEqual } from "node:util";
import { type Connection, type Model, Schema } from "mongoose";
import type { Decision } from "../pipeline/scoring/score.ts";
import type { Score } from "../pipeline/types.ts";
import type { CallReview } from "./calls.ts";
import { changeCall } from "./calls-change.ts";
import { type CallDocument, callModel } from "./calls-document.ts";
import { isId } from "./ids.ts";
import { modelOf, STRICT } from "./model-of.ts";
import { insertOnce, ofCall, removeOfCall } from "./of-call.ts";

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
   * Saves the version after `review.version - 1`, and the call's own review state with it, for who holds the claim (or whose claim ran out and nobody has come since). Both are one change of
   * the call: of two at once one is told `stale`. `not-claimed`: somebody else holds the call, or nobody has claimed it. A submitted review may be followed by another version.
   */
  save(review: Review, claimMs: number): Promise<"saved" | "stale" | "not-claimed">;
  latest(callId: string): Promise<Review | null>;
  /** Oldest first. */
  history(callId: string): Promise<readonly Review[]>;
  removeCall(callId: string): Promise<number>;
}

interface ReviewDocument {
  /** `call:version`, the version with six digits: unique by itself, and all of one call lie together in order. */
  readonly _id: `${string}:${string}`;
  readonly v: 1;
  readonly review: Review;
}

const NAME = "reviews";

const schema = new Schema<ReviewDocument>({ _id: { type: String, required: true }, v: Number, review: Schema.Types.Mixed }, STRICT);

/**
 * What people say, version by version. A saved review is part of the call first, where one write decides on claim, version and state; then it is copied here. Whoever reads or follows it
 * makes sure of the copy, so that a process that died between the two leaves nothing half done.
 */
export function createReviewStore(connection: Connection): ReviewStore {
  const model: Model<ReviewDocument> = modelOf(connection, NAME, schema);
  const calls = callModel(connection);

  async function settle(callId: string): Promise<void> {
    if (!isId(callId)) return;
    const call = await calls.findOne({ _id: callId }, { unsettled: 1 }).lean<Pick<CallDocument, "unsettled">>();
    if (call?.unsettled) await copy(call.unsettled);
  }

  async function copy(review: Review): Promise<void> {
    await insertOnce(connection, NAME, { _id: idOf(review), v: 1, review });
    // Nobody is told of this: the call is what it was.
    await calls.updateOne({ _id: review.callId, "unsettled.version": review.version }, { $set: { unsettled: null } });
  }

  return {
    async save(review, claimMs) {
      await settle(review.callId);
      let refused: "stale" | "not-claimed" = "stale";
      const saved = await changeCall(calls, review.callId, (call, now) => {
        refused = mayReview(call, review.by) ? "stale" : "not-claimed";
        // The version before must have been copied: another may have been saved since this one looked.
        if (refused === "not-claimed" || call.unsettled !== null || (call.review?.version ?? 0) !== review.version - 1) return null;
        return { review: reviewedState(review, call.review, new Date(now.getTime() + claimMs)), unsettled: review };
      });
      if (saved !== null) {
        await copy(review);
        return "saved";
      }
      if (refused === "stale" && (await isStored(model, review))) return "saved";
      return refused;
    },
    async latest(callId) {
      await settle(callId);
      if (!isId(callId)) return null;
      const found = await model.findOne(ofCall(callId)).sort({ _id: -1 }).lean<ReviewDocument>();
      return found === null ? null : found.review;
    },
    async history(callId) {
      await settle(callId);
      if (!isId(callId)) return [];
      const found = await model.find(ofCall(callId)).sort({ _id: 1 }).lean<ReviewDocument[]>();
      return found.map(({ review }) => review);
    },
    removeCall: async (callId) => await removeOfCall(connection, NAME, callId),
  };
}

const idOf = ({ callId, version }: Review) => `${callId}:${String(version).padStart(6, "0")}` as const;

/** Who holds the call, or held it last; anybody once it is done. */
function mayReview({ deletedAt, review }: CallDocument, user: string): boolean {
  if (deletedAt !== null || review === null) return false;
  return review.state === "done" || (review.state === "claimed" && review.by === user);
}

/** The call's own state after this review. A draft keeps the claim; the final score is that of what was submitted last. */
function reviewedState({ version, by, status, score }: Review, before: CallReview | null, until: Date): CallReview {
  return status === "submitted"
    ? { state: "done", by, until: null, version, score: score.total }
    : { state: "claimed", by, until, version, score: before?.score ?? null };
}

/** The same review again, after an answer that was lost. */
async function isStored(model: Model<ReviewDocument>, review: Review): Promise<boolean> {
  const found = await model.findOne({ _id: idOf(review) }).lean<ReviewDocument>();
  if (found === null) return false;
  const { at: _, ...stored } = found.review;
  const { at: __, ...asked } = review;
  return isDeepStrictEqual(JSON.parse(JSON.stringify(stored)), JSON.parse(JSON.stringify(asked)));
}
