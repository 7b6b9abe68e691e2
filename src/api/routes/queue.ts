import { recordAudit } from "../audit.ts";
import { REVIEWERS } from "../auth/access.ts";
import { callerOf } from "../auth/caller.ts";
import { callDetail } from "../calls/detail.ts";
import { CLAIM_MS } from "../reviews/claims.ts";
import { CallDetail, CallItem, callItem } from "../schemas/calls.ts";
import { NoContent, PageQuery, page, strict } from "../schemas/common.ts";
import type { ApiRoutes } from "../server.ts";
import { writtenOnce } from "../written-once.ts";

/** Why an unflagged call is in the queue. */
const DRAWN = "random-sample";

/** What a person should look at next. */
export const queueRoutes: ApiRoutes = (app, { models }) => {
  app.get(
    "/api/queue",
    {
      config: { access: { roles: REVIEWERS } },
      serializerCompiler: writtenOnce(app),
      schema: {
        summary: "Open calls, those first that need a person most",
        tags: ["review"],
        querystring: strict(PageQuery),
        response: { 200: page(CallItem) },
      },
    },
    async (request) => {
      const { limit = 50, cursor } = request.query;
      const { scope, user } = callerOf(request);
      const found = await models.calls.queue(scope, { limit, owner: user.id, ...(cursor !== undefined && { cursor }) });
      const items = found.items.map((call) => {
        const item = callItem(call);
        return call.sampled && item.queue !== "review" ? { ...item, reasons: [...item.reasons, DRAWN] } : item;
      });
      return { items, nextCursor: found.nextCursor };
    },
  );

  app.post(
    "/api/queue/next",
    {
      config: { access: { roles: REVIEWERS } },
      schema: {
        summary: "Claim the best open call; 204 where there is none",
        tags: ["review"],
        response: { 200: CallDetail, 204: NoContent },
      },
    },
    async (request, reply) => {
      const { scope, user } = callerOf(request);
      const call = await models.calls.claimNext(scope, user.id, CLAIM_MS);
      if (!call) return await reply.status(204).send(null);
      request.call = call;
      const detail = await callDetail(call, models);
      await recordAudit(models, request, "call-claimed", call.id);
      await recordAudit(models, request, "call-seen", call.id);
      return await reply.send(detail);
    },
  );
};
