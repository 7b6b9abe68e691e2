import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { parse } from "csv-parse";
import { CallsiftError } from "../../pipeline/errors.ts";
import { columnsOf, delimiterOf, rowOf } from "../../pipeline/metadata.ts";
import type { CallMetadata } from "../../pipeline/types.ts";

/** A row of a table: of which file, and what it says; or what is wrong with it. */
export type MetadataRow = { readonly file: string; readonly line: number } & (
  | { readonly metadata: CallMetadata }
  | { readonly fault: CallsiftError }
);

const FILE = "file";
const HEAD_BYTES = 64 * 1024;

/**
 * The rows of a metadata table one by one, so that a million fit: UTF-8 with or without BOM, UTF-16 with BOM, or GBK; commas, semicolons or tabs.
 *
 * @param where for messages, e.g. the file's name
 * @throws CallsiftError `metadata/invalid` for what is wrong with the table itself
 */
export async function* readMetadataRows(path: string, where: string): AsyncGenerator<MetadataRow> {
  const encoding = await encodingOf(path, where);
  const text = decoded(path, encoding, where);
  let columns: readonly string[] | null = null;
  const head = await headOf(path, encoding);
  const options = {
    delimiter: delimiterOf(head),
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    trim: true,
    max_record_size: 1_000_000,
  };
  const parser = parse(options);
  // What goes wrong with reading is told by the parser, which whoever reads waits for.
  pipeline(Readable.from(text), parser).catch((error: Error) => parser.destroy(error));
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
      if (columns === null) columns = columnsOf(record, where);
      else if (record.some((cell) => cell !== "")) yield readRow(record, columns, { where, line: info.lines });
    }
  } catch (cause) {
    if (cause instanceof CallsiftError) throw cause;
    throw new CallsiftError(
      "metadata/invalid",
      `${where}: expected a table of comma-separated values (${cause instanceof Error ? cause.message : cause})`,
      {
        cause,
      },
    );
  }
  if (columns === null) throw new CallsiftError("metadata/invalid", `${where}: expected a header row with a column file, got nothing`);
}

function readRow(record: readonly string[], columns: readonly string[], { where, line }: { where: string; line: number }): MetadataRow {
  const at = `${where}, line ${line}`;
  const file = record[columns.indexOf(FILE)] ?? "";
  try {
    if (file === "") throw new CallsiftError("metadata/invalid", `${at}: expected the name of a recording in the column file, got nothing`);
    if (record.slice(columns.length).some((cell) => cell !== ""))
      throw new CallsiftError("metadata/invalid", `${at}: expected ${columns.length} cells, got ${record.length}`);
    return { file, line, metadata: rowOf(record, columns, at) };
  } catch (error) {
    if (!(error instanceof CallsiftError)) throw error;
    return { file, line, fault: error };
  }
}

/** The first of the encodings in which the whole file is well formed: valid UTF-8 is never taken for GBK. */
async function encodingOf(path: string, where: string): Promise<string> {
  const [first, second] = (await firstBytes(path)).subarray(0, 2);
  if (first === 0xff && second === 0xfe) return "utf-16le";
  if (first === 0xfe && second === 0xff) return "utf-16be";
  for (const encoding of ["utf-8", "gbk"]) {
    try {
      for await (const _ of decoded(path, encoding, where));
      return encoding;
    } catch (error) {
      if (!(error instanceof CallsiftError) || !(error.cause instanceof TypeError)) throw error;
    }
  }
  throw new CallsiftError("metadata/invalid", `${where}: expected a table in UTF-8, UTF-16 or GBK, got other bytes`);
}

async function* decoded(path: string, encoding: string, where: string): AsyncGenerator<string> {
  const decoder = new TextDecoder(encoding, { fatal: true });
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) yield decoder.decode(chunk, { stream: true });
    yield decoder.decode();
  } catch (cause) {
    const why = cause instanceof TypeError ? `bytes that are not ${encoding}` : (cause as NodeJS.ErrnoException).code;
    throw new CallsiftError("metadata/invalid", `${where}: expected a readable table, got ${why}`, { cause });
  }
}

async function headOf(path: string, encoding: string): Promise<string> {
  return new TextDecoder(encoding).decode(await firstBytes(path), { stream: true });
}

async function firstBytes(path: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of createReadStream(path, { end: HEAD_BYTES - 1 }) as AsyncIterable<Buffer>) chunks.push(chunk);
  } catch (cause) {
    throw new CallsiftError("metadata/invalid", `expected a readable table, got ${(cause as NodeJS.ErrnoException).code}`, { cause });
  }
  return Buffer.concat(chunks);
}
