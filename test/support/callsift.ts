import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FailedScreening, Screening } from "../../src/pipeline/screening.ts";

const BIN = fileURLToPath(new URL("../../bin/callsift.js", import.meta.url));

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Called once the program runs. */
  readonly started?: (child: ChildProcess) => void;
}

/** No weights, no server: what the machine of whoever runs the tests has installed changes nothing. A test that wants some says so in `env`. */
const BARE = { XDG_CACHE_HOME: join(tmpdir(), "callsift-test-no-cache"), OPENAI_API_KEY: "", OPENAI_BASE_URL: "" };

/** Runs the built command as a user would, and waits for its end. */
export async function callsift(args: readonly string[], { cwd, env, started }: RunOptions = {}): Promise<Ran> {
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd,
    env: { ...process.env, ...BARE, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
  started?.(child);
  const code = await new Promise<number | null>((resolve, reject) => child.on("error", reject).on("close", resolve));
  return { code, stdout, stderr };
}

export type Result = Screening | FailedScreening;

/** `callsift screen --json`, its lines parsed. */
export async function screenJson(args: readonly string[], options?: RunOptions): Promise<Ran & { readonly results: Result[] }> {
  const ran = await callsift(["screen", "--json", ...args], options);
  const results = ran.stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Result);
  return { ...ran, results };
}

/** A folder that is gone when the test is over. */
export async function scratch(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "callsift-test-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
