import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { median } from "../report.ts";
import { characterErrors, rateOf } from "./error-rate.ts";
import type { Labelled } from "./sentences.ts";

/** How fast one process heard all pieces. */
export interface Speed {
  /** Seconds of sound a second, median of all rounds. */
  readonly timesRealTime: number;
  /** Seconds of sound a second of processor time: what a core to itself would do, whoever else is on the machine. */
  readonly perCpuSecond: number;
  /** Characters wrong, share. */
  readonly wrong: number;
  readonly peakMb: number;
  readonly loadMs: number;
}

interface Answer {
  readonly loadMs: number;
  readonly times: number[];
  readonly cpuMs: number;
  readonly texts: string[];
  readonly peakMb: number;
}

const SPEED = fileURLToPath(new URL("./hear-pieces.mjs", import.meta.url));
const FASTER_WHISPER = fileURLToPath(new URL("./faster-whisper.py", import.meta.url));
/** Processes of each kind, in turns; rounds in each. */
const TURNS = 3;
const ROUNDS = 1;

export interface SpeedOptions {
  readonly weights: string;
  /** A Python that has faster-whisper; null: not measured. */
  readonly python: string | null;
}

/** Pieces of about 10 s. */
export function tenSecondPieces(pieces: readonly Labelled[]): Labelled[] {
  return pieces.filter(({ samples }) => samples.length >= 8 * 8_000 && samples.length <= 12.5 * 8_000);
}

/** Our Whisper on one core, faster-whisper on one core, ours with two lanes on two: one after another, several times over, so that all see the same machine. */
export function measureSpeed(
  pieces: readonly Labelled[],
  { weights, python }: SpeedOptions,
): { seconds: number; one: Speed; two: Speed | null; faster: Speed | null } {
  const folder = mkdtempSync(join(tmpdir(), "callsift-bench-"));
  try {
    const paths = pieces.map(({ samples }, i) => {
      const path = join(folder, `${i}.f32`);
      writeFileSync(path, new Uint8Array(Float32Array.from(samples).buffer));
      return path;
    });
    const list = join(folder, "pieces.json");
    writeFileSync(list, JSON.stringify(paths));
    const run = (cores: string, program: string, args: readonly string[]): Answer =>
      JSON.parse(
        execFileSync("taskset", ["-c", cores, program, ...args], {
          encoding: "utf8",
          maxBuffer: 1 << 28,
          stdio: ["ignore", "pipe", "inherit"],
        }),
      );
    const answers = { one: [] as Answer[], two: [] as Answer[], faster: [] as Answer[] };
    for (let turn = 0; turn < TURNS; turn++) {
      answers.one.push(run("0", process.execPath, [SPEED, weights, "1", String(ROUNDS), list]));
      if (python) answers.faster.push(run("0", python, [FASTER_WHISPER, weights, String(ROUNDS), list]));
      if (availableParallelism() > 1) answers.two.push(run("0,1", process.execPath, [SPEED, weights, "2", String(2 * ROUNDS), list]));
    }
    const seconds = pieces.reduce((sum, { samples }) => sum + samples.length / 8_000, 0);
    const speedOf = (own: readonly Answer[]): Speed | null => {
      const [first] = own;
      if (!first) return null;
      return {
        timesRealTime: (1000 * seconds) / median(own.flatMap(({ times }) => times)),
        perCpuSecond: (1000 * seconds) / median(own.map(({ cpuMs }) => cpuMs)),
        wrong: rateOf(pieces.map(({ sentences }, i) => characterErrors(sentences.map(({ text }) => text).join(""), first.texts[i] ?? ""))),
        peakMb: Math.max(...own.map(({ peakMb }) => peakMb)),
        loadMs: median(own.map(({ loadMs }) => loadMs)),
      };
    };
    const one = speedOf(answers.one);
    if (!one) throw new Error("expected at least one turn");
    return { seconds, one, two: speedOf(answers.two), faster: speedOf(answers.faster) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
