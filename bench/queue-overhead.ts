/**
 * What queue and database cost over `callsift screen` on the same files, and what a second worker brings.
 *
 *   npx tsx bench/queue-overhead.ts [engine, default whisper] [program, default ../shared/tools/secantusd-rs]
 *
 * Needs `npm run build`, redis-server, taskset, the fixture calls and, for whisper, its weights. Processor time is that of the worker, the database and Redis, against that of `screen` on the same
 * folder, one process per core, in turns; what each takes for one call alone, its start and its weights, is subtracted from both. The speed of two workers against one is taken with each held to a
 * core of its own.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { MongoClient } from "mongodb";
import { openTestRedis } from "../test/support/redis.ts";
import { startDatabase } from "./chaos/database.ts";
import { type Row, report } from "./report.ts";

const engine = process.argv[2] ?? "whisper";
const program = resolve(process.argv[3] ?? "../shared/tools/secantusd-rs");
const bin = fileURLToPath(new URL("../bin/callsift.js", import.meta.url));
const files = fileURLToPath(new URL("../fixtures/calls/", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "callsift-bench-queue-"));
const oneCall = join(folder, "one-call");
const engineArgs = ["--engine", engine, ...(engine === "whisper" ? ["--weights", "whisper-base"] : [])];
const ONE_CALL = "zh-bank-clean.";
const ROUNDS = 2;
const SCREEN_CORES = "0,1";
const TICKS = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/** Processor time of a process and its ended children, seconds; 0 where it is gone. */
function cpuOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field]), 0) / TICKS;
  } catch {
    return 0;
  }
}

async function screened(files: string): Promise<{ readonly cpuS: number; readonly seconds: number }> {
  const child = spawn(
    "taskset",
    ["-c", SCREEN_CORES, "sh", "-c", `exec "$@" >/dev/null`, "sh", process.execPath, bin, "screen", "--json", ...engineArgs, files],
    { stdio: "ignore" },
  );
  const startedMs = performance.now();
  let cpuS = 0;
  const watch = setInterval(() => {
    cpuS = Math.max(cpuS, cpuOf(child.pid ?? 0));
  }, 20);
  await new Promise((done) => child.once("exit", done));
  clearInterval(watch);
  return { cpuS, seconds: (performance.now() - startedMs) / 1000 };
}

interface Drained {
  /** Of the workers alone; of the database and Redis. */
  readonly workersS: number;
  readonly storesS: number;
  readonly seconds: number;
  readonly calls: number;
}

/** Loads the calls, then starts workers and waits until all are scored. */
async function drained(name: string, files: string, cores: readonly string[], concurrency: number): Promise<Drained> {
  await using database = await startDatabase(program, join(folder, name, "db"));
  await using redis = await openTestRedis();
  const data = join(folder, name, "data");
  const env = {
    ...process.env,
    MONGODB_URI: database.uri,
    REDIS_URL: redis.url,
    CALLSIFT_ADMIN_PASSWORD: "bench-bench",
    CALLSIFT_LOG_LEVEL: "error",
    CALLSIFT_CONCURRENCY: String(concurrency),
  };
  execFileSync(process.execPath, [bin, "import", files, "--data", data], { env, stdio: ["ignore", "ignore", "inherit"] });
  const client = await new MongoClient(database.uri).connect();
  const calls = client.db().collection("calls");
  const count = await calls.countDocuments({});
  const redisPid = Number(/process_id:(\d+)/.exec(await redisInfo(redis.url))?.[1]);
  const workers: ChildProcess[] = cores.map((core) =>
    spawn("taskset", ["-c", core, process.execPath, bin, "worker", "--data", data, ...engineArgs], {
      env,
      stdio: ["ignore", "ignore", "inherit"],
    }),
  );
  const stores = () => cpuOf(database.pid) + cpuOf(redisPid);
  // Loading weights is no work of a queue: the clock runs from the first call that is taken.
  while ((await calls.countDocuments({ status: "queued" })) === count) await sleep(50);
  const start = { ms: performance.now(), stores: stores() };
  while ((await calls.countDocuments({ status: { $in: ["scored", "failed"] } })) < count) await sleep(100);
  const seconds = (performance.now() - start.ms) / 1000;
  const result = {
    workersS: workers.reduce((sum, { pid }) => sum + cpuOf(pid ?? 0), 0),
    storesS: stores() - start.stores,
    seconds,
    calls: count,
  };
  await client.close();
  await Promise.all(
    workers.map((worker) => {
      worker.kill("SIGTERM");
      return new Promise((done) => worker.once("exit", done));
    }),
  );
  return result;
}

async function redisInfo(url: string): Promise<string> {
  const { Redis } = await import("ioredis");
  const redis = new Redis(url);
  const info = await redis.info("server");
  await redis.quit();
  return info;
}

try {
  mkdirSync(oneCall);
  for (const name of readdirSync(files).filter((name) => name.startsWith(ONE_CALL))) copyFileSync(join(files, name), join(oneCall, name));
  const screenStart = await screened(oneCall);
  const queueStart = await drained("start", oneCall, [SCREEN_CORES], 2);
  const rounds: { readonly screen: number; readonly queue: number; readonly stores: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const screen = await screened(files);
    const queue = await drained(`overhead-${round}`, files, [SCREEN_CORES], 2);
    const stores = queue.storesS - queueStart.storesS;
    rounds.push({ screen: screen.cpuS - screenStart.cpuS, queue: queue.workersS - queueStart.workersS + stores, stores });
  }
  const one = await drained("one", files, ["0"], 1);
  const two = await drained("two", files, ["0", "1"], 1);
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const cost = mean(rounds.map(({ queue }) => queue)) / mean(rounds.map(({ screen }) => screen)) - 1;
  const gain = one.seconds / two.seconds;
  const inSeconds = (values: readonly number[]): string => values.map((value) => value.toFixed(1)).join(", ");
  const rows: Row[] = [
    {
      what: `screen, ${engine}, ${one.calls} calls: processor time but for the start (${screenStart.cpuS.toFixed(1)} s)`,
      measured: `${inSeconds(rounds.map(({ screen }) => screen))} s`,
      bar: "",
      met: null,
    },
    {
      what: `worker on Redis, the same, but for the start (${queueStart.workersS.toFixed(1)} s): with database and Redis`,
      measured: `${inSeconds(rounds.map(({ queue }) => queue))} s (of these database and Redis ${inSeconds(rounds.map(({ stores }) => stores))} s)`,
      bar: "",
      met: null,
    },
    { what: "overhead of queue and database", measured: `${(100 * cost).toFixed(1)} %`, bar: "<= 5 %", met: cost <= 0.05 },
    {
      what: "two workers on two cores against one on one",
      measured: `${gain.toFixed(2)} (${one.seconds.toFixed(1)} s, ${two.seconds.toFixed(1)} s)`,
      bar: ">= 1.85",
      met: gain >= 1.85,
    },
  ];
  report(`queue-overhead-${engine}`, rows, { loadBefore: loadavg()[0], screenStart, queueStart, rounds, one, two });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
