import { type AnyPath, besideRecording, fileName, readSmallFile } from "./beside.ts";
import { CallsiftError } from "./errors.ts";
import type { CallMetadata } from "./types.ts";

/** A metadata file is a page at most, a table a day of a large centre. */
const LIMITS = { file: 1024 * 1024, characters: 10_000, tags: 1_000 };

/**
 * Reads one field's value. `expected` is for messages; `read` answers undefined for anything else. Checked by hand, not by a schema
 * library: this is read at every start, and a library costs more than the rest of the start-up.
 */
interface Field<Value> {
  readonly expected: string;
  readonly read: (value: unknown) => Value | undefined;
  /** The value that a table's cell stands for. */
  readonly fromCell?: (cell: string) => unknown;
}

const text: Field<string> = {
  expected: `text of at most ${LIMITS.characters} characters`,
  read: (value) => (typeof value === "string" && value.length <= LIMITS.characters ? value : undefined),
};

const time: Field<string> = {
  expected: "a date and time like 2025-03-01T09:30:00+08:00",
  read: (value) => (typeof value === "string" && isTime(value) ? value : undefined),
  fromCell: isoTime,
};

const number = (cell: string): unknown => (/^[+-]?\d+(?:\.\d+)?$/.test(cell) ? Number(cell) : cell);

const FIELDS: { readonly [Name in keyof CallMetadata]-?: Field<Exclude<CallMetadata[Name], undefined>> } = {
  callId: text,
  agentId: text,
  agentName: text,
  team: text,
  queue: text,
  product: text,
  direction: text,
  startedAt: time,
  answeredAt: time,
  endedAt: time,
  customerNumber: text,
  hangupParty: {
    expected: '"agent", "customer" or "system"',
    read: (value) => (value === "agent" || value === "customer" || value === "system" ? value : undefined),
    fromCell: (cell) => cell.toLowerCase(),
  },
  satisfaction: {
    expected: "a number from 1 to 5",
    read: (value) => (typeof value === "number" && value >= 1 && value <= 5 ? value : undefined),
    fromCell: number,
  },
  agentChannel: {
    expected: "channel 0 or 1",
    read: (value) => (value === 0 || value === 1 ? value : undefined),
    fromCell: number,
  },
  tags: {
    expected: `a list of at most ${LIMITS.tags} texts`,
    read: (value) =>
      Array.isArray(value) && value.length <= LIMITS.tags && value.every((tag) => text.read(tag) !== undefined)
        ? (value as string[])
        : undefined,
    fromCell: (cell) =>
      cell
        .split(/[;|,，；、]/)
        .map((tag) => tag.trim())
        .filter((tag) => tag !== ""),
  },
  legs: {
    expected: '{ "agent", "customer" }, two different files beside this one or below its folder',
    read: readLegs,
  },
};

const NAMES = Object.keys(FIELDS) as (keyof CallMetadata)[];

/**
 * Metadata of a call from parsed JSON (contracts.md §3).
 *
 * @param where for messages, e.g. the file's name
 * @throws CallsiftError `metadata/invalid` naming the field
 */
export function parseMetadata(json: unknown, where: string): CallMetadata {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw invalid(where, `an object with fields of ${NAMES.join(", ")}`, json);
  const metadata: Partial<Record<keyof CallMetadata, unknown>> = {};
  for (const [name, value] of Object.entries(json)) {
    if (!isName(name)) throw invalid(where, `fields of ${NAMES.join(", ")}`, name);
    if (value !== null) metadata[name] = readField(name, value, where);
  }
  // Every value has just been read by the reader of its own field.
  return metadata as CallMetadata;
}

function isName(name: string): name is keyof CallMetadata {
  return Object.hasOwn(FIELDS, name);
}

function readField(name: keyof CallMetadata, value: unknown, where: string): unknown {
  const read = FIELDS[name].read(value);
  if (read === undefined) throw invalid(`${where}: ${name}`, FIELDS[name].expected, value);
  return read;
}

function invalid(where: string, expected: string, got: unknown): CallsiftError {
  const shown = JSON.stringify(got) ?? String(got);
  return new CallsiftError(
    "metadata/invalid",
    `${where}: expected ${expected}, got ${shown.length > 80 ? `${shown.slice(0, 80)}…` : shown}`,
  );
}

function isTime(value: string): boolean {
  const match = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)(Z|[+-]\d{2}:?\d{2})?$/.exec(value);
  if (!match) return false;
  const day = new Date(`${match[1]}T00:00:00Z`);
  // The 31st of February becomes the 3rd of March: not the day that was written.
  return (
    !Number.isNaN(day.getTime()) && day.toISOString().startsWith(match[1] ?? "") && !Number.isNaN(Date.parse(`1970-01-01T${match[2]}Z`))
  );
}

/** Spreadsheets write `2025/3/1 9:30`. */
function isoTime(cell: string): string {
  const match = /^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})[T ]+(\d{1,2}):(\d{2})(.*)$/.exec(cell);
  if (!match) return cell;
  const [year, month, day, hour, minute, rest] = match.slice(1).map((part) => part.padStart(2, "0"));
  return `${year}-${month}-${day}T${hour}:${minute}${match[6] === "" ? "" : rest}`;
}

function readLegs(value: unknown): { agent: string; customer: string } | undefined {
  if (typeof value !== "object" || value === null || Object.keys(value).some((name) => name !== "agent" && name !== "customer"))
    return undefined;
  const { agent, customer } = value as { agent?: unknown; customer?: unknown };
  return isInside(agent) && isInside(customer) && agent !== customer ? { agent, customer } : undefined;
}

/** A relative path that stays in the folder, in the notation of any system. */
function isInside(path: unknown): path is string {
  return (
    typeof path === "string" &&
    path !== "" &&
    path.length <= 4_096 &&
    !path.includes("\0") &&
    !/^(?:[/\\]|[A-Za-z]:)/.test(path) &&
    !path.split(/[/\\]/).includes("..")
  );
}

/**
 * The metadata beside a recording: `call.meta.json` for `call.wav`. null where there is none.
 *
 * @throws CallsiftError `metadata/invalid`
 */
export async function findMetadata(recordingPath: AnyPath, signal?: AbortSignal): Promise<CallMetadata | null> {
  const path = besideRecording(recordingPath, ".meta.json");
  const where = fileName(path);
  const file = await readSmallFile(path, LIMITS.file, signal);
  if (file.status === "missing") return null;
  if (file.status === "unreadable") throw new CallsiftError("metadata/invalid", `${where}: expected a readable file, but ${file.why}`);
  if (file.status === "too-large")
    throw new CallsiftError("metadata/invalid", `${where}: expected at most ${LIMITS.file} bytes, got ${file.size}`);
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(file.bytes));
  } catch (cause) {
    throw new CallsiftError("metadata/invalid", `${where}: expected JSON in UTF-8, got something else`, { cause });
  }
  return parseMetadata(json, where);
}

/** The column that says which recording a row is about. */
const FILE = "file";
/** What a cell can hold: everything but the legs. */
export const METADATA_COLUMNS: readonly string[] = NAMES.filter((name) => name !== "legs");
const COLUMNS = [FILE, ...METADATA_COLUMNS];

/**
 * Metadata of many calls from a table with a header row and a `file` column: UTF-8, UTF-16 with BOM, or GBK; commas, semicolons or
 * tabs. Empty cells say nothing.
 *
 * @param where for messages, e.g. the file's name
 * @returns by the name in `file`, as it is written there
 * @throws CallsiftError `metadata/invalid` naming row and column
 */
export async function parseMetadataTable(bytes: Uint8Array, where: string): Promise<Map<string, CallMetadata>> {
  // Only who has a table pays for its parser.
  const { parse } = await import("csv-parse/sync");
  const content = decodeTable(bytes, where);
  let rows: readonly { readonly record: readonly string[]; readonly info: { readonly lines: number } }[];
  try {
    rows = parse(content, {
      delimiter: delimiterOf(content),
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true,
    }) as unknown as typeof rows;
  } catch (cause) {
    throw new CallsiftError(
      "metadata/invalid",
      `${where}: expected a table of comma-separated values (${cause instanceof Error ? cause.message : cause})`,
      {
        cause,
      },
    );
  }
  const columns = columnsOf(rows[0]?.record ?? [], where);
  const calls = new Map<string, CallMetadata>();
  for (const { record, info } of rows.slice(1)) {
    if (record.every((cell) => cell === "")) continue;
    const at = `${where}, line ${info.lines}`;
    if (record.slice(columns.length).some((cell) => cell !== "")) throw invalid(at, `${columns.length} cells`, record.length);
    const name = record[columns.indexOf(FILE)] ?? "";
    if (name === "") throw invalid(at, "the name of a recording in the column file", name);
    if (calls.has(name)) throw invalid(at, "one row for each recording", name);
    calls.set(name, rowOf(record, columns, at));
  }
  return calls;
}

/**
 * The metadata of a table's row.
 *
 * @param columns as `columnsOf` read them
 * @throws CallsiftError `metadata/invalid`
 */
export function rowOf(record: readonly string[], columns: readonly string[], at: string): CallMetadata {
  const cells = columns.flatMap((column, i) => (column === FILE ? [] : [[column, record[i] ?? ""] as const]));
  return metadataFromCells(Object.fromEntries(cells), at);
}

/**
 * Metadata from texts by field, as cells of a table and parts of a file name hold them; empty ones say nothing.
 *
 * @throws CallsiftError `metadata/invalid` naming the field
 */
export function metadataFromCells(cells: Readonly<Record<string, string>>, where: string): CallMetadata {
  const json: Record<string, unknown> = {};
  for (const [name, cell] of Object.entries(cells)) {
    if (cell === "") continue;
    const fromCell = isName(name) ? FIELDS[name].fromCell : undefined;
    json[name] = fromCell ? fromCell(cell) : cell;
  }
  return parseMetadata(json, where);
}

/**
 * The names of a table's columns, `file` among them.
 *
 * @throws CallsiftError `metadata/invalid`
 */
export function columnsOf(header: readonly string[], where: string): readonly string[] {
  const columns = header.map((name) => name.trim());
  while (columns.at(-1) === "") columns.pop();
  const unknown = columns.filter((name) => !COLUMNS.includes(name));
  if (unknown.length > 0) throw invalid(where, `columns of ${COLUMNS.join(", ")}`, unknown.join(", "));
  if (!columns.includes(FILE)) throw invalid(where, "a column file", columns.join(", "));
  const twice = columns.find((name, i) => columns.indexOf(name) !== i);
  if (twice !== undefined) throw invalid(where, "every column once", twice);
  return columns;
}

/** Spreadsheets in Chinese write GBK where nobody asked for UTF-8; valid UTF-8 is never taken for it. */
function decodeTable(bytes: Uint8Array, where: string): string {
  const encodings =
    bytes[0] === 0xff && bytes[1] === 0xfe ? ["utf-16le"] : bytes[0] === 0xfe && bytes[1] === 0xff ? ["utf-16be"] : ["utf-8", "gbk"];
  for (const encoding of encodings) {
    try {
      return new TextDecoder(encoding, { fatal: true }).decode(bytes);
    } catch {
      // The next encoding, or the failure below.
    }
  }
  throw new CallsiftError("metadata/invalid", `${where}: expected a table in UTF-8, UTF-16 or GBK, got other bytes`);
}

/** What separates the names of the header row; column names hold none of them. */
export function delimiterOf(content: string): string {
  const header = content.slice(0, 10_000).split(/[\r\n]/, 1)[0] ?? "";
  const count = (delimiter: string) => header.split(delimiter).length;
  return [",", ";", "\t"].reduce((best, delimiter) => (count(delimiter) > count(best) ? delimiter : best));
}
