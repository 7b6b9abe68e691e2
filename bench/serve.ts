/**
 * `callsift serve` with many calls stored: how long until it answers, and what memory it takes while idle, its database apart.
 *
 *   npm run build && npx tsx bench/serve.ts [calls, default 20000] [program, default ../shared/tools/secantusd-rs]
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openModels } from "../src/models/open.ts";
import { openLocalDatabase } from "../src/store/open.ts";
import { freePort } from "../test/support/free-port.ts";
import { fill } from "./api/fill.ts";
import { median, report } from "./report.ts";

const STARTS = 3;
const IDLE_MS = 90_000;

const calls = Number(process.argv[2] ?? 20_000);
const program = resolve(process.argv[3] ?? "../shared/tools/secantusd-rs");
const folder = mkdtempSync(join(process.env.CALLSIFT_BENCH_DIR ?? tmpdir(), "callsift-bench-serve-"));

async function main(): Promise<void> {
  {
    await using database = await openLocalDatabase({
      dataDir: folder,
      programs: { mongodPath: program, searchPath: "" },
      cacheDir: join(folder, "cache"),
      cacheMegabytes: 256,
    });
    await using models = await openModels(database.uri);
    await models.migrate();
    await fill(models, calls);
  }
  const starts: number[] = [];
  let idleMb = 0;
  for (let i = 0; i < STARTS; i++) {
    const begun = performance.now();
    const { child, address } = await serve();
    while (!(await isReady(address))) await sleep(20);
    starts.push((performance.now() - begun) / 1000);
    if (i === STARTS - 1) {
      await sleep(IDLE_MS);
      idleMb = residentMb(child.pid as number);
    }
    const ended = new Promise((done) => child.once("exit", done));
    child.kill("SIGTERM");
    await ended;
  }
  report(
    "serve",
    [
      {
        what: `start of serve until it answers, ${calls} calls stored`,
        measured: `${median(starts).toFixed(1)} s (${starts.map((s) => s.toFixed(1)).join(", ")})`,
        bar: "≤ 3 s",
        met: median(starts) <= 3,
      },
      {
        what: `memory of serve, idle for ${IDLE_MS / 1000} s, its database apart`,
        measured: `${idleMb.toFixed(0)} MB`,
        bar: "≤ 300 MB",
        met: idleMb <= 300,
      },
    ],
    { calls, program: program.split("/").at(-1), starts, idleMb },
  );
}

async function serve(): Promise<{ child: ChildProcess; address: string }> {
  const port = await freePort();
  const env = { ...process.env, CALLSIFT_MONGOD: program, CALLSIFT_ADMIN_PASSWORD: "password of the bench" };
  const args = ["bin/callsift.js", "serve", "--data", folder, "--port", String(port), "--engine", "import"];
  const child = spawn(process.execPath, args, { env, stdio: "ignore" });
  child.once("exit", (code) => {
    if (code) throw new Error(`expected a service, it left with ${code}`);
  });
  return { child, address: `http://127.0.0.1:${port}` };
}

async function isReady(address: string): Promise<boolean> {
  return await fetch(`${address}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  );
}

/** Of a process and all its children but the database. */
function residentMb(pid: number): number {
  const children = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => statOf(name)?.parent === pid && !statOf(name)?.name.startsWith("secantus") && statOf(name)?.name !== "mongod");
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const own = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
  return children.reduce((sum, child) => sum + residentMb(Number(child)), own);
}

function statOf(pid: string): { name: string; parent: number } | null {
  try {
    const [, name = "", parent = "0"] = /^\d+ \((.*)\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
    return { name, parent: Number(parent) };
  } catch {
    return null;
  }
}

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
