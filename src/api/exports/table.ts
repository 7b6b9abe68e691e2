/** What one cell holds; null is an empty one. */
export type Cell = string | number | boolean | Date | null;

/** A list as a spreadsheet shows it; rows are asked for one after the other, as fast as they are taken. */
export interface Table {
  /** Of the file without its ending, and of the sheet: ASCII. */
  readonly name: string;
  readonly columns: readonly Column[];
  readonly rows: AsyncIterable<readonly Cell[]> | Iterable<readonly Cell[]>;
  /** IANA name: spreadsheets know no zones, so times are written as clocks there showed them. */
  readonly timeZone: string;
}

export interface Column {
  readonly title: string;
  /** In characters; default 14. */
  readonly width?: number;
}

/** Bytes are handed on in pieces of about this size. */
export const PIECE_BYTES = 65_536;

/**
 * Text that a spreadsheet would take for a formula gets an apostrophe before it, as OWASP advises (CSV injection); full-width signs count, East Asian versions of Excel
 * read them too. Numbers that are numbers are left alone.
 */
export function neutralised(text: string): string {
  return /^[\s\u00a0\u3000]*[=+\-@\t\r\n＝＋－＠]/.test(text) ? `'${text}` : text;
}

/** How times are written in a zone: `2026-03-01 09:30:00`. */
export function clockOf(timeZone: string): (time: Date) => string {
  // The Swedish way to write a time is ISO 8601 with a space.
  const format = new Intl.DateTimeFormat("sv-SE", {
    timeZone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
  return (time) => format.format(time);
}
