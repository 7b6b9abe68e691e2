import type { FastifyReply, FastifyRequest } from "fastify";
import type { Models } from "../../models/models.ts";
import type { User } from "../../models/people.ts";
import { CallsiftError } from "../../pipeline/errors.ts";
import type { ApiDeps } from "../deps.ts";
import { notFound } from "../problem.ts";
import { SESSION_COOKIE } from "./identify.ts";
import { verifyPassword } from "./password.ts";
import { hashSecret, newSecret } from "./secret.ts";
import { createTries } from "./tries.ts";

/** Ways to become signed in. */
export interface SignIn {
  /** @throws CallsiftError `auth/bad-credentials`, `auth/too-many-tries` */
  byPassword(credentials: { readonly username: string; readonly password: string }, address: string): Promise<User>;
  /** @throws CallsiftError `request/not-found` for a link that was used, has run out, or never was one */
  byLink(link: string): Promise<User>;
  /** Opens a session and sets its cookie. */
  open(user: User, request: FastifyRequest, reply: FastifyReply): Promise<void>;
}

/** Long enough to find the terminal's window, too short to be found in a log later. */
const LINK_MS = 15 * 60_000;
const linkHash = (link: string): string => hashSecret(`link:${link}`);

/** A path that signs the user in once, for a terminal to print: kept like a session, under a hash that no cookie can have. */
export async function createSignInLink({ sessions }: Pick<Models, "sessions">, userId: string): Promise<string> {
  const link = newSecret();
  await sessions.open(linkHash(link), userId, new Date(Date.now() + LINK_MS), "sign-in link");
  return `/api/login/${link}`;
}

/** Sign-in with its count of wrong tries. */
export function createSignIn({ models, config }: Pick<ApiDeps, "models" | "config">): SignIn {
  const tries = createTries();
  return {
    async byPassword({ username, password }, address) {
      const keys = [`user ${username.normalize("NFKC").toLowerCase()}`, `address ${address}`];
      const waitMs = tries.begin(keys);
      if (waitMs > 0)
        throw new CallsiftError("auth/too-many-tries", "too many wrong passwords for this user or address; wait and try again", {
          details: { retryAfterS: Math.ceil(waitMs / 1000) },
        });
      const found = await models.users.byName(username);
      const isRight = await verifyPassword(password, found?.passwordHash ?? null);
      if (!found || !isRight || found.user.disabled) {
        if (found)
          await models.audit.add({
            tenant: found.user.tenant,
            by: "system",
            username: found.user.username,
            what: "sign-in-refused",
            object: found.user.id,
            from: address,
            details: {},
          });
        throw new CallsiftError("auth/bad-credentials", "the username or the password is wrong");
      }
      tries.succeed(keys);
      return found.user;
    },
    async byLink(link) {
      const session = link.length <= 256 ? await models.sessions.find(linkHash(link)) : null;
      if (!session || session.expiresAt.getTime() <= Date.now()) throw notFound("the link was used, or has run out");
      await models.sessions.close(linkHash(link));
      return session.user;
    },
    async open(user, request, reply) {
      const secret = newSecret();
      const expires = new Date(Date.now() + config.sessionMs);
      await models.sessions.open(hashSecret(secret), user.id, expires, request.ip);
      await models.audit.add({
        tenant: user.tenant,
        by: user.id,
        username: user.username,
        what: "signed-in",
        object: null,
        from: request.ip,
        details: {},
      });
      const secure = request.protocol === "https" || config.publicUrl?.startsWith("https:") === true;
      void reply.setCookie(SESSION_COOKIE, secret, { path: "/", httpOnly: true, sameSite: "strict", secure, expires });
    },
  };
}
