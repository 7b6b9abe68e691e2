import type { Connection, Model } from "mongoose";
import type { Call, CallScope, CallStore } from "./calls.ts";
import { type CallDocument, callModel, callOf, documentOf, LISTED, newFacts } from "./calls-document.ts";
import { callConditions } from "./calls-filter.ts";
import { keepSource, sourceModel, sourceOf } from "./calls-sources.ts";
import { finishBurial } from "./calls-tombstones.ts";
import { isId, newId } from "./ids.ts";
import { isDuplicate } from "./model-of.ts";

/** A call comes in, and is looked at alone. */
export function callArrivals(connection: Connection): Pick<CallStore, "accept" | "get" | "source"> {
  const model = callModel(connection);
  const sources = sourceModel(connection);
  return {
    async accept(call) {
      if (call.givenTranscript) await keepSource(sources, call.id, call.givenTranscript);
      const document = documentOf(newFacts(call, new Date()), newId());
      const accepted = await insertOrFind(connection, document);
      const duplicate = accepted.id !== call.id;
      if (call.givenTranscript) {
        if (duplicate) await sources.deleteOne({ _id: call.id });
        else await sources.updateOne({ _id: call.id }, { $unset: { pendingSince: 1 } });
      }
      return { call: accepted, duplicate };
    },
    get: async (id, scope) => await findCall(model, id, scope),
    async source(id) {
      if (!isId(id)) return null;
      const [call, givenTranscript] = await Promise.all([
        model.findOne({ _id: id, deletedAt: null }, { recording: 1 }).lean<Pick<CallDocument, "recording">>(),
        sourceOf(sources, id),
      ]);
      return call?.recording ? { recording: call.recording, givenTranscript } : null;
    },
  };
}

async function findCall(model: Model<CallDocument>, id: string, scope?: CallScope): Promise<Call | null> {
  if (!isId(id)) return null;
  const conditions = scope ? callConditions(scope, {}, new Date()) : [{ deletedAt: null }];
  const found = await model.findOne({ $and: [{ _id: id }, ...conditions] }, LISTED).lean<CallDocument>();
  return found && callOf(found);
}

/** The unique index decides, and decides again where the first call was deleted in between. */
async function insertOrFind(connection: Connection, document: CallDocument): Promise<Call> {
  const model = callModel(connection);
  for (let tries = 1; ; tries++) {
    try {
      await model.insertOne(document);
      return callOf(document);
    } catch (error) {
      if (!isDuplicate(error) || tries === 10) throw error;
    }
    const { tenant, sha256 } = document;
    const first = await model.findOne({ tenant, sha256 }, LISTED).lean<CallDocument>();
    if (first?.deletedAt === null) return callOf(first);
    if (first) await finishBurial(connection, first);
  }
}

/** How long a transcript may be there before its call. */
const ARRIVAL_MS = 10 * 60_000;

/** Takes away transcripts whose call never came, because the process died between the two. */
export async function removeStraySources(connection: Connection): Promise<number> {
  const model = callModel(connection);
  const sources = sourceModel(connection);
  const old = await sources.find({ pendingSince: { $lt: new Date(Date.now() - ARRIVAL_MS) } }, { _id: 1 }).lean<{ _id: string }[]>();
  let removed = 0;
  for (const { _id } of old) {
    if (await model.exists({ _id, deletedAt: null })) await sources.updateOne({ _id }, { $unset: { pendingSince: 1 } });
    else removed += (await sources.deleteOne({ _id })).deletedCount;
  }
  return removed;
}
