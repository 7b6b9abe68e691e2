/**
 * Kills the local database, its owner, or both while they write, and counts the acknowledged writes that are gone.
 *
 *   npx tsx bench/store.ts [kills, default 50] [program, default ../shared/tools/secantusd-rs] [more programs]
 *
 * A control runs the same program without `--sync-on-commit`: where it loses nothing either, the figure above it proves nothing.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { MongoClient } from "mongodb";
import { openLocalDatabase } from "../src/store/open.ts";
import { median, type Row, report } from "./report.ts";

const WRITERS = 8;
const VICTIMS = ["callsift", "database", "both"] as const;
type Victim = (typeof VICTIMS)[number];

interface Outcome {
  readonly program: string;
  readonly version: string | null;
  readonly kills: Record<Victim, number>;
  readonly acknowledged: number;
  readonly lost: number;
  readonly errorsTold: number;
  readonly unmatched: number;
  /** From the kill to the next acknowledged write, ms. */
  readonly gapsMs: Record<Victim, number[]>;
}

interface Writer {
  readonly child: ChildProcess;
  lastAckMs: number;
  acks: number;
}

async function run(program: string, kills: number, victims: readonly Victim[] = VICTIMS): Promise<Outcome> {
  const dataDir = mkdtempSync(join(tmpdir(), "callsift-bench-store-"));
  /** The highest version that was acknowledged, by call. */
  const acknowledged = new Map<number, number>();
  const count = { acknowledged: 0, errorsTold: 0, unmatched: 0 };
  const done: Record<Victim, number> = { callsift: 0, database: 0, both: 0 };
  const gapsMs: Record<Victim, number[]> = { callsift: [], database: [], both: [] };
  let first = 0;

  function start(): Writer {
    const script = fileURLToPath(new URL("./store/writer.ts", import.meta.url));
    const args = ["--import", import.meta.resolve("tsx"), script, dataDir, program, `${WRITERS}`, `${first}`];
    first += 1_000_000;
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    const writer: Writer = { child, lastAckMs: 0, acks: 0 };
    createInterface({ input: child.stdout }).on("line", (line) => {
      const [word, id, version] = line.split(" ");
      if (word === "ack") {
        acknowledged.set(Number(id), Number(version));
        count.acknowledged++;
        writer.acks++;
        writer.lastAckMs = Date.now();
      } else if (word === "unmatched") count.unmatched++;
      else if (word === "error") count.errorsTold++;
    });
    return writer;
  }

  const under = async (writer: Writer, acks: number): Promise<void> => {
    const deadline = Date.now() + 120_000;
    while (writer.acks < acks) {
      if (Date.now() > deadline) throw new Error(`expected acknowledged writes within 120 s, got ${writer.acks}`);
      await sleep(10);
    }
  };

  let writer = start();
  for (let kill = 0; kill < kills; kill++) {
    await under(writer, writer.acks + 50);
    await sleep(Math.random() * 400);
    const victim = victims[kill % victims.length] as Victim;
    const atMs = Date.now();
    if (victim !== "callsift") await killServer(dataDir);
    if (victim !== "database") {
      writer.child.kill("SIGKILL");
      await new Promise((resolve) => writer.child.once("close", resolve));
      writer = start();
    } else {
      // What was answered before the kill is still on its way here.
      await sleep(50);
    }
    const before = writer.acks;
    await under(writer, before + 1);
    gapsMs[victim].push(writer.lastAckMs - atMs);
    done[victim]++;
    process.stderr.write(`\r${basename(program)}: ${kill + 1} of ${kills} kills, ${count.acknowledged} writes acknowledged `);
  }
  process.stderr.write("\n");
  await killServer(dataDir);
  writer.child.kill("SIGKILL");
  await new Promise((resolve) => writer.child.once("close", resolve));

  const { version, stored } = await readBack(dataDir, program);
  rmSync(dataDir, { recursive: true, force: true });
  const lost = [...acknowledged].filter(([id, acknowledgedVersion]) => (stored.get(id) ?? -1) < acknowledgedVersion).length;
  return { program: basename(program), version, kills: done, lost, gapsMs, ...count };
}

/** Kills the server that runs now: its number is written down before it serves. */
async function killServer(dataDir: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      const { pid } = JSON.parse(readFileSync(join(dataDir, "database", "server.json"), "utf8")) as { pid: number };
      process.kill(pid, "SIGKILL");
      return;
    } catch (error) {
      // Between two servers.
      if (Date.now() > deadline) throw error;
      await sleep(50);
    }
  }
}

async function readBack(
  dataDir: string,
  program: string,
): Promise<{ readonly version: string | null; readonly stored: ReadonlyMap<number, number> }> {
  const programs = { mongodPath: program, searchPath: process.env.PATH ?? "" };
  await using database = await openLocalDatabase({ dataDir, programs, cacheDir: dataDir });
  await using client = new MongoClient(database.uri);
  const stored = new Map<number, number>();
  for await (const call of client
    .db()
    .collection<{ _id: number; version: number }>("calls")
    .find({}, { projection: { version: 1 } }))
    stored.set(call._id, call.version);
  return { version: database.program.version, stored };
}

/** The same program, with the flag that makes writes last taken away. */
function withoutSync(program: string): string {
  const path = join(mkdtempSync(join(tmpdir(), "callsift-bench-control-")), basename(program));
  writeFileSync(
    path,
    `#!/bin/sh\nfor argument do shift; [ "$argument" = --sync-on-commit ] || set -- "$@" "$argument"; done\nexec ${JSON.stringify(resolve(program))} "$@"\n`,
  );
  chmodSync(path, 0o755);
  return path;
}

const told = ({ kills }: Outcome): string =>
  VICTIMS.filter((victim) => kills[victim] > 0)
    .map((victim) => `${kills[victim]} × ${victim}`)
    .join(", ");

function rowsOf(name: string, outcome: Outcome, isControl: boolean): Row[] {
  const { acknowledged, lost, gapsMs, errorsTold } = outcome;
  const writes: Row = {
    what: `${name}: ${told(outcome)} killed under load`,
    measured: `${lost} of ${acknowledged} acknowledged writes lost`,
    bar: isControl ? "some: it shows that losses are seen" : "0 lost",
    met: isControl ? lost > 0 : lost === 0,
  };
  if (isControl) return [writes];
  const gaps = VICTIMS.filter((victim) => gapsMs[victim].length > 0).map((victim): Row => {
    const seconds = gapsMs[victim].map((gapMs) => gapMs / 1000);
    return {
      what: `${name}: from the kill of ${victim} to the next acknowledged write`,
      measured: `median ${median(seconds).toFixed(1)} s, longest ${Math.max(...seconds).toFixed(1)} s`,
      bar: "",
      met: null,
    };
  });
  return [
    writes,
    ...gaps,
    { what: `${name}: writes under way that failed, and whose writers were told so`, measured: `${errorsTold}`, bar: "", met: null },
  ];
}

const [, , kills = "50", ...programs] = process.argv;
const chosen = programs.length > 0 ? programs : [fileURLToPath(new URL("../../shared/tools/secantusd-rs", import.meta.url))];
const rows: Row[] = [];
const outcomes: Outcome[] = [];
for (const program of chosen) {
  const outcome = await run(resolve(program), Number(kills));
  outcomes.push(outcome);
  rows.push(...rowsOf(`${outcome.program} ${outcome.version}`, outcome, false));
}
const [one = ""] = chosen;
const control = await run(withoutSync(one), Math.ceil(Number(kills) / 5), ["database"]);
outcomes.push(control);
rows.push(...rowsOf(`${control.program} without --sync-on-commit`, control, true));
report("store", rows, { writers: WRITERS, outcomes });
process.exit(rows.some(({ met }) => met === false) ? 1 : 0);
