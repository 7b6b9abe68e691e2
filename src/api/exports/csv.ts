import { type Cell, clockOf, neutralised, PIECE_BYTES, type Table } from "./table.ts";

/** A table as CSV (RFC 4180) in UTF-8, with the byte-order mark by which Excel knows it from the machine's old code page. */
export async function* csvOf({ columns, rows, timeZone }: Table): AsyncGenerator<Buffer> {
  const clock = clockOf(timeZone);
  let piece = `\uFEFF${rowOf(columns.map(({ title }) => title))}`;
  for await (const row of rows) {
    piece += rowOf(row.map((cell) => textOf(cell, clock)));
    if (piece.length >= PIECE_BYTES) {
      yield Buffer.from(piece);
      piece = "";
    }
  }
  if (piece) yield Buffer.from(piece);
}

function textOf(cell: Cell, clock: (time: Date) => string): string {
  if (cell === null) return "";
  if (typeof cell === "string") return neutralised(cell);
  return cell instanceof Date ? clock(cell) : String(cell);
}

function rowOf(cells: readonly string[]): string {
  return `${cells.map((text) => (/[",;\t\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)).join(",")}\r\n`;
}
