// SenseVoice-shaped weights (random: the speed is real, the text is noise) through sherpa-onnx as published, and through our path; everything in one run.
//   python ../shared/perf/fake_sensevoice.py int8 FOLDER/model.int8.onnx && mv FOLDER/model.int8.tokens.txt FOLDER/tokens.txt
//   npm run build && npx tsx bench/sherpa.ts FOLDER
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { spokenBy } from "../test/support/speech.ts";
import { median, type Row, report } from "./report.ts";

// What is measured is what is run: the compiled files, not these sources through a loader.
const built = async <Module>(name: string): Promise<Module> =>
  (await import(new URL(`../dist/pipeline/asr/sherpa/${name}.js`, import.meta.url).href)) as Module;
const { planCtc } = await built<typeof import("../src/pipeline/asr/sherpa/ctc-plan.ts")>("ctc-plan");
const { openCtcSession } = await built<typeof import("../src/pipeline/asr/sherpa/ctc-session.ts")>("ctc-session");
const { FAMILIES } = await built<typeof import("../src/pipeline/asr/sherpa/families.ts")>("families");
const { inspectSherpa } = await built<typeof import("../src/pipeline/asr/sherpa/inspect.ts")>("inspect");
const { decodeNative, loadNative } = await built<typeof import("../src/pipeline/asr/sherpa/native.ts")>("native");
const { openWay } = await built<typeof import("../src/pipeline/asr/sherpa/open.ts")>("open");
const { readProcessor } = await built<typeof import("../src/pipeline/asr/sherpa/processor.ts")>("processor");
const { chooseWay } = await built<typeof import("../src/pipeline/asr/sherpa/way.ts")>("way");
const { joinSymbols } = await built<typeof import("../src/pipeline/asr/sherpa/words.ts")>("words");

const PIECE_SECONDS = 10;
const PIECES = 6;
/** Equal work differs by 15 % on a shared machine: many turns, compared turn by turn. */
const TURNS = 16;
const ROUNDS = 5;
const VOICES = ["zf-xiaobei", "zm-yunxi", "zf-xiaoni", "bf-emma", "zf-xiaoyi", "am-fenrir"] as const;

const [folder = "", part = ""] = process.argv.slice(2);

function pieces(): Float32Array[] {
  return Array.from({ length: PIECES }, (_, i) => {
    const samples = spokenBy(VOICES[i % VOICES.length] as string, PIECE_SECONDS, 0.3 + i / 10);
    return Float32Array.from({ length: samples.length * 2 }, (_value, at) => samples[at >> 1] as number);
  });
}

/** Milliseconds of computing, whoever else has the core in between. */
async function cpuMs(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Published and signed weights in sherpa-onnx, our path over these, our own decoding bare and in its path: turn about, piece by piece. */
async function oneCore() {
  const weights = inspectSherpa(folder);
  const way = await chooseWay(weights);
  const plan = planCtc(weights);
  if (!plan) throw new Error(`expected a CTC family, got ${weights.family}`);
  const { config } = FAMILIES[weights.family];
  const published = await loadNative(config(weights.modelPath), weights.tokensPath);
  const signed = await loadNative(config(way.modelPath), weights.tokensPath);
  await using overSherpa = await openWay(weights, { ...way, by: "sherpa" }, 1);
  await using overOwn = await openWay(weights, { ...way, by: "ctc" }, 1);
  await using session = await openCtcSession(way.modelPath, plan);
  const hear = (recogniser: typeof overOwn) => async (sound: Float32Array) => {
    const heard = await recogniser.hear(sound, { language: "auto" });
    heard.release();
    return heard.text;
  };
  const native = (recognizer: typeof published) => async (sound: Float32Array) => {
    const { tokens, timestamps } = await decodeNative(recognizer, sound);
    return joinSymbols(
      tokens.map((symbol, i) => ({ symbol, startMs: (timestamps[i] ?? 0) * 1000, logProb: null })),
      weights.tokens.spelling,
      sound.length / 16,
    ).text;
  };
  const ways = {
    stock: native(published),
    signed: native(signed),
    overSherpa: hear(overSherpa),
    ownBare: async (sound: Float32Array) => {
      const scores = await session.scoresOf(session.featuresOf(sound), "auto");
      session.read(scores);
      session.giveBack(scores);
      return "";
    },
    overOwn: hear(overOwn),
  };
  type Name = keyof typeof ways;
  const names = Object.keys(ways) as Name[];
  const times: Record<string, number[]> = {};
  const differing: Record<string, number> = {};
  const sounds = pieces();
  for (let round = -1; round < TURNS; round++) {
    for (const [index, sound] of sounds.entries()) {
      let expected = "";
      for (let k = 0; k < names.length; k++) {
        // Who comes first changes, but for the texts: these are held against the published weights' in the warm-up round.
        const name = names[(k + (round < 0 ? 0 : round + index)) % names.length] as Name;
        let text = "";
        const ms = await cpuMs(async () => {
          text = await ways[name](sound);
        });
        if (round < 0) {
          if (name === "stock") expected = text;
          else if (text !== expected) differing[name] = (differing[name] ?? 0) + 1;
        } else {
          times[name] ??= [];
          times[name].push(ms);
        }
      }
    }
  }
  const ratio = (slow: Name, quick: Name): number => median((times[slow] ?? []).map((ms, i) => ms / (times[quick]?.[i] ?? Number.NaN)));
  const medianMs = Object.fromEntries(names.map((name) => [name, median(times[name] ?? [])])) as Record<Name, number>;
  const gain = { sherpa: ratio("stock", "overSherpa"), ctc: ratio("stock", "overOwn") };
  return { way, differing, medianMs, gain, overhead: { sherpa: ratio("overSherpa", "signed"), ctc: ratio("overOwn", "ownBare") } };
}

/** Pieces one by one and two at a time, turn about, in the way that was chosen. */
async function twoCores(by?: "ctc" | "sherpa") {
  const weights = inspectSherpa(folder);
  const chosen = await chooseWay(weights);
  await using recogniser = await openWay(weights, { ...chosen, by: by ?? chosen.by }, 2);
  const sounds = pieces();
  const hear = async (sound: Float32Array) => (await recogniser.hear(sound, { language: "auto" })).release();
  await Promise.all(sounds.map(hear));
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS * 2; round++) {
    const started = performance.now();
    for (const sound of sounds) await hear(sound);
    const between = performance.now();
    await Promise.all(sounds.map(hear));
    ratios.push((between - started) / (performance.now() - between));
  }
  return { median: median(ratios), best: Math.max(...ratios) };
}

/** Most memory of a process with the model loaded that hears pieces as long as they are cut, MB. */
async function memory(by?: "ctc" | "sherpa", lanes = 1) {
  const weights = inspectSherpa(folder);
  const chosen = await chooseWay(weights);
  await using recogniser = await openWay(weights, { ...chosen, by: by ?? chosen.by }, lanes);
  const sound = new Float32Array(12 * 16_000).map((_, i) => Math.sin(i / 9) * 0.1);
  const phrases = { language: "auto", keep: true } as const;
  for (let i = 0; i < 8; i++) {
    await Promise.all(Array.from({ length: lanes }, async () => (await recogniser.hear(sound, phrases)).release()));
  }
  const heard = peakMb();
  const piece = await recogniser.hear(sound, phrases);
  await piece.weigh?.([piece.text, `${piece.text}好`]);
  piece.release();
  return { heard, weighed: peakMb() };
}

function peakMb(): number {
  const status = readFileSync("/proc/self/status", "utf8");
  return Math.round(Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1000);
}

const PARTS = {
  "one-core": oneCore,
  "two-cores": () => twoCores(),
  "two-cores-ctc": () => twoCores("ctc"),
  "two-cores-sherpa": () => twoCores("sherpa"),
  memory: () => memory(),
  "memory-ctc": () => memory("ctc"),
  "memory-ctc-two": () => memory("ctc", 2),
  "memory-sherpa": () => memory("sherpa"),
};

/** A part in a process of its own, on these cores. */
function run<Name extends keyof typeof PARTS>(name: Name, cores: string): Awaited<ReturnType<(typeof PARTS)[Name]>> {
  const loader = fileURLToPath(import.meta.resolve("tsx"));
  const command = [process.execPath, "--import", loader, fileURLToPath(import.meta.url), folder, name];
  const out = execFileSync("taskset", ["-c", cores, ...command], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  return JSON.parse(out.trim().split("\n").at(-1) ?? "");
}

async function main(): Promise<void> {
  const [load = 0] = loadavg();
  if (load > 1) console.warn(`the machine is busy (load ${load.toFixed(1)}): two cores are not to be had`);
  const { instructions } = readProcessor();
  await chooseWay(inspectSherpa(folder));
  const one = run("one-core", "0");
  const cores = cpus().length > 1 ? { chosen: run("two-cores", "0,1"), ctc: run("two-cores-ctc", "0,1") } : null;
  const memoryOf = { chosen: run("memory", "0"), ctc: run("memory-ctc", "0"), ctcTwo: run("memory-ctc-two", "0") };
  const ms = one.medianMs;
  const x = (key: keyof typeof ms): string => `${((PIECE_SECONDS * 1000) / ms[key]).toFixed(1)} x`;
  const ours = one.way.by === "ctc" ? "overOwn" : "overSherpa";
  const gain = one.gain[one.way.by];
  const bar = instructions.length > 0 ? 2.5 : 1;
  const share = (by: "ctc" | "sherpa"): number => (one.overhead[by] - 1) * 100;
  const rows: Row[] = [
    { what: "sherpa-onnx, weights as published, one core, 10 s pieces", measured: x("stock"), bar: "", met: null },
    { what: `our path (${one.way.by}; ${one.way.notSigned ?? "signed weights"})`, measured: x(ours), bar: "", met: null },
    { what: "our path against sherpa-onnx as published", measured: gain.toFixed(2), bar: `>= ${bar}`, met: gain >= bar },
    {
      what: "pieces with another text",
      measured: `${one.differing[ours] ?? 0} of ${PIECES}`,
      bar: "0",
      met: (one.differing[ours] ?? 0) === 0,
    },
    { what: "sherpa-onnx, signed weights", measured: x("signed"), bar: "", met: null },
    {
      what: "our path over bare sherpa-onnx",
      measured: `${share("sherpa").toFixed(1)} %`,
      bar: "<= 3 %",
      met: share("sherpa") <= 3,
    },
    {
      what: `our own decoding, signed (${one.differing.overOwn ?? 0} of ${PIECES} texts differ)`,
      measured: `${x("overOwn")}, ${one.gain.ctc.toFixed(2)} times as published`,
      bar: "",
      met: null,
    },
    {
      what: "our path over our own decoding, bare",
      measured: `${share("ctc").toFixed(1)} %`,
      bar: "<= 3 %",
      met: share("ctc") <= 3,
    },
  ];
  if (cores) {
    for (const [name, { median: twice, best }] of Object.entries(cores)) {
      rows.push({
        what: `two lanes on two cores against one (${name})`,
        measured: `${twice.toFixed(2)} (best ${best.toFixed(2)})`,
        bar: ">= 1.85",
        met: twice >= 1.85,
      });
    }
  }
  rows.push({
    what: "memory, one model, one lane, 12 s pieces",
    measured: `${memoryOf.chosen.heard} MB`,
    bar: "<= 700 MB",
    met: memoryOf.chosen.heard <= 700,
  });
  rows.push({ what: "  after a text was weighed", measured: `${memoryOf.chosen.weighed} MB`, bar: "", met: null });
  rows.push({
    what: "  decoded by ourselves, one lane, weighed",
    measured: `${memoryOf.ctc.weighed} MB`,
    bar: "<= 700 MB",
    met: memoryOf.ctc.weighed <= 700,
  });
  rows.push({ what: "  decoded by ourselves, two lanes", measured: `${memoryOf.ctcTwo.heard} MB`, bar: "", met: null });
  report("sherpa", rows, { pieces: PIECES, rounds: ROUNDS, loadBefore: load, one, cores, memory: memoryOf });
}

if (!existsSync(join(folder, "model.int8.onnx"))) {
  console.log("skipped: bench/sherpa needs the folder of a SenseVoice-shaped model (see its first lines)");
} else if (part === "") await main();
else console.log(JSON.stringify(await PARTS[part as keyof typeof PARTS]()));
