import { randomBytes } from "node:crypto";
import { chmod, readFile, stat } from "node:fs/promises";
import { writeDurably } from "./write-durably.ts";

/** Reads the password of a local database, and sees to it that nobody but its owner can; null where there is none. */
export async function readPassword(path: string): Promise<string | null> {
  try {
    const password = (await readFile(path, "utf8")).trim();
    if (((await stat(path)).mode & 0o077) !== 0) await chmod(path, 0o600);
    return /^[\w-]{20,}$/.test(password) ? password : null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** Makes a password of 256 random bits and writes it down for its owner only. */
export async function createPassword(path: string): Promise<string> {
  const password = randomBytes(32).toString("base64url");
  await writeDurably(path, `${password}\n`);
  return password;
}
