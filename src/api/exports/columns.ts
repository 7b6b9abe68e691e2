import type { Language } from "../../pipeline/types.ts";
import type { Cell, Table } from "./table.ts";

/** A column of a list: its title in the reader's language, and what it shows of a row. */
export interface ColumnOf<Row> {
  readonly title: Readonly<Record<Language, string>>;
  readonly width?: number;
  readonly of: (row: Row) => Cell | undefined;
}

/** Short for a column. */
export function column<Row>(zh: string, en: string, of: ColumnOf<Row>["of"], width?: number): ColumnOf<Row> {
  return { title: { zh, en }, of, ...(width !== undefined && { width }) };
}

/** The same columns where a row holds what they are of. */
export function columnsOf<Row, Part>(columns: readonly ColumnOf<Part>[], part: (row: Row) => Part): ColumnOf<Row>[] {
  return columns.map((one) => ({ ...one, of: (row) => one.of(part(row)) }));
}

/** A list as a table. */
export function tableOf<Row>(
  name: string,
  columns: readonly ColumnOf<Row>[],
  rows: AsyncIterable<Row> | Iterable<Row>,
  { language, timeZone }: { readonly language: Language; readonly timeZone: string },
): Table {
  async function* cells(): AsyncGenerator<readonly Cell[]> {
    for await (const row of rows) yield columns.map(({ of }) => of(row) ?? null);
  }
  return {
    name,
    columns: columns.map(({ title, width }) => ({ title: title[language], ...(width !== undefined && { width }) })),
    rows: cells(),
    timeZone,
  };
}

/** `m:ss`, as players show a place in a recording. */
export function placeOf(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** All items of a list that is read page by page. */
export async function* allOf<Item>(
  read: (cursor: string | undefined) => Promise<{ readonly items: readonly Item[]; readonly nextCursor: string | null }>,
): AsyncGenerator<Item> {
  for (let cursor: string | undefined; ; ) {
    const { items, nextCursor } = await read(cursor);
    yield* items;
    if (nextCursor === null) return;
    cursor = nextCursor;
  }
}
