import type { AudioProblem, CallMetadata, Finding, Layout, NotAssessed, ProblemCode, Score, Severity, Triage } from "./types.ts";

/** What a rule adds to the queue beside its severity. */
export interface TriageRule {
  readonly id: string;
  /** 0–100: what a certain finding of it is worth, instead of its severity's worth. */
  readonly priority?: number;
}

export interface TriageInput {
  readonly findings: readonly Finding[];
  readonly notAssessed: readonly NotAssessed[];
  readonly score: Score;
  readonly layout: Layout;
  readonly problems: readonly AudioProblem[];
  readonly metadata: CallMetadata;
  readonly rules?: readonly TriageRule[];
}

/** What one finding is worth at confidence 1; a fatal one is worth at least FATAL_FROM however unsure. */
const WORTH = { notice: 10, general: 40, serious: 60, fatal: 95 } as const satisfies Record<Severity, number>;
/** No call without a fatal finding comes before one with. */
const FATAL_FROM = 80;
/** All further findings together add less than this. */
const MORE_FINDINGS = 10;
/** A customer this dissatisfied puts the call to review (1 to 5). */
const DISSATISFIED = { 1: 25, 2: 15 } as const;
/** From this worth on a finding without points puts its call to review: escalation does (by its rule's priority), a forgotten survey doesn't. */
const REVIEW_FROM = 20;
const UNUSABLE_RULE = "unusable-call";
/** Damage that spoils whatever is said. */
const DAMAGE: readonly ProblemCode[] = ["clipping", "drop-outs", "noise", "too-low"];

interface Reason {
  readonly code: string;
  readonly worth: number;
}

/**
 * Which queue a call belongs to, how urgent it is, and why.
 *
 * - `unusable`: the rule `unusable-call` fired, the recording is silent, or damage spoils all of it; unless there is serious or fatal
 *   evidence that counts all the same
 * - `review`: any finding that takes points or would if a person confirmed it, a notice whose rule has a priority of 20 or more (an
 *   escalating customer), a dissatisfied customer, or a call of which not one line of the form could be judged
 * - `pass`: the rest
 *
 * Priority 0–100: the worth of the weightiest finding (its rule's priority, else notice 10, general 40, serious 60, times confidence;
 * fatal 80 to 95), up to 10 more for all further
 * findings, 25 or 15 more for satisfaction 1 or 2; below 80 without a fatal finding. Another finding never lowers it.
 */
export function triage({ findings, notAssessed, score, layout, problems, metadata, rules = [] }: TriageInput): Triage {
  const worths = new Map(rules.flatMap(({ id, priority }) => (priority === undefined ? [] : [[id, priority] as const])));
  const found = findings.map((finding): Reason => ({ code: finding.rule, worth: worthOf(finding, worths) }));
  const dissatisfied = metadata.satisfaction === 1 || metadata.satisfaction === 2 ? DISSATISFIED[metadata.satisfaction] : 0;
  const fatal = score.fatal || findings.some(({ severity }) => severity === "fatal");
  const nothingJudged = isNothingJudged(score) && notAssessed.length > 0;

  const damage = damageOf(problems, layout);
  const deducting = findings.filter(({ severity }) => severity !== "notice");
  const grave = deducting.some(({ severity, counts }) => counts && severity !== "general");
  const spoilt = damage.length > 0 || findings.some(({ rule, counts }) => rule === UNUSABLE_RULE && counts);
  const forReview = deducting.length > 0 || fatal || dissatisfied > 0 || nothingJudged || found.some(({ worth }) => worth >= REVIEW_FROM);
  const queue = spoilt && !grave ? "unusable" : forReview ? "review" : "pass";

  const reasons = [
    ...found,
    ...(dissatisfied > 0 ? [{ code: "low-satisfaction", worth: dissatisfied }] : []),
    ...damage.map((code) => ({ code, worth: REVIEW_FROM })),
    ...(nothingJudged ? [{ code: "nothing-assessed", worth: REVIEW_FROM }] : []),
    ...(score.fatal && deducting.every(({ severity }) => severity !== "fatal") ? [{ code: "fatal-score", worth: FATAL_FROM }] : []),
  ];
  return { queue, priority: priorityOf(found, dissatisfied, fatal), reasons: ordered(reasons) };
}

function worthOf({ rule, severity, confidence }: Finding, worths: ReadonlyMap<string, number>): number {
  if (severity === "fatal") return FATAL_FROM + (WORTH.fatal - FATAL_FROM) * confidence;
  return Math.min(FATAL_FROM - 1, (worths.get(rule) ?? WORTH[severity]) * confidence);
}

function priorityOf(found: readonly Reason[], dissatisfied: number, fatal: boolean): number {
  // Sorted, so that sums of fractions come out the same in any order.
  const [top = 0, ...others] = found.map(({ worth }) => worth).sort((a, b) => b - a);
  // Each further finding takes a share of what is left of the ten points: more is more, and never too much.
  const left = others.reduce((rest, worth) => rest * (1 - worth / 400), 1);
  const priority = Math.round(Math.max(top, fatal ? FATAL_FROM : 0) + MORE_FINDINGS * (1 - left) + dissatisfied);
  return Math.min(fatal ? 100 : FATAL_FROM - 1, priority);
}

/** The codes once each, the weightiest first, of equal ones by name. */
function ordered(reasons: readonly Reason[]): string[] {
  const worth = new Map<string, number>();
  for (const reason of reasons) worth.set(reason.code, Math.max(worth.get(reason.code) ?? 0, reason.worth));
  return [...worth].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([code]) => code);
}

/** What spoils all of the recording: silence, or damage to the whole, or to every channel that is named in the problems. */
function damageOf(problems: readonly AudioProblem[], layout: Layout): string[] {
  if (layout === "silent") return ["silent"];
  const spoiling = problems.filter(({ code, unfit }) => unfit && DAMAGE.includes(code));
  const channels = new Set(spoiling.map(({ channel }) => channel));
  const all = channels.has(null) || (layout === "split" ? channels.size > 1 : channels.size > 0);
  return all ? [...new Set(spoiling.map(({ code }) => code))] : [];
}

/** No line of the score, of those that the machine fills, could be judged. */
function isNothingJudged({ items }: Score): boolean {
  return items.length > 0 && items.every(({ status }) => status !== "assessed" && status !== "not-applicable");
}
