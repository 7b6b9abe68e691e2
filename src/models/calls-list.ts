import type { Model, QueryFilter } from "mongoose";
import type { Call, CallFilter, CallScope, CallSort, CallStore } from "./calls.ts";
import { type CallDocument, callOf, NO_SCORE, scoreKey } from "./calls-document.ts";
import { ListEnds } from "./calls-ends.ts";
import { callConditions, leadingFacets } from "./calls-filter.ts";
import { type CallPlace, CallsSeen, readCalls } from "./calls-seen.ts";
import { makeCursor, readCursor } from "./cursor.ts";
import { Joined } from "./joined.ts";
import { BATCH, type Page, type PageOptions } from "./page.ts";

type Conditions = QueryFilter<CallDocument>[];
type SortKey = "byPriority" | "byStart" | "byScore" | "byRank";

/** Part of a list, by its sort key: from `gte` up to, not with, `lt`. */
export interface KeyRange {
  readonly gte?: string;
  readonly lt?: string;
}

/** A list along one index: every document has its own place (`key`), so a page goes on exactly behind the last. */
export interface ListPlan {
  readonly key: SortKey;
  readonly order: 1 | -1;
  /** What the index holds before the key. */
  readonly lead: { readonly tenant: string; readonly facets: string } | { readonly inbox: string; readonly tenant: string };
  readonly range: KeyRange;
  readonly conditions: Conditions;
}

const SORTS = {
  "-priority": { key: "byPriority", order: -1 },
  "-startedAt": { key: "byStart", order: -1 },
  score: { key: "byScore", order: 1 },
} as const satisfies Record<CallSort, Pick<ListPlan, "key" | "order">>;

/** Places of a whole list that are looked up at once. */
const PLACES = 20_000;
/** Read beyond a page, so that its end stays right while calls leave the list. */
const BEYOND = 100;

/** How a list is read. */
export function listPlan(scope: CallScope, filter: CallFilter, sort: CallSort, now: Date): ListPlan {
  const lead = { tenant: scope.tenant, facets: leadingFacets(scope, filter)[0] ?? "*" };
  return { ...SORTS[sort], lead, range: rangeOf(filter, sort), conditions: callConditions(scope, filter, now) };
}

/** How the queue is read: best first. */
export function queuePlan(scope: CallScope, now: Date): ListPlan {
  const inbox = scope.agentId !== undefined ? `agent:${scope.agentId}` : scope.team !== undefined ? `team:${scope.team}` : "*";
  const conditions: Conditions = [...callConditions(scope, {}, now), { claimUntil: { $lte: now } }];
  return { key: "byRank", order: 1, lead: { inbox, tenant: scope.tenant }, range: {}, conditions };
}

/**
 * The query of a part of a list. What the index holds stands alone in the first condition, all else below a second `$and`: the servers of the local database
 * choose an index by a condition as it stands.
 */
export function queryOf(plan: ListPlan, part: KeyRange = {}): QueryFilter<CallDocument> {
  return { $and: [indexedOf(plan, part), { $and: plan.conditions }] } as QueryFilter<CallDocument>;
}

/** What the index of a list finds by itself. */
function indexedOf({ lead, key, range }: ListPlan, part: KeyRange): Record<string, unknown> {
  const gte = [range.gte, part.gte].reduce((a, b) => (a === undefined || (b !== undefined && b > a) ? b : a));
  const lt = [range.lt, part.lt].reduce((a, b) => (a === undefined || (b !== undefined && b < a) ? b : a));
  const keys = { ...(gte !== undefined && { $gte: gte }), ...(lt !== undefined && { $lt: lt }) };
  return { ...lead, ...((gte ?? lt) !== undefined && { [key]: keys }) };
}

/** Calls by what they were read as. Nobody changes either: the same call is the same object, and what is made of it can be kept with it. */
const listed = new WeakMap<CallDocument, Call>();

function listedOf(doc: CallDocument, now: Date): Call {
  const call = listed.get(doc) ?? callOf(doc, now);
  // Whether a claim is one depends on the time.
  if (doc.review?.state !== "claimed") listed.set(doc, call);
  return call;
}

/** The lists of calls. */
export function callLists(model: Model<CallDocument>): Pick<CallStore, "list" | "all" | "queue"> {
  const ends = new ListEnds();
  const seen = new CallsSeen();
  const joined = new Joined<Rows>();
  const page = async (plan: ListPlan, list: object, { limit, cursor, owner }: PageOptions): Promise<Page<Call>> => {
    const bound = { ...list, owner: owner ?? null };
    const after = cursor === undefined ? undefined : String(readCursor(bound, cursor, ["string"])[0]);
    const part = { list, after, limit: limit + 1 };
    const { places, docs } = await joined.read(JSON.stringify(part), async () => {
      const places = await readPlaces(model, ends, plan, part);
      return { places, docs: await seen.read(model, places.slice(0, limit), plan.conditions) };
    });
    const last = places.length > limit ? places[limit - 1] : undefined;
    const now = new Date();
    return { items: docs.map((doc) => listedOf(doc, now)), nextCursor: last ? makeCursor(bound, [last[plan.key]]) : null };
  };

  return {
    list: async (scope, filter, options) =>
      await page(listPlan(scope, filter, options.sort, new Date()), { scope, filter, sort: options.sort }, options),
    queue: async (scope, options) => await page(queuePlan(scope, new Date()), { scope, queue: true }, options),
    async *all(scope, filter, sort) {
      const plan = listPlan(scope, filter, sort, new Date());
      // Many small queries, so that a database that is started again in between does not end the stream; places first, since finding them costs the servers of the
      // local database the same for one call and for all.
      for (let part: KeyRange = {}; ; ) {
        const places = await read(model, plan, part, PLACES);
        for (let at = 0; at < places.length; at += BATCH) {
          const ids = places.slice(at, at + BATCH).map(({ _id }) => _id);
          for (const doc of await readCalls(model, ids, plan.conditions)) yield callOf(doc);
        }
        const last = places.at(-1);
        if (last === undefined || places.length < PLACES) return;
        part = behind(plan, last[plan.key]);
      }
    },
  };
}

/** One page, and where its calls lie in the list. */
interface Rows {
  readonly places: readonly ListPlace[];
  readonly docs: readonly CallDocument[];
}

type ListPlace = CallPlace & Pick<CallDocument, SortKey>;

/** Where the first `limit` calls of a list behind `after` lie. */
export async function readPlaces(
  model: Model<CallDocument>,
  ends: ListEnds,
  plan: ListPlan,
  { list, after, limit }: { readonly list: object; readonly after?: string | undefined; readonly limit: number },
): Promise<readonly ListPlace[]> {
  const name = JSON.stringify([list, after, limit]);
  const part = after === undefined ? {} : behind(plan, after);
  const end = ends.get(name);
  if (end !== undefined) {
    // As a pipeline: secantusd-py finds an index for a stage, and none for a query with `$and`.
    const found = await model.aggregate<ListPlace>([
      { $match: indexedOf(plan, { ...part, ...upTo(plan, end) }) },
      { $match: { $and: plan.conditions } },
      { $sort: { [plan.key]: plan.order } },
      { $limit: limit },
      { $project: placeOf(plan) },
    ]);
    if (found.length === limit) return found;
  }
  const found = await read(model, plan, part, limit + BEYOND);
  const last = found.at(-1);
  if (last !== undefined && found.length > limit) ends.set(name, last[plan.key]);
  else ends.delete(name);
  return found.slice(0, limit);
}

// Keys end in ids of one length, so none begins with another, and "~" lies behind all that they are made of.

/** What comes after a key, in the order of the list. */
const behind = ({ order }: ListPlan, key: string): KeyRange => (order === 1 ? { gte: `${key}~` } : { lt: key });

/** What comes before a key, and the key. */
export const upTo = ({ order }: ListPlan, key: string): KeyRange => (order === 1 ? { lt: `${key}~` } : { gte: key });

function read(model: Model<CallDocument>, plan: ListPlan, part: KeyRange, limit: number): Promise<ListPlace[]> {
  return model
    .find(queryOf(plan, part), placeOf(plan))
    .sort({ [plan.key]: plan.order })
    .limit(limit)
    .lean<ListPlace[]>()
    .exec();
}

const placeOf = ({ key }: ListPlan) => ({ rev: 1, [key]: 1 }) as const;

/** Ranges of the filter as ranges of the sort key, where the list is sorted by them: what lies outside isn't looked at. */
function rangeOf({ from, to, minScore, maxScore }: CallFilter, sort: CallSort): KeyRange {
  if (sort === "-startedAt") return { ...(from && { gte: from.toISOString() }), ...(to && { lt: to.toISOString() }) };
  if (sort === "-priority" || (minScore === undefined && maxScore === undefined)) return {};
  return {
    ...(minScore !== undefined && { gte: scoreKey(minScore) }),
    lt: maxScore === undefined ? scoreKey(NO_SCORE) : scoreKey(maxScore, "~"),
  };
}
