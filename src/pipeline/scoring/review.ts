import { CallsiftError } from "../errors.ts";
import { describeFaults, type Fault, repeated, show } from "../rules/faults.ts";
import type { Screening } from "../screening.ts";
import type { Finding } from "../types.ts";
import { linesOf, type RuleMeta } from "./lines.ts";
import { markFaults } from "./marks.ts";
import type { Form, Item } from "./schema.ts";
import { type Decision, type FormScore, score } from "./score.ts";

/** What a person says of a screening (contracts.md §6, `PUT /api/calls/:id/review`). */
export interface ReviewMarks {
  readonly findings: readonly { readonly id: string; readonly decision: Decision; readonly note?: string }[];
  /** Points instead of the machine's. */
  readonly items: readonly { readonly item: string; readonly points: number; readonly reason: string }[];
  /** What the machine did not find. */
  readonly added: readonly { readonly rule: string; readonly startMs: number; readonly endMs: number; readonly note?: string }[];
}

/** A screening with a person's word on it. */
export interface AppliedReview {
  /** The machine's, then the added ones: `a1`, `a2`, … in order of start, then rule id. */
  readonly findings: readonly Finding[];
  /** Ids of the machine's findings that cost points and that nobody has confirmed or rejected. */
  readonly undecided: readonly string[];
  readonly score: FormScore;
}

/** The only fields that are read of a screening. */
export type ReviewedScreening = Pick<Screening, "findings" | "notAssessed"> & {
  readonly recording: Pick<Screening["recording"], "durationMs">;
};

/** The only parts that are read of a policy. */
export interface ReviewedPolicy {
  readonly rules: readonly (RuleMeta & { readonly version: number })[];
  readonly form: Form;
}

/**
 * Scores a screening again by the policy that it was judged by, with a person's decisions, points and added findings. Pure; the order inside the three lists
 * does not matter.
 *
 * @throws CallsiftError `request/invalid` naming every path that doesn't fit screening, rules or form
 */
export function applyReview(screening: ReviewedScreening, policy: ReviewedPolicy, review: ReviewMarks): AppliedReview {
  const rules = new Map(policy.rules.map((rule) => [rule.id, rule]));
  const faults = [
    ...decisionFaults(screening.findings, review),
    ...reasonFaults(review),
    ...markFaults(policy.form, review.items, policy.rules),
    ...addedFaults(screening, rules, review),
  ];
  if (faults.length > 0) {
    throw new CallsiftError("request/invalid", describeFaults("review", faults), { details: { paths: faults.map(({ path }) => path) } });
  }
  const added = addedFindings(rules, review);
  const decisions = Object.fromEntries<Decision>([
    ...review.findings.map(({ id, decision }) => [id, decision] as const),
    ...added.map(({ id }) => [id, "confirmed"] as const),
  ]);
  const findings = [...screening.findings, ...added];
  return {
    findings,
    undecided: screening.findings
      .filter((finding) => finding.counts && !isDecided(decisions[finding.id]) && costsPoints(finding, policy))
      .map(({ id }) => id),
    score: score(policy.form, { findings, notAssessed: screening.notAssessed, rules: policy.rules, marks: review.items, decisions }),
  };
}

function isDecided(decision: Decision | undefined): boolean {
  return decision === "confirmed" || decision === "rejected";
}

/** Whether such a finding can take points of the form, however much is left to take. */
function costsPoints({ rule, severity }: Finding, { form, rules }: ReviewedPolicy): boolean {
  if (severity === "fatal" || form.fatal?.severities?.includes(severity) || form.fatal?.rules?.includes(rule)) return true;
  return linesOf(form, rules).some((line) => line.rules.includes(rule) && (line.item.fatal !== undefined || takes(line.item, severity)));
}

function takes(item: Item, severity: Finding["severity"]): boolean {
  if (item.kind === "bonus" || item.kind === "points") return false;
  if (item.kind !== "deduct") return true;
  return (typeof item.points === "number" ? item.points : (item.points[severity] ?? 0)) > 0;
}

function decisionFaults(found: readonly Finding[], { findings }: ReviewMarks): Fault[] {
  const known = new Set(found.map(({ id }) => id));
  return [
    ...findings.flatMap(({ id }, i) =>
      known.has(id) ? [] : [{ path: `findings[${i}].id`, message: `the id of a finding of this call expected, ${show(id)} came` }],
    ),
    ...repeated(findings.map(({ id }) => id)).map((id) => ({
      path: "findings",
      message: `one decision a finding expected, ${show(id)} has several`,
    })),
  ];
}

function reasonFaults({ items }: ReviewMarks): Fault[] {
  return items.flatMap(({ reason }, i) =>
    reason.trim() === "" ? [{ path: `items[${i}].reason`, message: "a reason for the points expected, none came" }] : [],
  );
}

function addedFaults(
  { recording }: ReviewedScreening,
  rules: ReadonlyMap<string, ReviewedPolicy["rules"][number]>,
  { added }: ReviewMarks,
): Fault[] {
  const { durationMs } = recording;
  return [
    ...added.flatMap(({ rule, startMs, endMs }, i): Fault[] => [
      ...(rules.has(rule)
        ? []
        : [{ path: `added[${i}].rule`, message: `a rule that this call was judged by expected, ${show(rule)} came` }]),
      ...(startMs >= 0 && startMs < endMs && endMs <= durationMs
        ? []
        : [{ path: `added[${i}]`, message: `0 ≤ startMs < endMs ≤ ${durationMs} expected, ${startMs} to ${endMs} came` }]),
    ]),
    ...repeated(added.map(({ rule, startMs, endMs }) => `${rule} ${startMs} ${endMs}`)).map((one) => ({
      path: "added",
      message: `each finding once expected, ${show(one)} came more than once`,
    })),
  ];
}

function addedFindings(rules: ReadonlyMap<string, ReviewedPolicy["rules"][number]>, { added }: ReviewMarks): Finding[] {
  const sorted = [...added].sort((a, b) => a.startMs - b.startMs || compare(a.rule, b.rule) || a.endMs - b.endMs);
  return sorted.flatMap(({ rule, startMs, endMs }, i) => {
    const judged = rules.get(rule);
    if (!judged) return [];
    return {
      id: `a${i + 1}`,
      rule,
      ruleVersion: judged.version,
      operator: "person",
      severity: judged.severity,
      role: null,
      startMs,
      endMs,
      quote: null,
      confidence: 1,
      counts: true,
      data: {},
    };
  });
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
