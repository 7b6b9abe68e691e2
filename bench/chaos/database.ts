import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { MongoClient } from "mongodb";

/** A MongoDB server that can be killed and started again on the same port and data. */
export interface TestDatabase extends AsyncDisposable {
  readonly uri: string;
  readonly pid: number;
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** Starts a SecantusDB server as the bars of the project ask for it: every commit synced. */
export async function startDatabase(program: string, folder: string): Promise<TestDatabase> {
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const uri = `mongodb://127.0.0.1:${port}/callsift?directConnection=true`;
  let server: ChildProcess | null = null;
  async function start(): Promise<void> {
    const args = ["--port", String(port), "--storage-path", folder, "--cache-size", "256M", "--sync-on-commit"];
    server = spawn(program, args, { stdio: "ignore" });
    for (let i = 0; ; i++) {
      const client = new MongoClient(uri, { serverSelectionTimeoutMS: 500 });
      try {
        await client.db("admin").command({ ping: 1 });
        return;
      } catch (error) {
        if (i > 200) throw error;
        await sleep(50);
      } finally {
        await client.close();
      }
    }
  }
  async function kill(): Promise<void> {
    const ended = server;
    server = null;
    if (!ended) return;
    await new Promise<void>((resolve) => {
      ended.once("exit", () => resolve());
      ended.kill("SIGKILL");
    });
  }
  await start();
  return {
    uri,
    get pid() {
      return server?.pid ?? 0;
    },
    kill,
    start,
    [Symbol.asyncDispose]: kill,
  };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error(`expected a port, got ${address}`);
  return address.port;
}
