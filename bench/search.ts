/**
 * How long searches take as calls become more, what indexing a call costs, and how large the index is:
 *
 *     npx tsx bench/search.ts --server ../shared/tools/secantusd-rs --calls 1000,10000,30000
 *
 * Calls are made up: 3,000 characters in 150 utterances of two sides, words by Zipf's law, and service phrases that every call has. Writes
 * bench/results/search-<server>.json and prints a table.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import mongoose from "mongoose";
import type { CallFilter } from "../src/models/calls.ts";
import { createSearchIndex } from "../src/models/search/search-index.ts";
import { createSearchStore } from "../src/models/search.ts";
import type { Utterance } from "../src/pipeline/types.ts";

const { values } = parseArgs({
  options: {
    server: { type: "string", default: "../shared/tools/secantusd-rs" },
    calls: { type: "string", default: "1000,10000" },
    port: { type: "string", default: "27417" },
    rounds: { type: "string", default: "6" },
    /** Instead of a server of our own. */
    uri: { type: "string" },
    /** Where the server keeps its files, and leaves them: calls that are there are not stored again. */
    folder: { type: "string" },
  },
});
const SIZES = values.calls.split(",").map(Number);
const ROUNDS = Number(values.rounds);
const TENANT = "bench";
const DAY_MS = 86_400_000;

/** mulberry32: the same calls in every run. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const CHARACTERS =
  "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运";
const PHRASES = [
  "您好请问有什么可以帮您",
  "请稍等我帮您查一下",
  "感谢您的来电祝您生活愉快",
  "请对我的服务做出评价",
  "不好意思让您久等了",
  "我要投诉你们",
  "这个不归我们管",
  "什么时候可以退款",
];

const make = randomOf(20_261_126);
const WORDS = Array.from({ length: 20_000 }, () => {
  const length = make() < 0.75 ? 2 : 3;
  return Array.from({ length }, () => CHARACTERS[Math.floor(make() ** 1.5 * CHARACTERS.length)]).join("");
});

function zipf(random: () => number): string {
  return WORDS[Math.min(WORDS.length - 1, Math.floor(WORDS.length ** random()) - 1)] as string;
}

function callOf(number: number): Utterance[] {
  const random = randomOf(number + 1);
  const utterances: Utterance[] = [];
  let at = 0;
  let characters = 0;
  for (let i = 0; characters < 3000; i++) {
    let text = i === 0 ? (PHRASES[0] as string) : random() < 0.06 ? (PHRASES[Math.floor(random() ** 2 * PHRASES.length)] as string) : "";
    for (const length = 8 + random() * 24; text.length < length; ) text += zipf(random);
    const words = Array.from(text, (character, k) => ({ text: character, startMs: at + k * 240, endMs: at + k * 240 + 200 }));
    const role = i % 2 === 0 ? ("agent" as const) : ("customer" as const);
    utterances.push({
      role,
      channel: i % 2,
      startMs: at,
      endMs: at + text.length * 240,
      text: `${text}。`,
      confidence: 0.9,
      words,
      timing: "exact",
    });
    at += text.length * 240 + 600;
    characters += text.length;
  }
  return utterances;
}

/** What people ask, by kind; each round asks other words. */
function queries(
  random: () => number,
  calls: number,
): readonly (readonly [kind: string, query: string, filter: CallFilter, sound: boolean])[] {
  const words = callOf(Math.floor(random() * calls));
  const utterance = (words[1 + Math.floor(random() * (words.length - 2))] as Utterance).text;
  const piece = (length: number): string => {
    const from = Math.floor(random() * Math.max(1, utterance.length - length - 1));
    return utterance.slice(from, from + length).replace("。", "");
  };
  const rare = WORDS[2000 + Math.floor(random() * 18_000)] as string;
  const common = WORDS[Math.floor(random() * 30)] as string;
  const service = PHRASES[Math.floor(random() * PHRASES.length)] as string;
  const week = { from: new Date(Math.floor(random() * 300) * DAY_MS), to: new Date(310 * DAY_MS) };
  return [
    ["rare word", rare, {}, false],
    ["common word", common, {}, false],
    ["six characters of an utterance", `"${piece(6)}"`, {}, false],
    ["two characters of an utterance", piece(2), {}, false],
    ["one character", piece(1), {}, false],
    ["service phrase", `"${service}"`, {}, false],
    ["AND", `"${service}" AND ${rare}`, {}, false],
    ["OR", `${rare} OR ${WORDS[500 + Math.floor(random() * 5000)]} OR ${piece(3)}`, {}, false],
    ["NOT", `${rare} NOT customer:"${service}"`, {}, false],
    ["NEAR", `${common} NEAR/5 ${WORDS[Math.floor(random() * 200)]}`, {}, false],
    ["one side", `customer:${common}`, {}, false],
    ["agent and days", common, { agentId: `${Math.floor(random() * 40)}`, ...week }, false],
    ["by sound", piece(4), {}, true],
  ];
}

function percentile(times: readonly number[], share: number): number {
  if (times.length === 0) return 0;
  return [...times].sort((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * share))] as number;
}

function megabytes(folder: string): number {
  const size = (path: string): number =>
    statSync(path).isDirectory() ? readdirSync(path).reduce((sum, name) => sum + size(join(path, name)), 0) : statSync(path).size;
  return size(folder) / 1e6;
}

/** Seconds of processor time of another process. */
async function processorSeconds(pid: number | undefined): Promise<number> {
  if (pid === undefined) return 0;
  const { readFile } = await import("node:fs/promises");
  const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).replace(/^.*\) /u, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const folder = values.folder ?? mkdtempSync(join(tmpdir(), "callsift-bench-search-"));
mkdirSync(folder, { recursive: true });
const server = values.uri
  ? null
  : spawn(
      values.server,
      ["--port", values.port, "--storage-path", folder, "--cache-size", "256M", "--sync-on-commit", "--log-level", "WARNING"],
      { stdio: "ignore" },
    );
try {
  const connection = await connect(values.uri ?? `mongodb://127.0.0.1:${values.port}/bench?directConnection=true`);
  const index = createSearchIndex(connection);
  const store = createSearchStore(connection);
  for (const model of Object.values(connection.models)) await model.createIndexes();
  const rows: Record<string, unknown>[] = [];
  let stored = await connection.collection("searchWords").estimatedDocumentCount();
  for (const size of SIZES) {
    const began = performance.now();
    const own = process.cpuUsage();
    const theirs = await processorSeconds(server?.pid);
    const first = stored;
    const saves: number[] = [];
    const worker = async (): Promise<void> => {
      while (stored < size) {
        const number = stored++;
        const utterances = callOf(number);
        const start = performance.now();
        const startedAt = new Date(Math.floor(randomOf(number)() * 310 * DAY_MS));
        await index.saveWords(
          `call${String(number).padStart(8, "0")}`,
          TENANT,
          { startedAt, agentId: `${number % 40}`, team: `${number % 5}` },
          utterances,
        );
        saves.push(performance.now() - start);
        if (number % 1000 === 999) console.error(`${number + 1} calls, ${((performance.now() - began) / 1000).toFixed(0)} s`);
      }
    };
    await Promise.all(Array.from({ length: 4 }, worker));
    await index.maintain();
    const seconds = (performance.now() - began) / 1000;
    const used = process.cpuUsage(own);
    const added = size - first;
    const load = {
      calls: size,
      savedPerSecond: added / seconds,
      saveP50Ms: percentile(saves, 0.5),
      saveP99Ms: percentile(saves, 0.99),
      saveWorstMs: Math.max(0, ...saves),
      ownCpuMsPerCall: (used.user + used.system) / 1000 / added,
      serverCpuMsPerCall: (((await processorSeconds(server?.pid)) - theirs) * 1000) / added,
      diskKbPerCall: server ? (megabytes(folder) * 1000) / size : null,
    };
    console.table([load]);

    const random = randomOf(size);
    const rounds = Array.from({ length: ROUNDS + 1 }, () => queries(random, size));
    const all: number[] = [];
    const kinds: Record<string, unknown>[] = [];
    for (const [k, [kind]] of (rounds[0] ?? []).entries()) {
      const times: number[] = [];
      const totals: number[] = [];
      let usedBefore = process.cpuUsage();
      let theirsBefore = 0;
      for (const [round, asked] of rounds.entries()) {
        const [, query, filter, sound] = asked[k] as (typeof asked)[number];
        const start = performance.now();
        const { total } = await store.search(query, { tenant: TENANT }, filter, { limit: 50, sound });
        if (round > 0) {
          times.push(performance.now() - start);
          totals.push(total);
          continue;
        }
        // The first round warms up.
        usedBefore = process.cpuUsage();
        theirsBefore = await processorSeconds(server?.pid);
      }
      const usedNow = process.cpuUsage(usedBefore);
      all.push(...times);
      kinds.push({
        kind,
        p50Ms: Math.round(percentile(times, 0.5)),
        p95Ms: Math.round(percentile(times, 0.95)),
        ownCpuMs: Math.round((usedNow.user + usedNow.system) / 1000 / ROUNDS),
        serverCpuMs: Math.round((((await processorSeconds(server?.pid)) - theirsBefore) * 1000) / ROUNDS),
        medianTotal: percentile(totals, 0.5),
      });
    }
    console.table(kinds);
    console.log(
      `${size} calls: all queries p50 ${percentile(all, 0.5).toFixed(0)} ms, p95 ${percentile(all, 0.95).toFixed(0)} ms, worst ${Math.max(...all).toFixed(0)} ms; resident ${(process.memoryUsage.rss() / 1e6).toFixed(0)} MB`,
    );
    rows.push({ ...load, p50Ms: percentile(all, 0.5), p95Ms: percentile(all, 0.95), worstMs: Math.max(...all), kinds });
  }
  await connection.close();
  mkdirSync(new URL("results/", import.meta.url), { recursive: true });
  const name = values.uri ? "uri" : basename(values.server);
  writeFileSync(
    new URL(`results/search-${name}.json`, import.meta.url),
    `${JSON.stringify({ server: name, rounds: ROUNDS, rows }, null, 2)}\n`,
  );
} finally {
  if (server?.kill()) await once(server, "exit");
  if (values.folder === undefined) rmSync(folder, { recursive: true, force: true });
}

async function connect(uri: string): Promise<mongoose.Connection> {
  for (let tries = 0; ; tries++) {
    try {
      return await mongoose
        .createConnection(uri, { serverSelectionTimeoutMS: 1000, writeConcern: { w: "majority", journal: true } })
        .asPromise();
    } catch (error) {
      if (tries > 30) throw error;
      await sleep(500);
    }
  }
}
