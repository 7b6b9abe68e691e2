import { setTimeout as sleep } from "node:timers/promises";
import type { MongoClient } from "mongodb";
import { LocalDatabaseError, throwIfAborted } from "./error.ts";
import { isOpen } from "./free-port.ts";
import type { ProgramKind } from "./programs.ts";
import { REPLICA_SET } from "./server-arguments.ts";

/** The one user of a local database, made in `admin`. */
export const USER = "callsift";
/** The database that callsift's collections are in. */
export const DATABASE = "callsift";

/** The address of a local database, with its password. Writes wait for the journal; the driver tries a write again when the server comes back. */
export function databaseUri(kind: ProgramKind, port: number, password: string): string {
  const query = new URLSearchParams({
    authSource: "admin",
    replicaSet: REPLICA_SET[kind],
    directConnection: "true",
    retryWrites: "true",
    w: "majority",
    journal: "true",
  });
  return `mongodb://${USER}:${encodeURIComponent(password)}@127.0.0.1:${port}/${DATABASE}?${query}`;
}

/** Without sign-in: only while the user is made. */
export const openUri = (port: number): string => `mongodb://127.0.0.1:${port}/?directConnection=true`;

/** How long to wait for a server, and what ends the wait early. */
export interface Patience {
  /** ms from now. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Says with what the server has ended, or null while it runs. */
  readonly ended: () => string | null;
}

const FIRST_WAIT_MS = 20;
const LONGEST_WAIT_MS = 50;

/**
 * Waits until the server answers, then does `task` with a connection to it.
 *
 * @throws LocalDatabaseError `not-ready`, `aborted`, `damaged` where it refuses the password
 */
export async function withServer<T>(uri: string, port: number, patience: Patience, task: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = await untilAnswering(uri, port, patience);
  try {
    return await task(client);
  } finally {
    await client.close();
  }
}

/** Loaded while the server starts, not before. */
const loadDriver = () => import("mongodb");

async function untilAnswering(uri: string, port: number, { deadlineMs, signal, ended }: Patience): Promise<MongoClient> {
  const deadline = Date.now() + deadlineMs;
  let last: unknown = new Error("nothing listens on its port");
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
    throwIfAborted(signal);
    const how = ended();
    if (how !== null) throw new LocalDatabaseError("not-ready", `the database server has ended (${how})`);
    if (await isOpen(port)) {
      const { MongoClient } = await loadDriver();
      const client = new MongoClient(uri, { serverSelectionTimeoutMS: 2000, connectTimeoutMS: 2000, appName: "callsift store" });
      try {
        await client.db("admin").command({ ping: 1 });
        return client;
      } catch (error) {
        await client.close();
        if (isRefused(error))
          throw new LocalDatabaseError("damaged", "the database server refuses the password of its data folder", { cause: error });
        last = error;
      }
    }
    if (Date.now() > deadline) {
      const reason = last instanceof Error ? last.message : String(last);
      throw new LocalDatabaseError("not-ready", `the database server does not answer after ${deadlineMs / 1000} s: ${reason}`, {
        cause: last,
      });
    }
    await sleep(waitMs);
  }
}

/** MongoDB's error codes: 18 AuthenticationFailed, 13 Unauthorized. */
function isRefused(error: unknown): boolean {
  return hasCode(error, 18) || hasCode(error, 13);
}

function hasCode(error: unknown, code: number): boolean {
  return error instanceof Error && error.name === "MongoServerError" && "code" in error && error.code === code;
}

const USER_EXISTS = 51003;

/** Makes the user, or gives it this password where a first start was cut short. */
export async function makeUser(client: MongoClient, password: string): Promise<void> {
  const admin = client.db("admin");
  try {
    await admin.command({ createUser: USER, pwd: password, roles: ["root"] });
  } catch (error) {
    if (!hasCode(error, USER_EXISTS)) throw error;
    await admin.command({ updateUser: USER, pwd: password });
  }
}

interface NamedUser {
  readonly user: string;
  readonly db: string;
}

/** Leaves the one user that callsift has made. */
export async function removeOtherUsers(client: MongoClient): Promise<void> {
  const admin = client.db("admin");
  // SecantusDB in Python answers the command for all databases with none; in Rust it has no such collection. Whichever says more is right.
  const { users } = await admin.command({ usersInfo: { forAllDBs: true } });
  const stored = await admin
    .collection("system.users")
    .find<NamedUser>({}, { projection: { user: 1, db: 1 } })
    .toArray();
  const others = new Map([...(users as readonly NamedUser[]), ...stored].map((one) => [`${one.db}.${one.user}`, one]));
  others.delete(`admin.${USER}`);
  for (const { user, db } of others.values()) await client.db(db).command({ dropUser: user });
}

const NOT_YET_INITIALISED = 94;

/**
 * Makes a mongod the primary of a set of one under its present port, which may be another than last time. The other programs are that by themselves.
 * Commands as in MongoDB's manual: replSetInitiate, replSetGetConfig, replSetReconfig.
 */
export async function makePrimary(client: MongoClient, port: number, { deadlineMs, signal, ended }: Patience): Promise<void> {
  const admin = client.db("admin");
  const host = `127.0.0.1:${port}`;
  try {
    const { config } = await admin.command({ replSetGetConfig: 1 });
    if (config.members[0]?.host !== host)
      await admin.command({
        replSetReconfig: { ...config, version: config.version + 1, members: [{ ...config.members[0], host }] },
        force: true,
      });
  } catch (error) {
    if (!hasCode(error, NOT_YET_INITIALISED)) throw error;
    await admin.command({ replSetInitiate: { _id: REPLICA_SET.mongod, members: [{ _id: 0, host }] } });
  }
  const deadline = Date.now() + deadlineMs;
  while (!(await admin.command({ hello: 1 })).isWritablePrimary) {
    throwIfAborted(signal);
    const how = ended();
    if (how !== null) throw new LocalDatabaseError("not-ready", `the database server has ended (${how})`);
    if (Date.now() > deadline)
      throw new LocalDatabaseError("not-ready", `the database server is not the primary after ${deadlineMs / 1000} s`);
    await sleep(100);
  }
}

/** The server's own version; null where it doesn't say. */
export async function versionOf(client: MongoClient): Promise<string | null> {
  const info = await client.db("admin").command({ buildInfo: 1 });
  const version = info.secantusVersion ?? info.version;
  return typeof version === "string" ? version : null;
}
