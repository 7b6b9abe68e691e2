import { recordAudit } from "../audit.ts";
import { CALL_VIEWERS } from "../auth/access.ts";
import { callerOf } from "../auth/caller.ts";
import { readFilter } from "../schemas/calls.ts";
import { SearchAnswer, SearchQuery } from "../schemas/search.ts";
import type { ApiRoutes } from "../server.ts";

/** Words of all calls within one's scope. */
export const searchRoutes: ApiRoutes = (app, { models, config }) => {
  app.get(
    "/api/search",
    {
      config: { access: { roles: CALL_VIEWERS } },
      schema: { summary: "Find words in calls", tags: ["search"], querystring: SearchQuery, response: { 200: SearchAnswer } },
    },
    async (request) => {
      const { q, sound = false, limit = 50, cursor } = request.query;
      const { scope, user } = callerOf(request);
      const filter = readFilter(request.query, config.timeZone);
      const found = await models.search.search(q, scope, filter, { sound, limit, owner: user.id, ...(cursor !== undefined && { cursor }) });
      // What is found shows words of calls: a look like any other.
      await recordAudit(models, request, "searched", null, { query: q, hits: found.items.length });
      return {
        items: found.items.map((hit) => ({ ...hit, marks: hit.marks.map(([start, end]) => [start, end]) })),
        total: found.total,
        nextCursor: found.nextCursor,
      };
    },
  );
};
