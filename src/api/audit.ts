import type { FastifyRequest } from "fastify";
import type { AuditEntry } from "../models/audit.ts";
import type { Models } from "../models/models.ts";
import { callerOf } from "./auth/caller.ts";

/**
 * Writes down what the caller of this request saw, heard, exported or changed. Awaited before the answer: what cannot be written down is not shown.
 *
 * @param what kebab-case verb, e.g. `call-seen`
 * @param object id of what it was done to
 */
export async function recordAudit(
  models: Models,
  request: FastifyRequest,
  what: string,
  object: string | null,
  details: AuditEntry["details"] = {},
): Promise<void> {
  const { user, by } = callerOf(request);
  await models.audit.add({
    tenant: user.tenant,
    by: user.id,
    username: user.username,
    what,
    object,
    from: request.ip,
    details: by === "token" ? { ...details, token: true } : details,
  });
}
