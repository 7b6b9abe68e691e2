import type { TSchema } from "typebox";
import Value from "typebox/value";

/** What is wrong at one place of a file, for whoever wrote the file. */
export interface Fault {
  /** `rules[2].when.options.role`; empty for the whole. */
  readonly path: string;
  /** What was expected, and what came. */
  readonly message: string;
}

/** So many faults are worth reading at once. */
const MAX_FAULTS = 50;

/** Everything about `value` that breaks the schema, in the order of its places. `path` says where in the file the value stands. */
export function schemaFaults(schema: TSchema, value: unknown, path = ""): Fault[] {
  if (Value.Check(schema, value)) return [];
  const places = new Map<string, { messages: Set<string>; allowed: Set<string>; given: string }>();
  for (const { keyword, instancePath, params, message } of Value.Errors(schema, value)) {
    const place = places.get(instancePath) ?? { messages: new Set(), allowed: new Set(), given: show(valueAt(value, instancePath)) };
    places.set(instancePath, place);
    // The parameters of each keyword are typed by TypeBox as one union; only those of the keyword at hand are read.
    const named = params as {
      additionalProperties?: string[];
      requiredProperties?: string[];
      allowedValue?: unknown;
      allowedValues?: unknown[];
    };
    if (keyword === "additionalProperties") {
      for (const name of named.additionalProperties ?? []) place.messages.add(`no field ${show(name)} expected`);
    } else if (keyword === "required") {
      for (const name of named.requiredProperties ?? []) place.messages.add(`field ${show(name)} expected, it is missing`);
    } else if (keyword === "const") place.allowed.add(show(named.allowedValue));
    else if (keyword === "enum") for (const one of named.allowedValues ?? []) place.allowed.add(show(one));
    else if (keyword === "type") place.allowed.add(message.replace(/^must be /, ""));
    // `boolean` repeats additionalProperties, `anyOf` sums up what its branches have said.
    else if (keyword !== "boolean" && keyword !== "anyOf") {
      place.messages.add(`${message.replace(/^must (be )?(match )?/, "")} expected, ${place.given} came`);
    }
  }
  const faults: Fault[] = [];
  for (const [pointer, { messages, allowed, given }] of places) {
    if (allowed.size > 0) messages.add(`${[...allowed].join(" or ")} expected, ${given} came`);
    for (const message of messages) faults.push({ path: joinPath(path, pointer), message });
  }
  return faults.slice(0, MAX_FAULTS);
}

/** All faults of one file as one message: a line a fault. */
export function describeFaults(where: string, faults: readonly Fault[]): string {
  const lines = faults.slice(0, MAX_FAULTS).map(({ path, message }) => (path ? `${path}: ${message}` : message));
  if (faults.length > lines.length) lines.push(`and ${faults.length - lines.length} more`);
  return lines.length === 1 ? `${where}: ${lines[0]}` : `${where}: ${faults.length} faults\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

/** A value as a message shows it, at most 60 characters. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

/** The values that occur more than once, each named once. */
export function repeated<T>(values: readonly T[]): T[] {
  return [...new Set(values.filter((value, i) => values.indexOf(value) !== i))];
}

function segments(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((segment) => segment.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function joinPath(path: string, pointer: string): string {
  return segments(pointer).reduce((at, segment) => (/^\d+$/.test(segment) ? `${at}[${segment}]` : at ? `${at}.${segment}` : segment), path);
}

function valueAt(value: unknown, pointer: string): unknown {
  let at = value;
  for (const segment of segments(pointer)) {
    if (typeof at !== "object" || at === null) return undefined;
    at = (at as Record<string, unknown>)[segment];
  }
  return at;
}
