import type { Config } from "../../config.ts";
import type { Models } from "../../models/models.ts";
import { hashPassword } from "./password.ts";
import { newSecret } from "./secret.ts";

/** The tenant of an installation for one company. */
export const DEFAULT_TENANT = "default";

/**
 * At the first start, makes the user `admin`; safe from several processes at once.
 *
 * @returns the password where it was made up here, to be shown once; else null
 */
export async function createFirstAdmin(
  { users }: Pick<Models, "users">,
  { adminPassword }: Pick<Config, "adminPassword">,
): Promise<string | null> {
  if ((await users.count()) > 0) return null;
  const password = adminPassword ?? newSecret().slice(0, 16);
  const added = await users.add({
    tenant: DEFAULT_TENANT,
    username: "admin",
    name: "admin",
    role: "admin",
    team: null,
    agentId: null,
    passwordHash: await hashPassword(password),
  });
  return added && adminPassword === null ? password : null;
}
