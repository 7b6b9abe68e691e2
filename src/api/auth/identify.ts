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
/** A page asks for several things at once, a player for many parts: the database is asked once a second. */
const KEPT_MS = 1_000;
const MAX_KEPT = 10_000;

/** Tells who asks. */
export interface Identify {
  /**
   * By bearer token or cookie; null where they present neither, or one that is forged, has ended or was revoked.
   *
   * @throws CallsiftError `auth/required` for a bearer token that is none: a program should hear of it, even at an address that is open to anybody
   */
  (request: FastifyRequest): Promise<Caller | null>;
  /** Rights have changed, a session or a token has ended: nobody is taken from memory. Other processes know of it within a second. */
  forget(): void;
}

/** What the database said of a secret, and until when the sign-in lasts. */
interface Known {
  readonly caller: Caller | null;
  readonly expiresMs: number;
}

/** Looks secrets up, each at most once a second. */
export function createIdentify(models: Pick<Models, "sessions" | "tokens">): Identify {
  const kept = new Map<string, { readonly known: Promise<Known>; readonly untilMs: number }>();

  async function lookUp(key: string, find: () => Promise<Known>): Promise<Caller | null> {
    const now = Date.now();
    let entry = kept.get(key);
    if (entry === undefined || entry.untilMs <= now) {
      entry = { known: find(), untilMs: now + KEPT_MS };
      const { known } = entry;
      kept.delete(key);
      kept.set(key, entry);
      known.catch(() => {
        if (kept.get(key)?.known === known) kept.delete(key);
      });
      const [oldest] = kept.keys();
      if (kept.size > MAX_KEPT && oldest !== undefined) kept.delete(oldest);
    }
    const { caller, expiresMs } = await entry.known;
    return expiresMs > Date.now() ? caller : null;
  }

  const identify = async ({ headers, cookies }: FastifyRequest): Promise<Caller | null> => {
    const { authorization } = headers;
    if (authorization !== undefined) {
      const secret = /^Bearer +([\x21-\x7e]+)$/i.exec(authorization)?.[1];
      const secretHash = secret && secret.length <= MAX_SECRET ? hashSecret(secret) : null;
      const caller = secretHash && (await lookUp(`token ${secretHash}`, async () => await findToken(secretHash, models)));
      if (!caller) throw new CallsiftError("auth/required", "expected a bearer token in force, got another");
      return caller;
    }
    const secret = cookies[SESSION_COOKIE];
    if (!secret || secret.length > MAX_SECRET) return null;
    const secretHash = hashSecret(secret);
    return await lookUp(`session ${secretHash}`, async () => await findSession(secretHash, models));
  };
  return Object.assign(identify, { forget: () => kept.clear() });
}

const NOBODY: Known = { caller: null, expiresMs: Number.POSITIVE_INFINITY };

async function findSession(secretHash: string, { sessions }: Pick<Models, "sessions">): Promise<Known> {
  const session = await sessions.find(secretHash);
  if (!session || session.user.disabled) return NOBODY;
  const { user, expiresAt } = session;
  return { caller: { user, role: user.role, scope: scopeOf(user, user.role), by: "cookie", secretHash }, expiresMs: expiresAt.getTime() };
}

async function findToken(secretHash: string, { tokens }: Pick<Models, "tokens">): Promise<Known> {
  const found = await tokens.find(secretHash);
  const role = found && !found.user.disabled ? tokenRole(found.token.role, found.user.role) : null;
  if (!found || role === null) return NOBODY;
  const { user, token } = found;
  return {
    caller: { user, role, scope: scopeOf(user, role), by: "token", secretHash },
    expiresMs: token.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY,
  };
}
