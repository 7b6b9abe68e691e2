import { describeFaults, type Fault, repeated, show } from "../rules/faults.ts";
import { type Line, linesOf, type RuleMeta } from "./lines.ts";
import { maxOf } from "./parse.ts";
import type { Form } from "./schema.ts";

/** What a person gave an item instead of the machine, with the reason. */
export interface Mark {
  readonly item: string;
  readonly reason?: string;
  /** Exactly one of the following. */
  readonly points?: number;
  /** Id of a level or grade. */
  readonly level?: string;
  /** Id of a part-credit of a check. */
  readonly credit?: string;
  /** Faults that the person counted. */
  readonly count?: number;
  readonly result?: "pass" | "fail" | "not-applicable";
}

const GIVEN = ["points", "level", "credit", "count", "result"] as const;

/** Everything wrong with a person's marks for this form; none means that they can be scored. */
export function markFaults(form: Form, marks: readonly Mark[], rules: readonly RuleMeta[]): Fault[] {
  const lines = new Map(linesOf(form, rules).map((line) => [line.id, line]));
  const faults: Fault[] = repeated(marks.map(({ item }) => item)).map((item) => ({
    path: "items",
    message: `one mark an item expected, ${show(item)} has several`,
  }));
  for (const [i, mark] of marks.entries()) {
    const line = lines.get(mark.item);
    const path = `items[${i}]`;
    const given = GIVEN.filter((name) => mark[name] !== undefined);
    if (!line) faults.push({ path: `${path}.item`, message: `an item of the form ${form.id} expected, ${show(mark.item)} came` });
    else if (given.length !== 1)
      faults.push({ path, message: `one of ${GIVEN.join(", ")} expected, ${given.join(" and ") || "none"} came` });
    else faults.push(...oneMarkFaults(mark, line, path));
  }
  return faults;
}

/** The faults as one message. */
export function describeMarkFaults(form: Form, faults: readonly Fault[]): string {
  return describeFaults(`marks for ${form.id}`, faults);
}

function oneMarkFaults(mark: Mark, { item }: Line, path: string): Fault[] {
  const wrong = (field: string, expected: string, given: unknown): Fault[] => [
    { path: `${path}.${field}`, message: `${expected} expected, ${show(given)} came` },
  ];
  if (mark.points !== undefined) {
    const [least, most] =
      item.kind === "bonus" ? [0, item.cap] : item.kind === "deduct" && maxOf(item) === 0 ? [-(item.cap ?? 1000), 0] : [0, maxOf(item)];
    return mark.points >= least && mark.points <= most ? [] : wrong("points", `${least} to ${most} points`, mark.points);
  }
  if (mark.level !== undefined) {
    const ids = item.kind === "levels" ? item.levels.flatMap(({ id }) => id ?? []) : [];
    return ids.includes(mark.level)
      ? []
      : wrong("level", ids.length > 0 ? `one of ${ids.join(", ")}` : "no level for this item", mark.level);
  }
  if (mark.credit !== undefined) {
    const ids = item.kind === "check" ? (item.credits ?? []).map(({ id }) => id) : [];
    return ids.includes(mark.credit)
      ? []
      : wrong("credit", ids.length > 0 ? `one of ${ids.join(", ")}` : "no credit for this item", mark.credit);
  }
  if (mark.count !== undefined) {
    if (!Number.isInteger(mark.count) || mark.count < 0) return wrong("count", "a number of faults", mark.count);
    const countable =
      item.kind === "levels"
        ? item.levels.some(({ upTo }) => upTo !== undefined)
        : item.kind === "check" || item.kind === "bonus" || (item.kind === "deduct" && typeof item.points === "number");
    return countable ? [] : wrong("count", "no count for this item", mark.count);
  }
  return [];
}
