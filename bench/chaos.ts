/**
 * What survives: calls uploaded while processes are killed. One api and three workers on Redis, over a MongoDB server; `kill -9` at random, Redis emptied, the database killed.
 *
 *   npx tsx bench/chaos.ts [calls, default 1000] [seconds of chaos, default 180] [program, default ../shared/tools/secantusd-rs]
 *
 * Needs `npm run build`, redis-server, and fixtures/lines. At the end every call must be scored or failed with a reason, none lost, none twice, and the ledger must balance.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Collection, MongoClient } from "mongodb";
import { subtract, totalMs } from "../src/pipeline/timeline.ts";
import type { Span } from "../src/pipeline/types.ts";
import { seededRandom } from "../test/support/audio-files.ts";
import { openTestRedis, type TestRedis } from "../test/support/redis.ts";
import { makeCalls } from "./chaos/calls.ts";
import { freePort, startDatabase, type TestDatabase } from "./chaos/database.ts";
import { type Row, report } from "./report.ts";

const count = Number(process.argv[2] ?? 1000);
const chaosMs = Number(process.argv[3] ?? 180) * 1000;
const program = resolve(process.argv[4] ?? "../shared/tools/secantusd-rs");
const KILLS = 20;
const EMPTIED = 2;
const DATABASE_KILLS = 3;
const WORKERS = 3;
const UPLOADERS = 6;
const RECOVERY_BAR_MS = 15_000;
const SETTLE_MS = 300_000;
const SEED = Number(process.env.CHAOS_SEED ?? 1);

const folder = mkdtempSync(join(process.env.CALLSIFT_BENCH_DIR ?? tmpdir(), "callsift-chaos-"));
const random = seededRandom(SEED);
const command = fileURLToPath(new URL("../bin/callsift.js", import.meta.url));
const log = (text: string): void => console.error(`${(performance.now() / 1000).toFixed(1).padStart(6)} s  ${text}`);

/** A process that is started again whenever it ends, as a supervisor does. */
interface Kept {
  readonly name: string;
  child: ChildProcess;
  isStopped: boolean;
}

const kept: Kept[] = [];

function keep(name: string, args: readonly string[], env: Readonly<Record<string, string>>): Kept {
  const out = createWriteStream(join(folder, "logs", `${name}.log`), { flags: "a" });
  const start = (): ChildProcess => {
    const child = spawn(process.execPath, [command, ...args], { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    child.stdout?.pipe(out, { end: false });
    child.stderr?.pipe(out, { end: false });
    child.once("exit", (code, signal) => {
      if (one.isStopped) return;
      if (signal !== "SIGKILL") log(`${name} ended by itself with ${code ?? signal}`);
      setTimeout(() => {
        if (!one.isStopped) one.child = start();
      }, 500);
    });
    return child;
  };
  const one: Kept = { name, isStopped: false } as Kept;
  one.child = start();
  kept.push(one);
  return one;
}

interface Uploaded {
  readonly ids: Map<number, string>;
  refused: number;
}

/** Uploads until each call is acknowledged: whoever gets no answer asks again, as a recorder would. */
async function upload(address: string, calls: ReturnType<typeof makeCalls>, uploaded: Uploaded): Promise<void> {
  let next = 0;
  const startedMs = performance.now();
  const work = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) {
      // Spread over the chaos, so that something is always under way.
      const dueMs = startedMs + (chaosMs * 0.9 * i) / count;
      if (dueMs > performance.now()) await sleep(dueMs - performance.now());
      uploaded.ids.set(i, await uploadOne(address, calls, i, uploaded));
    }
  };
  await Promise.all(Array.from({ length: UPLOADERS }, work));
}

async function uploadOne(address: string, calls: ReturnType<typeof makeCalls>, i: number, uploaded: Uploaded): Promise<string> {
  for (;;) {
    try {
      const form = new FormData();
      form.set("metadata", JSON.stringify({ callId: `chaos-${i}`, agentId: `A${i % 10}` }));
      form.set("transcript", new Blob([calls.transcript]), "call.transcript.json");
      form.set("recording", new Blob([new Uint8Array(calls.recording(i))]), `call-${i}.wav`);
      const response = await fetch(`${address}/api/calls`, {
        method: "POST",
        headers: { authorization: `Bearer ${await tokenOf(address)}` },
        body: form,
        signal: AbortSignal.timeout(60_000),
      });
      const body = (await response.json()) as { id?: string; code?: string };
      if ((response.status === 202 || response.status === 200) && body.id) return body.id;
      uploaded.refused++;
      if (uploaded.refused < 10) log(`upload ${i}: ${response.status} ${body.code}`);
    } catch {
      // The api is gone, or was in the middle of it.
    }
    await sleep(500);
  }
}

let token: string | null = null;
let signingIn: Promise<string> | null = null;

function tokenOf(address: string): Promise<string> | string {
  if (token !== null) return token;
  signingIn ??= signIn(address).finally(() => {
    signingIn = null;
  });
  return signingIn;
}

async function signIn(address: string): Promise<string> {
  const json = { "content-type": "application/json" };
  const login = await fetch(`${address}/api/login`, {
    method: "POST",
    headers: json,
    body: JSON.stringify({ username: "admin", password: "chaos-chaos-chaos" }),
  });
  const cookie = login.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  const made = await fetch(`${address}/api/tokens`, {
    method: "POST",
    headers: { ...json, cookie },
    body: JSON.stringify({ name: "chaos" }),
  });
  const body = (await made.json()) as { token?: string };
  if (!body.token) throw new Error(`expected a token, got ${made.status} ${JSON.stringify(body)}`);
  token = body.token;
  return token;
}

interface HeldCall {
  readonly _id: string;
  readonly lease: { readonly worker: string } | null;
}

interface Recovery {
  readonly call: string;
  readonly killedMs: number;
  readonly tookMs: number;
}

/** Kills a process, and where it had calls, sees how long it takes until another has them. */
async function killOne(one: Kept, client: MongoClient, recoveries: Promise<Recovery | null>[]): Promise<number> {
  const { pid } = one.child;
  if (pid === undefined || one.child.exitCode !== null) return 0;
  one.child.kill("SIGKILL");
  const killedMs = performance.now();
  const calls = client.db("callsift").collection<HeldCall>("calls");
  const held = await calls.find({ todo: 1, "lease.worker": { $regex: `-${pid}-` } }).toArray();
  for (const call of held) recoveries.push(recovered(call._id, call.lease?.worker ?? "", { calls, killedMs }));
  return held.length;
}

async function recovered(
  call: string,
  worker: string,
  { calls, killedMs }: { readonly calls: Collection<HeldCall>; readonly killedMs: number },
): Promise<Recovery | null> {
  for (;;) {
    const now = await calls.findOne({ _id: call }).catch(() => null);
    if (now && now.lease?.worker !== worker) return { call, killedMs, tookMs: performance.now() - killedMs };
    if (performance.now() - killedMs > SETTLE_MS) return null;
    await sleep(100);
  }
}

async function wreak(database: TestDatabase, redis: TestRedis, client: MongoClient): Promise<{ hits: number; recoveriesMs: number[] }> {
  const acts = [
    ...Array.from({ length: KILLS }, () => "kill" as const),
    ...Array.from({ length: EMPTIED }, () => "empty" as const),
    ...Array.from({ length: DATABASE_KILLS }, () => "database" as const),
  ];
  for (let i = acts.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [acts[i], acts[j]] = [acts[j] as never, acts[i] as never];
  }
  const recoveries: Promise<Recovery | null>[] = [];
  const outages: Span[] = [];
  let hits = 0;
  for (const act of acts) {
    await sleep((chaosMs / acts.length) * (0.5 + random()));
    if (act === "empty") {
      log("Redis is emptied");
      await redis.empty();
    } else if (act === "database") {
      log("the database is killed");
      const from = performance.now();
      await database.kill();
      await sleep(1_000 + random() * 4_000);
      await database.start();
      outages.push([from, performance.now()]);
      log("the database is back");
    } else {
      const victim = kept[Math.floor(random() * kept.length)] as Kept;
      const had = await killOne(victim, client, recoveries).catch(() => 0);
      hits += had > 0 ? 1 : 0;
      log(`${victim.name} is killed${had > 0 ? `, it had ${had}` : ""}`);
    }
  }
  // While the database itself is away nobody can take a call over.
  const recoveriesMs = (await Promise.all(recoveries)).map((one) =>
    one === null ? Number.POSITIVE_INFINITY : totalMs(subtract([[one.killedMs, one.killedMs + one.tookMs]], outages)),
  );
  return { hits, recoveriesMs: recoveriesMs.sort((a, b) => a - b) };
}

async function untilReady(address: string): Promise<void> {
  for (let i = 0; i < 600; i++) {
    const isReady = await fetch(`${address}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return;
    await sleep(200);
  }
  throw new Error("the api is not ready after two minutes");
}

async function main(): Promise<void> {
  mkdirSync(join(folder, "logs"));
  log(`logs and data in ${folder}, seed ${SEED}`);
  const calls = makeCalls();
  await using database = await startDatabase(program, join(folder, "database"));
  await using redis = await openTestRedis();
  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  const data = join(folder, "data");
  const env = {
    MONGODB_URI: database.uri,
    REDIS_URL: redis.url,
    CALLSIFT_ADMIN_PASSWORD: "chaos-chaos-chaos",
    CALLSIFT_MIN_FREE_MB: "0",
    CALLSIFT_CONCURRENCY: "1",
    CALLSIFT_LOG_LEVEL: "info",
  };
  keep("api", ["api", "--port", String(port), "--data", data], env);
  for (let i = 1; i <= WORKERS; i++) keep(`worker-${i}`, ["worker", "--engine", "import", "--data", data], env);
  const client = new MongoClient(database.uri, { serverSelectionTimeoutMS: 60_000 });
  try {
    await untilReady(address);
    await tokenOf(address);
    const uploaded: Uploaded = { ids: new Map(), refused: 0 };
    const [{ hits, recoveriesMs }] = await Promise.all([wreak(database, redis, client), upload(address, calls, uploaded)]);
    log("chaos is over");
    const settledMs = await untilSettled(client);
    const found = await audit(client, address, uploaded);
    tell({ found, hits, times: recoveriesMs, settledMs, uploaded });
  } finally {
    for (const one of kept) {
      one.isStopped = true;
      one.child.kill("SIGKILL");
    }
    await client.close();
    if (!process.env.CHAOS_KEEP) rmSync(folder, { recursive: true, force: true });
  }
}

async function untilSettled(client: MongoClient): Promise<number> {
  const startedMs = performance.now();
  const calls = client.db("callsift").collection("calls");
  for (;;) {
    const left = await calls.countDocuments({ todo: 1 }).catch(() => Number.NaN);
    if (left === 0 || performance.now() - startedMs > SETTLE_MS) return performance.now() - startedMs;
    await sleep(500);
  }
}

interface Found {
  readonly stored: number;
  readonly byStatus: Record<string, number>;
  readonly byCode: Record<string, number>;
  readonly errors: readonly string[];
  readonly lost: number;
  readonly twice: number;
  readonly balances: boolean;
  readonly received: number;
  readonly attempts: Record<string, number>;
}

async function audit(client: MongoClient, address: string, { ids }: Uploaded): Promise<Found> {
  const db = client.db("callsift");
  const calls = await db
    .collection<{
      _id: string;
      status: string;
      error: { code: string; message: string } | null;
      metadata: { callId: string };
      attempts: number;
    }>("calls")
    .find()
    .toArray();
  const stored = new Set(calls.map(({ _id }) => _id));
  const tally = (values: readonly string[]): Record<string, number> => {
    const sums: Record<string, number> = {};
    for (const value of values) sums[value] = (sums[value] ?? 0) + 1;
    return sums;
  };
  const perCall = (names: readonly string[]): number => Object.values(tally(names)).filter((n) => n > 1).length;
  const [transcripts, screenings] = await Promise.all(
    ["transcripts", "screenings"].map(async (name) =>
      (
        await db
          .collection<{ call: string }>(name)
          .find({}, { projection: { call: 1 } })
          .toArray()
      ).map(({ call }) => call),
    ),
  );
  const scored = calls.filter(({ status }) => status === "scored").map(({ _id }) => _id);
  const withResult = new Set(screenings);
  // The last seven days: no call of this run says when it was.
  const response = await fetch(`${address}/api/coverage`, {
    headers: { authorization: `Bearer ${await tokenOf(address)}` },
  });
  const { items = [] } = (await response.json()) as { items?: Record<string, number>[] };
  const sum = (key: string): number => items.reduce((total, day) => total + (day[key] ?? 0), 0);
  const parts = ["screened", "failed", "pending", "unusable", "deleted"].reduce((total, key) => total + sum(key), 0);
  return {
    stored: calls.length,
    byStatus: tally(calls.map(({ status }) => status)),
    byCode: tally(calls.flatMap(({ error }) => (error ? [error.code] : []))),
    errors: calls.flatMap(({ error }) => (error ? [error.message] : [])),
    lost: count - [...ids.values()].filter((id) => stored.has(id)).length + scored.filter((id) => !withResult.has(id)).length,
    twice:
      perCall(calls.map(({ metadata }) => metadata.callId)) +
      perCall(transcripts ?? []) +
      perCall(screenings ?? []) +
      (count - new Set(ids.values()).size),
    balances: sum("received") === parts && sum("received") === calls.length && sum("pending") === 0,
    received: sum("received"),
    attempts: tally(calls.map(({ attempts }) => String(attempts))),
  };
}

function tell({
  found,
  hits,
  times,
  settledMs,
  uploaded,
}: {
  found: Found;
  hits: number;
  times: number[];
  settledMs: number;
  uploaded: Uploaded;
}): void {
  const { scored = 0, failed = 0 } = found.byStatus;
  const slowest = times.at(-1) ?? 0;
  const rows: Row[] = [
    {
      what: `${count} calls, ${KILLS} kills, Redis emptied ${EMPTIED} ×, database killed ${DATABASE_KILLS} ×`,
      measured: `${scored} scored, ${failed} failed with a reason ${JSON.stringify(found.byCode)}`,
      bar: "all",
      met: scored + failed === count,
    },
    { what: "lost", measured: String(found.lost), bar: "0", met: found.lost === 0 },
    { what: "twice", measured: String(found.twice), bar: "0", met: found.twice === 0 },
    {
      what: "ledger",
      measured: `${found.received} received, ${found.balances ? "balances" : "does not balance"}`,
      bar: "balances",
      met: found.balances,
    },
    {
      what: `another worker has the call of a killed one (${times.length} calls, ${hits} kills hit one)`,
      measured: `median ${((times[times.length >> 1] ?? 0) / 1000).toFixed(1)} s, slowest ${(slowest / 1000).toFixed(1)} s`,
      bar: "≤ 15 s",
      met: times.length === 0 ? null : slowest <= RECOVERY_BAR_MS,
    },
    { what: "all done after the last kill", measured: `${(settledMs / 1000).toFixed(1)} s`, bar: "", met: null },
  ];
  report("chaos", rows, { seed: SEED, found, hits, recoveriesMs: times.map(Math.round), settledMs, refusedUploads: uploaded.refused });
}

await main();
