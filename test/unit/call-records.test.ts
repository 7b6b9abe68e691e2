import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type RecordsFormat, readRecords } from "../../src/api/call-records/read-records.ts";
import { CallsiftError } from "../../src/pipeline/errors.ts";

const CSV: RecordsFormat = { type: "csv" };
const JSON_LIST: RecordsFormat = { type: "json" };

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(text: string | Buffer, format: RecordsFormat, size = 7) {
  const records = [];
  for await (const record of readRecords(pieces(Buffer.from(text as string), size), format, "Asia/Shanghai")) records.push(record);
  return records;
}

async function refusal(text: string | Buffer, format: RecordsFormat): Promise<string> {
  try {
    await read(text, format);
  } catch (error) {
    if (error instanceof CallsiftError) return `${error.code} ${error.message}`;
    throw error;
  }
  return "none";
}

const at = (text: string) => new Date(text);
const ONE = { callId: "c1", startedAt: at("2025-03-01T01:30:00Z"), agentId: "a1", durationMs: 60_000 };
const TABLE = "callId,startedAt,agentId,durationMs\r\nc1,2025-03-01 09:30:00,a1,60000\r\nc2,2025/3/1 9:31,,\r\n";
const TWO = [ONE, { callId: "c2", startedAt: at("2025-03-01T01:31:00Z") }];

/** 坐席 */
const GBK_AGENT = Buffer.from([0xd7, 0xf8, 0xcf, 0xaf]);
/** 联通: in GBK these bytes are valid UTF-8, too. */
const GBK_UNICOM = Buffer.from([0xc1, 0xaa, 0xcd, 0xa8]);

describe("the telephone system's list as a table", () => {
  it("is read with commas, semicolons and tabs, whatever the pieces it comes in", async () => {
    for (const separator of [",", ";", "\t"])
      for (const size of [1, 3, 1000]) expect(await read(TABLE.replaceAll(",", separator), CSV, size)).toEqual(TWO);
  });

  it("is read in UTF-8 with and without a mark, in UTF-16 and in GBK", async () => {
    const table = TABLE.replace("a1", "坐席");
    const expected = [{ ...ONE, agentId: "坐席" }, TWO[1]];
    expect(await read(table, CSV)).toEqual(expected);
    expect(await read(`\uFEFF${table}`, CSV, 2)).toEqual(expected);
    expect(await read(Buffer.from(`\uFEFF${table}`, "utf16le"), CSV)).toEqual(expected);
    expect(await read(Buffer.from(`\uFEFF${table}`, "utf16le").swap16(), CSV)).toEqual(expected);
    const [before = "", after = ""] = TABLE.split("a1");
    const gbk = (word: Buffer) => Buffer.concat([Buffer.from(before), word, Buffer.from(after)]);
    expect(await read(gbk(GBK_AGENT), CSV)).toEqual(expected);
    expect(await read(gbk(GBK_AGENT), { ...CSV, charset: "GB2312" })).toEqual(expected);
    // Of a single such word nobody can tell; a second one settles it.
    const both = Buffer.concat([gbk(GBK_UNICOM), Buffer.from("c3,2025-03-01 09:32:00,"), GBK_AGENT, Buffer.from(",\r\n")]);
    expect((await read(both, CSV)).map(({ agentId }) => agentId)).toEqual(["联通", undefined, "坐席"]);
  });

  it("keeps the columns apart by their names, in any order, empty rows passed over", async () => {
    expect(await read("startedAt,callId\n\n2025-03-01T09:30:00+08:00,c1\n,\n", CSV)).toEqual([{ callId: "c1", startedAt: ONE.startedAt }]);
  });

  it.each([
    ["", "request/invalid body: expected a table with the columns callId, startedAt, agentId, durationMs, got none"],
    ["callId\nc1\n", "request/invalid body/startedAt: expected this column, it is missing"],
    ["callId,startedAt,phone\n", "request/invalid body/phone: expected columns of callId, startedAt, agentId, durationMs"],
    ["callId,callId,startedAt\n", "request/invalid body: expected every column once"],
    ["callId,startedAt\nc1,2025-02-31 09:00\n", "request/invalid body/line 2/startedAt: expected a day like"],
    ["callId,startedAt\nc1,tomorrow\n", "request/invalid body/line 2/startedAt"],
    ["callId,startedAt\nc1,2025-03-01 09:61\n", "request/invalid body/line 2/startedAt: expected a time of day"],
    ["callId,startedAt\n,2025-03-01 09:00\n", "request/invalid body/line 2/callId: expected a value"],
    ["callId,startedAt,durationMs\nc1,2025-03-01 09:00,-5\n", "request/invalid body/line 2/durationMs"],
    ["callId,startedAt\nc1,2025-03-01 09:00,x\n", "request/invalid body/line 2: expected 2 cells, got 3"],
    [`callId,startedAt\n${"x".repeat(300)},2025-03-01 09:00\n`, "request/invalid body/line 2/callId"],
    [`callId,startedAt\n"${"x".repeat(20_000)}`, "request/invalid body: expected a table of comma-separated values"],
  ])("is refused naming the place: %j", async (text, expected) => expect(await refusal(text, CSV)).toContain(expected));

  it("is refused where its bytes are of no encoding", async () => {
    expect(await refusal(Buffer.from([0x61, 0xff, 0xff, 0xff]), CSV)).toContain("request/invalid body: expected text in gb");
    expect(await refusal("callId", { ...CSV, charset: "ebcdic" })).toContain("request/unsupported-type");
  });

  it("of any text never ends in another way than a refusal", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(CSV, JSON_LIST), async (bytes, format) => {
        expect(await refusal(Buffer.from(bytes), format)).toMatch(/^(none|request\/invalid )/);
      }),
      { examples: [[Uint8Array.from([0, 34]), CSV]] },
    );
  });
});

describe("the telephone system's list as JSON", () => {
  const list = [
    { callId: 'c"1]}', startedAt: "2025-03-01T09:30:00+08:00", agentId: null, durationMs: 60_000 },
    { callId: "c2\\", startedAt: "2025-03-01T09:31:00" },
  ];

  it("is read whatever the pieces it comes in", async () => {
    const expected = [
      { callId: 'c"1]}', startedAt: ONE.startedAt, durationMs: 60_000 },
      { callId: "c2\\", startedAt: at("2025-03-01T01:31:00Z") },
    ];
    for (const size of [1, 5, 1000])
      for (const indent of [0, 2]) expect(await read(JSON.stringify(list, null, indent), JSON_LIST, size)).toEqual(expected);
    expect(await read(" [ ] ", JSON_LIST)).toEqual([]);
  });

  it("gives each object of an array as it is", async () => {
    const record = fc.record({ callId: fc.string({ minLength: 1, maxLength: 50, unit: "grapheme" }), durationMs: fc.nat(86_400_000) });
    await fc.assert(
      fc.asyncProperty(fc.array(record, { maxLength: 10 }), fc.integer({ min: 1, max: 50 }), async (records, size) => {
        const rows = records.map((one) => ({ ...one, startedAt: "2025-03-01T00:00:00Z" }));
        const expected = records.map((one) => ({ ...one, startedAt: at("2025-03-01T00:00:00Z") }));
        expect(await read(JSON.stringify(rows), JSON_LIST, size)).toEqual(expected);
      }),
    );
  });

  it.each([
    ["", "request/invalid body: expected a JSON array of objects, got one that breaks off"],
    ["{}", "request/invalid body: expected a JSON array of objects"],
    ["[1]", "request/invalid body/0: expected a JSON array of objects"],
    ["[{},]", "request/invalid body/0/callId: expected a value, got none"],
    ['[{"callId":"c1","startedAt":"2025-03-01"},]', "request/invalid body/1: expected a JSON array of objects"],
    ['[{"callId":"c1","startedAt":"2025-03-01"} {"callId":"c2"}]', "request/invalid body/1: expected a JSON array of objects"],
    ['[{"callId":"c1","startedAt":"2025-03-01"}] []', "request/invalid body: expected a JSON array of objects"],
    ['[{"callId":"c1","startedAt":"2025-03-01"}', "got one that breaks off"],
    ['[{"callId":{"$gt":""},"startedAt":"2025-03-01"}]', "request/invalid body/0/callId"],
    ['[{"callId":"c1","startedAt":"2025-03-01","price":1}]', "request/invalid body/0/price: expected no such field"],
    ['[{"__proto__":{"a":1},"callId":"c1","startedAt":"2025-03-01"}]', "request/invalid body/0: expected no field __proto__"],
    [`[{"callId":${"[".repeat(5_000)}`, "got one that breaks off"],
    [`[{"callId":${"[".repeat(5_000)}${"]".repeat(5_000)}}]`, "request/invalid body/0"],
    [`[{"callId":"${"x".repeat(200_000)}"}]`, "request/invalid body/0: expected at most 10000 characters"],
    ["[{callId:1}]", "request/invalid body/0: expected JSON"],
  ])("is refused naming the place: %.60j", async (text, expected) => expect(await refusal(text, JSON_LIST)).toContain(expected));
});
