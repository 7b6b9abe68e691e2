import { isId } from "../../models/ids.ts";
import type { User as Person } from "../../models/people.ts";
import { CallsiftError } from "../../pipeline/errors.ts";
import { recordAudit } from "../audit.ts";
import { ADMINS } from "../auth/access.ts";
import { callerOf } from "../auth/caller.ts";
import { hashPassword } from "../auth/password.ts";
import { notFound } from "../problem.ts";
import { IdParams, PageQuery, page, strict } from "../schemas/common.ts";
import { NewUser, User, UserChange } from "../schemas/people.ts";
import type { ApiRoutes } from "../server.ts";
import { invalidAt } from "../validate.ts";

/** Who may sign in, and as what. */
export const userRoutes: ApiRoutes = (app, { models }) => {
  const access = { roles: ADMINS };
  app.get(
    "/api/users",
    { config: { access }, schema: { summary: "Users", tags: ["people"], querystring: strict(PageQuery), response: { 200: page(User) } } },
    async (request) => {
      const { limit = 50, cursor } = request.query;
      const { id: owner, tenant } = callerOf(request).user;
      const { items, nextCursor } = await models.users.list(tenant, { limit, owner, ...(cursor !== undefined && { cursor }) });
      return { items: [...items], nextCursor };
    },
  );
  app.post(
    "/api/users",
    { config: { access }, schema: { summary: "Add a user", tags: ["people"], body: NewUser, response: { 201: User } } },
    async (request, reply) => {
      const { username, password, role, name = username, team = null, agentId = null } = request.body;
      checkScope({ role, team, agentId });
      const { tenant } = callerOf(request).user;
      const user = await models.users.add({ tenant, username, name, role, team, agentId, passwordHash: await hashPassword(password) });
      if (!user)
        throw new CallsiftError("request/conflict", `body/username: expected a name that is free, got ${JSON.stringify(username)}`);
      await recordAudit(models, request, "user-added", user.id, { role });
      return await reply.status(201).send(user);
    },
  );
  app.patch(
    "/api/users/:id",
    {
      config: { access },
      schema: {
        summary: "Change a user; ends their sessions where rights or the password change",
        tags: ["people"],
        params: IdParams,
        body: UserChange,
        response: { 200: User },
      },
    },
    async (request) => {
      const { id } = request.params;
      const { user: self } = callerOf(request);
      const before = isId(id) ? await models.users.get(id) : null;
      if (!before || before.tenant !== self.tenant) throw notFound("no such user");
      const { password, ...change } = request.body;
      if (id === self.id && (change.disabled === true || (change.role !== undefined && change.role !== self.role)))
        throw new CallsiftError(
          "request/conflict",
          "expected another user: nobody takes their own rights away, so that an administrator is left",
        );
      checkScope({ ...before, ...change });
      const after = await models.users.change(id, {
        ...change,
        ...(password !== undefined && { passwordHash: await hashPassword(password) }),
      });
      if (!after) throw notFound("no such user");
      app.identify.forget();
      await recordAudit(models, request, "user-changed", id, { fields: Object.keys(request.body).sort().join(" ") });
      return after;
    },
  );
};

/** A leader without a team, or an agent without an id, would see nothing. */
function checkScope({ role, team, agentId }: Pick<Person, "role" | "team" | "agentId">): void {
  if (role === "leader" && !team) throw invalidAt("body/team", "expected the team of a leader, got none");
  if (role === "agent" && !agentId) throw invalidAt("body/agentId", "expected the id of an agent, got none");
}
