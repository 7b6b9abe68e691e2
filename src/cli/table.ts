import pc from "picocolors";
import stringWidth from "string-width";
import type { Config } from "../config.ts";
import { OPERATORS } from "../pipeline/operators/index.ts";
import type { Policies } from "../pipeline/policies.ts";
import { messageTable, renderFinding, renderNotAssessed } from "../pipeline/rules/messages.ts";
import type { FailedScreening, Screening } from "../pipeline/screening.ts";
import { displayText } from "../pipeline/text/display.ts";
import type { Finding, Severity } from "../pipeline/types.ts";
import { clock } from "./progress.ts";

/** Columns of the result table; with one space between them 80 wide. */
const COLUMNS = [
  ["recording", 22],
  ["length", 7],
  ["score", 7],
  ["queue", 8],
  ["prio", 4],
  ["findings", 27],
] as const;

export interface ResultTable {
  readonly head: string;
  row(result: Screening | FailedScreening): string;
}

/** A table of 80 columns, printed row by row as calls are done; colour only on a terminal. */
export function openTable(stdout: NodeJS.WriteStream, config: Config): ResultTable {
  const colour = pc.createColors(stdout.isTTY === true && !config.noColor);
  const line = (cells: readonly string[]): string =>
    COLUMNS.map(([, width], i) => toWidth(cells[i] ?? "", width))
      .join(" ")
      .trimEnd();
  return {
    head: colour.bold(line(COLUMNS.map(([title]) => title))),
    row(result) {
      if (result.status === "failed") {
        return colour.red(
          `${toWidth(printable(result.recording.name), 22)} failed ${result.error.code}: ${printable(result.error.message)}`,
        );
      }
      const { recording, score, triage, findings } = result;
      const points = `${round(score.total)}/${round(score.max)}${score.complete ? "" : "*"}`;
      const text = line([
        printable(recording.name),
        clock(recording.durationMs / 1000),
        points,
        triage.queue,
        String(triage.priority),
        summarise(findings),
      ]);
      return score.fatal ? colour.red(text) : triage.queue === "review" ? colour.yellow(text) : text;
    },
  };
}

/** Rule names by weight, the most severe first: `insult, 2 dead-air`. A finding that waits for a person has a question mark. */
function summarise(findings: readonly Finding[]): string {
  const order: Record<Severity, number> = { fatal: 0, serious: 1, general: 2, notice: 3 };
  const groups = new Map<string, { count: number; severity: Severity }>();
  for (const { rule, counts, severity } of findings) {
    const name = counts ? rule : `${rule}?`;
    const group = groups.get(name) ?? { count: 0, severity };
    groups.set(name, { ...group, count: group.count + 1 });
  }
  return [...groups]
    .sort(([, a], [, b]) => order[a.severity] - order[b.severity])
    .map(([name, { count }]) => (count > 1 ? `${count} ${name}` : name))
    .join(", ");
}

/** The evidence of one call, a line per finding, item and thing not judged. */
export function detailLines(result: Screening | FailedScreening, policies: Policies, config: Config): string[] {
  if (result.status === "failed") return [];
  const { audio, findings, notAssessed, score, transcript, triage } = result;
  const messages = messageTable(OPERATORS, policies.policyFor("language" in transcript ? transcript.language : "zh").rules);
  const lines = findings.map((finding) => {
    const who = finding.role ?? "call";
    const quote = finding.quote === null ? "" : ` “${displayText(finding.quote)}”`;
    const waits = finding.counts ? "" : " (waits for a person)";
    return `  ${clock(finding.startMs / 1000)}–${clock(finding.endMs / 1000)} ${who} ${finding.rule}${waits}:${quote} ${renderFinding(finding, messages, config.locale)}`;
  });
  for (const item of score.items) if (item.points !== null && item.points < 0) lines.push(`  ${item.item}: ${round(item.points)} points`);
  for (const missing of notAssessed) lines.push(`  not assessed: ${missing.rule}: ${renderNotAssessed(missing, config.locale)}`);
  for (const { code, channel, detail } of audio.problems)
    lines.push(`  sound: ${code}${channel === null ? "" : ` on channel ${channel}`}: ${detail}`);
  const agent = audio.agentChannel === null ? "agent unknown" : `agent on channel ${audio.agentChannel} (${audio.roleSource})`;
  lines.push(
    `  ${audio.layout}, ${agent}; words: ${"engine" in transcript ? transcript.engine : transcript.reason}; ${triage.reasons.join(", ") || "nothing to look at"}`,
  );
  return lines.map(printable);
}

/** What became of a run's calls. */
export interface Tally {
  screened: number;
  failed: number;
  /** Of the failed, those that are callsift's own fault. */
  bugs: number;
  soundMs: number;
  incomplete: number;
}

/** The last line: how many, how much sound, how fast. */
export function summaryLine({ screened, failed, soundMs, incomplete }: Tally, calls: number, elapsedMs: number): string {
  const left = calls - screened - failed;
  const stopped = left > 0 ? `, ${left} not begun or stopped` : "";
  const star = incomplete > 0 ? "\n* not every item could be judged; --details and --json say why" : "";
  const speed = elapsedMs > 0 ? Math.round(soundMs / elapsedMs) : 0;
  return `${screened} screened, ${failed} failed${stopped}; ${clock(soundMs / 1000)} of sound in ${(elapsedMs / 1000).toFixed(1)} s (${speed} × real time)${star}`;
}

/** Cut or padded to a width in terminal columns (a Chinese character takes two). */
function toWidth(text: string, width: number): string {
  let taken = "";
  let columns = 0;
  for (const character of text) {
    const next = stringWidth(character);
    if (columns + next > width) {
      while (columns + 1 > width) {
        const last = Array.from(taken).at(-1) ?? "";
        taken = taken.slice(0, taken.length - last.length);
        columns -= stringWidth(last);
      }
      return `${taken}…`.padEnd(taken.length + 1 + Math.max(0, width - columns - 1));
    }
    taken += character;
    columns += next;
  }
  return taken + " ".repeat(width - columns);
}

/** File names and transcripts come from strangers: nothing of them may steer the terminal. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is to be shown as such
  return text.replace(/[\u0000-\u001F\u007F-\u009F\u2028\u2029\u202A-\u202E\u2066-\u2069]/g, "\uFFFD");
}

function round(points: number): string {
  return String(Math.round(points * 100) / 100);
}
