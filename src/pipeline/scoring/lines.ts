import type { Severity } from "../types.ts";
import { maxOf } from "./parse.ts";
import type { Form, Group, Item } from "./schema.ts";

/** What scoring needs to know of the rules that judged, whether or not they found anything. */
export interface RuleMeta {
  readonly id: string;
  readonly severity: Severity;
}

/** One line of a score: an item, or one rule of an item per rule. */
export interface Line {
  readonly id: string;
  readonly group: Group;
  readonly item: Item;
  /** 0 for items that only take or only give on top. */
  readonly max: number;
  /** Ids of the rules whose findings are its faults, ascending. */
  readonly rules: readonly string[];
}

/** The lines of a form under these rules, in the form's order; rules in the order of their ids. */
export function linesOf(form: Form, rules: readonly RuleMeta[]): readonly Line[] {
  const last = lastLines.get(form);
  if (last?.rules === rules) return last.lines;
  const lines = makeLines(form, rules);
  lastLines.set(form, { rules, lines });
  return lines;
}

/** One form and its rules judge thousands of calls. */
const lastLines = new WeakMap<Form, { readonly rules: readonly RuleMeta[]; readonly lines: readonly Line[] }>();

function makeLines(form: Form, rules: readonly RuleMeta[]): Line[] {
  return form.groups.flatMap((group) =>
    group.items.flatMap((item): Line[] => {
      const bound = boundRules(item, rules);
      if (item.kind === "deduct" && item.perRule) return bound.map((id) => ({ id, group, item, max: 0, rules: [id] }));
      return [{ id: item.id, group, item, max: maxOf(item), rules: bound }];
    }),
  );
}

function boundRules({ rules: named, severities }: Item, rules: readonly RuleMeta[]): string[] {
  if (named) return [...new Set(named)].sort();
  return [...new Set(rules.filter(({ severity }) => severities?.includes(severity)).map(({ id }) => id))].sort();
}
