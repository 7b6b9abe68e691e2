import Type from "typebox";
import { ADMINS } from "../auth/access.ts";
import { callerOf } from "../auth/caller.ts";
import { Instant, orNull, PageQuery, page, RequestTime, strict } from "../schemas/common.ts";
import type { ApiRoutes } from "../server.ts";
import { readTime } from "../time.ts";

const Text = Type.Optional(Type.String({ minLength: 1, maxLength: 64 }));

const Entry = Type.Object({
  id: Type.String(),
  at: Instant,
  by: Type.String({ description: "Id of a user, or system" }),
  username: Type.String(),
  what: Type.String({ description: "What was done, e.g. call-seen" }),
  object: orNull(Type.String()),
  from: orNull(Type.String({ description: "Address of the client" })),
  details: Type.Unsafe<Readonly<Record<string, unknown>>>({ type: "object", additionalProperties: true }),
});

/** Who saw, heard, exported or changed what. */
export const auditRoutes: ApiRoutes = (app, { models, config }) => {
  app.get(
    "/api/audit",
    {
      config: { access: { roles: ADMINS } },
      schema: {
        summary: "Who saw, heard, exported or changed what, newest first",
        tags: ["service"],
        querystring: strict({
          ...PageQuery,
          by: Text,
          what: Text,
          object: Text,
          from: Type.Optional(RequestTime),
          to: Type.Optional(RequestTime),
        }),
        response: { 200: page(Entry) },
      },
    },
    async (request) => {
      const { limit = 50, cursor, by, what, object, ...times } = request.query;
      const from = readTime(times.from, "query/from", config.timeZone);
      const to = readTime(times.to, "query/to", config.timeZone);
      const filter = {
        ...(by !== undefined && { by }),
        ...(what !== undefined && { what }),
        ...(object !== undefined && { object }),
        ...(from && { from }),
        ...(to && { to }),
      };
      const { id: owner, tenant } = callerOf(request).user;
      const found = await models.audit.list(tenant, filter, { limit, owner, ...(cursor !== undefined && { cursor }) });
      return { items: [...found.items], nextCursor: found.nextCursor };
    },
  );
};
