import type { Static } from "typebox";
import { makeCursor, readCursor } from "../../models/cursor.ts";
import { recordAudit } from "../audit.ts";
import { CALL_VIEWERS, REVIEWERS } from "../auth/access.ts";
import { callerOf, callOf } from "../auth/caller.ts";
import { claim, heldError } from "../reviews/claims.ts";
import { createKeptPolicies } from "../reviews/kept-policies.ts";
import { reviewedKey } from "../reviews/reviewed-screening.ts";
import { saveReview } from "../reviews/save-review.ts";
import { tellReviewed } from "../reviews/tell-reviewed.ts";
import { reviewOf } from "../schemas/calls.ts";
import { IdParams, NoContent, PageQuery, page, strict } from "../schemas/common.ts";
import { Claim, CurrentReview, ReviewChange, ReviewSaved, ReviewVersion, reviewVersion } from "../schemas/review.ts";
import type { Score } from "../schemas/screening.ts";
import type { ApiRoutes } from "../server.ts";

const UNTOUCHED = { state: "open", by: null, until: null, version: 0, score: null } as const;

/** Claims and reviews: what people say of a call (contracts.md §6). */
export const reviewRoutes: ApiRoutes = (app, { models }) => {
  const policyOf = createKeptPolicies(models.policies);
  const tags = ["review"];

  app.post(
    "/api/calls/:id/claim",
    {
      config: { access: { roles: REVIEWERS, object: "call" } },
      schema: { summary: "Claim a call for 15 minutes, or renew the claim", tags, params: IdParams, response: { 200: Claim } },
    },
    async (request) => {
      const call = await claim(models, callOf(request), callerOf(request));
      await recordAudit(models, request, "call-claimed", call.id);
      return { id: call.id, ...UNTOUCHED, ...call.review };
    },
  );

  app.delete(
    "/api/calls/:id/claim",
    {
      config: { access: { roles: REVIEWERS, object: "call" } },
      schema: { summary: "Let go of a call", tags, params: IdParams, response: { 204: NoContent } },
    },
    async (request, reply) => {
      const call = callOf(request);
      const { user } = callerOf(request);
      if (call.review?.state === "claimed" && call.review.by !== user.id) throw await heldError(models, call);
      if (await models.calls.unclaim(call.id, user.id)) await recordAudit(models, request, "call-unclaimed", call.id);
      return await reply.status(204).send(null);
    },
  );

  app.put(
    "/api/calls/:id/review",
    {
      config: { access: { roles: REVIEWERS, object: "call" } },
      schema: {
        summary: "Save a review as the next version, or submit it",
        tags,
        params: IdParams,
        body: ReviewChange,
        response: { 200: ReviewSaved },
      },
    },
    async (request) => {
      const call = callOf(request);
      const { review, undecided } = await saveReview(models, policyOf, call, callerOf(request), request.body);
      const { version, status, score } = review;
      const isSubmitted = status === "submitted";
      if (isSubmitted) await tellReviewed(models, call, review);
      await recordAudit(models, request, isSubmitted ? "review-submitted" : "review-saved", call.id, { version, total: score.total });
      return { version, score: score as Static<typeof Score>, status, undecided: [...undecided] };
    },
  );

  app.get(
    "/api/calls/:id/review",
    {
      config: { access: { roles: CALL_VIEWERS, object: "call" } },
      schema: { summary: "The latest version of a review", tags, params: IdParams, response: { 200: CurrentReview } },
    },
    async (request) => {
      const call = callOf(request);
      const saved = await models.reviews.latest(call.id);
      await recordAudit(models, request, "review-seen", call.id);
      const shown = reviewOf({ review: call.review ?? UNTOUCHED }, saved);
      return {
        ...(shown as NonNullable<typeof shown>),
        screening: reviewedKey(call, saved),
        scored: (saved?.score ?? null) as Static<typeof Score> | null,
      };
    },
  );

  app.get(
    "/api/calls/:id/review/history",
    {
      config: { access: { roles: REVIEWERS, object: "call" } },
      schema: {
        summary: "All versions of a review, the newest first",
        tags,
        params: IdParams,
        querystring: strict({ ...PageQuery }),
        response: { 200: page(ReviewVersion) },
      },
    },
    async (request) => {
      const { id } = callOf(request);
      const { limit = 50, cursor } = request.query;
      const bound = ["review-history", id, callerOf(request).user.id];
      const before = cursor === undefined ? Number.POSITIVE_INFINITY : Number(readCursor(bound, cursor, ["number"])[0]);
      const older = (await models.reviews.history(id)).filter(({ version }) => version < before).sort((a, b) => b.version - a.version);
      await recordAudit(models, request, "review-seen", id, { history: true });
      const items = older.slice(0, limit);
      const last = items.at(-1);
      return {
        items: items.map(reviewVersion),
        nextCursor: older.length > limit && last ? makeCursor(bound, [last.version]) : null,
      };
    },
  );
};
