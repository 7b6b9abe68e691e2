/**
 * Stored calls judged again on all cores: by rules none of which they were judged by before, as after a change of callsift's own rules; then after one rule was
 * given another phrase, which 2 % of the calls hold, first as a dry run.
 *
 *   npm run build && npx tsx bench/rescore.ts [calls, default 2500,10000] [program, default ../shared/tools/secantusd-rs]
 *
 * Calls of three minutes: 60 utterances, about 1,200 characters, no two calls alike. Processor time is that of this process, its threads with it, and of the database.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { openConnection } from "../src/models/connection.ts";
import type { Models } from "../src/models/models.ts";
import { openModels } from "../src/models/open.ts";
import { createTranscriptStore } from "../src/models/transcripts.ts";
import { readBuiltins } from "../src/pipeline/policies.ts";
import { openLocalDatabase } from "../src/store/open.ts";
import { seededRandom } from "../test/support/audio-files.ts";
import { heardCall, type ShortUtterance } from "../test/support/heard-call.ts";
import { transcribedOf } from "../test/support/workers.ts";
import { fill } from "./api/fill.ts";
import { many } from "./api/many.ts";
import { type Row, report } from "./report.ts";

// What is measured is what is run: its threads load the compiled files, not these sources through a loader.
const { createRescore } = (await import(
  new URL("../dist/workers/rescore.js", import.meta.url).href
)) as typeof import("../src/workers/rescore.ts");

const sizes = (process.argv[2] ?? "2500,10000").split(",").map(Number);
const program = resolve(process.argv[3] ?? "../shared/tools/secantusd-rs");
const BARS = new Map([[10_000, 30]]);
const RECIPE = "r".repeat(64);

const LINES = {
  agent: [
    "您好，很高兴为您服务，请问有什么可以帮您",
    "请您稍等一下，我帮您查询一下订单的情况",
    "您的包裹昨天下午已经到了城南的营业部",
    "这个我们需要跟仓库那边确认一下才能答复您",
    "好的，我这边给您登记一下，稍后会有专人联系您",
    "您说的这种情况属于正常的运输时间",
    "这不归我管，你自己想办法",
    "非常抱歉给您带来了不便",
  ],
  customer: [
    "我的快递都三天了还没有到，怎么回事",
    "单号是一三八七六五四三二一",
    "那你们什么时候能给我一个准确的答复",
    "上次也是这么说的，结果等了一个星期",
    "地址是城南路二十五号三单元",
    "好吧，那我再等等看",
    "你们这个服务也太慢了吧，我要投诉",
    "嗯，知道了，谢谢",
  ],
} as const;

/** One call in fifty has it. */
const RARE_LINE = "你别再打来了";

const folder = mkdtempSync(join(process.env.CALLSIFT_BENCH_DIR ?? tmpdir(), "callsift-bench-rescore-"));

async function measure(calls: number): Promise<Row[]> {
  const dataDir = join(folder, String(calls));
  await using database = await openLocalDatabase({
    dataDir,
    programs: { mongodPath: program, searchPath: "" },
    cacheDir: join(folder, "cache"),
    cacheMegabytes: 256,
  });
  await using models = await openModels(database.uri);
  await models.migrate();
  await models.policies.seed(await readBuiltins());
  await fill(models, calls);
  // The words themselves, without the search index, which re-scoring does not touch.
  const connection = await openConnection(database.uri);
  const transcripts = createTranscriptStore(connection);
  const ids: string[] = [];
  for await (const { id } of models.calls.all({ tenant: "default" }, {}, "-startedAt")) ids.push(id);
  await many(ids.length, 32, async (i) => await transcripts.save(ids[i] as string, "default", { ...wordsOf(i), recipe: RECIPE }));
  await connection.close();

  const rescore = async (what: string, dryRun: boolean): Promise<Row> => {
    const cpuBefore = { own: process.cpuUsage(), database: cpuSeconds(database.pid) };
    const started = performance.now();
    const result = await createRescore({ models })({ tenant: "default", by: "bench", dryRun }, new AbortController().signal);
    const seconds = (performance.now() - started) / 1000;
    const own = process.cpuUsage(cpuBefore.own);
    const ownCpu = ((own.user + own.system) / 1000 / calls).toFixed(2);
    const databaseCpu = (((cpuSeconds(database.pid) - cpuBefore.database) * 1000) / calls).toFixed(2);
    if (result.calls !== calls || result.skipped > 0) throw new Error(`expected ${calls} calls judged, got ${JSON.stringify(result)}`);
    const bar = BARS.get(calls);
    return {
      what: `re-score of ${calls} calls, ${what}: ${result.changed} of which change`,
      measured: `${seconds.toFixed(1)} s (${ownCpu} ms of CPU a call, the database ${databaseCpu} ms)`,
      bar: bar === undefined ? "" : `≤ ${bar} s`,
      met: bar === undefined || seconds <= bar,
    };
  };
  const first = await rescore("all rules new", false);
  await addPhrase(models);
  return [first, await rescore("one rule edited, dry run", true), await rescore("one rule edited", false)];
}

/** Gives a built-in rule another version, with RARE_LINE for one more phrase. */
async function addPhrase(models: Models): Promise<void> {
  const sets = (await models.policies.current())?.source.rules ?? [];
  const rule = structuredClone(sets.flatMap(({ rules }) => rules).find(({ id }) => id === "forbidden-phrase"));
  if (!rule || !("operator" in rule.when)) throw new Error("expected the built-in rule forbidden-phrase");
  (rule.when.options as { phrases: string[] }).phrases.push(RARE_LINE);
  await models.policies.addRule(rule, "zh", "bench");
}

function wordsOf(i: number): ReturnType<typeof transcribedOf> {
  const random = seededRandom(i + 1);
  const utterances = Array.from({ length: 60 }, (_, at): ShortUtterance => {
    const role = at % 2 === 0 ? "agent" : "customer";
    const lines = LINES[role];
    const text = at === 30 && i % 50 === 0 ? RARE_LINE : (lines[Math.floor(random() * lines.length)] as string);
    const startMs = at * 3000 + Math.floor(random() * 400);
    return { role, startMs, endMs: startMs + 2400, text };
  });
  return { ...transcribedOf(String(i).padStart(64, "0")), call: heardCall({ utterances }) };
}

/** Of a process since its start. */
function cpuSeconds(pid: number): number {
  const fields = (readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1] ?? "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

try {
  const rows: Row[] = [];
  for (const calls of sizes) rows.push(...(await measure(calls)));
  report("rescore", rows, { program: program.split("/").at(-1) });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
