import type { Connection, QueryFilter } from "mongoose";
import type { CallStatus, CallStore } from "./calls.ts";
import { changeCall } from "./calls-change.ts";
import { type CallDocument, callModel, callOf, EPOCH, LISTED } from "./calls-document.ts";
import { callConditions } from "./calls-filter.ts";
import { sourceModel } from "./calls-sources.ts";
import { buriedFacts, finishBurial } from "./calls-tombstones.ts";
import { isId } from "./ids.ts";
import { BATCH } from "./page.ts";

/** Calls that go, and how many there are. */
export function callRemovals(connection: Connection): Pick<CallStore, "bury" | "find" | "counts"> {
  const model = callModel(connection);
  return {
    async bury(id) {
      if (!isId(id)) return null;
      const buried = await changeCall(model, id, (call, now) => (call.deletedAt === null ? buriedFacts(call, now) : null));
      await sourceModel(connection).deleteOne({ _id: id });
      if (buried === null) return null;
      await finishBurial(connection, buried);
      return callOf(buried);
    },
    async *find(scope, { customerNumber, receivedBefore, queue }) {
      const { tenant } = scope;
      const conditions = callConditions(scope, { ...(queue !== undefined && { queue }) }, new Date());
      if (customerNumber !== undefined) conditions.push({ "metadata.customerNumber": { $eq: customerNumber } });
      if (receivedBefore !== undefined) conditions.push({ receivedAt: { $lt: receivedBefore } });
      const byCustomer = customerNumber !== undefined;
      for (let last: CallDocument | undefined; ; ) {
        // What an index holds alone in the first condition, as in `queryOf`.
        const first = byCustomer
          ? { tenant, "metadata.customerNumber": customerNumber, ...(last && { _id: { $gt: last._id } }) }
          : { tenant, receivedAt: { $gte: last?.receivedAt ?? EPOCH, ...(receivedBefore && { $lt: receivedBefore }) } };
        const rest = byCustomer || last === undefined ? conditions : [...conditions, notBefore(last)];
        const found: CallDocument[] = await model
          .find({ $and: [first, { $and: rest }] }, LISTED)
          .sort(byCustomer ? { _id: 1 } : { receivedAt: 1, _id: 1 })
          .limit(BATCH)
          .lean<CallDocument[]>();
        for (const doc of found) yield callOf(doc);
        if (found.length < BATCH) return;
        last = found.at(-1);
      }
    },
    async counts() {
      const count = async (state: CallStatus) => await model.countDocuments({ state });
      const [queued, listening, scored, failed, reviewBacklog, oldest] = await Promise.all([
        count("queued"),
        count("listening"),
        count("scored"),
        count("failed"),
        model.countDocuments({ inbox: "*" }),
        model.findOne({ state: "queued" }, { receivedAt: 1 }).sort({ receivedAt: 1 }).lean<Pick<CallDocument, "receivedAt">>(),
      ]);
      return { queued, listening, scored, failed, reviewBacklog, oldestQueuedAt: oldest?.receivedAt ?? null };
    },
  };
}

const notBefore = ({ receivedAt, _id }: CallDocument): QueryFilter<CallDocument> => ({
  $or: [{ receivedAt: { $gt: receivedAt } }, { _id: { $gt: _id } }],
});
