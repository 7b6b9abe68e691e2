import { type ChildProcess, spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MongoClient } from "mongodb";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { freePort } from "../../src/store/free-port.ts";
import { findRunningDatabase } from "../../src/store/join.ts";
import { type LocalDatabase, openLocalDatabase } from "../../src/store/open.ts";
import { identifyProcess } from "../../src/store/process-identity.ts";
import { removeOtherUsers } from "../../src/store/server-client.ts";
import { PYTHON_SERVER, RUST_SERVER } from "../support/database.ts";

const SERVERS = [
  { name: "secantusd-rs", program: RUST_SERVER },
  { name: "secantusd-py", program: PYTHON_SERVER },
].flatMap(({ name, program }) => (program === null ? [] : [{ name, program }]));

let dataDir = "";
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "callsift-store-"));
});
afterEach(async () => {
  await rm(dataDir, { recursive: true, force: true });
});

interface More {
  readonly port?: number;
  readonly signal?: AbortSignal;
  readonly log?: (line: string) => void;
}

const openOn = (mongodPath: string, more: More = {}): Promise<LocalDatabase> =>
  openLocalDatabase({
    dataDir,
    programs: { mongodPath, searchPath: process.env.PATH ?? "" },
    cacheDir: join(dataDir, "cache"),
    cacheMegabytes: 64,
    ...more,
  });

/** A callsift in a process of its own. */
async function openElsewhere(program: string): Promise<{ readonly child: ChildProcess; readonly uri: string; readonly pid: number }> {
  const script = fileURLToPath(new URL("../support/open-store-child.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", import.meta.resolve("tsx"), script, dataDir, program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.once("data", (chunk) => resolve(String(chunk)));
    child.once("exit", (code) => reject(new Error(`expected an open database, got exit code ${code}`)));
  });
  return { child, ...(JSON.parse(line) as { uri: string; pid: number }) };
}

const ended = (child: ChildProcess): Promise<unknown> => new Promise((resolve) => child.once("exit", resolve));

async function countOf(uri: string): Promise<number> {
  await using client = new MongoClient(uri);
  return await client.db().collection("things").countDocuments();
}

async function insert(uri: string): Promise<void> {
  await using client = new MongoClient(uri);
  await client.db().collection("things").insertOne({ a: 1 });
}

describe.skipIf(SERVERS.length === 0).each(SERVERS)("a local database, $name", ({ name, program }) => {
  // How folders, processes and ports are dealt with does not depend on the server: the first one that is there shows it.
  const itOnce: (told: string, test: () => Promise<void>) => void = program === SERVERS[0]?.program ? it : () => {};

  it("keeps what was written, and its address, from one time to the next", async () => {
    let address: string;
    {
      await using database = await openOn(program);
      expect(database.program).toMatchObject({ kind: name, path: program, version: expect.stringMatching(/^\d+\.\d+/) });
      expect(await identifyProcess(database.pid)).not.toBeNull();
      address = database.uri;
      await insert(database.uri);
    }
    const server = JSON.parse(await readFile(join(dataDir, "database", "server.json"), "utf8"));
    expect(server).toBeNull();
    await using database = await openOn(program);
    expect(database.uri).toBe(address);
    expect(await countOf(database.uri)).toBe(1);
  });

  it("lets nobody in without its password, and has no other user", async () => {
    await using database = await openOn(program);
    const { port } = database;
    const open = `mongodb://127.0.0.1:${port}/callsift?directConnection=true`;
    await expect(insert(open)).rejects.toMatchObject({ code: 13 });
    await expect(
      countOf(`mongodb://callsift:guess@127.0.0.1:${port}/callsift?directConnection=true&authSource=admin`),
    ).rejects.toMatchObject({
      code: 18,
    });
    await using client = new MongoClient(database.uri);
    // What a neighbour might have made while the first start had no sign-in yet.
    for (const db of ["admin", "elsewhere"])
      await client.db(db).command({ createUser: "neighbour", pwd: "x", roles: [{ role: "root", db: "admin" }] });
    await removeOtherUsers(client);
    for (const db of ["admin", "elsewhere"])
      await expect(
        countOf(`mongodb://neighbour:x@127.0.0.1:${port}/callsift?directConnection=true&authSource=${db}`),
      ).rejects.toMatchObject({
        code: 18,
      });
    expect(await countOf(database.uri)).toBe(0);
    const folder = join(dataDir, "database");
    expect((await stat(folder)).mode & 0o077).toBe(0);
    expect((await stat(join(folder, "password"))).mode & 0o077).toBe(0);
    const password = (await readFile(join(folder, "password"), "utf8")).trim();
    expect(await readFile(join(folder, "database.log"), "utf8")).not.toContain(password);
    expect((await identifyProcess(database.pid))?.command).not.toContain(password);
  });

  itOnce("is not reached from outside the loopback interface", async () => {
    await using database = await openOn(program);
    const table = process.platform === "linux" ? await readFile("/proc/net/tcp", "utf8") : "";
    const port = database.port.toString(16).toUpperCase().padStart(4, "0");
    const listening = table.split("\n").filter((line) => line.includes(`:${port} 00000000:0000 0A`));
    if (process.platform === "linux") expect(listening).toHaveLength(1);
    // 127.0.0.1 in the byte order of a little-endian machine.
    for (const line of listening) expect(line).toContain(`0100007F:${port}`);
  });

  it("is back after it was killed, on the same port, and a write that waits goes through", async () => {
    const told: string[] = [];
    await using database = await openOn(program, { log: (line) => told.push(line) });
    await using client = new MongoClient(database.uri);
    const things = client.db().collection("things");
    await things.insertOne({ a: 1 });
    for (let round = 0; round < 2; round++) {
      const before = database.pid;
      process.kill(before, "SIGKILL");
      await things.insertOne({ round });
      for (let tries = 0; tries < 200 && database.pid === before; tries++) await new Promise((resolve) => setTimeout(resolve, 50));
      expect(database.pid).not.toBe(before);
    }
    expect(await things.countDocuments()).toBe(3);
    expect(told.filter((line) => /SIGKILL/.test(line))).toHaveLength(2);
    expect(told.filter((line) => /is back/.test(line))).toHaveLength(2);
  });

  itOnce("tells a second owner who the first is, and ends nothing", async () => {
    await using database = await openOn(program);
    await expect(openOn(program)).rejects.toMatchObject({
      reason: "in-use",
      message: expect.stringContaining(`process ${process.pid} owns it`),
    });
    expect(await countOf(database.uri)).toBe(0);
    expect(await findRunningDatabase(dataDir)).toBe(database.uri);
  });

  it("of a callsift that was killed is taken over as it runs", async () => {
    const first = await openElsewhere(program);
    await insert(first.uri);
    first.child.kill("SIGKILL");
    await ended(first.child);
    expect(await findRunningDatabase(dataDir)).toBeNull();
    const told: string[] = [];
    await using database = await openOn(program, { log: (line) => told.push(line) });
    expect(database.pid).toBe(first.pid);
    expect(database.uri).toBe(first.uri);
    expect(told.join()).toMatch(/took over/);
    expect(await countOf(database.uri)).toBe(1);
    // What was taken over is watched like a child.
    await using client = new MongoClient(database.uri);
    process.kill(database.pid, "SIGKILL");
    await client.db().collection("things").insertOne({ a: 2 });
    expect(await countOf(database.uri)).toBe(2);
  });

  it("that was killed together with its callsift comes back", async () => {
    const first = await openElsewhere(program);
    await insert(first.uri);
    first.child.kill("SIGKILL");
    process.kill(first.pid, "SIGKILL");
    await ended(first.child);
    await using database = await openOn(program);
    expect(database.pid).not.toBe(first.pid);
    expect(await countOf(database.uri)).toBe(1);
  });

  itOnce("that an owner left without a note of it is found by its files, and ended", async () => {
    const first = await openElsewhere(program);
    await insert(first.uri);
    first.child.kill("SIGKILL");
    await ended(first.child);
    await rm(join(dataDir, "database", "server.json"));
    await using database = await openOn(program);
    expect(await identifyProcess(first.pid)).toBeNull();
    expect(await countOf(database.uri)).toBe(1);
  });

  itOnce("is not mistaken for a process that has its number now", async () => {
    const other = spawn("sleep", ["60"], { stdio: "ignore" });
    try {
      await mkdir(join(dataDir, "database"));
      const startedAt = (await identifyProcess(other.pid ?? 0))?.startedAt;
      await writeFile(join(dataDir, "database", "server.json"), JSON.stringify({ pid: other.pid, startedAt, port: 1, program, args: [] }));
      await using database = await openOn(program);
      expect(database.pid).not.toBe(other.pid);
      expect(await identifyProcess(other.pid ?? 0)).not.toBeNull();
    } finally {
      other.kill("SIGKILL");
    }
  });

  itOnce("stops in order when its callsift is told to", async () => {
    const first = await openElsewhere(program);
    await insert(first.uri);
    first.child.kill("SIGTERM");
    expect(await ended(first.child)).toBe(0);
    expect(await identifyProcess(first.pid)).toBeNull();
    expect(await readdir(join(dataDir, "database"))).not.toContain("owner.json");
  });

  itOnce("takes the port that it is given, and says so where that one is taken", async () => {
    const port = await freePort();
    await (await openOn(program, { port }))[Symbol.asyncDispose]();
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(port, "127.0.0.1", resolve));
    try {
      await expect(openOn(program, { port })).rejects.toMatchObject({ reason: "not-ready", message: expect.stringContaining(`${port}`) });
      // Without a wish it takes another.
      await using database = await openOn(program);
      expect(database.port).not.toBe(port);
    } finally {
      await new Promise((resolve) => taken.close(resolve));
    }
  });

  itOnce("makes a new password where that file is lost, and nothing else is", async () => {
    {
      await using database = await openOn(program);
      await insert(database.uri);
    }
    await rm(join(dataDir, "database", "password"));
    await using database = await openOn(program);
    expect(await countOf(database.uri)).toBe(1);
  });

  it("refuses a password that was changed by hand, and leaves no server behind", async () => {
    await (await openOn(program))[Symbol.asyncDispose]();
    await writeFile(join(dataDir, "database", "password"), "x".repeat(43));
    await expect(openOn(program)).rejects.toMatchObject({ reason: "damaged" });
    expect(JSON.parse(await readFile(join(dataDir, "database", "server.json"), "utf8"))?.pid ?? 0).toSatisfy(
      (pid: number) => pid === 0 || !isThere(pid),
    );
  });

  itOnce("does not start empty beside files of another program", async () => {
    await (await openOn(program))[Symbol.asyncDispose]();
    await rm(join(dataDir, "database", "about.json"));
    const other = join(dataDir, "mongod");
    await writeFile(other, "#!/bin/sh\n");
    await chmod(other, 0o755);
    await expect(openOn(other)).rejects.toMatchObject({ reason: "no-program", message: expect.stringContaining(name) });
    await using database = await openOn(program);
    expect(await countOf(database.uri)).toBe(0);
  });

  itOnce("stops on request, without a server or a claim left behind", async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 100);
    await expect(openOn(program, { signal: stop.signal })).rejects.toMatchObject({ reason: "aborted" });
    await using database = await openOn(program);
    expect(await countOf(database.uri)).toBe(0);
  });
});

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("a program that is no server", () => {
  it.each([
    ["ends at once", "#!/bin/sh\necho 'cannot start here' >&2\nexit 3\n", "not-ready", /exit code 3.*cannot start here/s],
    ["says that its files are broken", "#!/bin/sh\necho 'WT_PANIC: read checksum error' >&2\nexit 14\n", "damaged", /WT_PANIC/],
    ["cannot be run", "#!/no/such/shell\n", "no-program", /program/],
  ])("%s", async (_name, script, reason, message) => {
    const path = join(dataDir, "mongod");
    await writeFile(path, script);
    await chmod(path, 0o755);
    const failure = await openOn(path).catch((error: Error) => error);
    expect(failure).toMatchObject({ reason });
    expect(String(failure)).toMatch(message);
    expect(await readdir(join(dataDir, "database"))).not.toContain("owner.json");
  });

  it.each(["{", "[]", '{"kind":"oracle"}'])("a data folder whose about.json is %s is not touched", async (text) => {
    await mkdir(join(dataDir, "database"));
    await writeFile(join(dataDir, "database", "about.json"), text);
    await expect(openOn("/bin/true")).rejects.toMatchObject({ reason: "damaged" });
    expect(await readdir(join(dataDir, "database"))).toEqual(["about.json"]);
  });
});
