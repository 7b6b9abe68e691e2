import type { Finding, NotAssessed, ScoreItem, Severity } from "../types.ts";
import type { Line } from "./lines.ts";
import type { Mark } from "./marks.ts";
import type { Item, Missing } from "./schema.ts";

/** A line with what it came to. */
export interface Filled {
  readonly line: Line;
  readonly by: ScoreItem["by"];
  readonly status: ScoreItem["status"];
  /** null where nobody has judged it, or it doesn't apply. */
  readonly points: number | null;
  /** Ids of the findings that took or gave the points. */
  readonly findings: readonly string[];
  /** Faults that count, found or counted by a person. */
  readonly faults: number;
  /** Everything that was to be judged of it has been. */
  readonly complete: boolean;
  /** Zeroes its group or the form. */
  readonly zeroes: "form" | "group" | null;
  readonly reason?: string;
}

/** What a line is filled from. */
export interface Evidence {
  /** Findings that count, in order of id. */
  readonly counting: readonly Finding[];
  /** Findings that nobody has decided about, counting or not. */
  readonly undecided: readonly Finding[];
  readonly notAssessed: ReadonlyMap<string, NotAssessed>;
  readonly known: ReadonlySet<string>;
  readonly marks: ReadonlyMap<string, Mark>;
  /** Every deduction times this. */
  readonly factor: number;
}

/** Fills one line: by a person's mark, else by the machine if it may and can. */
export function fill(line: Line, evidence: Evidence): Filled {
  const mark = evidence.marks.get(line.id);
  if (mark) return byMark(line, mark, evidence);
  const nothing = { line, points: null, findings: [], faults: 0, complete: false, zeroes: null } as const;
  if (line.item.by === "person") return { ...nothing, by: "person", status: "awaiting-person" };
  const found = evidence.counting.filter(({ rule }) => line.rules.includes(rule));
  const unknown = line.rules.flatMap((rule) => unknownReason(rule, evidence) ?? []);
  if (found.length === 0 && unknown.length === line.rules.length && unknown.length > 0) {
    return { ...nothing, by: "machine", status: "not-assessed", reason: [...new Set(unknown)].join(", ") };
  }
  const awaiting = line.item.by === "machine-confirmed" && evidence.undecided.some(({ rule }) => line.rules.includes(rule));
  const isFault = line.item.kind !== "bonus" && found.length > 0;
  return {
    line,
    by: "machine",
    status: awaiting ? "awaiting-person" : "assessed",
    // The map's entry takes the kind it is keyed by; TypeScript can't follow the pair.
    points: POINTS[line.item.kind](line.item as never, found, evidence),
    findings: found.map(({ id }) => id),
    faults: found.length,
    complete: !awaiting && unknown.length === 0,
    zeroes: isFault ? (line.item.fatal ?? null) : null,
    ...(unknown.length > 0 && { reason: `partly ${[...new Set(unknown)].join(", ")}` }),
  };
}

/** How points missing from a line are made up for. */
export function missingOf(
  { status, line }: Filled,
  form: { readonly [name in "notApplicable" | "notAssessed" | "awaitingPerson"]?: Missing | undefined },
): Missing {
  const policy = {
    "not-applicable": line.item.notApplicable ?? form.notApplicable,
    "not-assessed": form.notAssessed,
    "awaiting-person": form.awaitingPerson,
    assessed: undefined,
  }[status];
  return policy ?? "reweight";
}

function unknownReason(rule: string, { notAssessed, known }: Evidence): string | null {
  return notAssessed.get(rule)?.reason ?? (known.has(rule) ? null : "no-such-rule");
}

type Of<Kind extends Item["kind"]> = Extract<Item, { kind: Kind }>;

/** Points by the machine, for each kind of item. */
const POINTS = {
  deduct: (item, found, { factor }) => afterFaults(item, countBySeverity(found), factor),
  levels: ({ levels, anyOver }, found) => {
    const mostOfOne = Math.max(0, ...[...countBy(found, ({ rule }) => rule).values()]);
    return levelPoints(levels, anyOver !== undefined && mostOfOne > anyOver ? Number.POSITIVE_INFINITY : found.length);
  },
  check: ({ max, credits = [] }, found, { counting }) => {
    if (found.length === 0) return max;
    const earned = credits.filter(({ rules = [] }) => counting.some(({ rule }) => rules.includes(rule)));
    return Math.max(0, ...earned.map(({ points }) => points));
  },
  // Only a person gives them.
  points: () => 0,
  bonus: ({ points, cap }, found) => Math.min(cap, points * found.length),
} as const satisfies { readonly [Kind in Item["kind"]]: (item: Of<Kind>, found: readonly Finding[], evidence: Evidence) => number };

function byMark(line: Line, mark: Mark, evidence: Evidence): Filled {
  const { item, max } = line;
  const own = evidence.counting.filter(({ rule }) => line.rules.includes(rule));
  const done = { line, by: "person", complete: true, ...(mark.reason !== undefined && { reason: mark.reason }) } as const;
  if (mark.result === "not-applicable") return { ...done, status: "not-applicable", points: null, findings: [], faults: 0, zeroes: null };
  const points = markedPoints(line, mark, evidence.factor);
  const worst = item.kind === "deduct" && max === 0 ? points < 0 : item.kind !== "bonus" && points === 0;
  return {
    ...done,
    status: "assessed",
    points,
    findings: own.map(({ id }) => id),
    faults: mark.count ?? own.length,
    zeroes: worst ? (item.fatal ?? null) : null,
  };
}

function markedPoints({ item, max }: Line, mark: Mark, factor: number): number {
  if (mark.points !== undefined) return mark.points;
  if (mark.level !== undefined && item.kind === "levels") return item.levels.find(({ id }) => id === mark.level)?.points ?? 0;
  if (mark.credit !== undefined && item.kind === "check") return item.credits?.find(({ id }) => id === mark.credit)?.points ?? 0;
  if (mark.count !== undefined) {
    if (item.kind === "levels") return levelPoints(item.levels, mark.count);
    if (item.kind === "deduct") return afterFaults(item, { general: mark.count }, factor);
    if (item.kind === "bonus") return Math.min(item.cap, item.points * mark.count);
    return mark.count === 0 ? max : 0;
  }
  const passed = mark.result === "pass";
  if (item.kind === "bonus") return passed ? Math.min(item.cap, item.points) : 0;
  if (item.kind === "deduct" && max === 0) return passed ? 0 : afterFaults(item, { general: 1 }, factor);
  return passed ? max : 0;
}

function afterFaults({ max = 0, points, cap }: Of<"deduct">, faults: Partial<Record<Severity, number>>, factor: number): number {
  const lost = SEVERITIES.reduce((sum, severity) => {
    const each = typeof points === "number" ? points : (points[severity] ?? 0);
    return sum + each * (faults[severity] ?? 0);
  }, 0);
  const bound = cap ?? (max > 0 ? max : Number.POSITIVE_INFINITY);
  // `0 - 0`, not `-0`, which JSON would write as another score than it reads.
  return max - Math.min(bound, max > 0 ? Math.min(max, lost * factor) : lost * factor);
}

const SEVERITIES = ["notice", "general", "serious", "fatal"] as const satisfies readonly Severity[];

function levelPoints(levels: Of<"levels">["levels"], faults: number): number {
  const level = levels.find(({ upTo }) => upTo === undefined || faults <= upTo) ?? levels.at(-1);
  return level?.points ?? 0;
}

function countBySeverity(found: readonly Finding[]): Partial<Record<Severity, number>> {
  return Object.fromEntries(countBy(found, ({ severity }) => severity));
}

function countBy<K>(found: readonly Finding[], key: (finding: Finding) => K): Map<K, number> {
  const counts = new Map<K, number>();
  for (const finding of found) counts.set(key(finding), (counts.get(key(finding)) ?? 0) + 1);
  return counts;
}
