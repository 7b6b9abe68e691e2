import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import exceljs from "exceljs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { csvOf } from "../../src/api/exports/csv.ts";
import { type Cell, neutralised, type Table } from "../../src/api/exports/table.ts";
import { xlsxOf } from "../../src/api/exports/xlsx.ts";
import { zipOf } from "../../src/api/exports/zip.ts";

const tableOf = (rows: Table["rows"], columns = 2): Table => ({
  name: "calls",
  columns: Array.from({ length: columns }, (_, i) => ({ title: `列${i}` })),
  rows,
  timeZone: "Asia/Shanghai",
});

async function bytesOf(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of source) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function readXlsx(bytes: Buffer): Promise<unknown[][][]> {
  const book = new exceljs.Workbook();
  await book.xlsx.load(bytes as unknown as ArrayBuffer);
  return book.worksheets.map((sheet) => {
    const rows: unknown[][] = [];
    sheet.eachRow((row) => void rows.push((row.values as unknown[]).slice(1)));
    return rows;
  });
}

const DANGEROUS = [
  "=1+1",
  "+1",
  "-1",
  "@SUM(A1)",
  "\t=1",
  "\r=1",
  "\n=1",
  " =1",
  "\u3000=1",
  "＝1＋1",
  "＠x",
  "－1",
  "+86 10 1234",
  "=cmd|' /C calc'!A0",
];

describe("text that a spreadsheet would take for a formula", () => {
  it.each(DANGEROUS)("gets an apostrophe: %j", (text) => expect(neutralised(text)).toBe(`'${text}`));
  it.each(["", "1=1", "喂", "a@b", "2025-03-01", "'=1", "1-2"])("other text is left as it is: %j", (text) =>
    expect(neutralised(text)).toBe(text),
  );
});

describe("CSV", () => {
  it("begins with a byte-order mark, writes times by the zone's clock, and leaves numbers alone", async () => {
    const rows: Cell[][] = [
      [new Date("2025-03-01T16:30:05Z"), -3.5],
      [null, true],
      ['说"好"，再见', "a,b\r\nc"],
    ];
    const bytes = await bytesOf(csvOf(tableOf(rows)));
    expect(bytes.toString()).toBe(`\uFEFF列0,列1\r\n2025-03-02 00:30:05,-3.5\r\n,true\r\n"说""好""，再见","a,b\r\nc"\r\n`);
  });

  it("is read back as it was written, whatever the text", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.string({ unit: "binary" }), { minLength: 2, maxLength: 2 }), { maxLength: 20 }),
        async (rows) => {
          const bytes = await bytesOf(csvOf(tableOf(rows)));
          const expected = rows.map((row) => row.map((cell) => Buffer.from(neutralised(cell)).toString()));
          expect(parse(bytes, { bom: true, fromLine: 2, relax_column_count: false }) as unknown).toEqual(expected);
        },
      ),
    );
  });
});

describe("XLSX", () => {
  it("is read back by another reader, formulas as text, times as times", async () => {
    const rows: Cell[][] = [
      [new Date("2025-03-01T16:30:05Z"), -3.5],
      ["=1+1", true],
      ["_x0041_ <b>&\"'", "中文\n第二行 "],
    ];
    const [sheet] = await readXlsx(await bytesOf(xlsxOf(tableOf(rows))));
    expect(sheet?.[0]).toEqual(["列0", "列1"]);
    expect(sheet?.[1]?.[0]).toEqual(new Date("2025-03-02T00:30:05Z"));
    expect(sheet?.[1]?.[1]).toBe(-3.5);
    expect(sheet?.[2]).toEqual(["'=1+1", true]);
    expect(sheet?.[3]?.[1]).toBe("中文\n第二行 ");
  });

  it("keeps control characters, lone surrogates and endless text out of the XML", async () => {
    const rows = [
      ["a\u0000\u0008\u001fb\uffff", "x".repeat(40_000)],
      ["\ud800", "😀"],
    ];
    const [sheet] = await readXlsx(await bytesOf(xlsxOf(tableOf(rows))));
    expect(sheet?.[1]?.[0]).toBe("ab");
    expect(sheet?.[1]?.[1]).toBe("x".repeat(32_767));
    expect(sheet?.[2]).toEqual(["\ufffd", "😀"]);
  });

  it("is an archive that python's zipfile finds whole", async () => {
    const rows = (function* () {
      for (let i = 0; i < 20_000; i++) yield [`row ${i}`, i];
    })();
    const folder = mkdtempSync(join(tmpdir(), "callsift-xlsx-"));
    try {
      writeFileSync(join(folder, "a.xlsx"), await bytesOf(xlsxOf(tableOf(rows))));
      const script =
        "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(z.testzip(), len(z.read('xl/worksheets/sheet1.xml')) > 500000)";
      const { stdout, stderr } = spawnSync("python3", ["-c", script, join(folder, "a.xlsx")], { encoding: "utf8" });
      expect(`${stdout}${stderr}`.trim()).toBe("None True");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("goes on in another sheet where one is full", async () => {
    const rows = (function* (): Generator<readonly Cell[]> {
      for (let i = 1; i <= 1_048_576; i++) yield [i];
    })();
    const entries = new Map<string, number>();
    const bytes = await bytesOf(xlsxOf(tableOf(rows, 1)));
    // Names in the central directory are told apart from the local headers by their signature.
    for (let at = bytes.indexOf("PK\u0001\u0002"); at >= 0; at = bytes.indexOf("PK\u0001\u0002", at + 4)) {
      entries.set(bytes.toString("latin1", at + 46, at + 46 + bytes.readUInt16LE(at + 28)), bytes.readUInt32LE(at + 24));
    }
    expect([...entries.keys()]).toContain("xl/worksheets/sheet2.xml");
    expect(entries.get("xl/worksheets/sheet2.xml")).toBeLessThan(1_000);
  });

  it("asks for rows only as fast as they are read, and lets go of them when the reader leaves", async () => {
    let asked = 0;
    let isClosed = false;
    async function* rows(): AsyncGenerator<readonly Cell[]> {
      try {
        for (;;) {
          asked += 1;
          yield [String(Math.random()).repeat(50), asked];
        }
      } finally {
        isClosed = true;
      }
    }
    const reader = xlsxOf(tableOf(rows()));
    for (let i = 0; i < 3; i++) await reader.next();
    await new Promise((resolve) => setImmediate(resolve));
    const before = asked;
    await new Promise((resolve) => setTimeout(resolve, 100));
    // What the deflater had been given already may still be taken in.
    expect(asked - before).toBeLessThan(5_000);
    await reader.return(undefined);
    expect(isClosed).toBe(true);
  });

  it("fails where its rows fail", async () => {
    async function* rows(): AsyncGenerator<readonly Cell[]> {
      yield ["a", 1];
      throw new Error("the database is gone");
    }
    await expect(bytesOf(xlsxOf(tableOf(rows())))).rejects.toThrow("the database is gone");
    await expect(bytesOf(csvOf(tableOf(rows())))).rejects.toThrow("the database is gone");
  });
});

describe("an archive", () => {
  it("of the same content has the same bytes", async () => {
    const make = () => bytesOf(zipOf([{ name: "a.txt", content: ["hello ", "there"] }]));
    expect(await make()).toEqual(await make());
  });
});
