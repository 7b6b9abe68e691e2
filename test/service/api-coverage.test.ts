import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { coverageRange } from "../../src/api/coverage-range.ts";
import { openTestApi, type Person, type TestApi } from "../support/api.ts";
import { TEST_SERVER } from "../support/database.ts";
import { newCall, scoredCall } from "../support/models.ts";

describe("the range of a ledger", () => {
  const SHANGHAI = "Asia/Shanghai";
  it("covers whole days of the installation's zone", () => {
    expect(coverageRange({ from: "2025-03-01", to: "2025-03-01" }, SHANGHAI)).toEqual({
      from: new Date("2025-02-28T16:00:00Z"),
      to: new Date("2025-03-01T16:00:00Z"),
    });
    expect(coverageRange({ from: "2025-03-01T00:00:00Z", to: "2025-03-01T01:00:00Z" }, SHANGHAI)).toEqual({
      from: new Date("2025-03-01T00:00:00Z"),
      to: new Date("2025-03-01T01:00:00Z"),
    });
  });
  it("is the last week where nothing is asked for", () => {
    expect(coverageRange({}, SHANGHAI, new Date("2025-03-08T20:00:00Z"))).toEqual({
      from: new Date("2025-03-02T16:00:00Z"),
      to: new Date("2025-03-09T16:00:00Z"),
    });
  });
  it.each([
    [{ from: "2025-03-02", to: "2025-03-01" }],
    [{ from: "2025-02-29", to: "2025-03-01" }],
    [{ from: "2025-02-01", to: "2025-02-31" }],
    [{ from: "2020-01-01", to: "2025-01-01" }],
  ])("refuses %j", (query) => expect(() => coverageRange(query, SHANGHAI)).toThrow(/query\/(from|to)/));
});

describe.skipIf(TEST_SERVER === null)("the coverage ledger", () => {
  let api: TestApi;
  let boss: Person;
  beforeAll(async () => {
    api = await openTestApi();
    boss = await api.as("supervisor");
  });
  afterAll(async () => await api[Symbol.asyncDispose]());

  const send = async (person: Person, body: string | Buffer | ReadableStream, type: string) => {
    const response = await person.fetch("/api/call-records", {
      method: "POST",
      body: body as string,
      headers: { "content-type": type },
      ...({ duplex: "half" } as object),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  it("sets what arrived against what should have, and balances", async () => {
    const at = (hour: number) => `2025-03-01T${String(hour).padStart(2, "0")}:00:00+08:00`;
    const listed = ["c1", "c2", "c3", "c4", "c5"].map((callId, i) => ({ callId, startedAt: at(9 + i), agentId: "a1", durationMs: 60_000 }));
    expect(await send(boss, JSON.stringify(listed), "application/json")).toEqual({ status: 200, body: { added: 5, known: 0 } });
    expect(await send(boss, JSON.stringify(listed.slice(0, 2)), "application/json")).toEqual({ status: 200, body: { added: 0, known: 2 } });
    const metadata = (callId: string, hour: number) => ({ metadata: { callId, startedAt: at(hour) } });
    await scoredCall(api.models, metadata("c1", 9));
    const unusable = await scoredCall(api.models, metadata("c2", 10), { queue: "unusable" });
    const { id } = (await api.models.calls.accept(newCall(metadata("c3", 11)))).call;
    await api.models.calls.failed(id, { code: "audio/unreadable", message: "expected a recording, got none" });
    await api.models.calls.accept(newCall(metadata("c4", 12)));
    await scoredCall(api.models, metadata("stray", 13));
    const ledger = async () => (await boss.json("GET", "/api/coverage?from=2025-03-01&to=2025-03-02")).body as { items: object[] };
    expect((await ledger()).items).toEqual([
      {
        date: "2025-03-01",
        ...{ expected: 5, received: 5, screened: 2, failed: 1, pending: 1, unusable: 1, deleted: 0 },
        ...{ missing: ["c5"], missingCount: 1, unexpected: 1 },
      },
      expect.objectContaining({ date: "2025-03-02", expected: 0, received: 0, missing: [] }),
    ]);
    await api.models.calls.bury(unusable);
    expect((await ledger()).items[0]).toMatchObject({ received: 5, unusable: 0, deleted: 1, missing: ["c5"] });
  });

  it("takes the list as a table in the encodings of spreadsheets", async () => {
    const table = "callId;startedAt;agentId;durationMs\r\nt1;2025/4/1 9:00;坐席;1000\r\n";
    expect((await send(boss, `\uFEFF${table}`, "text/csv")).body).toEqual({ added: 1, known: 0 });
    const gbk = Buffer.concat([
      Buffer.from("callId,startedAt,agentId\nt1,2025-04-01 09:00,"),
      Buffer.from([0xd7, 0xf8, 0xcf, 0xaf]),
      Buffer.from("\nt2,2025-04-01 10:00,\n"),
    ]);
    expect((await send(boss, gbk, "application/vnd.ms-excel")).body).toEqual({ added: 1, known: 1 });
    expect((await boss.json("GET", "/api/coverage?from=2025-04-01&to=2025-04-01")).body).toMatchObject({
      items: [{ expected: 2, missing: ["t1", "t2"] }],
    });
  });

  it.each<[string, string, string, number, string]>([
    ["JSON that breaks off", "[{]", "application/json", 400, "request/invalid"],
    ["an operator for a time", '[{"callId":"x","startedAt":{"$gt":""}}]', "application/json", 400, "request/invalid"],
    ["lists in lists without end", `[${"[".repeat(100_000)}`, "application/json", 400, "request/invalid"],
    ["nothing as JSON", "", "application/json", 400, "request/invalid"],
    ["a word", "nothing", "text/csv", 400, "request/invalid"],
    ["another type", "<xml/>", "application/xml", 415, "request/unsupported-type"],
    ["another coding", "callId", "text/csv; charset=ebcdic", 415, "request/unsupported-type"],
  ])("refuses %s", async (_what, body, type, status, code) =>
    expect(await send(boss, body, type)).toMatchObject({ status, body: { code } }),
  );

  it("reads a long list as it comes, and goes on when its sender breaks off", async () => {
    const rows = 20_000;
    const list = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(Buffer.from("callId,startedAt\n"));
        for (let n = 0; n < rows; n++) controller.enqueue(Buffer.from(`long-${n},2025-05-01 08:00:00\n`));
        controller.close();
      },
    });
    expect(await send(boss, list, "text/csv")).toEqual({ status: 200, body: { added: rows, known: 0 } });
    expect((await boss.json("GET", "/api/coverage?from=2025-05-01&to=2025-05-01")).body).toMatchObject({
      items: [{ expected: rows, missingCount: rows, missing: expect.objectContaining({ length: 100 }) }],
    });
    const stopped = new AbortController();
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        controller.enqueue(Buffer.from(sent === 0 ? "callId,startedAt\n" : `endless-${sent},2025-05-02 08:00:00\n`));
        sent += 1;
      },
    });
    const sending = boss.fetch("/api/call-records", {
      method: "POST",
      body: endless,
      headers: { "content-type": "text/csv" },
      signal: stopped.signal,
      ...({ duplex: "half" } as object),
    });
    setTimeout(() => stopped.abort(), 100);
    await expect(sending).rejects.toThrow();
    expect((await boss.json("GET", "/api/me")).status).toBe(200);
  }, 120_000);

  it("is for who answers for the whole", async () => {
    const manager = await api.as("manager");
    const inspector = await api.as("inspector");
    expect((await manager.json("GET", "/api/coverage")).status).toBe(200);
    expect((await manager.json("POST", "/api/call-records", [])).status).toBe(403);
    expect((await inspector.json("GET", "/api/coverage")).status).toBe(403);
    expect((await api.anybody.json("POST", "/api/call-records", [])).status).toBe(401);
    expect((await boss.json("POST", "/api/call-records", [])).body).toEqual({ added: 0, known: 0 });
  });
});
