import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";

/** 16 MB and five passes: what OWASP names beside 128 MB and one pass; ten people who sign in at once must not cost a gigabyte. */
const COST = { N: 2 ** 14, r: 8, p: 5 } as const;
const KEY_BYTES = 32;
const SALT_BYTES = 16;
/** Parameters beyond these were not written by us; they would cost the memory of the process. */
const MAX = { N: 2 ** 20, r: 32, p: 32 } as const;
const FORMAT = /^scrypt\$(\d{1,8})\$(\d{1,3})\$(\d{1,3})\$([A-Za-z0-9_-]{16,128})\$([A-Za-z0-9_-]{43})$/;

/** `scrypt$N$r$p$salt$key`, base64url: the parameters travel with the hash, so that they may grow. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const key = await derive(password, salt, COST);
  return ["scrypt", COST.N, COST.r, COST.p, salt.toString("base64url"), key.toString("base64url")].join("$");
}

/** Whether the password is the one that was hashed; a null hash (no such user) takes as long and is never right. */
export async function verifyPassword(password: string, hash: string | null): Promise<boolean> {
  const match = FORMAT.exec(hash ?? "");
  const [n, r, p] = match ? [Number(match[1]), Number(match[2]), Number(match[3])] : [COST.N, COST.r, COST.p];
  const isOurs = match !== null && n <= MAX.N && r <= MAX.r && p <= MAX.p;
  const salt = match ? Buffer.from(match[4] ?? "", "base64url") : Buffer.alloc(SALT_BYTES);
  const key = await derive(password, salt, isOurs ? { N: n, r, p } : COST);
  return isOurs && timingSafeEqual(key, Buffer.from(match[5] ?? "", "base64url"));
}

interface Cost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/** In the thread pool, so at most four at once. */
function derive(password: string, salt: Buffer, cost: Cost): Promise<Buffer> {
  return new Promise((resolve, reject) =>
    // The same characters typed on another keyboard may be composed otherwise.
    scrypt(password.normalize("NFKC"), salt, KEY_BYTES, { ...cost, maxmem: 256 * cost.N * cost.r }, (error, key) =>
      error ? reject(error) : resolve(key),
    ),
  );
}
