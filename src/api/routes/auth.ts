import Type from "typebox";
import { recordAudit } from "../audit.ts";
import { EVERYONE } from "../auth/access.ts";
import { callerOf } from "../auth/caller.ts";
import { SESSION_COOKIE } from "../auth/identify.ts";
import { createSignIn } from "../auth/sign-in.ts";
import { NoContent, strict } from "../schemas/common.ts";
import { SignedIn } from "../schemas/people.ts";
import type { ApiRoutes } from "../server.ts";

/** Signing in and out with a password, or by a link that works once. */
export const authRoutes: ApiRoutes = (app, deps) => {
  const signIn = createSignIn(deps);
  app.post(
    "/api/login",
    {
      config: { access: "public" },
      schema: {
        summary: "Sign in: sets the cookie callsift_session",
        tags: ["people"],
        body: strict({
          username: Type.String({ minLength: 1, maxLength: 200 }),
          password: Type.String({ minLength: 1, maxLength: 1_000 }),
        }),
        response: { 200: SignedIn },
      },
    },
    async (request, reply) => {
      const user = await signIn.byPassword(request.body, request.ip);
      await signIn.open(user, request, reply);
      return { user };
    },
  );
  app.get(
    "/api/login/:link",
    {
      config: { access: "public" },
      schema: {
        summary: "Sign in by a link that works once; leads to the API's page",
        tags: ["people"],
        params: Type.Object({ link: Type.String() }),
        response: { 303: NoContent },
      },
    },
    async (request, reply) => {
      const user = await signIn.byLink(request.params.link);
      await signIn.open(user, request, reply);
      return await reply.redirect("/api/docs", 303);
    },
  );
  app.post(
    "/api/logout",
    { config: { access: { roles: EVERYONE } }, schema: { summary: "Sign out", tags: ["people"], response: { 204: NoContent } } },
    async (request, reply) => {
      const { by, secretHash } = callerOf(request);
      if (by === "cookie") await deps.models.sessions.close(secretHash);
      app.identify.forget();
      await recordAudit(deps.models, request, "signed-out", null);
      return await reply.clearCookie(SESSION_COOKIE, { path: "/" }).status(204).send(null);
    },
  );
  app.get(
    "/api/me",
    { config: { access: { roles: EVERYONE } }, schema: { summary: "Who is signed in", tags: ["people"], response: { 200: SignedIn } } },
    async (request) => {
      const { user, role } = callerOf(request);
      return { user: { ...user, role } };
    },
  );
};
