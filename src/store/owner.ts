import { randomBytes } from "node:crypto";
import { link, open, readFile, rename, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { LocalDatabaseError } from "./error.ts";
import { identifyProcess } from "./process-identity.ts";

interface Owner {
  readonly pid: number;
  readonly startedAt: string;
  readonly host: string;
  /** Tells two claims of one process apart. */
  readonly nonce: string;
}

/** How long a claim is left alone before it is believed, ms: a rival that took a dead owner's file away at the same moment puts ours back within this time. */
const SETTLE_MS = 30;
const FILE = "owner.json";

/**
 * Makes this process the owner of a folder until the claim is disposed of. A claim whose process is gone is taken over.
 *
 * @throws LocalDatabaseError `in-use` that names the owner
 */
export async function claimFolder(folder: string): Promise<AsyncDisposable> {
  const path = join(folder, FILE);
  const own = await identifyProcess(process.pid);
  const claim: Owner = { pid: process.pid, startedAt: own?.startedAt ?? "", host: hostname(), nonce: randomBytes(8).toString("hex") };
  for (let tries = 0; tries < 10; tries++) {
    if (await createFile(path, JSON.stringify(claim))) {
      await sleep(SETTLE_MS);
      if ((await readOwner(path))?.nonce === claim.nonce) return { [Symbol.asyncDispose]: () => release(path, claim) };
      continue;
    }
    const owner = await readOwner(path);
    if (owner !== null && (await isAlive(owner))) throw inUse(folder, owner);
    await takeAway(path, owner);
  }
  throw inUse(folder, await readOwner(path));
}

/** The process that owns a folder now; null where none does. */
export async function ownerOf(folder: string): Promise<number | null> {
  const owner = await readOwner(join(folder, FILE));
  return owner !== null && (await isAlive(owner)) ? owner.pid : null;
}

function inUse(folder: string, owner: Owner | null): LocalDatabaseError {
  const who =
    owner === null ? "another process" : `process ${owner.pid}${owner.host === hostname() ? "" : ` (started as host ${owner.host})`}`;
  return new LocalDatabaseError(
    "in-use",
    `${folder}: expected a data folder that no other process uses, but ${who} owns it: stop that one, choose another folder, or set MONGODB_URI to share one database`,
  );
}

async function isAlive(owner: Owner): Promise<boolean> {
  return (await identifyProcess(owner.pid))?.startedAt === owner.startedAt;
}

async function createFile(path: string, text: string): Promise<boolean> {
  // Written beside and linked: a reader never sees half of it, and `link` fails where the name is taken.
  const temporary = `${path}.${randomBytes(4).toString("hex")}.tmp`;
  const file = await open(temporary, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.close();
    await link(temporary, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function readOwner(path: string): Promise<Owner | null> {
  try {
    const { pid, startedAt, host, nonce } = JSON.parse(await readFile(path, "utf8")) as Partial<Owner>;
    return { pid: Number(pid), startedAt: String(startedAt), host: String(host), nonce: String(nonce) };
  } catch {
    return null;
  }
}

/** Takes a dead owner's file away. Two may do so at once, and one of them then holds the other's new claim: that is put back. */
async function takeAway(path: string, dead: Owner | null): Promise<void> {
  const aside = `${path}.${randomBytes(4).toString("hex")}.old`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  const taken = await readOwner(aside);
  if (taken !== null && taken.nonce !== dead?.nonce) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

async function release(path: string, claim: Owner): Promise<void> {
  if ((await readOwner(path))?.nonce === claim.nonce) await rm(path, { force: true });
}
