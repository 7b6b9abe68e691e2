import type { Connection } from "mongoose";
import type { ErrorCode } from "../pipeline/errors.ts";
import type { CallMetadata, Layout, Severity, Triage } from "../pipeline/types.ts";
import { callArrivals } from "./calls-arrivals.ts";
import { callChanges } from "./calls-changes.ts";
import { callClaims } from "./calls-claims.ts";
import { callModel } from "./calls-document.ts";
import { callLists } from "./calls-list.ts";
import { callRemovals } from "./calls-removals.ts";
import { tombstoneModel } from "./calls-tombstones.ts";
import { callWork } from "./calls-work.ts";
import type { Page, PageOptions } from "./page.ts";

export type CallStatus = "queued" | "listening" | "scored" | "failed";
export type ReviewState = "open" | "claimed" | "done";

/** How soon: people who wait for a result go before back-loads. */
export const LANES = { upload: 1, folder: 5, bulk: 10 } as const;
export type Lane = keyof typeof LANES;

/** What lists show of a screening, and filter and sort by. */
export interface CallSummary {
  readonly score: number;
  readonly max: number;
  readonly band: string;
  readonly fatal: boolean;
  readonly complete: boolean;
  readonly queue: Triage["queue"];
  readonly priority: number;
  readonly reasons: readonly string[];
  /** Ids of the rules that found something, each once; their severities likewise. */
  readonly rules: readonly string[];
  readonly severities: readonly Severity[];
  readonly findings: number;
  readonly durationMs: number;
  readonly layout: Layout;
}

/** Where a call is in the hands of people. */
export interface CallReview {
  readonly state: ReviewState;
  /** Who has claimed it, or has done it. */
  readonly by: string | null;
  /** End of the claim. */
  readonly until: Date | null;
  /** Of the latest saved review; 0 before the first. */
  readonly version: number;
  /** Derived by the scorer from screening and submitted review; null before. */
  readonly score: number | null;
}

/** One call as the database knows it: never its words. */
export interface Call {
  readonly id: string;
  /** Customers of one installation that may not see each other's calls. */
  readonly tenant: string;
  /** Of the recording. */
  readonly sha256: string;
  /** The recording's file name as it came. */
  readonly name: string;
  readonly bytes: number;
  readonly lane: Lane;
  readonly status: CallStatus;
  readonly error: { readonly code: ErrorCode; readonly message: string } | null;
  readonly metadata: CallMetadata;
  readonly receivedAt: Date;
  /** Of the metadata, else when it was received. */
  readonly startedAt: Date;
  /** How often a worker began on it. */
  readonly attempts: number;
  /** How often a worker vanished while it had it. */
  readonly crashes: number;
  /** Recipe of the stored transcript that counts; null until it is heard. */
  readonly recipe: string | null;
  /** Policy of the screening that counts; null until it is scored. */
  readonly policy: string | null;
  readonly summary: CallSummary | null;
  readonly review: CallReview | null;
  /** Drawn at random to be looked at, whatever was found. */
  readonly sampled: boolean;
  /** A tombstone: only id, tenant, dates and status are left. */
  readonly deletedAt: Date | null;
  readonly changedAt: Date;
}

export interface NewCall {
  /** Made by newCallId() before the bytes are stored. */
  readonly id: string;
  readonly tenant: string;
  readonly sha256: string;
  readonly name: string;
  readonly bytes: number;
  /** Key of the bytes in RecordingFiles; for two files of one call, both. */
  readonly recording: StoredRecording;
  /** A transcript that came with the call, used instead of recognition: text of any format of contracts.md §3 with its file name. */
  readonly givenTranscript: { readonly name: string; readonly text: string } | null;
  readonly lane: Lane;
  readonly metadata: CallMetadata;
}

export type StoredRecording = { readonly key: string } | { readonly agentKey: string; readonly customerKey: string };

/** The calls that somebody may see. */
export interface CallScope {
  readonly tenant: string;
  /** Only calls of this team or agent. */
  readonly team?: string;
  readonly agentId?: string;
  /** Only calls whose review is done. */
  readonly reviewedOnly?: true;
}

export interface CallFilter {
  readonly status?: CallStatus;
  readonly queue?: Triage["queue"];
  readonly review?: ReviewState;
  readonly agentId?: string;
  readonly team?: string;
  readonly rule?: string;
  readonly severity?: Severity;
  /** By startedAt, half-open. */
  readonly from?: Date;
  readonly to?: Date;
  /** By the final score where there is one, else the machine's; both ends included. */
  readonly minScore?: number;
  readonly maxScore?: number;
}

export const CALL_SORTS = ["-priority", "-startedAt", "score"] as const;
export type CallSort = (typeof CALL_SORTS)[number];

/** What is left to do for a call. */
export type Stage = "listen" | "score";

/** Work that nobody has finished. */
export interface Unfinished {
  readonly id: string;
  readonly tenant: string;
  readonly lane: Lane;
  readonly stage: Stage;
  readonly attempts?: number;
  readonly crashes?: number;
}

/** A screening that is stored, as the call is told of it. */
export interface ScoredCall {
  readonly id: string;
  readonly recipe: string;
  readonly policy: string;
  readonly summary: CallSummary;
  /** Unflagged, and drawn by lot to be looked at (`isSampled`); as it was before where it isn't given. */
  readonly sampled?: boolean;
}

export interface CallStore {
  /**
   * Makes a call durable (majority, journal); the same bytes again answer with the first call. Decided by the unique index of tenant and hash, a deleted call's hash is free again.
   */
  accept(call: NewCall): Promise<{ readonly call: Call; readonly duplicate: boolean }>;
  /** null where there is none in this scope; deleted calls are none. */
  get(id: string, scope?: CallScope): Promise<Call | null>;
  /** Key of the bytes and the transcript that came with it. */
  source(id: string): Promise<Pick<NewCall, "recording" | "givenTranscript"> | null>;
  list(scope: CallScope, filter: CallFilter, options: PageOptions & { readonly sort: CallSort }): Promise<Page<Call>>;
  /** All calls of a list, in order, for exports. */
  all(scope: CallScope, filter: CallFilter, sort: CallSort): AsyncIterable<Call>;
  /** Open calls by priority, sampled ones among them, deducting and fatal ones first; claims that have run out are open. */
  queue(scope: CallScope, options: PageOptions): Promise<Page<Call>>;

  /**
   * A worker takes the call for `leaseMs`: `listening`, one attempt more unless it was heard before (scoring goes on with the same attempt); one crash more where the
   * worker before let its lease run out. null where it is finished, failed, deleted or another worker has it.
   */
  begin(id: string, worker: string, leaseMs: number): Promise<Call | null>;
  /** false where the worker has lost it; true even if its lease has just run out, as long as nobody else has begun. */
  renew(id: string, worker: string, leaseMs: number): Promise<boolean>;
  /** Hands it back undone, e.g. at shutdown: `queued` again, the attempt not counted unless `counted`. */
  release(id: string, worker: string, options?: { readonly counted?: boolean }): Promise<void>;
  /** The transcript of this recipe is stored; ends the lease, so that anybody may score it. */
  heard(id: string, recipe: string): Promise<void>;
  /** The screening of (recipe, policy) is stored and is what counts from now on. A submitted review stays with the screening that it was made of. */
  scored(id: string, screening: Omit<ScoredCall, "id">): Promise<void>;
  /** The same for many calls at once. */
  scoredMany(list: readonly ScoredCall[]): Promise<void>;
  /** Ends the lease; a call that is scored or deleted stays so. */
  failed(id: string, error: NonNullable<Call["error"]>): Promise<void>;
  /** A failed call again; false where it isn't failed. */
  retry(id: string): Promise<boolean>;
  /** Calls without a result that nobody has a live lease on, oldest first, those after the id `after`. `abandoned`: only those that a worker let go of without a word. */
  unfinished(options: { readonly limit: number; readonly after?: string; readonly abandoned?: boolean }): Promise<readonly Unfinished[]>;

  /** Claims for a person; `claimed` false: somebody else has it, or it is done. A claim of one's own is renewed. */
  claim(id: string, user: string, leaseMs: number): Promise<{ readonly claimed: boolean; readonly call: Call } | null>;
  /** Claims the best open call; null: there is none. Safe for any number of people at once. */
  claimNext(scope: CallScope, user: string, leaseMs: number): Promise<Call | null>;
  unclaim(id: string, user: string): Promise<boolean>;
  /** Written by the review store together with a review: from the version before to the next. */
  reviewed(id: string, review: CallReview): Promise<void>;

  /** Content gone; a tombstone stays for the ledger. */
  bury(id: string): Promise<Call | null>;
  /** Calls of one customer (metadata.customerNumber), or older than a day by outcome, for retention. */
  find(
    scope: CallScope,
    what: { readonly customerNumber?: string; readonly receivedBefore?: Date; readonly queue?: Triage["queue"] },
  ): AsyncIterable<Call>;
  counts(): Promise<Readonly<Record<CallStatus, number>> & { readonly reviewBacklog: number; readonly oldestQueuedAt: Date | null }>;
  /** Status and queue changes made by any process, until aborted; may repeat or skip what happened while the stream was down. */
  changes(signal: AbortSignal): AsyncIterable<Call>;
}

/** The calls of all tenants. */
export function createCallStore(connection: Connection): CallStore {
  // Known from the start, so that its indexes are made with all others.
  tombstoneModel(connection);
  const model = callModel(connection);
  return {
    ...callArrivals(connection),
    ...callLists(model),
    ...callWork(model),
    ...callClaims(model),
    ...callRemovals(connection),
    ...callChanges(model),
  };
}
