import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { RUST_SERVER } from "./database.ts";

const bin = fileURLToPath(new URL("../../bin/callsift.js", import.meta.url));

/** Of the user admin in services that tests start. */
export const ADMIN_PASSWORD = "correct-horse-9";

/** A process of the service, as users start it. */
export interface RunningService extends AsyncDisposable {
  readonly child: ChildProcess;
  /** Where it takes requests. */
  readonly address: string;
  /** All that it has printed. */
  readonly output: () => string;
  /** @returns its exit code, or the signal that ended it */
  end(signal: NodeJS.Signals): Promise<number | string | null>;
}

/** Starts `callsift serve|api` and waits until it says that it is ready. */
export async function startService(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<RunningService> {
  const child = spawn(process.execPath, [bin, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      CALLSIFT_ADMIN_PASSWORD: ADMIN_PASSWORD,
      CALLSIFT_LOG_LEVEL: "warn",
      ...(RUST_SERVER !== null && { CALLSIFT_MONGOD: RUST_SERVER }),
      ...env,
    },
  });
  const printed: string[] = [];
  const exited = once(child, "exit").then(([code, signal]) => (code ?? signal) as number | string | null);
  child.stderr?.on("data", (chunk) => printed.push(String(chunk)));
  const ready = new Promise<string>((resolve) => {
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      printed.push(`${line}\n`);
      const address = /^callsift is ready at (http\S+)$/.exec(line)?.[1];
      if (address) resolve(address);
    });
  });
  const address = await Promise.race([ready, exited.then(() => null)]);
  if (address === null) throw new Error(`expected a service that is ready, got:\n${printed.join("")}`);
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    return await exited;
  };
  return {
    child,
    address,
    output: () => printed.join(""),
    end,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) await end("SIGTERM");
    },
  };
}

/** A person at a keyboard, or a program: asks with the cookie of its own sign-in. */
export interface Client {
  get(path: string): Promise<Response>;
  send(method: string, path: string, body?: unknown): Promise<Response>;
  /** JSON of a 2xx answer. */
  json<T>(path: string): Promise<T>;
}

/** Signs in. */
export async function signIn(address: string, username = "admin", password = ADMIN_PASSWORD): Promise<Client> {
  const answer = await fetch(`${address}/api/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username, password }),
  });
  if (answer.status !== 200) throw new Error(`expected ${username} to be signed in, got ${answer.status} ${await answer.text()}`);
  const cookie = answer.headers.get("set-cookie")?.split(";")[0] ?? "";
  const get = (path: string) => fetch(`${address}${path}`, { headers: { cookie } });
  return {
    get,
    send: (method, path, body) =>
      fetch(`${address}${path}`, {
        method,
        headers: { cookie, ...(body !== undefined && !(body instanceof FormData) && { "content-type": "application/json" }) },
        ...(body !== undefined && { body: body instanceof FormData ? body : JSON.stringify(body) }),
      }),
    async json<T>(path: string): Promise<T> {
      const got = await get(path);
      if (!got.ok) throw new Error(`expected ${path} to be answered, got ${got.status} ${await got.text()}`);
      return (await got.json()) as T;
    },
  };
}

/** Asks again until the answer is there. */
export async function eventually<T>(ask: () => Promise<T | null>, withinMs = 60_000): Promise<T> {
  for (const until = Date.now() + withinMs; Date.now() < until; await sleep(200)) {
    const answer = await ask();
    if (answer !== null) return answer;
  }
  throw new Error(`expected an answer within ${withinMs} ms, got none`);
}
