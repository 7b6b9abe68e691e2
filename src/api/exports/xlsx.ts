import { type Cell, neutralised, PIECE_BYTES, type Table } from "./table.ts";
import { type ZipEntry, zipOf } from "./zip.ts";

/** Rows of one sheet, that of the titles among them; further ones go to a further sheet. */
const MAX_ROWS = 1_048_576;
/** Characters of one cell. */
const MAX_TEXT = 32_767;

/** A table as an Office Open XML workbook (ECMA-376, transitional), written row by row: memory doesn't grow with it. */
export function xlsxOf(table: Table): AsyncGenerator<Buffer> {
  return zipOf(partsOf(table));
}

async function* partsOf(table: Table): AsyncGenerator<ZipEntry> {
  const source = Symbol.asyncIterator in table.rows ? table.rows[Symbol.asyncIterator]() : table.rows[Symbol.iterator]();
  let sheets = 0;
  let isDone = false;
  try {
    while (!isDone) {
      sheets += 1;
      yield {
        name: `xl/worksheets/sheet${sheets}.xml`,
        content: sheetOf(table, source, () => {
          isDone = true;
        }),
      };
    }
  } finally {
    await source.return?.();
  }
  const numbers = Array.from({ length: sheets }, (_, i) => i + 1);
  yield { name: "xl/styles.xml", content: [STYLES] };
  yield {
    name: "xl/workbook.xml",
    content: [
      `${XML}<workbook xmlns="${MAIN}" xmlns:r="${OFFICE}"><sheets>${numbers
        .map((n) => `<sheet name="${escaped(n === 1 ? table.name : `${table.name} ${n}`)}" sheetId="${n}" r:id="rId${n}"/>`)
        .join("")}</sheets></workbook>`,
    ],
  };
  yield {
    name: "xl/_rels/workbook.xml.rels",
    content: [
      `${XML}<Relationships xmlns="${RELATIONS}">${numbers
        .map((n) => `<Relationship Id="rId${n}" Type="${OFFICE}/worksheet" Target="worksheets/sheet${n}.xml"/>`)
        .join("")}<Relationship Id="rId${sheets + 1}" Type="${OFFICE}/styles" Target="styles.xml"/></Relationships>`,
    ],
  };
  yield {
    name: "_rels/.rels",
    content: [
      `${XML}<Relationships xmlns="${RELATIONS}"><Relationship Id="rId1" Type="${OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
    ],
  };
  const spreadsheet = "application/vnd.openxmlformats-officedocument.spreadsheetml";
  yield {
    name: "[Content_Types].xml",
    content: [
      `${XML}<Types xmlns="${TYPES}"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
        `<Default Extension="xml" ContentType="application/xml"/>` +
        `<Override PartName="/xl/workbook.xml" ContentType="${spreadsheet}.sheet.main+xml"/>` +
        `<Override PartName="/xl/styles.xml" ContentType="${spreadsheet}.styles+xml"/>` +
        `${numbers.map((n) => `<Override PartName="/xl/worksheets/sheet${n}.xml" ContentType="${spreadsheet}.worksheet+xml"/>`).join("")}</Types>`,
    ],
  };
}

type Rows = Iterator<readonly Cell[]> | AsyncIterator<readonly Cell[]>;

async function* sheetOf({ columns, timeZone }: Table, rows: Rows, onEnd: () => void): AsyncGenerator<string> {
  const serial = serialOf(timeZone);
  const letters = columns.map((_, i) => lettersOf(i));
  const widths = columns.map(({ width = 14 }, i) => `<col min="${i + 1}" max="${i + 1}" width="${width}" customWidth="1"/>`).join("");
  let piece =
    `${XML}<worksheet xmlns="${MAIN}"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>` +
    `<cols>${widths}</cols><sheetData><row r="1">${columns.map(({ title }, i) => textCell(`${letters[i]}1`, title, STYLE.title)).join("")}</row>`;
  for (let r = 2; r <= MAX_ROWS; r++) {
    const { value: row, done } = await rows.next();
    if (done) {
      onEnd();
      break;
    }
    piece += `<row r="${r}">${row.map((cell, i) => cellOf(`${letters[i]}${r}`, cell, serial)).join("")}</row>`;
    if (piece.length >= PIECE_BYTES) {
      yield piece;
      piece = "";
    }
  }
  yield `${piece}</sheetData></worksheet>`;
}

function cellOf(at: string, cell: Cell, serial: (time: Date) => number): string {
  if (cell === null) return "";
  if (typeof cell === "string") return textCell(at, neutralised(cell), STYLE.plain);
  if (typeof cell === "boolean") return `<c r="${at}" t="b"><v>${cell ? 1 : 0}</v></c>`;
  if (cell instanceof Date) return `<c r="${at}" s="${STYLE.time}"><v>${serial(cell)}</v></c>`;
  return Number.isFinite(cell) ? `<c r="${at}"><v>${cell}</v></c>` : "";
}

function textCell(at: string, text: string, style: number): string {
  return `<c r="${at}" s="${style}" t="inlineStr"><is><t xml:space="preserve">${escaped(text.slice(0, MAX_TEXT))}</t></is></c>`;
}

/** A to Z, AA to ZZ. */
function lettersOf(column: number): string {
  const last = String.fromCharCode(65 + (column % 26));
  return column < 26 ? last : lettersOf(Math.floor(column / 26) - 1) + last;
}

/** Days since 1899-12-30 by the clock of the zone (ECMA-376 18.17.4). */
function serialOf(timeZone: string): (time: Date) => number {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  return (time) => {
    const part = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, Number(value)]));
    const { year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
    return Date.UTC(year, month - 1, day, hour, minute, second) / 86_400_000 + 25_569;
  };
}

/** XML 1.0 has no place for most control characters (lone surrogates end as U+FFFD in UTF-8); `_x0041_` would be read as a letter (ECMA-376 22.9.2.19). */
function escaped(text: string): string {
  return text
    .replace(NOT_XML, "")
    .replace(/_(?=x[0-9A-Fa-f]{4}_)/g, "_x005F_")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("\r", "_x000D_");
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is to be found
const NOT_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

const XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships";
const TYPES = "http://schemas.openxmlformats.org/package/2006/content-types";

/** Places in `cellXfs` below. */
const STYLE = { plain: 0, title: 1, time: 2 } as const;
const STYLES =
  `${XML}<styleSheet xmlns="${MAIN}"><numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd hh:mm:ss"/></numFmts>` +
  `<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts>` +
  `<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>` +
  `<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>` +
  `<cellXfs count="3"><xf xfId="0"/><xf fontId="1" applyFont="1" xfId="0"/><xf numFmtId="164" applyNumberFormat="1" xfId="0"/></cellXfs></styleSheet>`;
