import type { Model } from "mongoose";
import type { CallReview, CallStore } from "./calls.ts";
import { changeCall } from "./calls-change.ts";
import { type CallDocument, callOf, EPOCH, LISTED } from "./calls-document.ts";
import { ListEnds } from "./calls-ends.ts";
import { type KeyRange, queryOf, queuePlan, readPlaces, upTo } from "./calls-list.ts";
import { isId, newId } from "./ids.ts";

/** The best calls, one of which the next person gets; more than people claim within a few milliseconds. */
const LOOKED_AT = 20;

/** Who looks at which call. */
export function callClaims(model: Model<CallDocument>): Pick<CallStore, "claim" | "claimNext" | "unclaim" | "reviewed"> {
  const ends = new ListEnds();

  return {
    async claim(id, user, leaseMs) {
      const claimed = await changeCall(model, id, (call, now) => {
        if (call.deletedAt !== null || call.summary === null || !mayClaim(call.review, user, now)) return null;
        return { review: claimOf(call.review, user, new Date(now.getTime() + leaseMs)) };
      });
      if (claimed !== null) return { claimed: true, call: callOf(claimed) };
      const found = isId(id) ? await model.findOne({ _id: id, deletedAt: null }, LISTED).lean<CallDocument>() : null;
      return found && { claimed: false, call: callOf(found) };
    },
    async claimNext(scope, user, leaseMs) {
      const now = new Date();
      const plan = queuePlan(scope, now);
      const until = new Date(now.getTime() + leaseMs);
      // One step, so that of any number of people no two get the same call. Neither facets nor inbox know of claims, so nothing else has to change.
      const claimFirst = async (part: KeyRange) =>
        await model
          .findOneAndUpdate(
            queryOf(plan, part),
            {
              $set: {
                rev: newId(),
                changedAt: now,
                claimUntil: until,
                "review.state": "claimed",
                "review.by": user,
                "review.until": until,
              },
            },
            { sort: { [plan.key]: plan.order }, returnDocument: "after", projection: LISTED },
          )
          .lean<CallDocument>();
      const last = (await readPlaces(model, ends, plan, { list: scope, limit: LOOKED_AT })).at(-1);
      // Others may have claimed all of these meanwhile: then whichever is the best of the rest.
      const claimed = (last && (await claimFirst(upTo(plan, last[plan.key])))) ?? (await claimFirst({}));
      return claimed && callOf(claimed, now);
    },
    async unclaim(id, user) {
      const changed = await changeCall(model, id, ({ review, wanted, deletedAt }, now) => {
        if (deletedAt !== null || review?.state !== "claimed" || review.by !== user || (review.until ?? EPOCH) <= now) return null;
        return { review: wanted ? { ...review, state: "open", by: null, until: null } : null };
      });
      return changed !== null;
    },
    async reviewed(id, review) {
      await changeCall(model, id, (call) =>
        call.deletedAt === null && (call.review?.version ?? 0) === review.version - 1 ? { review } : null,
      );
    },
  };
}

function mayClaim(review: CallReview | null, user: string, now: Date): boolean {
  if (review === null || review.state === "open") return true;
  return review.state === "claimed" && (review.by === user || (review.until ?? EPOCH) <= now);
}

/** The review as claimed; its version and score stay. */
export function claimOf(review: CallReview | null, user: string, until: Date): CallReview {
  return { version: 0, score: null, ...review, state: "claimed", by: user, until };
}
