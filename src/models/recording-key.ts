import { createHash } from "node:crypto";
import { CallsiftError } from "../pipeline/errors.ts";

const KEY = /^[a-z0-9-]{1,40}\/[0-9a-f]{2}\/[0-9a-f]{64}$/;

/** Where a tenant's recording of this hash lies: two folders and the hash, of letters, digits and hyphens only, so that no name leads elsewhere. */
export function recordingKey(tenant: string, sha256: string): string {
  return `${tenantFolder(tenant)}/${sha256.slice(0, 2)}/${sha256}`;
}

/**
 * The key, if it is one that recordingKey makes.
 *
 * @throws CallsiftError `recording/gone`
 */
export function checkedKey(key: string): string {
  if (typeof key !== "string" || !KEY.test(key)) throw gone();
  return key;
}

/** There are no such bytes. */
export function gone(cause?: unknown): CallsiftError {
  return new CallsiftError("recording/gone", "expected the bytes of the recording, but they are not there any more", { cause });
}

/** Plain names as they are; of all others the hash, under a letter that plain names don't begin with. */
function tenantFolder(tenant: string): string {
  if (/^[a-wyz0-9][a-z0-9-]{0,31}$/.test(tenant)) return tenant;
  return `x-${createHash("sha256").update(tenant).digest("hex").slice(0, 32)}`;
}
