import { USER_ROLES, type UserRole } from "../../models/people.ts";

/**
 * Who may call a route: `public` anybody; `operations` private addresses or the metrics token; else people of these roles. With `object: "call"` the call of the
 * path's `:id` must be within the person's scope (else 404) and is at hand as `callOf(request)`.
 */
export type Access =
  | "public"
  | "operations"
  | {
      readonly roles: readonly UserRole[];
      readonly object?: "call";
    };

/** Whoever is signed in. */
export const EVERYONE: readonly UserRole[] = USER_ROLES;
/** Who sees calls at all, each within their scope. */
export const CALL_VIEWERS: readonly UserRole[] = ["admin", "supervisor", "inspector", "leader", "agent"];
/** Who works on calls: uploads, claims, confirms. */
export const REVIEWERS: readonly UserRole[] = ["admin", "supervisor", "inspector"];
/** Who sets rules and forms. */
export const SUPERVISORS: readonly UserRole[] = ["admin", "supervisor"];
/** Who reads figures of the whole. */
export const FIGURE_READERS: readonly UserRole[] = ["admin", "supervisor", "manager"];
export const ADMINS: readonly UserRole[] = ["admin"];

declare module "fastify" {
  interface FastifyContextConfig {
    /** A route without it doesn't start. */
    access?: Access;
  }
}
