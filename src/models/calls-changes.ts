import { setTimeout as sleep } from "node:timers/promises";
import type { Model } from "mongoose";
import type { Call, CallStore } from "./calls.ts";
import { type CallDocument, callOf, LISTED } from "./calls-document.ts";
import { BATCH } from "./page.ts";

/** Between two looks where the server has no change streams, and between two tries where it is away. */
const PAUSE_MS = 1000;
/** A change becomes visible a little after the time that stands in it. */
const SLACK_MS = 2000;

/** What any process does to calls, as it happens. */
export function callChanges(model: Model<CallDocument>): Pick<CallStore, "changes"> {
  return {
    async *changes(signal) {
      const since = new Date();
      try {
        const streamed = yield* streamChanges(model, signal);
        if (streamed === "not-available") yield* pollChanges(model, since, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    },
  };
}

async function* streamChanges(model: Model<CallDocument>, signal: AbortSignal): AsyncGenerator<Call, "ended" | "not-available"> {
  let token: unknown;
  while (!signal.aborted) {
    const stream = model.collection.watch([], { fullDocument: "updateLookup", ...(token !== undefined && { resumeAfter: token }) });
    const stop = () => void stream.close();
    signal.addEventListener("abort", stop, { once: true });
    try {
      for await (const change of stream) {
        token = change._id;
        if (change.operationType === "update" && change.updateDescription.updatedFields?.changedAt === undefined) continue;
        if (!("fullDocument" in change) || !change.fullDocument) continue;
        yield callOf(change.fullDocument as unknown as CallDocument);
      }
    } catch (error) {
      if (signal.aborted) break;
      if (isWithoutStreams(error)) return "not-available";
      // What happened meanwhile is read on from the token; if the server has forgotten it, it is skipped.
      if (isForgotten(error)) token = undefined;
      await sleep(PAUSE_MS, undefined, { signal });
    } finally {
      signal.removeEventListener("abort", stop);
      await stream.close().catch(() => undefined);
    }
  }
  return "ended";
}

async function* pollChanges(model: Model<CallDocument>, since: Date, signal: AbortSignal): AsyncGenerator<Call, void> {
  let from = since;
  let told = new Map<string, string>();
  while (!signal.aborted) {
    await sleep(PAUSE_MS, undefined, { signal });
    const found = await model
      .find({ changedAt: { $gte: from } }, LISTED)
      .sort({ changedAt: 1 })
      .limit(BATCH)
      .lean<CallDocument[]>();
    const seen = new Map<string, string>();
    for (const doc of found) {
      seen.set(doc._id, doc.rev);
      if (told.get(doc._id) !== doc.rev) yield callOf(doc);
    }
    told = seen;
    const last = found.at(-1)?.changedAt;
    if (last !== undefined) from = found.length === BATCH ? last : new Date(Math.min(last.getTime(), Date.now() - SLACK_MS));
  }
}

/** $changeStream needs a replica set (40573), or is not known at all (59, 40324). */
function isWithoutStreams(error: unknown): boolean {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return code === 40573 || code === 59 || code === 40324;
}

/** The oplog goes back less far than the token. */
function isForgotten(error: unknown): boolean {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return code === 286 || code === 280 || code === 260;
}
