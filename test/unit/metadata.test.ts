import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CallsiftError } from "../../src/pipeline/errors.ts";
import { findMetadata, parseMetadata, parseMetadataTable } from "../../src/pipeline/metadata.ts";
import type { CallMetadata } from "../../src/pipeline/types.ts";
import { failure } from "../support/transcripts.ts";

const FULL: CallMetadata = {
  callId: "c-1",
  agentId: "7",
  agentName: "王芳",
  team: "A",
  queue: "售后",
  product: "宽带",
  direction: "inbound",
  startedAt: "2025-03-01T09:30:00+08:00",
  answeredAt: "2025-03-01T09:30:08+08:00",
  endedAt: "2025-03-01T09:34:00Z",
  customerNumber: "13800000000",
  hangupParty: "customer",
  satisfaction: 4.5,
  agentChannel: 1,
  tags: ["vip", "回访"],
  legs: { agent: "a.wav", customer: "legs/b.wav" },
};

describe("metadata of one call", () => {
  it("is read as it is", () => {
    expect(parseMetadata(FULL, "x")).toEqual(FULL);
    expect(parseMetadata({}, "x")).toEqual({});
    expect(parseMetadata({ team: null, startedAt: "2025-03-01 09:30" }, "x")).toEqual({ startedAt: "2025-03-01 09:30" });
  });

  const bad: [json: unknown, message: RegExp][] = [
    [[], /^x: expected an object with fields of callId, .*legs, got \[\]$/],
    [null, /expected an object/],
    ["call", /expected an object/],
    [{ agentID: "7" }, /^x: expected fields of callId, .*, got "agentID"$/],
    [{ __proto__x: 1, constructor: 1 }, /expected fields of/],
    [{ callId: 12 }, /^x: callId: expected text of at most 10000 characters, got 12$/],
    [{ startedAt: "yesterday" }, /^x: startedAt: expected a date and time like .*, got "yesterday"$/],
    [{ startedAt: "2025-02-30T10:00:00Z" }, /startedAt/],
    [{ endedAt: "2025-02-20T25:00:00Z" }, /endedAt/],
    [{ hangupParty: "Agent" }, /hangupParty: expected "agent", "customer" or "system", got "Agent"/],
    [{ satisfaction: 6 }, /satisfaction: expected a number from 1 to 5, got 6/],
    [{ satisfaction: "5" }, /satisfaction/],
    [{ agentChannel: 2 }, /agentChannel: expected channel 0 or 1, got 2/],
    [{ tags: "vip" }, /tags: expected a list/],
    [{ tags: ["a", 1] }, /tags: expected a list/],
    [{ legs: { agent: "a.wav" } }, /legs: expected/],
    [{ legs: { agent: "a.wav", customer: "a.wav" } }, /two different files/],
    [{ legs: { agent: "a.wav", customer: "b.wav", third: "c.wav" } }, /legs/],
    ...["../b.wav", "/etc/passwd", "x/../../b.wav", "..\\b.wav", "C:\\b.wav", "\\\\host\\b.wav", "", "b\0.wav"].map(
      (path): [unknown, RegExp] => [{ legs: { agent: "a.wav", customer: path } }, /legs: expected/],
    ),
  ];
  it.each(bad)("refuses %j", (json, message) => {
    const failed = failure(() => parseMetadata(json, "x"));
    expect(failed.code).toBe("metadata/invalid");
    expect(failed.message).toMatch(message);
  });
});

describe("metadata beside a recording", () => {
  it("is found, or not there, or named when broken", async () => {
    const folder = await mkdtemp(join(tmpdir(), "callsift-metadata-"));
    try {
      const write = (name: string, content: string | Buffer) => writeFile(join(folder, name), content);
      await write("a.meta.json", `\ufeff${JSON.stringify(FULL)}`);
      expect(await findMetadata(join(folder, "a.wav"))).toEqual(FULL);
      expect(await findMetadata(Buffer.from(join(folder, "a.wav")))).toEqual(FULL);
      expect(await findMetadata(join(folder, "a.meta.json"))).toEqual(FULL);
      expect(await findMetadata(join(folder, "b.wav"))).toBeNull();
      for (const content of ["{", Buffer.from([0x7b, 0xff, 0x7d]), '{"agent":1}', `"${"x".repeat(2_000_000)}"`]) {
        await write("c.meta.json", content);
        await expect(findMetadata(join(folder, "c.wav"))).rejects.toMatchObject({
          code: "metadata/invalid",
          message: expect.stringMatching(/^c\.meta\.json: expected /),
        });
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("a table of metadata", () => {
  const table = async (content: string | Buffer) => Object.fromEntries(await parseMetadataTable(Buffer.from(content), "calls.csv"));
  const EXPECTED = {
    "a.wav": { agentId: "007", agentName: "王芳", satisfaction: 5, agentChannel: 0, tags: ["vip", "回访"] },
    "b.wav": { hangupParty: "agent" },
  };
  const rows = (delimiter: string) =>
    [
      ["file", "agentId", "agentName", "satisfaction", "agentChannel", "tags", "hangupParty"],
      ["a.wav", "007", "王芳", "5", "0", "vip|回访", ""],
      ["b.wav", "", "", "", "", "", "Agent"],
    ]
      .map((row) => row.join(delimiter))
      .join("\r\n");
  // 王芳 and 回访 in GBK.
  const gbk = Buffer.from(rows(",").replace("王芳", "\xcd\xf5\xb7\xbc").replace("回访", "\xbb\xd8\xb7\xc3"), "latin1");

  const good: [name: string, content: string | Buffer][] = [
    ["commas", rows(",")],
    ["semicolons", rows(";")],
    ["tabs", rows("\t")],
    ["BOM, empty lines and spaces", `\ufeff${rows(" , ")}\n\n , , \n`],
    ["quotes", rows(",").replace("王芳", '"王芳"').replace("vip|回访", '"vip,回访"')],
    ["GBK", gbk],
    ["UTF-16", Buffer.from(`\ufeff${rows(",")}`, "utf16le")],
  ];
  it.each(good)("is read with %s", async (_name, content) => {
    expect(await table(content)).toEqual(EXPECTED);
  });

  it("reads the times that spreadsheets write", async () => {
    expect(await table("file,startedAt,endedAt\na.wav,2025/3/1 9:30,2025-03-01T09:34:00+08:00\n")).toEqual({
      "a.wav": { startedAt: "2025-03-01T09:30", endedAt: "2025-03-01T09:34:00+08:00" },
    });
  });

  const bad: [content: string | Buffer, message: RegExp][] = [
    ["", /expected a column file/],
    ["agentId\n7\n", /expected a column file, got "agentId"/],
    ["file,agent,legs\na.wav,1,2\n", /expected columns of file, callId, .*tags, got "agent, legs"/],
    ["file,team,team\na.wav,1,2\n", /every column once, got "team"/],
    ["file,team\na.wav,1\na.wav,2\n", /calls\.csv, line 3: expected one row for each recording, got "a\.wav"/],
    ["file,team\n,1\n", /line 2: expected the name of a recording/],
    ["file,team\na.wav,1,2\n", /line 2: expected 2 cells, got 3/],
    ["file,satisfaction\na.wav,good\n", /line 2: satisfaction: expected a number from 1 to 5, got "good"/],
    ["file,agentChannel\na.wav,left\n", /line 2: agentChannel/],
    ['file,team\na.wav,"x\n', /expected a table of comma-separated values/],
    [Buffer.from([0xff, 0xfe, 0x00, 0xd8]), /UTF-8, UTF-16 or GBK/],
  ];
  it.each(bad)("refuses %j", async (content, message) => {
    const failed = await parseMetadataTable(Buffer.from(content), "calls.csv").then(
      () => null,
      (error: unknown) => error,
    );
    expect(failed).toBeInstanceOf(CallsiftError);
    expect(failed).toMatchObject({ code: "metadata/invalid", message: expect.stringMatching(message) });
    expect((failed as CallsiftError).message).toMatch(/^calls\.csv/);
  });
});
