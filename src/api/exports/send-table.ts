import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import { csvOf } from "./csv.ts";
import type { Cell, Table } from "./table.ts";
import { xlsxOf } from "./xlsx.ts";

export const EXPORT_FORMATS = ["csv", "xlsx"] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

const FORMATS = {
  csv: { type: "text/csv; charset=utf-8", write: csvOf },
  xlsx: { type: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", write: xlsxOf },
} as const satisfies Record<ExportFormat, { readonly type: string; readonly write: (table: Table) => AsyncGenerator<Buffer> }>;

/** Content types of exports, for their description. */
export const EXPORT_TYPES = ["text/csv", FORMATS.xlsx.type] as const;

/** Answers with a table as a file, as fast as it is taken. What is wrong before the first row is refused as ever; after it the answer breaks off. */
export async function sendTable(reply: FastifyReply, format: ExportFormat, table: Table): Promise<FastifyReply> {
  const rows = await begun(table.rows);
  const { type, write } = FORMATS[format];
  const day = new Intl.DateTimeFormat("sv-SE", { timeZone: table.timeZone }).format(new Date());
  return await reply
    .type(type)
    .header("content-disposition", `attachment; filename="${table.name}-${day}.${format}"`)
    .header("cache-control", "no-store")
    .send(Readable.from(write({ ...table, rows }), { objectMode: false }));
}

/** The rows, the first of which has been read. */
async function begun(rows: Table["rows"]): Promise<AsyncIterable<readonly Cell[]>> {
  const source = Symbol.asyncIterator in rows ? rows[Symbol.asyncIterator]() : rows[Symbol.iterator]();
  const first = await source.next();
  async function* all(): AsyncGenerator<readonly Cell[]> {
    try {
      for (let next = first; !next.done; next = await source.next()) yield next.value;
    } finally {
      await source.return?.();
    }
  }
  return all();
}
