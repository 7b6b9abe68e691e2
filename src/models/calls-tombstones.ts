import { type Connection, type Model, Schema } from "mongoose";
import type { Call } from "./calls.ts";
import { type CallDocument, type CallFacts, callModel } from "./calls-document.ts";
import { DURABLE, isDuplicate, modelOf, STRICT } from "./model-of.ts";

/** What the ledger needs of a deleted call: that it was there, when, and what had become of it. */
export interface TombstoneDocument {
  /** The call's. */
  readonly _id: string;
  readonly v: 1;
  readonly tenant: string;
  readonly status: Call["status"];
  readonly callKey: string | null;
  readonly receivedAt: Date;
  readonly startedAt: Date;
  readonly deletedAt: Date;
}

const schema = new Schema<TombstoneDocument>(
  {
    _id: { type: String, required: true },
    v: Number,
    tenant: { type: String, required: true },
    status: String,
    callKey: String,
    receivedAt: Date,
    startedAt: Date,
    deletedAt: Date,
  },
  STRICT,
);
schema.index({ tenant: 1, startedAt: 1, callKey: 1 }, { name: "ledger" });
schema.index({ tenant: 1, callKey: 1 }, { name: "call-key" });

/** The model of the collection `tombstones`. */
export function tombstoneModel(connection: Connection): Model<TombstoneDocument> {
  return modelOf(connection, "tombstones", schema);
}

/** The call without content: from this change on it is deleted, for everybody. Its hash still stands, until the document itself is gone. */
export function buriedFacts(call: CallFacts, now: Date): CallFacts {
  const { _id, v, tenant, sha256, lane, status, callKey, receivedAt, startedAt, attempts, crashes } = call;
  const kept = { _id, v, tenant, sha256, lane, status, callKey, receivedAt, startedAt, attempts, crashes };
  const nothing = { name: "", bytes: 0, recording: null, error: null, metadata: {}, lease: null, recipe: null, policy: null };
  return { ...kept, ...nothing, summary: null, review: null, unsettled: null, sampled: false, deletedAt: now, changedAt: now };
}

/**
 * Puts the tombstone of a deleted call in its place and frees the hash of its recording. A document of its own, and the call's removed: secantusd-rs 0.5.3 goes on refusing a key that a
 * document of a unique index once had, unless the document itself is gone.
 */
export async function finishBurial(connection: Connection, call: CallDocument): Promise<void> {
  const { _id, tenant, status, callKey, receivedAt, startedAt, deletedAt } = call;
  if (deletedAt === null) return;
  const tombstone: TombstoneDocument = { _id, v: 1, tenant, status, callKey, receivedAt, startedAt, deletedAt };
  try {
    await tombstoneModel(connection).insertOne(tombstone);
  } catch (error) {
    if (!isDuplicate(error)) throw error;
  }
  await callModel(connection).deleteOne({ _id, state: "deleted" }, { writeConcern: DURABLE });
}

/** Finishes what processes that died began; how many there were. */
export async function finishBurials(connection: Connection): Promise<number> {
  const begun = await callModel(connection).find({ state: "deleted" }).lean<CallDocument[]>();
  for (const call of begun) await finishBurial(connection, call);
  return begun.length;
}
