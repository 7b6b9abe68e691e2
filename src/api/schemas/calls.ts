import Type, { type Static } from "typebox";
import { CALL_SORTS, type Call, type CallFilter } from "../../models/calls.ts";
import type { Review as SavedReview } from "../../models/reviews.ts";
import { ERRORS } from "../../pipeline/errors.ts";
import { readTime } from "../time.ts";
import { invalidAt } from "../validate.ts";
import { Instant, oneOf, orNull, PageQuery, RequestTime } from "./common.ts";
import { Layout, Metadata, Score, Screening, Severity, TriageQueue } from "./screening.ts";

export const CallStatus = oneOf(["queued", "listening", "scored", "failed"]);
export const ReviewState = oneOf(["open", "claimed", "done"]);

const CallError = Type.Object({ code: oneOf(Object.keys(ERRORS) as (keyof typeof ERRORS)[]), message: Type.String() });

const Summary = Type.Object({
  score: Type.Number(),
  max: Type.Number(),
  band: Type.String(),
  fatal: Type.Boolean(),
  complete: Type.Boolean(),
  queue: TriageQueue,
  priority: Type.Number(),
  reasons: Type.Array(Type.String()),
  rules: Type.Array(Type.String()),
  severities: Type.Array(Severity),
  findings: Type.Integer(),
  durationMs: Type.Integer(),
  layout: Layout,
});

const ReviewProgress = Type.Object({
  state: ReviewState,
  by: orNull(Type.String({ description: "Id of who has claimed it, or has done it" })),
  until: orNull(Instant),
  version: Type.Integer(),
  score: orNull(Type.Number()),
});

/** A call in a list: never its words. */
export const CallItem = Type.Object({
  id: Type.String(),
  status: CallStatus,
  error: orNull(CallError),
  name: Type.String(),
  metadata: Metadata,
  receivedAt: Instant,
  startedAt: Instant,
  attempts: Type.Integer(),
  score: orNull(Type.Number({ description: "The final score where there is one, else the machine's: what lists filter and sort by" })),
  queue: orNull(TriageQueue),
  priority: orNull(Type.Number()),
  reasons: Type.Array(Type.String()),
  summary: orNull(Summary),
  review: orNull(ReviewProgress),
  sampled: Type.Boolean({ description: "Drawn at random to be looked at, whatever was found" }),
});
export type CallItem = Static<typeof CallItem>;

/** A call as lists show it. */
export function callItem(call: Call): CallItem {
  const item = items.get(call) ?? makeItem(call);
  items.set(call, item);
  return item;
}

/** The same item for the same call, so that its JSON can be kept with it. */
const items = new WeakMap<Call, CallItem>();

function makeItem({ id, status, error, name, metadata, receivedAt, startedAt, attempts, summary, review, sampled }: Call): CallItem {
  return {
    id,
    status,
    error,
    name,
    metadata,
    receivedAt,
    startedAt,
    attempts,
    score: review?.score ?? summary?.score ?? null,
    queue: summary?.queue ?? null,
    priority: summary?.priority ?? null,
    reasons: [...(summary?.reasons ?? [])],
    summary: summary && { ...summary, reasons: [...summary.reasons], rules: [...summary.rules], severities: [...summary.severities] },
    review,
    sampled,
  };
}

/** The filters of every list of calls, as fields of the query. */
export const CallFilterQuery = {
  status: Type.Optional(CallStatus),
  queue: Type.Optional(TriageQueue),
  review: Type.Optional(ReviewState),
  agentId: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  team: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  rule: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  severity: Type.Optional(Severity),
  from: Type.Optional(RequestTime),
  to: Type.Optional(RequestTime),
  minScore: Type.Optional(Type.Number()),
  maxScore: Type.Optional(Type.Number()),
};

export const CallListQuery = {
  ...CallFilterQuery,
  ...PageQuery,
  sort: Type.Optional(oneOf(CALL_SORTS, { description: "Default -startedAt" })),
};

type FilterQuery = Static<Type.TObject<typeof CallFilterQuery>>;

/**
 * The filter that a query asks for; other fields of the query are left alone.
 *
 * @throws CallsiftError `request/invalid` for a time that does not exist
 */
export function readFilter(query: FilterQuery, timeZone: string): CallFilter {
  const { status, queue, review, agentId, team, rule, severity, minScore, maxScore } = query;
  const from = readTime(query.from, "query/from", timeZone);
  const to = readTime(query.to, "query/to", timeZone);
  if (from && to && from > to) throw invalidAt("query/to", "expected a time after from");
  return {
    ...(status !== undefined && { status }),
    ...(queue !== undefined && { queue }),
    ...(review !== undefined && { review }),
    ...(agentId !== undefined && { agentId }),
    ...(team !== undefined && { team }),
    ...(rule !== undefined && { rule }),
    ...(severity !== undefined && { severity }),
    ...(from && { from }),
    ...(to && { to }),
    ...(minScore !== undefined && { minScore }),
    ...(maxScore !== undefined && { maxScore }),
  };
}

/** What a person has said so far: where the call is in their hands, and the latest saved version with it. */
export const Review = Type.Object({
  ...ReviewProgress.properties,
  status: orNull(oneOf(["draft", "submitted"])),
  at: orNull(Instant),
  findings: Type.Array(
    Type.Object({ id: Type.String(), decision: oneOf(["confirmed", "rejected", "unsure"]), note: Type.Optional(Type.String()) }),
  ),
  items: Type.Array(Type.Object({ item: Type.String(), points: Type.Number(), reason: Type.String() })),
  added: Type.Array(
    Type.Object({ rule: Type.String(), startMs: Type.Integer(), endMs: Type.Integer(), note: Type.Optional(Type.String()) }),
  ),
});
export type Review = Static<typeof Review>;

/** A call's review as it leaves; null while there is nothing to review. */
export function reviewOf({ review }: Pick<Call, "review">, saved: SavedReview | null): Review | null {
  if (!review) return null;
  return {
    ...review,
    status: saved?.status ?? null,
    at: saved?.at ?? null,
    findings: saved ? [...saved.findings] : [],
    items: saved ? [...saved.items] : [],
    added: saved ? [...saved.added] : [],
  };
}

/** A call whole (contracts.md §6). */
export const CallDetail = Type.Object({
  id: Type.String(),
  status: CallStatus,
  error: orNull(CallError),
  name: Type.String(),
  metadata: Metadata,
  receivedAt: Instant,
  startedAt: Instant,
  screening: orNull(Screening),
  review: orNull(Review),
  finalScore: orNull(Score),
  attempts: Type.Integer(),
  sampled: Type.Boolean(),
});

export const Accepted = Type.Object({
  id: Type.String(),
  status: CallStatus,
  duplicate: Type.Boolean(),
});
