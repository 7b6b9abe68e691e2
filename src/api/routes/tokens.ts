import Type from "typebox";
import { isId } from "../../models/ids.ts";
import { CallsiftError } from "../../pipeline/errors.ts";
import { recordAudit } from "../audit.ts";
import { EVERYONE } from "../auth/access.ts";
import { callerOf } from "../auth/caller.ts";
import { covers } from "../auth/rights.ts";
import { hashSecret, newSecret } from "../auth/secret.ts";
import { notFound } from "../problem.ts";
import { IdParams, NoContent, page, strict } from "../schemas/common.ts";
import { NewToken, Token } from "../schemas/people.ts";
import type { ApiRoutes } from "../server.ts";
import { invalidAt } from "../validate.ts";

/** Far more than anybody keeps track of. */
const MAX_TOKENS = 100;

/** Tokens of programs: each person's own. */
export const tokenRoutes: ApiRoutes = (app, { models }) => {
  const access = { roles: EVERYONE };
  app.post(
    "/api/tokens",
    {
      config: { access },
      schema: {
        summary: "Make a token; it is shown once",
        tags: ["people"],
        body: NewToken,
        response: { 201: Type.Object({ ...Token.properties, token: Type.String({ description: "Authorization: Bearer …" }) }) },
      },
    },
    async (request, reply) => {
      const { user, role: own, by } = callerOf(request);
      // Else a token that leaked could outlive its own end.
      if (by === "token") throw new CallsiftError("auth/forbidden", "expected a sign-in with a password: a token makes no tokens");
      const { name, role = own, expiresAt = null } = request.body;
      if (!covers(own, role)) throw new CallsiftError("auth/forbidden", `expected a role with no more rights than ${own}, got ${role}`);
      const expires = expiresAt === null ? null : new Date(expiresAt);
      if (expires && !(expires.getTime() > Date.now())) throw invalidAt("body/expiresAt", "expected a time to come");
      if ((await models.tokens.list(user.id)).length >= MAX_TOKENS)
        throw new CallsiftError("request/conflict", `expected at most ${MAX_TOKENS} tokens of one person; remove some first`);
      const secret = newSecret("callsift_");
      const token = await models.tokens.add({ name, userId: user.id, role, expiresAt: expires }, hashSecret(secret));
      await recordAudit(models, request, "token-added", token.id, { role });
      return await reply
        .status(201)
        .header("cache-control", "no-store")
        .send({ ...token, token: secret });
    },
  );
  app.get(
    "/api/tokens",
    { config: { access }, schema: { summary: "One's own tokens", tags: ["people"], response: { 200: page(Token) } } },
    async (request) => ({ items: [...(await models.tokens.list(callerOf(request).user.id))], nextCursor: null }),
  );
  app.delete(
    "/api/tokens/:id",
    {
      config: { access },
      schema: { summary: "Revoke a token", tags: ["people"], params: IdParams, querystring: strict({}), response: { 204: NoContent } },
    },
    async (request, reply) => {
      const { id } = request.params;
      if (!isId(id) || !(await models.tokens.remove(id, callerOf(request).user.id))) throw notFound("no such token");
      app.identify.forget();
      await recordAudit(models, request, "token-removed", id);
      return await reply.status(204).send(null);
    },
  );
};
