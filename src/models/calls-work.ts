import type { Model } from "mongoose";
import type { CallReview, CallStore, ScoredCall, Unfinished } from "./calls.ts";
import { type Changed, changeCall, changedCall, updatesOf } from "./calls-change.ts";
import { type CallDocument, type CallFacts, callOf, EPOCH } from "./calls-document.ts";
import { isId, newId } from "./ids.ts";
import { DURABLE } from "./model-of.ts";

type Work = Pick<CallStore, "begin" | "renew" | "release" | "heard" | "scored" | "scoredMany" | "failed" | "retry" | "unfinished">;

/** A call's way from queued to scored or failed. */
export function callWork(model: Model<CallDocument>): Work {
  return {
    async begin(id, worker, leaseMs) {
      const begun = await changeCall(model, id, (call, now) => {
        if (!isUnfinished(call) || (call.lease !== null && call.lease.until > now)) return null;
        return {
          status: "listening",
          lease: { worker, until: new Date(now.getTime() + leaseMs) },
          // Scoring goes on with what was heard: the same attempt.
          attempts: call.attempts + (call.recipe === null ? 1 : 0),
          crashes: call.crashes + (call.lease === null ? 0 : 1),
        };
      });
      return begun && callOf(begun);
    },
    async renew(id, worker, leaseMs) {
      if (!isId(id)) return false;
      const until = new Date(Date.now() + leaseMs);
      // Not a change that anybody is told of: changedAt stays. Whoever has seen the lease run out must look again: rev doesn't.
      const { matchedCount } = await model.updateOne(
        { _id: id, todo: 1, "lease.worker": { $eq: worker } },
        { $set: { rev: newId(), "lease.until": until, leaseUntil: until } },
      );
      return matchedCount === 1;
    },
    async release(id, worker, { counted = false } = {}) {
      await changeCall(model, id, (call) => {
        if (!isUnfinished(call) || call.lease?.worker !== worker) return null;
        const isCounted = counted || call.recipe !== null;
        return { status: "queued", lease: null, attempts: isCounted ? call.attempts : Math.max(0, call.attempts - 1) };
      });
    },
    async heard(id, recipe) {
      await changeCall(model, id, (call) => (isUnfinished(call) ? { status: "listening", recipe, lease: null } : null));
    },
    async scored(id, screening) {
      await changeCall(model, id, (call) => scoredFacts(call, screening));
    },
    async scoredMany(list) {
      const byId = new Map(list.filter(({ id }) => isId(id)).map((screening) => [screening.id, screening]));
      const seen = await model.find({ _id: { $in: [...byId.keys()] } }).lean<CallDocument[]>();
      const rev = newId();
      const now = new Date();
      const changed = seen.flatMap((call): Changed[] => {
        const screening = byId.get(call._id);
        const facts = screening && scoredFacts(call, screening);
        return facts ? [{ seen: call, next: changedCall(call, { changedAt: now, ...facts }, rev) }] : [];
      });
      if (changed.length === 0) return;
      // By the driver itself: mongoose would make a document of each, for a third more work of the whole.
      const { matchedCount } = await model.db
        .collection<CallDocument>(model.collection.name)
        .bulkWrite(updatesOf(changed), { ordered: false, writeConcern: DURABLE });
      if (matchedCount === changed.length) return;
      // Somebody else changed some of them meanwhile: those again, one by one.
      const ids = changed.map(({ next }) => next._id);
      const others = await model.find({ _id: { $in: ids }, rev: { $ne: rev } }, { _id: 1 }).lean<Pick<CallDocument, "_id">[]>();
      for (const { _id } of others) {
        const screening = byId.get(_id);
        if (screening) await changeCall(model, _id, (call) => scoredFacts(call, screening));
      }
    },
    async failed(id, error) {
      const { code, message } = error;
      await changeCall(model, id, (call) => (isUnfinished(call) ? { status: "failed", error: { code, message }, lease: null } : null));
    },
    async retry(id) {
      const changed = await changeCall(model, id, (call) =>
        call.deletedAt === null && call.status === "failed" ? { status: "queued", error: null, crashes: 0, lease: null } : null,
      );
      return changed !== null;
    },
    async unfinished({ limit, after, abandoned }) {
      const now = new Date();
      const found = await model
        .find({
          todo: 1,
          leaseUntil: abandoned ? { $gt: EPOCH, $lte: now } : { $lte: now },
          ...(after !== undefined && { _id: { $gt: after } }),
        })
        .sort({ _id: 1 })
        .limit(limit)
        .lean<CallDocument[]>();
      return found.map(unfinishedOf);
    },
  };
}

function isUnfinished({ deletedAt, status }: CallFacts): boolean {
  return deletedAt === null && (status === "queued" || status === "listening");
}

function scoredFacts(
  call: CallDocument,
  { recipe, policy, summary, sampled = call.sampled }: Omit<ScoredCall, "id">,
): Partial<CallFacts> | null {
  if (call.deletedAt !== null) return null;
  const wanted = summary.queue === "review" || sampled || (call.review?.version ?? 0) > 0;
  return { status: "scored", error: null, lease: null, recipe, policy, summary, sampled, review: reviewAfter(call.review, wanted) };
}

/** What people have begun stays theirs, whatever the machine says now. */
function reviewAfter(review: CallReview | null, wanted: boolean): CallReview | null {
  if (review !== null && (review.state !== "open" || review.version > 0)) return review;
  return wanted ? NEW_REVIEW : null;
}

const NEW_REVIEW: CallReview = { state: "open", by: null, until: null, version: 0, score: null };

function unfinishedOf({ _id, tenant, lane, recipe, attempts, crashes }: CallDocument): Unfinished {
  return { id: _id, tenant, lane, stage: recipe === null ? "listen" : "score", attempts, crashes };
}
