import { createHash, randomBytes } from "node:crypto";

/** 256 random bits that only their owner knows; the prefix tells people and scanners of leaked secrets what it is. */
export function newSecret(prefix = ""): string {
  return `${prefix}${randomBytes(32).toString("base64url")}`;
}

/** What the database keeps of a secret: enough to know it again, useless to sign in with. */
export function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}
