import type { CallScope } from "../../models/calls.ts";
import type { User, UserRole } from "../../models/people.ts";

/** Whose rights are all among those of the role. */
const COVERS: Readonly<Record<UserRole, readonly UserRole[]>> = {
  admin: ["admin", "supervisor", "inspector", "manager"],
  supervisor: ["supervisor", "inspector", "manager"],
  inspector: ["inspector"],
  leader: ["leader"],
  agent: ["agent"],
  manager: ["manager"],
};

/** Whether somebody of `role` has all rights of `other`, so that they may hand out a token of it. */
export function covers(role: UserRole, other: UserRole): boolean {
  return COVERS[role].includes(other);
}

/**
 * The role that a token acts with: its own, or its owner's where that has shrunk below it; null where the two don't fit any more.
 */
export function tokenRole(token: UserRole, owner: UserRole): UserRole | null {
  if (covers(owner, token)) return token;
  return covers(token, owner) ? owner : null;
}

/** Nothing is called so: metadata cannot hold it, so that a leader without a team sees no call instead of all. */
const NOBODY = "\u0000";

/** The calls that a role may see, as the data layer narrows every look by. */
export function scopeOf(user: User, role: UserRole): CallScope {
  const { tenant } = user;
  const scopes: Readonly<Record<UserRole, CallScope>> = {
    admin: { tenant },
    supervisor: { tenant },
    inspector: { tenant },
    leader: { tenant, team: user.team || NOBODY },
    agent: { tenant, agentId: user.agentId || NOBODY, reviewedOnly: true },
    manager: { tenant, team: NOBODY, agentId: NOBODY, reviewedOnly: true },
  };
  return scopes[role];
}
