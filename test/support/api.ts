import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { pino } from "pino";
import { createApp } from "../../src/api/app.ts";
import { DEFAULT_TENANT } from "../../src/api/auth/first-admin.ts";
import { hashPassword } from "../../src/api/auth/password.ts";
import type { ApiDeps } from "../../src/api/deps.ts";
import { type Config, loadConfig } from "../../src/config.ts";
import type { Unfinished } from "../../src/models/calls.ts";
import type { Models } from "../../src/models/models.ts";
import { openModels } from "../../src/models/open.ts";
import type { User, UserRole } from "../../src/models/people.ts";
import { openDiskFiles } from "../../src/models/recording-disk.ts";
import { CallsiftError } from "../../src/pipeline/errors.ts";
import { readBuiltins } from "../../src/pipeline/policies.ts";
import { openTestDatabase } from "./database.ts";

/** Every user of tests has it. */
export const PASSWORD = "a long enough password";

/** An API that listens on loopback, over a database of its own. */
export interface TestApi extends AsyncDisposable {
  readonly address: string;
  readonly app: FastifyInstance;
  readonly models: Models;
  readonly dataDir: string;
  readonly config: Config;
  /** What was told to the queue. */
  readonly enqueued: readonly Unfinished[];
  /** What was logged, line by line. */
  readonly logged: readonly string[];
  addUser(role: UserRole, more?: Partial<User>): Promise<User>;
  /** Somebody signed in. */
  as(role: UserRole, more?: Partial<User>): Promise<Person>;
  /** Nobody. */
  readonly anybody: Person;
}

/** Asks as one person. */
export interface Person {
  readonly user: User | null;
  readonly cookie: string | null;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** With the body read as JSON. */
  json(method: string, path: string, body?: unknown): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }>;
}

export interface TestApiOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly deps?: Partial<ApiDeps>;
  readonly tenant?: string;
}

/** Opens one: `await using api = await openTestApi()`. The queue only remembers; nothing is listened to. */
export async function openTestApi({ env = {}, deps = {} }: TestApiOptions = {}): Promise<TestApi> {
  const database = await openTestDatabase();
  const dataDir = await mkdtemp(join(tmpdir(), "callsift-api-"));
  const models = await openModels(database.uri);
  await models.migrate();
  await models.policies.seed(await readBuiltins());
  const enqueued: Unfinished[] = [];
  const logged: string[] = [];
  const depth = { waiting: 0, active: 0, delayed: 0, failed: 0, oldestMs: 0 };
  const config = loadConfig({
    CALLSIFT_DATA: dataDir,
    CALLSIFT_MIN_FREE_MB: "0",
    CALLSIFT_TIME_ZONE: "Asia/Shanghai",
    PATH: process.env.PATH,
    ...env,
  });
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      logged.push(chunk.toString());
      done();
    },
  });
  const app = await createApp({
    models,
    files: openDiskFiles(dataDir),
    schedule: {
      enqueue: async (work) => void enqueued.push(work),
      depth: async () => ({ listen: { ...depth, waiting: enqueued.length }, score: depth }),
      pause: async () => {},
      resume: async () => {},
      ping: async () => {},
      [Symbol.asyncDispose]: async () => {},
    },
    config,
    log: pino({ level: "debug" }, sink),
    rescore: async () => {
      throw new CallsiftError("internal/bug", "no re-score in this test");
    },
    version: "0.0.0",
    ...deps,
  });
  const address = await app.listen({ host: "127.0.0.1", port: 0 });
  let users = 0;
  // Once for all of them: it is made slow on purpose.
  const passwordHash = await hashPassword(PASSWORD);
  const addUser: TestApi["addUser"] = async (role, more = {}) => {
    const username = more.username ?? `${role}-${++users}`;
    const fields = { tenant: DEFAULT_TENANT, username, name: username, role, team: null, agentId: null, ...more, passwordHash };
    const user = await models.users.add(fields);
    if (!user) throw new Error(`expected a name that is free, got ${username}`);
    return user;
  };
  return {
    address,
    app,
    models,
    dataDir,
    config,
    enqueued,
    logged,
    addUser,
    anybody: person(address, null, null),
    async as(role, more) {
      const user = await addUser(role, more);
      const response = await fetch(`${address}/api/login`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ username: user.username, password: PASSWORD }),
      });
      const cookie = response.headers.getSetCookie()[0]?.split(";")[0];
      if (!cookie) throw new Error(`expected a cookie, got ${response.status} ${await response.text()}`);
      return person(address, user, cookie);
    },
    async [Symbol.asyncDispose]() {
      await app.close();
      await models[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

function person(address: string, user: User | null, cookie: string | null): Person {
  const ask: Person["fetch"] = async (path, init = {}) =>
    await fetch(`${address}${path}`, {
      redirect: "manual",
      ...init,
      headers: { ...(cookie && { cookie }), ...(init.headers as Record<string, string>) },
    });
  return {
    user,
    cookie,
    fetch: ask,
    async json(method, path, body) {
      const response = await ask(path, {
        method,
        ...(body !== undefined && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, body: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>) };
    },
  };
}
