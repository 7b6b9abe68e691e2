import { RE2JS } from "re2js";
import { CallsiftError } from "../../pipeline/errors.ts";
import { METADATA_COLUMNS, metadataFromCells } from "../../pipeline/metadata.ts";
import type { CallMetadata } from "../../pipeline/types.ts";

/** What a file name says of its call, or what in it is not as the pattern expects. */
export type NameReading = { readonly metadata: CallMetadata } | { readonly fault: string };

/** Reads names of recordings. */
export interface NamePattern {
  readonly text: string;
  /** Fields that it finds, in order. */
  readonly fields: readonly string[];
  /** `path` with `/` between its parts; of it, as many as the pattern has are looked at, from the end. */
  read(path: string): NameReading;
}

/** Says nothing of the call: for parts of a name that nobody needs. */
const IGNORED = "_";
const TIMES: readonly string[] = ["startedAt", "answeredAt", "endedAt"];

/** Parts of a time, as in the patterns of Unicode's UTS 35. */
const TIME_PARTS = {
  yyyy: { digits: 4, name: "year" },
  MM: { digits: 2, name: "month" },
  dd: { digits: 2, name: "day" },
  HH: { digits: 2, name: "hour" },
  mm: { digits: 2, name: "minute" },
  ss: { digits: 2, name: "second" },
  SSS: { digits: 3, name: "millisecond" },
} as const;
type TimePart = keyof typeof TIME_PARTS;
type TimeName = (typeof TIME_PARTS)[TimePart]["name"];

interface Field {
  readonly name: string;
  /** Parts of the time, in order; null for a field of text. */
  readonly time: readonly TimePart[] | null;
}

/**
 * A pattern like `{startedAt:yyyyMMddHHmmss}_{agentId}_{customerNumber}.wav`: text as it is, `{field}` for a field of contracts.md §3, `{field:format}` for a time (`x` in it: seconds since 1970), `{_}` for what nobody
 * needs, `*` for any ending. Text fields take as little as they can, never a `/`.
 *
 * @param timeZone of the times, which have none in a name
 * @throws CallsiftError `config/invalid` with the place
 */
export function parseNamePattern(text: string, timeZone: string): NamePattern {
  const fields: Field[] = [];
  let source = "";
  let at = 0;
  for (const { 0: whole, 1: name, 2: format, index } of text.matchAll(/\{(\w+)(?::([^{}]*))?\}/g)) {
    source += literal(text.slice(at, index), at);
    const { field, pattern } = fieldOf(name as string, format, index);
    if (field.name !== IGNORED && fields.some((other) => other.name === field.name))
      throw fault(index, `each field once, got {${field.name}} twice`);
    fields.push(field);
    source += pattern;
    at = index + whole.length;
  }
  source += literal(text.slice(at), at);
  if (!fields.some(({ name }) => name !== IGNORED)) throw fault(0, "at least one {field}, got none");
  const depth = text.split("/").length;
  // Linear in the name, whatever the pattern: names come from outside.
  const regex = RE2JS.compile(source);
  return {
    text,
    fields: fields.map(({ name }) => name).filter((name) => name !== IGNORED),
    read(path) {
      const name = path.split("/").slice(-depth).join("/");
      const matcher = regex.matcher(name);
      if (!matcher.matches()) return { fault: `expected a name like ${text}, got ${name}` };
      return readingOf(
        fields.map((_, i) => matcher.group(i + 1) ?? ""),
        { fields, timeZone, where: name },
      );
    },
  };
}

function fieldOf(name: string, format: string | undefined, at: number): { readonly field: Field; readonly pattern: string } {
  if (name !== IGNORED && !METADATA_COLUMNS.includes(name))
    throw fault(at, `a field of ${METADATA_COLUMNS.join(", ")} or _, got {${name}}`);
  if (!TIMES.includes(name)) {
    if (format !== undefined) throw fault(at, `a format only for ${TIMES.join(", ")}, got one for {${name}}`);
    return { field: { name, time: null }, pattern: "([^/]+?)" };
  }
  if (format === "x") return { field: { name, time: [] }, pattern: "(\\d{10}(?:\\d{3})?)" };
  return timeField(name, format ?? "yyyyMMddHHmmss", at);
}

function timeField(name: string, format: string, at: number): { readonly field: Field; readonly pattern: string } {
  const time: TimePart[] = [];
  const parts = format.match(/yyyy|MM|dd|HH|mm|ss|SSS|[^A-Za-z]+|[A-Za-z]+/g) ?? [];
  const pattern = parts.map((part) => {
    if (/^[^A-Za-z]/.test(part)) return escaped(part);
    if (!Object.hasOwn(TIME_PARTS, part) || time.includes(part as TimePart))
      throw fault(at, `a time of ${Object.keys(TIME_PARTS).join(", ")}, each once, or x, got ${part}`);
    time.push(part as TimePart);
    return `\\d{${TIME_PARTS[part as TimePart].digits}}`;
  });
  if (!(["yyyy", "MM", "dd"] as const).every((part) => time.includes(part))) throw fault(at, `a time with yyyy, MM and dd, got ${format}`);
  return { field: { name, time }, pattern: `(${pattern.join("")})` };
}

/** Text of the pattern; `*` stands for anything but `/`. */
function literal(text: string, at: number): string {
  const brace = /[{}]/.exec(text);
  if (brace) throw fault(at + brace.index, `{field} or {field:format}, got ${text.slice(brace.index, brace.index + 20)}`);
  return text.split("*").map(escaped).join("[^/]*");
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

function fault(at: number, expected: string): CallsiftError {
  return new CallsiftError("config/invalid", `name pattern, character ${at + 1}: expected ${expected}`);
}

interface Reading {
  readonly fields: readonly Field[];
  readonly timeZone: string;
  readonly where: string;
}

function readingOf(values: readonly string[], { fields, timeZone, where }: Reading): NameReading {
  try {
    const cells: Record<string, string> = {};
    for (const [i, { name, time }] of fields.entries()) {
      const value = values[i] ?? "";
      if (name === IGNORED) continue;
      const cell = time ? isoTime(value, time, timeZone) : value;
      if (cell === null) return { fault: `${where}: expected a time in {${name}}, got ${value}` };
      cells[name] = cell;
    }
    return { metadata: metadataFromCells(cells, where) };
  } catch (error) {
    if (!(error instanceof CallsiftError)) throw error;
    return { fault: error.message };
  }
}

/** ISO 8601 with the offset of the zone at that time; null where there is no such time. */
function isoTime(digits: string, parts: readonly TimePart[], timeZone: string): string | null {
  if (parts.length === 0) return new Date(Number(digits) * (digits.length > 10 ? 1 : 1000)).toISOString();
  const numbers: Record<TimeName, number> = { year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0, millisecond: 0 };
  let rest = digits.replace(/\D/g, "");
  for (const part of parts) {
    numbers[TIME_PARTS[part].name] = Number(rest.slice(0, TIME_PARTS[part].digits));
    rest = rest.slice(TIME_PARTS[part].digits);
  }
  const { year, month, day, hour, minute, second, millisecond } = numbers;
  const asUtc = new Date(Date.UTC(year, month - 1, day, hour, minute, second, millisecond));
  const isReal =
    asUtc.getUTCMonth() === month - 1 && asUtc.getUTCDate() === day && asUtc.getUTCHours() === hour && asUtc.getUTCMinutes() === minute;
  if (!isReal || second > 59 || year < 1970) return null;
  // The offset at about that time first, then at the time that it gives: right but for the hour that a clock going forward leaves out.
  const first = asUtc.getTime() - offsetMs(asUtc, timeZone);
  const offset = offsetMs(new Date(first), timeZone);
  const sign = offset < 0 ? "-" : "+";
  const two = (value: number): string => String(Math.trunc(value)).padStart(2, "0");
  const minutes = Math.abs(offset) / 60_000;
  const fraction = millisecond > 0 ? `.${String(millisecond).padStart(3, "0")}` : "";
  return `${asUtc.toISOString().slice(0, 19)}${fraction}${sign}${two(minutes / 60)}:${two(minutes % 60)}`;
}

const clocks = new Map<string, Intl.DateTimeFormat>();

function offsetMs(at: Date, timeZone: string): number {
  const clock =
    clocks.get(timeZone) ??
    new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  clocks.set(timeZone, clock);
  const shown = Object.fromEntries(clock.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = shown;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at.getTime() / 1000) * 1000;
}
