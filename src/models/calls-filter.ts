import type { QueryFilter } from "mongoose";
import type { CallFilter, CallScope } from "./calls.ts";
import { type CallDocument, NO_SCORE } from "./calls-document.ts";

type Conditions = QueryFilter<CallDocument>[];

/** What a call must be to be in a list. Values are compared as they are: an object is never an operator. */
export function callConditions(scope: CallScope, filter: CallFilter, now: Date): Conditions {
  const { from, to, minScore, maxScore } = filter;
  const all: Conditions = [{ tenant: { $eq: scope.tenant } }, { deletedAt: null }];
  const equal = (path: string, value: unknown) => {
    if (value !== undefined) all.push({ [path]: { $eq: value } });
  };
  equal("metadata.team", scope.team);
  equal("metadata.agentId", scope.agentId);
  equal("metadata.team", filter.team);
  equal("metadata.agentId", filter.agentId);
  equal("status", filter.status);
  equal("summary.queue", filter.queue);
  equal("summary.rules", filter.rule);
  equal("summary.severities", filter.severity);
  if (scope.reviewedOnly) equal("review.state", "done");
  if (filter.review !== undefined) all.push(...reviewConditions(filter.review, now));
  if (from !== undefined) all.push({ startedAt: { $gte: from } });
  if (to !== undefined) all.push({ startedAt: { $lt: to } });
  if (minScore !== undefined) all.push({ score: { $gte: minScore } });
  if (maxScore !== undefined) all.push({ score: { $lte: maxScore } });
  if (minScore !== undefined || maxScore !== undefined) all.push({ score: { $lt: NO_SCORE } });
  return all;
}

function reviewConditions(review: NonNullable<CallFilter["review"]>, now: Date): Conditions {
  if (review === "done") return [{ "review.state": "done" }];
  if (review === "claimed") return [{ claimUntil: { $gt: now } }, { "review.state": "claimed" }];
  // A claim that has run out is open, where somebody wants the call to be looked at.
  return [{ claimUntil: { $lte: now } }, { wanted: true }, { "review.state": { $in: ["open", "claimed"] } }];
}

/**
 * The facets that all calls of a list have, those first that few calls have: the list is read along the index of the first, in its order, and only what lies
 * there is looked at.
 */
export function leadingFacets(scope: CallScope, filter: CallFilter): readonly string[] {
  const { status, queue, review, rule, severity } = filter;
  const of = (kind: string, value: string | undefined): string[] => (value === undefined ? [] : [`${kind}:${value}`]);
  return [
    ...of("agent", scope.agentId),
    ...of("agent", filter.agentId),
    ...(status === "scored" ? [] : of("status", status)),
    ...(queue === "unusable" ? of("queue", queue) : []),
    ...(severity === "fatal" ? of("severity", severity) : []),
    ...of("rule", rule),
    ...(scope.reviewedOnly || review === "done" ? ["review:done"] : []),
    ...(review === "open" || review === "claimed" ? ["review:pending"] : []),
    ...of("team", scope.team),
    ...of("team", filter.team),
    ...of("severity", severity),
    ...of("queue", queue),
    ...of("status", status),
    "*",
  ];
}
