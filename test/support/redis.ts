import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";

/** The program on the PATH; null where there is none: tests that need it are skipped by name. */
export const REDIS_SERVER: string | null =
  [...(process.env.PATH ?? "").split(delimiter), "/usr/bin", "/usr/local/bin"]
    .map((folder) => join(folder, "redis-server"))
    .find((path) => existsSync(path)) ?? null;

/** A Redis of its own that keeps nothing on disk; what it held is gone when it is killed. */
export interface TestRedis extends AsyncDisposable {
  readonly url: string;
  /** As `FLUSHALL`. */
  empty(): Promise<void>;
  /** Ends it as `kill -9` does. */
  kill(): Promise<void>;
  /** Starts it again on the same port, empty. */
  start(): Promise<void>;
}

/** Starts a Redis on a free port: `await using redis = await openTestRedis()`. It ends with this process. */
export async function openTestRedis(): Promise<TestRedis> {
  const program = REDIS_SERVER;
  if (program === null) throw new Error("expected redis-server on the PATH, got none: skip by REDIS_SERVER === null");
  const folder = mkdtempSync(join(tmpdir(), "callsift-test-redis-"));
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  let server: ChildProcess | null = null;

  async function start(): Promise<void> {
    // The shell ends the server when this process is gone, however it went: its standard input closes then.
    const args = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder];
    server = spawn("sh", ["-c", '"$@" </dev/null >/dev/null 2>&1 & cat >/dev/null; kill -9 $!', "sh", program as string, ...args], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
    });
    server.unref();
    (server.stdin as unknown as { unref(): void }).unref();
    await untilReady(url);
  }

  async function kill(): Promise<void> {
    const ended = server;
    server = null;
    if (!ended || ended.exitCode !== null) return;
    await new Promise<void>((resolve) => {
      ended.once("exit", () => resolve());
      ended.stdin?.end();
    });
  }

  await start();
  return {
    url,
    async empty() {
      await withRedis(url, (redis) => redis.flushall());
    },
    kill,
    start,
    async [Symbol.asyncDispose]() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function withRedis<T>(url: string, use: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url, { maxRetriesPerRequest: 1, retryStrategy: null }).on("error", () => {});
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}

async function untilReady(url: string): Promise<void> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    try {
      await withRedis(url, (redis) => redis.ping());
      return;
    } catch (error) {
      if (Date.now() > deadline) throw new Error("redis-server is not ready after 15 s", { cause: error });
      await sleep(30);
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error(`expected a port, got ${address}`);
  return address.port;
}
