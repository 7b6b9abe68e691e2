import type { FastifyRequest } from "fastify";
import { CallsiftError } from "../../pipeline/errors.ts";

/**
 * Refuses a change that a page of another site asks for. Browsers send Origin with every such request; programs send none, and have no cookie that a page could borrow.
 *
 * @param publicUrl the address people's browsers use, where a proxy stands before the service
 * @throws CallsiftError `auth/bad-origin`
 */
export function checkOrigin({ headers, method, host }: FastifyRequest, publicUrl: string | null): void {
  if (method === "GET" || method === "HEAD" || method === "OPTIONS") return;
  const { origin } = headers;
  if (origin === undefined) {
    if (headers["sec-fetch-site"] === "cross-site") throw foreign();
    return;
  }
  const from = URL.canParse(origin) ? new URL(origin) : null;
  // The scheme is not compared: a proxy that ends TLS speaks HTTP to us.
  const isOwn = from !== null && (from.host === host || (publicUrl !== null && from.origin === new URL(publicUrl).origin));
  if (!isOwn) throw foreign();
}

function foreign(): CallsiftError {
  return new CallsiftError("auth/bad-origin", "expected a page of this service to ask for a change, got another origin");
}
