import { pipeline, Readable } from "node:stream";
import { CsvError, parse } from "csv-parse";
import { CallsiftError } from "../../pipeline/errors.ts";
import { invalidAt } from "../validate.ts";

/** A row of a table, by the names of its columns; empty cells are left out. */
export interface CsvRow {
  readonly line: number;
  readonly cells: Readonly<Record<string, string>>;
}

const MAX_HEADER = 10_000;
const MAX_ROW = 10_000;

/**
 * The rows of a table with a header, one after the other: commas, semicolons or tabs, as the header has them.
 *
 * @throws CallsiftError `request/invalid` naming the line
 */
export async function* csvRows(
  pieces: AsyncIterable<string>,
  columns: { readonly known: readonly string[]; readonly needed: readonly string[] },
): AsyncGenerator<CsvRow> {
  const source = pieces[Symbol.asyncIterator]();
  let start = "";
  // As much as it takes to see the whole header.
  for (;;) {
    const { value, done } = await source.next();
    if (done) break;
    start += value;
    if (/\S[^\r\n]*[\r\n]/.test(start) || start.length > MAX_HEADER) break;
  }
  async function* all(): AsyncGenerator<string> {
    try {
      yield start;
      for (let next = await source.next(); !next.done; next = await source.next()) yield next.value;
    } finally {
      await source.return?.();
    }
  }
  const parser = parse({
    delimiter: delimiterOf(start),
    bom: true,
    info: true,
    trim: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: MAX_ROW,
  });
  pipeline(Readable.from(all()), parser, () => undefined);
  let names: readonly string[] | null = null;
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
      if (names === null) {
        names = namesOf(record, columns);
        continue;
      }
      const { lines: line } = info;
      if (record.slice(names.length).some((cell) => cell !== ""))
        throw invalidAt(`body/line ${line}`, `expected ${names.length} cells, got ${record.length}`);
      const cells = names.flatMap((name, i) => (record[i] ? [[name, record[i]] as const] : []));
      if (cells.length > 0) yield { line, cells: Object.fromEntries(cells) };
    }
  } catch (error) {
    if (error instanceof CsvError)
      throw new CallsiftError("request/invalid", `body: expected a table of comma-separated values (${error.message.slice(0, 200)})`, {
        cause: error,
      });
    throw error;
  }
  if (names === null) throw invalidAt("body", `expected a table with the columns ${columns.known.join(", ")}, got none`);
}

function namesOf(
  header: readonly string[],
  { known, needed }: { readonly known: readonly string[]; readonly needed: readonly string[] },
): readonly string[] {
  const names = [...header];
  while (names.at(-1) === "") names.pop();
  const wrong = names.find((name) => !known.includes(name));
  if (wrong !== undefined) throw invalidAt(`body/${wrong.slice(0, 60)}`, `expected columns of ${known.join(", ")}`);
  const missing = needed.find((name) => !names.includes(name));
  if (missing !== undefined) throw invalidAt(`body/${missing}`, "expected this column, it is missing");
  if (new Set(names).size < names.length) throw invalidAt("body", "expected every column once");
  return names;
}

/** What separates the names of the header; names of columns hold none of them. */
function delimiterOf(text: string): string {
  const header = text.trimStart().split(/[\r\n]/, 1)[0] ?? "";
  const count = (delimiter: string) => header.split(delimiter).length;
  return [",", ";", "\t"].reduce((best, delimiter) => (count(delimiter) > count(best) ? delimiter : best));
}
