import type { Model, QueryFilter } from "mongoose";
import type { Call, CallFilter, CallScope, CallSort, CallStore } from "./calls.ts";
import { CALL_INDEXES, type CallDocument, callOf, LISTED, NO_SCORE, scoreKey } from "./calls-document.ts";
import { callConditions, leadingFacets } from "./calls-filter.ts";
import { makeCursor, readCursor } from "./cursor.ts";
import { BATCH, type Page, type PageOptions } from "./page.ts";

type Conditions = QueryFilter<CallDocument>[];
type SortKey = "byPriority" | "byStart" | "byScore" | "byRank";

/** A list along one index: every document has its own place (`key`), so a page goes on exactly behind the last. */
export interface ListPlan {
  readonly key: SortKey;
  readonly order: 1 | -1;
  readonly index: string;
  readonly conditions: Conditions;
}

const SORTS = {
  "-priority": { key: "byPriority", order: -1, index: CALL_INDEXES.priority },
  "-startedAt": { key: "byStart", order: -1, index: CALL_INDEXES.start },
  score: { key: "byScore", order: 1, index: CALL_INDEXES.score },
} as const satisfies Record<CallSort, Pick<ListPlan, "key" | "order" | "index">>;

/** How a list is read. */
export function listPlan(scope: CallScope, filter: CallFilter, sort: CallSort, now: Date): ListPlan {
  const conditions = callConditions(scope, filter, now);
  conditions.push({ facets: { $eq: leadingFacets(scope, filter)[0] ?? "*" } }, ...keyRange(filter, sort));
  return { ...SORTS[sort], conditions };
}

/** How the queue is read: best first. */
export function queuePlan(scope: CallScope, now: Date): ListPlan {
  const own = scope.agentId !== undefined ? `agent:${scope.agentId}` : scope.team !== undefined ? `team:${scope.team}` : "*";
  const conditions: Conditions = [...callConditions(scope, {}, now), { inbox: { $eq: own } }, { claimUntil: { $lte: now } }];
  return { key: "byRank", order: 1, index: CALL_INDEXES.inbox, conditions };
}

/** The lists of calls. */
export function callLists(model: Model<CallDocument>): Pick<CallStore, "list" | "all" | "queue"> {
  return {
    list: async (scope, filter, options) =>
      await page(model, listPlan(scope, filter, options.sort, new Date()), { scope, filter, sort: options.sort }, options),
    queue: async (scope, options) => await page(model, queuePlan(scope, new Date()), { scope, queue: true }, options),
    async *all(scope, filter, sort) {
      const plan = listPlan(scope, filter, sort, new Date());
      // A query a batch, so that a database that is started again in between does not end the stream.
      for (let after: string | undefined; ; ) {
        const found = await read(model, plan, after, BATCH);
        for (const doc of found) yield callOf(doc);
        if (found.length < BATCH) return;
        after = found.at(-1)?.[plan.key];
      }
    },
  };
}

async function page(model: Model<CallDocument>, plan: ListPlan, list: object, { limit, cursor, owner }: PageOptions): Promise<Page<Call>> {
  const bound = { ...list, owner: owner ?? null };
  const after = cursor === undefined ? undefined : String(readCursor(bound, cursor, ["string"])[0]);
  const found = await read(model, plan, after, limit + 1);
  const items = found.slice(0, limit);
  const last = found.length > limit ? items.at(-1) : undefined;
  const now = new Date();
  return { items: items.map((doc) => callOf(doc, now)), nextCursor: last ? makeCursor(bound, [last[plan.key]]) : null };
}

function read(model: Model<CallDocument>, { key, order, index, conditions }: ListPlan, after: string | undefined, limit: number) {
  const behind: Conditions = after === undefined ? [] : [{ [key]: order === 1 ? { $gt: after } : { $lt: after } }];
  return model
    .find({ $and: [...conditions, ...behind] }, LISTED)
    .sort({ [key]: order })
    .hint(index)
    .limit(limit)
    .lean<CallDocument[]>();
}

/** Ranges of the filter as ranges of the sort key, where the list is sorted by them: what lies outside isn't looked at. */
function keyRange({ from, to, minScore, maxScore }: CallFilter, sort: CallSort): Conditions {
  const range: Conditions = [];
  if (sort === "-startedAt") {
    if (from !== undefined) range.push({ byStart: { $gte: from.toISOString() } });
    if (to !== undefined) range.push({ byStart: { $lt: to.toISOString() } });
  }
  if (sort === "score") {
    if (minScore !== undefined) range.push({ byScore: { $gte: scoreKey(minScore) } });
    // "~" lies behind every id.
    if (maxScore !== undefined) range.push({ byScore: { $lte: scoreKey(maxScore, "~") } });
    else if (minScore !== undefined) range.push({ byScore: { $lt: scoreKey(NO_SCORE) } });
  }
  return range;
}
