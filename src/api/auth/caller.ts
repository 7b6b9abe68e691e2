import type { FastifyRequest } from "fastify";
import type { Call, CallScope } from "../../models/calls.ts";
import type { User, UserRole } from "../../models/people.ts";
import { CallsiftError } from "../../pipeline/errors.ts";

/** Who asks, with the rights of this request: a token may have fewer than its owner. */
export interface Caller {
  readonly user: User;
  readonly role: UserRole;
  readonly scope: CallScope;
  /** `cookie`: a browser, whose other pages may not act for it. */
  readonly by: "cookie" | "token";
  readonly secretHash: string;
}

declare module "fastify" {
  interface FastifyRequest {
    caller: Caller | null;
    call: Call | null;
  }
}

/** Who asks; for routes that need somebody signed in. */
export function callerOf({ caller }: FastifyRequest): Caller {
  if (!caller) throw new CallsiftError("internal/bug", "expected a caller: the route's access must name roles");
  return caller;
}

/** The call of the path, seen to be within the caller's scope; for routes with `object: "call"`. */
export function callOf({ call }: FastifyRequest): Call {
  if (!call) throw new CallsiftError("internal/bug", 'expected a call: the route\'s access must say object: "call"');
  return call;
}
