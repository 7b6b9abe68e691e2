// Every expected event found, none invented: screens calls and compares with the truth beside them.
//   npm run build && npx tsx bench/accuracy.ts [folder]      default: fixtures/calls
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Truth } from "../fixtures/generate.ts";
import type { FailedScreening, Screening } from "../src/pipeline/screening.ts";
import type { Finding } from "../src/pipeline/types.ts";
import { type Row, report } from "./report.ts";

/** An event's start may be so far off, ms. */
const TOLERANCE_MS = 250;

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = process.argv[2] ?? join(root, "fixtures/calls");
const ran = spawnSync(process.execPath, ["bin/callsift.js", "screen", "--json", folder], {
  cwd: root,
  encoding: "utf8",
  maxBuffer: 1 << 30,
});
const results = ran.stdout
  .split("\n")
  .filter(Boolean)
  .map((line) => JSON.parse(line) as Screening | FailedScreening);

interface Count {
  found: number;
  missed: number;
  invented: number;
}
const perRule = new Map<string, Count>();
const faults: string[] = [];
let calls = 0;
let sidesKnown = 0;
let sidesRight = 0;

for (const result of results) {
  const truthPath = join(folder, `${basename(result.recording.name).replace(/\.[^.]*$/, "")}.truth.json`);
  if (!existsSync(truthPath)) continue;
  const truth = JSON.parse(readFileSync(truthPath, "utf8")) as Truth;
  calls++;
  if (result.status === "failed") {
    faults.push(`${result.recording.name}: ${result.error.code} ${result.error.message}`);
    continue;
  }
  if (truth.agentChannel !== null) {
    sidesKnown++;
    if (result.audio.agentChannel === truth.agentChannel) sidesRight++;
    else
      faults.push(
        `${result.recording.name}: agent on ${truth.agentChannel}, got ${result.audio.agentChannel} (${result.audio.roleSource})`,
      );
  }
  compare(result, truth);
}

/** Pairs each expected event with the nearest unused finding of its rule; what is left over on either side is an error. */
function compare({ recording, findings, notAssessed }: Screening, { expected, unjudged }: Truth): void {
  const unused = new Set(findings.filter(({ rule }) => !unjudged.includes(rule)));
  for (const event of expected) {
    const near = [...unused]
      .filter((finding) => finding.rule === event.rule && fits(finding, event))
      .sort((a, b) => distance(a, event) - distance(b, event))[0];
    if (near) {
      unused.delete(near);
      count(event.rule).found++;
    } else {
      count(event.rule).missed++;
      const why = notAssessed.find(({ rule }) => rule === event.rule);
      const others = findings.filter(({ rule }) => rule === event.rule).map(({ startMs, endMs }) => `${startMs}–${endMs}`);
      const where = event.startMs === null ? "the whole call" : `${event.startMs}–${event.endMs}`;
      faults.push(
        `${recording.name}: missed ${event.rule} at ${where}${why ? ` (not assessed: ${why.reason})` : others.length > 0 ? ` (found at ${others})` : ""}`,
      );
    }
  }
  for (const { rule, startMs, endMs, quote } of unused) {
    count(rule).invented++;
    faults.push(`${recording.name}: invented ${rule} at ${startMs}–${endMs}${quote ? ` “${quote}”` : ""}`);
  }
}

type Expected = Truth["expected"][number];

function fits({ startMs, endMs }: Finding, event: Expected): boolean {
  if (event.match === "call" || event.startMs === null) return true;
  if (event.match === "start") return Math.abs(startMs - event.startMs) <= TOLERANCE_MS;
  return startMs < (event.endMs ?? event.startMs + 1) && endMs > event.startMs;
}

function distance({ startMs }: Finding, event: Expected): number {
  return Math.abs(startMs - (event.startMs ?? startMs));
}

function count(rule: string): Count {
  const found = perRule.get(rule) ?? { found: 0, missed: 0, invented: 0 };
  perRule.set(rule, found);
  return found;
}

const f1 = ({ found, missed, invented }: Count): number => (2 * found) / (2 * found + missed + invented || 1);
const sorted = [...perRule].sort(([a], [b]) => (a < b ? -1 : 1));
const total = sorted.reduce(
  (sum, [, { found, missed, invented }]) => ({ found: sum.found + found, missed: sum.missed + missed, invented: sum.invented + invented }),
  { found: 0, missed: 0, invented: 0 },
);
const rows: Row[] = [
  {
    what: `events in ${calls} calls`,
    measured: `${total.found} found, ${total.missed} missed, ${total.invented} invented`,
    bar: "all found, none invented",
    met: total.missed + total.invented === 0,
  },
  { what: "agent's side", measured: `${sidesRight} of ${sidesKnown} right`, bar: "all", met: sidesRight === sidesKnown },
  ...sorted.map(
    ([rule, counts]): Row => ({
      what: `  ${rule}`,
      measured: `F1 ${f1(counts).toFixed(3)} (${counts.found}/${counts.missed}/${counts.invented})`,
      bar: "",
      met: null,
    }),
  ),
];
report("accuracy", rows, { folder: basename(folder), perRule: Object.fromEntries(sorted), faults });
for (const fault of faults) console.log(fault);
process.exitCode = faults.length > 0 ? 1 : 0;
