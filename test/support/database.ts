import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { MongoClient } from "mongodb";
import { freePort } from "../../src/store/free-port.ts";
import { programsFolder } from "../../src/store/programs.ts";
import { SECANTUS_VERSION } from "../../src/store/secantus-requirements.ts";

/** A database of its own on a server that is shared; it is dropped at the end. */
export interface TestDatabase extends AsyncDisposable {
  /** With the database's name in it. */
  readonly uri: string;
}

/** A server that tests can run against. */
export interface TestServer {
  /** For the names of tests. */
  readonly name: string;
  readonly open: () => Promise<TestDatabase>;
}

/**
 * A fresh database for one test file, or for one test: `await using database = await openTestDatabase()`. The server is started by the first call of a
 * process and ends with it. It keeps its files in memory and does not sync them: what is tested is ours, not the disk.
 */
export async function openTestDatabase(): Promise<TestDatabase> {
  if (TEST_SERVER === null) throw new Error("expected a MongoDB server for tests, got none: skip by TEST_SERVER === null");
  return await TEST_SERVER.open();
}

/** callsift's folder in the user's cache. */
export const CACHE_DIR = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "callsift");

/** SecantusDB's own build in Rust, where it lies beside this checkout; null where it does not. */
export const RUST_SERVER: string | null = existing(fileURLToPath(new URL("../../../shared/tools/secantusd-rs", import.meta.url)));

/** SecantusDB of the Python index, fetched by the global setup; null where it could not be had. */
export const PYTHON_SERVER: string | null = existing(
  join(programsFolder(CACHE_DIR), `secantusdb-${SECANTUS_VERSION}`, "bin", "secantusd-py"),
);

/** Every server that is there, the quickest first: conformance suites run over all of them. */
export const TEST_SERVERS: readonly TestServer[] = foundServers();

/** The server that ordinary tests use; null where there is none: tests that need it are skipped by name. */
export const TEST_SERVER: TestServer | null = TEST_SERVERS[0] ?? null;

function foundServers(): TestServer[] {
  const servers: TestServer[] = [];
  const address = process.env.CALLSIFT_TEST_MONGODB_URI;
  if (address) servers.push({ name: "CALLSIFT_TEST_MONGODB_URI", open: () => openDatabaseOf(address) });
  if (RUST_SERVER !== null) servers.push(childServer("secantusd-rs", RUST_SERVER, ["--log-file-max", "16MB"]));
  if (PYTHON_SERVER !== null) servers.push(childServer("secantusd-py", PYTHON_SERVER, []));
  const mongod = (process.env.PATH ?? "")
    .split(delimiter)
    .map((folder) => existing(join(folder, "mongod")))
    .find((path) => path !== null);
  if (mongod) servers.push({ name: "mongod", open: openOnce(() => startMongod(mongod)) });
  return servers;
}

function existing(path: string): string | null {
  return existsSync(path) ? path : null;
}

function childServer(name: string, path: string, more: readonly string[]): TestServer {
  return { name, open: openOnce(() => startSecantus(path, more)) };
}

/** The first call starts the server. */
function openOnce(start: () => Promise<string>): TestServer["open"] {
  let started: Promise<string> | undefined;
  return async () => {
    started ??= start();
    return await openDatabaseOf(await started);
  };
}

async function startSecantus(path: string, more: readonly string[]): Promise<string> {
  const folder = temporaryFolder();
  const port = await freePort();
  spawnTied(folder, path, ["--port", `${port}`, "--storage-path", folder, "--cache-size", "128M", "--log-level", "WARNING", ...more]);
  const address = `mongodb://127.0.0.1:${port}/?directConnection=true`;
  await untilReady(address, path);
  return address;
}

async function startMongod(path: string): Promise<string> {
  const folder = temporaryFolder();
  const port = await freePort();
  spawnTied(folder, path, ["--port", `${port}`, "--dbpath", folder, "--replSet", "test", "--bind_ip", "127.0.0.1", "--nounixsocket"]);
  const address = `mongodb://127.0.0.1:${port}/?directConnection=true`;
  await untilReady(address, path);
  await using client = new MongoClient(address);
  await client.db("admin").command({ replSetInitiate: { _id: "test", members: [{ _id: 0, host: `127.0.0.1:${port}` }] } });
  while (!(await client.db("admin").command({ hello: 1 })).isWritablePrimary) await sleep(50);
  return address;
}

const temporaryFolder = (): string => mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "callsift-test-db-"));

/** Starts a server that ends with this process, however that goes: a shell waits for its standard input to close, ends the server and removes its files. */
function spawnTied(folder: string, path: string, args: readonly string[]): void {
  const script = 'folder=$1; shift; "$@" </dev/null >/dev/null 2>&1 & cat >/dev/null; kill -9 $!; rm -rf "$folder"';
  // A group of its own: Ctrl-C in a terminal must not end the shell before it has cleaned up.
  const shell = spawn("sh", ["-c", script, "sh", folder, path, ...args], { stdio: ["pipe", "ignore", "ignore"], detached: true });
  shell.unref();
  (shell.stdin as unknown as { unref(): void }).unref();
}

async function untilReady(address: string, program: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const client = new MongoClient(address, { serverSelectionTimeoutMS: 1000 });
    try {
      await client.db("admin").command({ ping: 1 });
      return;
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`${program} is not ready after 30 s`, { cause: error });
      await sleep(50);
    } finally {
      await client.close();
    }
  }
}

async function openDatabaseOf(address: string): Promise<TestDatabase> {
  const database = `callsift-test-${randomBytes(6).toString("hex")}`;
  const uri = new URL(address);
  uri.pathname = `/${database}`;
  if (uri.username && !uri.searchParams.has("authSource")) uri.searchParams.set("authSource", "admin");
  return {
    uri: uri.href,
    [Symbol.asyncDispose]: async () => {
      const client = new MongoClient(uri.href);
      try {
        await client.db(database).dropDatabase();
      } finally {
        await client.close();
      }
    },
  };
}
