import { createHash } from "node:crypto";
import { type Connection, type Model, Schema } from "mongoose";
import type { Call, CallReview, CallSummary, NewCall, StoredRecording } from "./calls.ts";
import { modelOf, STRICT } from "./model-of.ts";
import type { Review } from "./reviews.ts";

/** What is known of a call: written by one change at a time, each of which sees the one before (`rev`). */
export interface CallFacts {
  readonly _id: string;
  /** Of the shape of this document, for migrations. */
  readonly v: 1;
  readonly tenant: string;
  readonly sha256: string;
  readonly name: string;
  readonly bytes: number;
  readonly recording: StoredRecording | null;
  readonly lane: Call["lane"];
  readonly status: Call["status"];
  readonly error: Call["error"];
  readonly metadata: Call["metadata"];
  /** Hash of the telephone system's call id: what a deleted call is still known by in the ledger; null where the call came without. */
  readonly callKey: string | null;
  readonly receivedAt: Date;
  readonly startedAt: Date;
  readonly attempts: number;
  readonly crashes: number;
  readonly lease: { readonly worker: string; readonly until: Date } | null;
  readonly recipe: string | null;
  readonly policy: string | null;
  readonly summary: CallSummary | null;
  readonly review: CallReview | null;
  /** A saved review that may not be in the reviews' own collection yet: it is put there before anybody reads or follows it. */
  readonly unsettled: Review | null;
  readonly sampled: boolean;
  readonly deletedAt: Date | null;
  readonly changedAt: Date;
}

/** What indexes are made of; a function of the facts, made anew at every change. */
export interface CallKeys {
  readonly state: Call["status"] | "deleted";
  /** Column of the coverage ledger. */
  readonly ledger: "screened" | "failed" | "pending" | "unusable" | "deleted";
  /** `*` and what lists filter by, e.g. `status:scored`, `team:A`; empty for calls that are being deleted. */
  readonly facets: readonly string[];
  /** Texts that sort as lists do, ending in the id, so that each is there once and a page goes on exactly behind the last. */
  readonly byPriority: string;
  readonly byStart: string;
  readonly byScore: string;
  readonly byRank: string;
  /** The final score, else the machine's, else NO_SCORE. */
  readonly score: number;
  /** Somebody should look at it: flagged, sampled, or a review was begun. */
  readonly wanted: boolean;
  /** `*`, team and agent of a call that waits for a person; absent in all others. */
  readonly inbox?: readonly string[];
  /** End of the claim, 1970 without one. */
  readonly claimUntil: Date;
  /** There while a worker has something to do. */
  readonly todo?: 1;
  /** End of the lease, 1970 without one. */
  readonly leaseUntil: Date;
}

export interface CallDocument extends CallFacts, CallKeys {
  /** Another at every change: who changes a call says which one has been seen. */
  readonly rev: string;
}

export const NO_SCORE = 1e12;
export const EPOCH = new Date(0);

const { Mixed } = Schema.Types;
const schema = new Schema<CallDocument>(
  {
    _id: { type: String, required: true },
    v: { type: Number, required: true },
    rev: { type: String, required: true },
    tenant: { type: String, required: true },
    sha256: { type: String, required: true },
    name: { type: String, default: "" },
    bytes: Number,
    recording: Mixed,
    lane: String,
    status: String,
    error: Mixed,
    metadata: Mixed,
    callKey: String,
    receivedAt: Date,
    startedAt: Date,
    attempts: Number,
    crashes: Number,
    lease: Mixed,
    recipe: String,
    policy: String,
    summary: Mixed,
    review: Mixed,
    unsettled: Mixed,
    sampled: Boolean,
    deletedAt: Date,
    changedAt: Date,
    state: String,
    ledger: String,
    facets: [String],
    byPriority: String,
    byStart: String,
    byScore: String,
    byRank: String,
    score: Number,
    wanted: Boolean,
    inbox: { type: [String], default: undefined },
    claimUntil: Date,
    todo: Number,
    leaseUntil: Date,
  },
  STRICT,
);

schema.index({ tenant: 1, sha256: 1 }, { name: "recording", unique: true });
// Ascending, whatever the order of the list: the servers of the local database find ranges of texts only in ascending indexes.
schema.index({ tenant: 1, facets: 1, byPriority: 1 }, { name: "by-priority" });
schema.index({ tenant: 1, facets: 1, byStart: 1 }, { name: "by-start" });
schema.index({ tenant: 1, facets: 1, byScore: 1 }, { name: "by-score" });
schema.index({ inbox: 1, tenant: 1, byRank: 1 }, { name: "inbox", partialFilterExpression: { inbox: { $exists: true } } });
schema.index({ todo: 1, _id: 1 }, { name: "todo", partialFilterExpression: { todo: { $exists: true } } });
schema.index({ todo: 1, leaseUntil: 1 }, { name: "abandoned", partialFilterExpression: { todo: { $exists: true } } });
schema.index({ tenant: 1, startedAt: 1, ledger: 1, callKey: 1 }, { name: "ledger" });
schema.index({ tenant: 1, callKey: 1 }, { name: "call-key" });
schema.index({ tenant: 1, receivedAt: 1, _id: 1 }, { name: "received" });
schema.index({ tenant: 1, "metadata.customerNumber": 1, _id: 1 }, { name: "customer" });
schema.index({ state: 1, receivedAt: 1 }, { name: "state" });
schema.index({ changedAt: 1 }, { name: "changed" });

/** The model of the collection `calls`. */
export function callModel(connection: Connection): Model<CallDocument> {
  return modelOf(connection, "calls", schema);
}

/** A call that has just come. */
export function newFacts(call: NewCall, now: Date): CallFacts {
  const { id, tenant, sha256, name, bytes, recording, lane, metadata } = call;
  return {
    _id: id,
    v: 1,
    tenant,
    sha256,
    name,
    bytes,
    recording,
    lane,
    status: "queued",
    error: null,
    metadata,
    callKey: metadata.callId === undefined ? null : callKeyOf(metadata.callId),
    receivedAt: now,
    startedAt: startOf(metadata.startedAt) ?? now,
    attempts: 0,
    crashes: 0,
    lease: null,
    recipe: null,
    policy: null,
    summary: null,
    review: null,
    unsettled: null,
    sampled: false,
    deletedAt: null,
    changedAt: now,
  };
}

/** The facts with all that indexes need of them, as the change `rev`. */
export function documentOf(facts: CallFacts, rev: string): CallDocument {
  const { _id: id, summary, review, metadata, deletedAt, status } = facts;
  const score = deletedAt === null ? (review?.score ?? summary?.score ?? NO_SCORE) : NO_SCORE;
  const wanted = deletedAt === null && summary !== null && (facts.sampled || summary.queue === "review" || (review?.version ?? 0) > 0);
  const owners = [
    ...(metadata.team === undefined ? [] : [`team:${metadata.team}`]),
    ...(metadata.agentId === undefined ? [] : [`agent:${metadata.agentId}`]),
  ];
  const isWaiting = wanted && review !== null && review.state !== "done";
  const isTodo = deletedAt === null && (status === "queued" || status === "listening");
  return {
    ...facts,
    rev,
    state: deletedAt === null ? status : "deleted",
    ledger: ledgerOf(facts),
    facets: deletedAt === null ? ["*", ...owners, ...facetsOf(facts)] : [],
    byPriority: `${digits((summary?.priority ?? -1) + 1, 4)}:${id}`,
    byStart: `${facts.startedAt.toISOString()}:${id}`,
    byScore: scoreKey(score, id),
    byRank: `${digits(1000 - rankOf(facts), 4)}:${id}`,
    score,
    wanted,
    ...(isWaiting && { inbox: ["*", ...owners] }),
    claimUntil: review?.state === "claimed" && review.until ? review.until : EPOCH,
    ...(isTodo && { todo: 1 }),
    leaseUntil: facts.lease?.until ?? EPOCH,
  };
}

/** Where calls of this score lie in `byScore`, scores down to −100 million; without an id: before them all. */
export function scoreKey(score: number, id = ""): string {
  return score === NO_SCORE ? `~:${id}` : `${digits(score + 1e8, 10)}:${id}`;
}

/** What the telephone system's id of a call is matched by. */
export function callKeyOf(callId: string): string {
  return createHash("sha256").update(callId).digest("base64url").slice(0, 24);
}

/** 0–1, drawn from the id: the same whoever asks, and however often. */
export function lotOf(id: string): number {
  return createHash("sha256").update(`sample:${id}`).digest().readUInt32BE(0) / 2 ** 32;
}

/** Whether an unflagged call is among the `share` that people look at all the same. */
export function isSampled(id: string, share: number): boolean {
  return lotOf(id) < share;
}

/** The call as the stores give it. A claim that has run out is none. */
export function callOf(doc: CallDocument, now: Date = new Date()): Call {
  return {
    id: doc._id,
    tenant: doc.tenant,
    sha256: doc.deletedAt === null ? doc.sha256 : "",
    name: doc.name,
    bytes: doc.bytes,
    lane: doc.lane,
    status: doc.status,
    error: doc.error,
    metadata: doc.metadata,
    receivedAt: doc.receivedAt,
    startedAt: doc.startedAt,
    attempts: doc.attempts,
    crashes: doc.crashes,
    recipe: doc.recipe,
    policy: doc.policy,
    summary: doc.summary,
    review: reviewOf(doc, now),
    sampled: doc.sampled,
    deletedAt: doc.deletedAt,
    changedAt: doc.changedAt,
  };
}

/** Fields that `callOf` needs: everything but what only changes and indexes look at. */
export const LISTED = {
  ...{ facets: 0, inbox: 0, unsettled: 0, recording: 0, lease: 0, callKey: 0 },
  ...{ state: 0, ledger: 0, score: 0, claimUntil: 0, todo: 0, leaseUntil: 0 },
  ...{ byPriority: 0, byStart: 0, byScore: 0, byRank: 0 },
} as const;

function reviewOf({ review, wanted }: CallDocument, now: Date): CallReview | null {
  if (review?.state !== "claimed" || (review.until ?? EPOCH) > now) return review;
  return wanted ? { ...review, state: "open", by: null, until: null } : null;
}

function ledgerOf({ deletedAt, status, summary }: CallFacts): CallKeys["ledger"] {
  if (deletedAt !== null) return "deleted";
  if (status === "failed") return "failed";
  if (status !== "scored") return "pending";
  return summary?.queue === "unusable" ? "unusable" : "screened";
}

function facetsOf({ status, summary, review }: CallFacts): string[] {
  return [
    `status:${status}`,
    ...(summary === null ? [] : [`queue:${summary.queue}`]),
    ...(summary?.rules ?? []).map((rule) => `rule:${rule}`),
    ...(summary?.severities ?? []).map((severity) => `severity:${severity}`),
    ...(review === null ? [] : [review.state === "done" ? "review:done" : "review:pending"]),
  ];
}

/** Below every fatal call, whose priority is 80 or more (triage.ts). */
const SAMPLED_BELOW = 80;

/** Higher comes first. A sampled call has a place among the flagged ones drawn by lot: by its own priority it would come after them all, that is, never. */
function rankOf({ _id, summary, sampled }: CallFacts): number {
  if (summary === null) return 0;
  return sampled && summary.queue !== "review" ? Math.max(summary.priority, lotOf(`rank:${_id}`) * SAMPLED_BELOW) : summary.priority;
}

/** A number ≥ 0 as text that sorts as the number does. */
function digits(value: number, before: number): string {
  return Math.max(0, value)
    .toFixed(4)
    .padStart(before + 5, "0");
}

function startOf(text: string | undefined): Date | null {
  const at = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(at) ? null : new Date(at);
}
