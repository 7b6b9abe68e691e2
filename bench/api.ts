/**
 * The HTTP API on loopback: recordings of 1 MB taken in (synced, in the database), and lists at 20,000 calls asked for by 50 clients.
 *
 *   npx tsx bench/api.ts [calls, default 20000] [uploads, default 600] [program, default ../shared/tools/secantusd-rs]
 *
 * Beside each rate stands the processor time that the API took for one answer: on a machine that others use, only that says much. `disk alone` writes and syncs the
 * same bytes in the same run, without any of ours between.
 */
import { type ChildProcess, fork } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openModels } from "../src/models/open.ts";
import { openLocalDatabase } from "../src/store/open.ts";
import { fill } from "./api/fill.ts";
import { many } from "./api/many.ts";
import { median, type Row, report } from "./report.ts";

const CLIENTS = 50;
const ANY_LIST = "lists of all agents and teams in turn";
const anyList = (i: number): string => `/api/calls?${i % 2 ? `agentId=agent-${i % 40}` : `team=team-${i % 8}`}&limit=50`;
const MEGABYTE = 1024 * 1024;
/** As many at once as a recorder or a folder of yesterday's calls may send. */
const UPLOADERS = 16;

const calls = Number(process.argv[2] ?? 20_000);
const uploads = Number(process.argv[3] ?? 600);
const program = resolve(process.argv[4] ?? "../shared/tools/secantusd-rs");

interface Usage {
  readonly cpuMs: number;
  readonly residentMb: number;
}

const folder = mkdtempSync(join(process.env.CALLSIFT_BENCH_DIR ?? tmpdir(), "callsift-bench-api-"));
const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });

async function main(): Promise<void> {
  await using database = await openLocalDatabase({
    dataDir: folder,
    programs: { mongodPath: program, searchPath: "" },
    cacheDir: join(folder, "cache"),
    cacheMegabytes: 256,
  });
  const { child, address } = await startServer(database.uri);
  const rows: Row[] = [];
  const details: Record<string, unknown> = { calls, uploads, program: program.split("/").at(-1) };
  try {
    const cookie = await signIn(address);
    const atStart = await usageOf(child);

    const disk = await diskAlone(uploads);
    const before = await usageOf(child);
    const uploaded = await uploadAll(address, cookie);
    const after = await usageOf(child);
    details.uploadMs = { p50: median(uploaded.times), p95: percentile(uploaded.times, 0.95), diskAlonePerSecond: disk };
    rows.push({
      what: `recordings of 1 MB taken in a second (${UPLOADERS} at once)`,
      measured: `${uploaded.perSecond.toFixed(0)} (disk alone ${disk.toFixed(0)}; ${((after.cpuMs - before.cpuMs) / uploads).toFixed(1)} ms of CPU each)`,
      bar: "≥ 100",
      met: uploaded.perSecond >= 100,
    });

    {
      await using models = await openModels(database.uri);
      await fill(models, calls - uploads);
    }
    for (const [what, path] of [
      ["list, newest first", "/api/calls?limit=50"],
      ["list, by priority", "/api/calls?sort=-priority&limit=50"],
      ["list, by score, one team", "/api/calls?sort=score&team=team-3&limit=50"],
      ["list, one rule, severity, a month", "/api/calls?rule=insult&severity=fatal&from=2025-03-01&to=2025-04-01&limit=50"],
      ["list, 200 of one agent", "/api/calls?agentId=agent-17&limit=200"],
      ["queue", "/api/queue?limit=50"],
      [ANY_LIST, anyList],
    ] as const) {
      await askMany(address, cookie, path, 200);
      const cpuBefore = (await usageOf(child)).cpuMs;
      const asked = 1_500;
      const times = await askMany(address, cookie, path, asked);
      const cpu = ((await usageOf(child)).cpuMs - cpuBefore) / asked;
      const p95 = percentile(times, 0.95);
      details[what] = { p50: median(times), p95, cpuMs: cpu };
      rows.push({
        what: `${what}: p95 of ${CLIENTS} clients at ${calls} calls`,
        measured: `${p95.toFixed(0)} ms (median ${median(times).toFixed(0)}; ${cpu.toFixed(2)} ms of CPU each)`,
        bar: "≤ 100 ms",
        met: p95 <= 100,
      });
    }
    // People read what they asked for before they ask again.
    const times = await askPaced(address, cookie, anyList, 1_000, 1_000);
    rows.push({
      what: `${ANY_LIST}: p95 of ${CLIENTS} clients that ask once a second`,
      measured: `${percentile(times, 0.95).toFixed(0)} ms (median ${median(times).toFixed(0)})`,
      bar: "≤ 100 ms",
      met: percentile(times, 0.95) <= 100,
    });
    details.residentMb = { start: atStart.residentMb, afterUploads: after.residentMb, end: (await usageOf(child)).residentMb };
  } finally {
    child.send("stop");
    agent.destroy();
  }
  report("api", rows, details);
}

async function startServer(uri: string): Promise<{ child: ChildProcess; address: string }> {
  const script = fileURLToPath(new URL("./api/server.ts", import.meta.url));
  const child = fork(script, [folder, uri], { execArgv: ["--import", import.meta.resolve("tsx")] });
  const { address } = await new Promise<{ address: string }>((done, fail) => {
    child.once("message", (message) => done(message as { address: string }));
    child.once("exit", (code) => fail(new Error(`expected a server, it left with ${code}`)));
  });
  return { child, address };
}

async function usageOf(child: ChildProcess): Promise<Usage> {
  return await new Promise((done) => {
    child.once("message", (message) => done(message as Usage));
    child.send("usage");
  });
}

async function signIn(address: string): Promise<string> {
  const response = await fetch(`${address}/api/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: "admin", password: "password of the bench" }),
  });
  return response.headers.getSetCookie()[0]?.split(";")[0] ?? "";
}

/** One request; `node:http`, so that the client takes little of the processor from the server. */
async function ask(address: string, path: string, cookie: string, body?: { type: string; chunks: readonly Buffer[] }): Promise<number> {
  return await new Promise((done, fail) => {
    const length = body?.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const sent = request(
      `${address}${path}`,
      { agent, method: body ? "POST" : "GET", headers: { cookie, ...(body && { "content-type": body.type, "content-length": length }) } },
      (response) => {
        response.resume();
        response.once("end", () => done(response.statusCode ?? 0));
      },
    );
    sent.once("error", fail);
    for (const chunk of body?.chunks ?? []) sent.write(chunk);
    sent.end();
  });
}

const sound = randomBytes(MEGABYTE - 16);

async function uploadAll(address: string, cookie: string): Promise<{ perSecond: number; times: number[] }> {
  const head =
    '--x\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n{"agentId":"agent-1","team":"team-1"}\r\n--x\r\nContent-Disposition: form-data; name="recording"; filename="a.wav"\r\n\r\n';
  const started = performance.now();
  const times = await many(uploads, UPLOADERS, async () => {
    const chunks = [Buffer.from(head), randomBytes(16), sound, Buffer.from("\r\n--x--\r\n")];
    const status = await ask(address, "/api/calls", cookie, { type: "multipart/form-data; boundary=x", chunks });
    if (status !== 202) throw new Error(`expected 202, got ${status}`);
  });
  return { perSecond: (uploads * 1000) / (performance.now() - started), times };
}

/** The same bytes written and synced, each to a file of its own, hashed on the way. */
async function diskAlone(count: number): Promise<number> {
  const started = performance.now();
  await many(count, UPLOADERS, async (i) => {
    const path = join(folder, `disk-${i}`);
    const file = await open(path, "wx");
    createHash("sha256").update(sound).digest();
    await file.write(sound);
    await file.sync();
    await file.close();
    rmSync(path);
  });
  return (count * 1000) / (performance.now() - started);
}

async function askMany(address: string, cookie: string, path: string | ((i: number) => string), count: number): Promise<number[]> {
  return await many(count, CLIENTS, async (i) => await askOne(address, cookie, typeof path === "string" ? path : path(i)));
}

/** Each of the clients asks once in `everyMs`, whether it has its answer or not; a time runs from when its question was due. */
async function askPaced(address: string, cookie: string, path: (i: number) => string, count: number, everyMs: number): Promise<number[]> {
  const startedMs = performance.now();
  return await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const dueMs = startedMs + (i * everyMs) / CLIENTS;
      await sleep(dueMs - performance.now());
      await askOne(address, cookie, path(i));
      return performance.now() - dueMs;
    }),
  );
}

async function askOne(address: string, cookie: string, path: string): Promise<void> {
  const status = await ask(address, path, cookie);
  if (status !== 200) throw new Error(`${path}: expected 200, got ${status}`);
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
