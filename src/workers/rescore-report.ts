import type { Call, CallSummary } from "../models/calls.ts";
import type { RescoreReport } from "../models/rescore.ts";

const EXAMPLES = 100;

type Example = RescoreReport["examples"][number];
type OfRule = { before: number; after: number; gained: number; lost: number };

/** Adds up what judging calls again changes. */
export interface ReportBuilder {
  add(call: Call & { readonly summary: CallSummary }, after: CallSummary): void;
  skip(): void;
  report(): RescoreReport;
}

export function createReport(dryRun: boolean): ReportBuilder {
  const rules = new Map<string, OfRule>();
  const bands = new Map<string, number>();
  let examples: Example[] = [];
  const sums = { calls: 0, changed: 0, reviewed: 0, skipped: 0, raised: 0, lowered: 0, before: 0, after: 0 };

  function countRules(before: readonly string[], after: readonly string[]): void {
    for (const rule of new Set([...before, ...after])) {
      const [had, has] = [before.includes(rule), after.includes(rule)];
      const sum = rules.get(rule) ?? { before: 0, after: 0, gained: 0, lost: 0 };
      rules.set(rule, sum);
      if (had) sum.before++;
      if (has) sum.after++;
      if (has && !had) sum.gained++;
      if (had && !has) sum.lost++;
    }
  }

  function countScores(id: string, before: CallSummary, after: CallSummary): void {
    if (after.score > before.score) sums.raised++;
    if (after.score < before.score) sums.lowered++;
    if (before.band !== after.band) {
      const move = JSON.stringify([before.band, after.band]);
      bands.set(move, (bands.get(move) ?? 0) + 1);
    }
    examples.push({ callId: id, scoreBefore: before.score, scoreAfter: after.score, bandBefore: before.band, bandAfter: after.band });
    if (examples.length >= 4 * EXAMPLES) examples = farthest(examples);
  }

  return {
    add({ id, summary, review }, after) {
      sums.calls++;
      sums.before += summary.score;
      sums.after += after.score;
      countRules(summary.rules, after.rules);
      if (JSON.stringify(decisive(summary)) === JSON.stringify(decisive(after))) return;
      sums.changed++;
      if (review?.state === "done") sums.reviewed++;
      countScores(id, summary, after);
    },
    skip() {
      sums.skipped++;
    },
    report() {
      const { calls, changed, reviewed, skipped, raised, lowered } = sums;
      return {
        dryRun,
        calls,
        changed,
        reviewed,
        skipped,
        rules: [...rules]
          .filter(([, { gained, lost }]) => gained + lost > 0)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([rule, sum]) => ({ rule, ...sum })),
        scores: {
          raised,
          lowered,
          meanBefore: calls > 0 ? mean(sums.before, calls) : null,
          meanAfter: calls > 0 ? mean(sums.after, calls) : null,
        },
        bands: [...bands]
          .map(([move, count]) => ({ ...moveOf(move), calls: count }))
          .sort((a, b) => b.calls - a.calls || (a.from + a.to < b.from + b.to ? -1 : 1)),
        examples: farthest(examples),
      };
    },
  };
}

/** What judging again may change, in one order. */
function decisive({ score, max, band, fatal, complete, queue, priority, reasons, rules, severities, findings }: CallSummary): unknown[] {
  return [score, max, band, fatal, complete, queue, priority, reasons, rules, severities, findings];
}

function moveOf(move: string): { readonly from: string; readonly to: string } {
  const [from, to] = JSON.parse(move) as [string, string];
  return { from, to };
}

function mean(sum: number, count: number): number {
  return Math.round((sum / count) * 100) / 100;
}

function farthest(examples: readonly Example[]): Example[] {
  const distance = ({ scoreBefore, scoreAfter }: Example): number => Math.abs(scoreAfter - scoreBefore);
  return [...examples].sort((a, b) => distance(b) - distance(a) || (a.callId < b.callId ? -1 : 1)).slice(0, EXAMPLES);
}
