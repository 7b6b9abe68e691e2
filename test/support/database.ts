import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync } from "node:fs";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { MongoClient } from "mongodb";

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

/** Every server that is there, the quickest first: conformance suites run over all of them. */
export const TEST_SERVERS: readonly TestServer[] = foundServers();

/** The server that ordinary tests use; null where there is none: tests that need it are skipped by name. */
export const TEST_SERVER: TestServer | null = TEST_SERVERS[0] ?? null;

/**
 * A fresh database for one test file, or for one test: `await using database = await openTestDatabase()`. The server is started by the first call of a
 * process and ends with it. It keeps its files in memory and does not sync them: what is tested is ours, not the disk.
 */
export async function openTestDatabase(): Promise<TestDatabase> {
  if (TEST_SERVER === null) throw new Error("expected a MongoDB server for tests, got none: skip by TEST_SERVER === null");
  return await TEST_SERVER.open();
}

/** `secantusd-py` of an earlier `callsift store fetch`; null where it was not fetched. */
export function fetchedSecantus(): string | null {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const path = join(cache, "callsift", "programs", "secantusdb-0.7.0b3", "bin", "secantusd-py");
  return existsSync(path) ? path : null;
}

function foundServers(): TestServer[] {
  const servers: TestServer[] = [];
  const address = process.env.CALLSIFT_TEST_MONGODB_URI;
  if (address) servers.push({ name: "CALLSIFT_TEST_MONGODB_URI", open: () => openDatabaseOf(address) });
  const rust = fileURLToPath(new URL("../../../shared/tools/secantusd-rs", import.meta.url));
  if (existsSync(rust)) servers.push(childServer("secantusd-rs", rust, ["--log-file-max", "16MB"]));
  const python = fetchedSecantus();
  if (python !== null) servers.push(childServer("secantusd-py", python, []));
  return servers;
}

function childServer(name: string, path: string, more: readonly string[]): TestServer {
  let started: Promise<string> | undefined;
  return {
    name,
    open: async () => {
      started ??= startServer(path, more);
      return await openDatabaseOf(await started);
    },
  };
}

async function startServer(path: string, more: readonly string[]): Promise<string> {
  const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "callsift-test-db-"));
  const port = await freePort();
  const args = ["--port", `${port}`, "--storage-path", folder, "--cache-size", "128M", "--log-level", "WARNING", ...more];
  // The shell ends the server when this process is gone, however it went: its standard input closes then.
  const shell = spawn(
    "sh",
    ["-c", 'folder=$1; shift; "$@" </dev/null >/dev/null 2>&1 & cat >/dev/null; kill -9 $!; rm -rf "$folder"', "sh", folder, path, ...args],
    {
      stdio: ["pipe", "ignore", "ignore"],
      // So that Ctrl-C in a terminal does not end the shell before it has cleaned up.
      detached: true,
    },
  );
  shell.unref();
  (shell.stdin as unknown as { unref(): void }).unref();
  const address = `mongodb://127.0.0.1:${port}/?directConnection=true`;
  await untilReady(address, name(path));
  return address;
}

const name = (path: string): string => path.split("/").at(-1) ?? path;

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

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error(`expected a port, got ${address}`);
  return address.port;
}
