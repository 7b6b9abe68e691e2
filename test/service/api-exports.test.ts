import { parse } from "csv-parse/sync";
import exceljs from "exceljs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTestApi, type Person, type TestApi } from "../support/api.ts";
import { TEST_SERVER } from "../support/database.ts";
import { newCall, scoredCall } from "../support/models.ts";
import { screenedCall } from "../support/screened-call.ts";

describe.skipIf(TEST_SERVER === null)("lists as files", () => {
  let api: TestApi;
  let boss: Person;
  let admin: Person;
  beforeAll(async () => {
    api = await openTestApi();
    boss = await api.as("supervisor", { name: "Boss" });
    admin = await api.as("admin");
  });
  afterAll(async () => await api[Symbol.asyncDispose]());

  async function csv(person: Person, path: string): Promise<Record<string, string>[]> {
    const response = await person.fetch(path);
    expect(response.status, path).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/csv; charset=utf-8");
    const bytes = Buffer.from(await response.arrayBuffer());
    expect([...bytes.subarray(0, 3)]).toEqual([0xef, 0xbb, 0xbf]);
    return parse(bytes, { bom: true, columns: true }) as Record<string, string>[];
  }

  it("calls: in the order and by the filters of their list, in the clock of the installation", async () => {
    const team = "export-a";
    const first = await scoredCall(api.models, { metadata: { team, callId: "c-1", startedAt: "2025-03-01T16:30:00Z", agentName: "王芳" } });
    await api.models.calls.accept(newCall({ metadata: { team, callId: "c-2", startedAt: "2025-03-02T00:00:00Z" } }));
    await scoredCall(api.models, { metadata: { team: "export-b" } });
    const rows = await csv(boss, `/api/calls/export?team=${team}&language=zh`);
    expect(rows.map((row) => row.话单编号)).toEqual(["c-2", "c-1"]);
    expect(rows[1]).toMatchObject({
      通话: first,
      开始时间: "2025-03-02 00:30:00",
      坐席姓名: "王芳",
      机审分: "17",
      满分: "20",
      状态: "scored",
      "时长(秒)": "60",
    });
    const english = await csv(boss, `/api/calls/export?team=${team}&status=scored&language=en&format=csv`);
    expect(english.map((row) => row["Call id"])).toEqual(["c-1"]);
  });

  it("calls: a workbook that another reader opens", async () => {
    await scoredCall(api.models, {
      metadata: { team: "export-x", agentName: '=HYPERLINK("http://evil")', startedAt: "2025-03-01T16:30:00Z" },
    });
    const response = await boss.fetch("/api/calls/export?team=export-x&format=xlsx&language=en");
    expect(response.headers.get("content-type")).toBe("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet");
    expect(response.headers.get("content-disposition")).toMatch(/^attachment; filename="calls-\d{4}-\d{2}-\d{2}\.xlsx"$/);
    const book = new exceljs.Workbook();
    await book.xlsx.load((await response.arrayBuffer()) as ArrayBuffer);
    const sheet = book.getWorksheet("calls");
    const titles = ((sheet?.getRow(1).values ?? []) as string[]).slice(1);
    const cell = (title: string) => sheet?.getRow(2).getCell(titles.indexOf(title) + 1);
    expect(cell("Started")?.value).toEqual(new Date("2025-03-02T00:30:00Z"));
    expect(cell("Pre-score")?.value).toBe(17);
    expect(cell("Agent")?.value).toBe('\'=HYPERLINK("http://evil")');
    expect(cell("Agent")?.formula).toBeUndefined();
  });

  it("findings and items: with what people said of them", async () => {
    const { id, screening } = await screenedCall(api.models, undefined, { metadata: { team: "export-f" } });
    await boss.json("PUT", `/api/calls/${id}/review`, {
      version: 0,
      findings: screening.findings.map((finding) => ({
        id: finding.id,
        decision: finding.rule === "dead-air" ? "rejected" : "confirmed",
        note: "听过",
      })),
      items: [{ item: "missing-closing", points: 0, reason: "=1+1" }],
      added: [{ rule: "impolite-call", startMs: 1000, endMs: 61_000 - 35_000, note: "@x" }],
      submit: true,
    });
    const findings = await csv(boss, "/api/calls/export?rows=findings&team=export-f&language=zh");
    expect(findings).toHaveLength(screening.findings.length + 1);
    const of = (rule: string) => findings.find((row) => row.规则 === rule);
    expect(of("dead-air")).toMatchObject({ 规则名称: "话务空白", 人工结论: "rejected", 备注: "听过", 开始: "0:08", 结束: "0:20" });
    expect(of("forbidden-phrase")).toMatchObject({ 原文: "不清楚", 人工结论: "confirmed", 严重程度: "serious" });
    expect(of("forbidden-phrase")?.说明).toContain("不清楚");
    expect(of("impolite-call")).toMatchObject({ 命中: "a1", 人工结论: "added", 备注: "'@x" });
    const items = await csv(boss, "/api/calls/export?rows=items&team=export-f&language=en");
    const closing = items.find((row) => row.Item === "missing-closing");
    expect(closing).toMatchObject({ Form: "deduction-20", Reviewed: "true", Points: "0", By: "person", Reason: "'=1+1" });
    expect(items.find((row) => row.Item === "forbidden-phrase")).toMatchObject({ Points: "-3", By: "machine" });
  });

  it("the ledger, the queue, users and the audit log", async () => {
    await api.models.callRecords.add("default", [{ callId: "gone-1", startedAt: new Date("2024-05-05T04:00:00Z") }]);
    const [day] = await csv(boss, "/api/coverage/export?from=2024-05-05&to=2024-05-05&language=en");
    expect(day).toMatchObject({ Date: "2024-05-05", Expected: "1", Received: "0", Missing: "1", "Missing calls": "gone-1" });
    expect((await csv(boss, "/api/queue/export?language=en")).length).toBeGreaterThan(0);
    expect((await csv(admin, "/api/users/export?language=en")).map((row) => row.Name)).toContain("Boss");
    const log = await csv(admin, "/api/audit/export?what=list-exported&language=en");
    const told = log.map(({ Details = "{}" }) => JSON.parse(Details) as { list: string; format: string; filter: string });
    expect(told).toContainEqual({ list: "coverage", format: "csv", filter: '{"from":"2024-05-05","to":"2024-05-05"}' });
    expect(told).toContainEqual({ list: "calls", format: "xlsx", filter: '{"team":"export-x"}' });
  });

  it("are of one's own scope only", async () => {
    await scoredCall(api.models, { metadata: { team: "t-own", agentId: "a-own", callId: "own" } });
    const leader = await api.as("leader", { team: "t-own" });
    expect((await csv(leader, "/api/calls/export?language=en")).map((row) => row["Call id"])).toEqual(["own"]);
    expect(await csv(leader, "/api/calls/export?team=export-a&language=en")).toEqual([]);
    const agent = await api.as("agent", { agentId: "a-own" });
    expect(await csv(agent, "/api/calls/export?language=en")).toEqual([]);
    const manager = await api.as("manager");
    const statuses = await Promise.all(
      [
        [manager, "/api/calls/export"],
        [manager, "/api/coverage/export"],
        [leader, "/api/coverage/export"],
        [leader, "/api/queue/export"],
        [boss, "/api/audit/export"],
        [boss, "/api/users/export"],
        [api.anybody, "/api/calls/export"],
      ].map(async ([person, path]) => (await (person as Person).fetch(path as string)).status),
    );
    expect(statuses).toEqual([403, 200, 403, 403, 403, 403, 401]);
  });

  it("are refused before the first row as any request", async () => {
    for (const [path, where] of [
      ["/api/calls/export?format=pdf", "query/format"],
      ["/api/calls/export?rows=words", "query/rows"],
      ["/api/calls/export?limit=5", "query/limit"],
      ["/api/calls/export?team[$ne]=x", "query/team"],
      ["/api/coverage/export?from=2025-02-31", "query/from"],
    ] as const) {
      const refused = await boss.json("GET", path);
      expect(refused, path).toMatchObject({ status: 400, body: { code: "request/invalid" } });
      expect(refused.body.message).toContain(where);
    }
  });

  it("of many calls are whole, and stop when nobody reads on", async () => {
    for (let n = 0; n < 1_200; n += 50)
      await Promise.all(
        Array.from({ length: 50 }, (_, i) => api.models.calls.accept(newCall({ metadata: { team: "many", callId: `m-${n + i}` } }))),
      );
    const rows = await csv(boss, "/api/calls/export?team=many&language=en");
    expect(new Set(rows.map((row) => row["Call id"])).size).toBe(1_200);
    const stopped = new AbortController();
    const response = await boss.fetch("/api/calls/export?team=many", { signal: stopped.signal });
    await response.body?.getReader().read();
    stopped.abort();
    expect((await boss.json("GET", "/api/me")).status).toBe(200);
  });
});
