import { CallsiftError } from "../errors.ts";
import type { Finding, NotAssessed, Score, ScoreItem } from "../types.ts";
import { type Evidence, type Filled, fill, missingOf } from "./fill.ts";
import { linesOf, type RuleMeta } from "./lines.ts";
import { describeMarkFaults, type Mark, markFaults } from "./marks.ts";
import { decideOutcomes } from "./outcomes.ts";
import type { Form, Group } from "./schema.ts";

/** A person's word on a finding; `unsure` leaves it undecided. */
export type Decision = "confirmed" | "rejected" | "unsure";

export interface ScoreInput {
  readonly findings: readonly Finding[];
  readonly notAssessed: readonly NotAssessed[];
  /** The rules that judged, those that found nothing too. */
  readonly rules: readonly RuleMeta[];
  readonly marks?: readonly Mark[];
  /** By finding id. */
  readonly decisions?: Readonly<Record<string, Decision>>;
}

/** A score with what forms may have beside points. */
export interface FormScore extends Score {
  readonly groups: readonly { readonly group: string; readonly points: number; readonly max: number }[];
  /** Result by outcome, e.g. `{ "hotline": "ordinary" }`; absent where the form has none. */
  readonly outcomes?: Readonly<Record<string, string>>;
}

/**
 * Points, band and outcomes of one call on a form. Only findings that count take points: those that the machine is sure enough of,
 * or a person confirmed; never a rejected one. Pure; the order of findings, notAssessed and marks does not matter.
 *
 * A missing item (not applicable, not assessed, waiting for a person) is made up for as the form says: with `reweight` the total is
 * what the same form without the item would give, in proportion; with `full` the item has its maximum, out of reach of the
 * group's deductions. A bonus comes on top and is never scaled.
 *
 * @throws CallsiftError `form/invalid` for marks that don't fit the form
 */
export function score(form: Form, { findings, notAssessed, rules, marks = [], decisions = {} }: ScoreInput): FormScore {
  const faults = markFaults(form, marks, rules);
  if (faults.length > 0) throw new CallsiftError("form/invalid", describeMarkFaults(form, faults));
  const decisionOf = ({ id }: Finding) => (Object.hasOwn(decisions, id) ? decisions[id] : undefined);
  const sorted = [...findings].sort(byId);
  const counting = sorted.filter(
    (finding) => decisionOf(finding) === "confirmed" || (finding.counts && decisionOf(finding) !== "rejected"),
  );
  const evidence: Evidence = {
    counting,
    undecided: sorted.filter((finding) => !["confirmed", "rejected"].includes(decisionOf(finding) ?? "unsure")),
    notAssessed: new Map(notAssessed.map((entry) => [entry.rule, entry])),
    known: new Set(rules.map(({ id }) => id)),
    marks: new Map(marks.map((mark) => [mark.item, mark])),
    factor: form.deductionFactor ?? 1,
  };
  const filled = linesOf(form, rules).map((line) => fill(line, evidence));
  const fatalFindings = counting.filter(
    ({ rule, severity }) => form.fatal?.severities?.includes(severity) || form.fatal?.rules?.includes(rule),
  );
  const zeroed = zeroing(form, filled, fatalFindings);
  const groups = form.groups.map((group) => totalGroup(form, group, filled, zeroed));
  const fatal = zeroed.form || zeroed.groups.size > 0 || counting.some(({ severity }) => severity === "fatal");
  const total = zeroed.form ? (form.floor ?? 0) : totalForm(form, groups, zeroed);
  const outcomes = decideOutcomes(form, filled, fatal);
  return {
    form: form.id,
    version: form.version,
    total,
    max: form.max,
    band: outcomes.band ?? bandOf(form, total),
    fatal,
    complete: filled.every(({ complete }) => complete),
    items: filled.map((line) => scoreItem(line, form)),
    groups: groups.map(({ group, points, bonus, max }) => ({
      group: group.id,
      points: round(points + bonus, form),
      max: round(max, form),
    })),
    ...(form.outcomes && { outcomes: outcomes.results }),
  };
}

/** The band of a total, by its lower bound. */
export function bandOf({ bands, bandUnit = "percent", max }: Form, total: number): string {
  const value = bandUnit === "percent" ? (total / max) * 100 : total;
  const ascending = [...bands].sort((a, b) => a.from - b.from);
  return (ascending.filter(({ from }) => value >= from - 1e-9).at(-1) ?? ascending[0])?.id ?? "";
}

function scoreItem({ line, points, by, status, findings, reason }: Filled, form: Form): ScoreItem {
  return {
    item: line.id,
    points: points === null ? null : round(points, form),
    max: line.max,
    by,
    status,
    findings,
    group: line.group.id,
    ...(reason !== undefined && { reason }),
  };
}

interface Zeroed {
  readonly form: boolean;
  readonly groups: ReadonlySet<string>;
}

function zeroing(form: Form, filled: readonly Filled[], fatalFindings: readonly Finding[]): Zeroed {
  const groups = new Set(filled.filter(({ zeroes }) => zeroes === "group").map(({ line }) => line.group.id));
  if (form.fatal?.zeroes === "group") {
    for (const { line } of filled) if (fatalFindings.some(({ rule }) => line.rules.includes(rule))) groups.add(line.group.id);
  }
  const zeroesForm = form.fatal?.zeroes === "form" && fatalFindings.length > 0;
  return { form: zeroesForm || filled.some(({ zeroes }) => zeroes === "form"), groups };
}

interface GroupTotal {
  readonly group: Group;
  /** Without the bonus, between the group's floor and `max`. */
  readonly points: number;
  readonly bonus: number;
  /** What could be had, items left out by `reweight` not counted. */
  readonly max: number;
}

function totalGroup(form: Form, group: Group, filled: readonly Filled[], zeroed: Zeroed): GroupTotal {
  const floor = group.floor ?? 0;
  let points = group.base ?? 0;
  let max = group.base ?? 0;
  let full = 0;
  let bonus = 0;
  for (const line of filled) {
    if (line.line.group !== group) continue;
    if (line.points === null) full += missingOf(line, form) === "full" ? line.line.max : 0;
    else if (line.line.item.kind === "bonus") bonus += line.points;
    else {
      points += line.points;
      max += line.line.max;
    }
  }
  const earned = Math.min(Math.max(points, floor), max);
  // Nothing is given in full inside a zeroed group: what doesn't apply is left out of it.
  if (zeroed.groups.has(group.id)) return { group, points: Math.min(0, earned), bonus: 0, max };
  points = earned + full;
  max += full;
  return { group, points, bonus: group.bonusOverMax ? bonus : Math.min(bonus, max - points), max };
}

function totalForm(form: Form, groups: readonly GroupTotal[], zeroed: Zeroed): number {
  const sum = (of: "points" | "bonus" | "max") => groups.reduce((total, group) => total + group[of], 0);
  const available = sum("max");
  // Where nothing could be judged, nothing is held against the call; `complete` says so. A group that a fault zeroed was judged.
  const unjudged = available <= 0 && zeroed.groups.size === 0;
  const asTheyAre = available <= 0 || Math.abs(available - form.max) < 1e-9;
  const points = unjudged ? form.max : asTheyAre ? sum("points") : (sum("points") * form.max) / available;
  const total = form.bonusOverMax ? points + sum("bonus") : Math.min(form.max, points + sum("bonus"));
  return round(Math.max(form.floor ?? 0, total), form);
}

/** To the form's decimals, halves up, a hair of binary fraction forgiven. */
function round(points: number, { decimals = 2 }: Form): number {
  const scale = 10 ** decimals;
  return Math.round(points * scale + 1e-9) / scale + 0;
}

/** f2 before f10; other ids by their text. */
function byId(a: Finding, b: Finding): number {
  return a.id.length !== b.id.length ? a.id.length - b.id.length : a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
