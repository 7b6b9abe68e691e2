import { CallsiftError } from "../errors.ts";
import { parseData } from "../rules/data-file.ts";
import { describeFaults, type Fault, repeated, schemaFaults, show } from "../rules/faults.ts";
import { type Form, FormWithoutItems, type Group, ITEM_KINDS, type Item } from "./schema.ts";

export interface ParseFormOptions {
  /** Ids that items may bind; without it any may be. */
  readonly ruleIds?: readonly string[];
}

/**
 * A scoring form from its text, YAML or JSON.
 *
 * @param where what to call the text in messages, e.g. its file name
 * @throws CallsiftError `form/invalid` with all faults at once
 */
export function parseForm(text: string, where: string, options: ParseFormOptions = {}): Form {
  return checkForm(parseData(text, where, "form/invalid"), where, options);
}

/**
 * A scoring form that is data already.
 *
 * @throws CallsiftError `form/invalid` with all faults at once
 */
export function checkForm(value: unknown, where: string, { ruleIds }: ParseFormOptions = {}): Form {
  const faults = [...schemaFaults(FormWithoutItems, value), ...itemFaults(value)];
  // What follows adds up and compares, which only data of the right shape can be.
  if (faults.length === 0) {
    const form = value as Form;
    faults.push(...sumFaults(form), ...idFaults(form), ...bandFaults(form), ...outcomeFaults(form));
    for (const [item, path] of itemsOf(form)) faults.push(...meaningFaults(item, path));
    if (ruleIds) faults.push(...bindingFaults(form, new Set(ruleIds)));
  }
  if (faults.length > 0) throw new CallsiftError("form/invalid", describeFaults(where, faults));
  return value as Form;
}

/** The most an item can bring, a bonus apart. */
export function maxOf(item: Item): number {
  if (item.kind === "bonus") return 0;
  if (item.kind === "levels") return Math.max(...item.levels.map(({ points }) => points));
  return item.max ?? 0;
}

function itemFaults(value: unknown): Fault[] {
  const groups = (value as { groups?: unknown } | null)?.groups;
  if (!Array.isArray(groups)) return [];
  return groups.flatMap((group: { items?: unknown } | null, g) =>
    Array.isArray(group?.items) ? group.items.flatMap((item: unknown, i) => oneItemFaults(item, `groups[${g}].items[${i}]`)) : [],
  );
}

function oneItemFaults(item: unknown, path: string): Fault[] {
  const kind = (item as { kind?: unknown } | null)?.kind;
  if (typeof kind === "string" && Object.hasOwn(ITEM_KINDS, kind))
    return schemaFaults(ITEM_KINDS[kind as keyof typeof ITEM_KINDS], item, path);
  return [{ path: `${path}.kind`, message: `one of ${Object.keys(ITEM_KINDS).join(", ")} expected, ${show(kind)} came` }];
}

function sumFaults(form: Form): Fault[] {
  const faults: Fault[] = [];
  for (const [g, group] of form.groups.entries()) {
    const base = group.base ?? 0;
    const sum = group.items.reduce((total, item) => total + maxOf(item), base);
    if (differs(sum, group.max)) {
      faults.push({
        path: `groups[${g}]`,
        message: `base and items that add up to max ${group.max} expected, ${round(sum)} came (base ${base})`,
      });
    }
    if ((group.floor ?? 0) > group.max)
      faults.push({ path: `groups[${g}].floor`, message: `at most max ${group.max} expected, ${group.floor} came` });
  }
  const sum = form.groups.reduce((total, group) => total + group.max, 0);
  if (differs(sum, form.max))
    faults.push({ path: "groups", message: `groups that add up to max ${form.max} expected, ${round(sum)} came` });
  if ((form.floor ?? 0) > form.max) faults.push({ path: "floor", message: `at most max ${form.max} expected, ${form.floor} came` });
  return faults;
}

function idFaults(form: Form): Fault[] {
  const lists: readonly (readonly [string, readonly string[]])[] = [
    ["groups", form.groups.map(({ id }) => id)],
    ["groups[].items", itemsOf(form).map(([{ id }]) => id)],
    ["bands", form.bands.map(({ id }) => id)],
    ["outcomes", (form.outcomes ?? []).map(({ id }) => id)],
    ...(form.outcomes ?? []).map(({ results }, i) => [`outcomes[${i}].results`, results.map(({ id }) => id)] as const),
  ];
  return lists.flatMap(([path, ids]) =>
    repeated(ids).map((id) => ({ path, message: `ids once each expected, ${show(id)} came more than once` })),
  );
}

function bandFaults({ bands, bandUnit = "percent", floor = 0, max }: Form): Fault[] {
  const faults: Fault[] = [];
  const ascending = [...bands].sort((a, b) => a.from - b.from);
  const lowest = bandUnit === "percent" ? (floor / max) * 100 : floor;
  const first = ascending[0];
  if (first && first.from > lowest) {
    faults.push({ path: "bands", message: `a band from ${round(lowest)} on expected, the lowest is ${show(first.id)} from ${first.from}` });
  }
  for (const [i, band] of ascending.entries()) {
    const next = ascending[i + 1];
    if (next && next.from === band.from) {
      faults.push({ path: "bands", message: `bands apart expected, ${show(band.id)} and ${show(next.id)} both begin at ${band.from}` });
    }
    if (band.below === undefined) continue;
    if (band.below <= band.from)
      faults.push({ path: "bands", message: `${show(band.id)}: below more than from expected, ${band.from} to ${band.below} came` });
    if (!next) faults.push({ path: "bands", message: `the highest band ${show(band.id)} without below expected, ${band.below} came` });
    else if (band.below < next.from)
      faults.push({ path: "bands", message: `bands without holes expected, none from ${band.below} to ${next.from}` });
    else if (band.below > next.from) {
      faults.push({
        path: "bands",
        message: `bands apart expected, ${show(band.id)} and ${show(next.id)} share ${next.from} to ${band.below}`,
      });
    }
  }
  return faults;
}

function outcomeFaults(form: Form): Fault[] {
  const bandIds = new Set(form.bands.map(({ id }) => id));
  const itemIds = new Set(itemsOf(form).map(([{ id }]) => id));
  const faults: Fault[] = [];
  for (const [o, { results }] of (form.outcomes ?? []).entries()) {
    for (const [r, { when, band }] of results.entries()) {
      const path = `outcomes[${o}].results[${r}]`;
      const isLast = r === results.length - 1;
      if (isLast !== (when === undefined)) {
        faults.push({
          path: `${path}.when`,
          message: isLast ? "nothing expected in the last result, it takes the rest" : "a test expected, only the last result has none",
        });
      }
      if (band !== undefined && !bandIds.has(band))
        faults.push({ path: `${path}.band`, message: `the id of a band expected, ${show(band)} came` });
      const item = when?.faults?.item;
      if (item !== undefined && !itemIds.has(item))
        faults.push({ path: `${path}.when.faults.item`, message: `the id of an item expected, ${show(item)} came` });
    }
  }
  return faults;
}

/** What a schema can't say of one item. */
function meaningFaults(item: Item, path: string): Fault[] {
  const faults: Fault[] = [];
  const bound = item.rules !== undefined || item.severities !== undefined;
  if (item.rules && item.severities) faults.push({ path, message: "rules or severities expected, both came" });
  if (item.by !== "person" && !bound)
    faults.push({ path, message: `rules or severities expected for an item filled by ${item.by}, neither came` });
  if (item.by === "person" && bound) faults.push({ path, message: "no rules or severities expected for an item that a person fills" });
  if (item.kind === "deduct") {
    if (item.perRule && (item.max ?? 0) > 0)
      faults.push({ path: `${path}.max`, message: `0 expected for an item per rule, ${item.max} came` });
    const max = item.max ?? 0;
    if (max > 0 && (item.cap ?? max) > max) faults.push({ path: `${path}.cap`, message: `at most max ${max} expected, ${item.cap} came` });
  }
  if (item.kind === "check") {
    for (const [i, { points }] of (item.credits ?? []).entries()) {
      if (points > item.max)
        faults.push({ path: `${path}.credits[${i}].points`, message: `at most max ${item.max} expected, ${points} came` });
    }
    for (const id of repeated((item.credits ?? []).map((credit) => credit.id))) {
      faults.push({ path: `${path}.credits`, message: `ids once each expected, ${show(id)} came more than once` });
    }
  }
  if (item.kind === "levels") faults.push(...levelFaults(item, path));
  return faults;
}

function levelFaults({ levels, by }: Extract<Item, { kind: "levels" }>, path: string): Fault[] {
  const faults: Fault[] = [];
  // Grades that only a person gives need names; counted levels need bounds.
  const counted = by !== "person" || levels.some(({ upTo }) => upTo !== undefined);
  for (const [i, level] of levels.entries()) {
    const isLast = i === levels.length - 1;
    const at = `${path}.levels[${i}]`;
    const before = levels[i - 1];
    if (counted && isLast !== (level.upTo === undefined)) {
      faults.push({
        path: `${at}.upTo`,
        message: isLast ? "nothing expected in the last level, it takes the rest" : "a number of faults expected, it is missing",
      });
    }
    if (!counted && level.id === undefined) faults.push({ path: `${at}.id`, message: "an id expected, a person gives the level by it" });
    if (before && level.points > before.points) {
      faults.push({ path: `${at}.points`, message: `best level first expected, ${level.points} came after ${before.points}` });
    }
    if (before?.upTo !== undefined && level.upTo !== undefined && level.upTo <= before.upTo) {
      faults.push({ path: `${at}.upTo`, message: `more than ${before.upTo} expected, ${level.upTo} came` });
    }
  }
  for (const id of repeated(levels.map((level) => level.id))) {
    if (id !== undefined) faults.push({ path: `${path}.levels`, message: `ids once each expected, ${show(id)} came more than once` });
  }
  return faults;
}

function bindingFaults(form: Form, known: ReadonlySet<string>): Fault[] {
  const named: (readonly [string, readonly string[]])[] = [["fatal.rules", form.fatal?.rules ?? []]];
  for (const [item, path] of itemsOf(form)) {
    named.push([`${path}.rules`, item.rules ?? []]);
    if (item.kind === "check")
      for (const [i, credit] of (item.credits ?? []).entries()) named.push([`${path}.credits[${i}].rules`, credit.rules ?? []]);
  }
  return named.flatMap(([path, ids]) =>
    ids.filter((id) => !known.has(id)).map((id) => ({ path, message: `ids of loaded rules expected, ${show(id)} came` })),
  );
}

function itemsOf({ groups }: { readonly groups: readonly Group[] }): (readonly [Item, string])[] {
  return groups.flatMap(({ items }, g) => items.map((item, i) => [item, `groups[${g}].items[${i}]`] as const));
}

function differs(a: number, b: number): boolean {
  return Math.abs(a - b) > 1e-6;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
