import type { FastifyRequest } from "fastify";
import type { Models } from "../../models/models.ts";
import { CallsiftError } from "../../pipeline/errors.ts";
import type { Caller } from "./caller.ts";
import { scopeOf, tokenRole } from "./rights.ts";
import { hashSecret } from "./secret.ts";

/** The cookie of a sign-in. */
export const SESSION_COOKIE = "callsift_session";

/** Longer than any secret of ours: not worth a look at the database. */
const MAX_SECRET = 256;

/**
 * Who asks, by bearer token or cookie; null where they present neither, or one that is forged, has ended or was revoked.
 *
 * @throws CallsiftError `auth/required` for a bearer token that is none: a program should hear of it, even at an address that is open to anybody
 */
export async function identify({ headers, cookies }: FastifyRequest, models: Models): Promise<Caller | null> {
  const { authorization } = headers;
  if (authorization !== undefined) return await byToken(authorization, models);
  const secret = cookies[SESSION_COOKIE];
  if (!secret || secret.length > MAX_SECRET) return null;
  const secretHash = hashSecret(secret);
  const session = await models.sessions.find(secretHash);
  if (!session || session.user.disabled || session.expiresAt.getTime() <= Date.now()) return null;
  const { user } = session;
  return { user, role: user.role, scope: scopeOf(user, user.role), by: "cookie", secretHash };
}

async function byToken(authorization: string, models: Models): Promise<Caller | null> {
  const secret = /^Bearer +([\x21-\x7e]+)$/i.exec(authorization)?.[1];
  if (!secret || secret.length > MAX_SECRET) throw refused();
  const secretHash = hashSecret(secret);
  const found = await models.tokens.find(secretHash);
  if (!found || found.user.disabled) throw refused();
  const role = tokenRole(found.token.role, found.user.role);
  if (role === null) throw refused();
  return { user: found.user, role, scope: scopeOf(found.user, role), by: "token", secretHash };
}

function refused(): CallsiftError {
  return new CallsiftError("auth/required", "expected a bearer token in force, got another");
}
