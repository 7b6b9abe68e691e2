import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTestApi, type Person, type TestApi } from "../support/api.ts";
import { TEST_SERVER } from "../support/database.ts";
import type { ShortCall } from "../support/heard-call.ts";
import { screenedCall } from "../support/screened-call.ts";

interface Found {
  readonly items: readonly {
    readonly callId: string;
    readonly role: string;
    readonly text: string;
    readonly marks: [number, number][];
    readonly startMs: number;
    readonly match: string;
  }[];
  readonly total: number;
  readonly nextCursor: string | null;
}

const said = (agent: string, customer: string): ShortCall => ({
  utterances: [
    { role: "customer", startMs: 500, endMs: 4_000, text: customer },
    { role: "agent", startMs: 4_500, endMs: 8_000, text: agent },
  ],
});

describe.skipIf(TEST_SERVER === null)("search", () => {
  let api: TestApi;
  let anna: Person;
  let refund: string;
  let bill: string;
  beforeAll(async () => {
    api = await openTestApi();
    anna = await api.as("inspector");
    const add = async (call: ShortCall, metadata: object) => (await screenedCall(api.models, call, { metadata })).id;
    refund = await add(said("我们不能退款", "我要投诉，我要退款"), { team: "t1", agentId: "a1", startedAt: "2025-03-01T01:00:00Z" });
    bill = await add(said("您的账单已经发出", "账单什么时候到"), { team: "t2", agentId: "a2", startedAt: "2025-03-02T01:00:00Z" });
    for (let n = 0; n < 6; n++) await add(said(`第${n}个套餐很便宜`, "好的谢谢"), { team: "t3", startedAt: `2025-04-0${n + 1}T01:00:00Z` });
  });
  afterAll(async () => await api[Symbol.asyncDispose]());

  const search = async (person: Person, q: string, more = "") => {
    const answer = await person.json("GET", `/api/search?q=${encodeURIComponent(q)}${more}`);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    return answer.body as unknown as Found;
  };

  it("finds words with their place, and marks them", async () => {
    const { items, total } = await search(anna, '"退款"');
    expect(total).toBe(2);
    expect(
      items.map(({ callId, role, text, marks, match }) => [callId, role, marks.map(([start, end]) => text.slice(start, end)), match]),
    ).toEqual(
      expect.arrayContaining([
        [refund, "customer", ["退款"], "exact"],
        [refund, "agent", ["退款"], "exact"],
      ]),
    );
    expect((await search(anna, "agent:退款")).items.map(({ role }) => role)).toEqual(["agent"]);
    expect((await search(anna, "退款 AND NOT 投诉")).items.every(({ callId }) => callId !== refund)).toBe(true);
    expect((await search(anna, "退款 OR 账单")).items.map(({ callId }) => callId)).toEqual(expect.arrayContaining([refund, bill]));
  });

  it("finds what sounds the same where it is asked to", async () => {
    expect((await search(anna, "帐单")).total).toBe(0);
    const { items } = await search(anna, "帐单", "&sound=1");
    expect(items.map(({ callId, match }) => [callId, match])).toContainEqual([bill, "sound"]);
  });

  it("takes the filters of lists", async () => {
    expect((await search(anna, "退款 OR 账单", "&team=t2")).items.every(({ callId }) => callId === bill)).toBe(true);
    expect((await search(anna, "退款 OR 账单", "&to=2025-03-02")).items.every(({ callId }) => callId === refund)).toBe(true);
    expect((await search(anna, "退款", "&agentId=a2")).total).toBe(0);
  });

  it("goes page by page, and somebody else's cursor opens nothing", async () => {
    const bert = await api.as("inspector");
    const seen: string[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page: Found = await search(anna, "套餐", `&limit=4${cursor && `&cursor=${cursor}`}`);
      seen.push(...page.items.map(({ callId }) => callId));
      cursor = page.nextCursor;
      if (!cursor) break;
      for (const [person, query] of [
        [bert, "套餐"],
        [anna, "退款"],
      ] as const)
        expect((await person.json("GET", `/api/search?q=${encodeURIComponent(query)}&limit=4&cursor=${cursor}`)).body).toMatchObject({
          code: "request/invalid",
        });
    }
    expect(seen).toHaveLength(6);
    expect(new Set(seen).size).toBe(6);
  });

  it("shows each the calls of their own scope", async () => {
    const leader = await api.as("leader", { team: "t1" });
    expect((await search(leader, "退款 OR 账单")).items.every(({ callId }) => callId === refund)).toBe(true);
    const agent = await api.as("agent", { agentId: "a1" });
    expect((await search(agent, "退款")).total).toBe(0);
    await anna.json("PUT", `/api/calls/${refund}/review`, {
      version: 0,
      findings: ((await api.models.calls.get(refund))?.summary?.findings ?? 0) > 0 ? await decided(refund) : [],
      submit: true,
    });
    expect((await search(agent, "退款")).total).toBe(2);
    const manager = await api.as("manager");
    expect((await manager.json("GET", "/api/search?q=a")).status).toBe(403);
    expect((await api.anybody.json("GET", "/api/search?q=a")).status).toBe(401);
  });

  it("is written down: who looked for what", async () => {
    await search(anna, "宽带");
    const [last] = (await api.models.audit.list("default", { what: "searched" }, { limit: 1 })).items;
    expect(last).toMatchObject({ by: anna.user?.id, details: { query: "宽带", hits: 0 } });
  });

  it("leaves as a file", async () => {
    const text = await (await anna.fetch(`/api/search/export?q=${encodeURIComponent("套餐")}&language=en`)).text();
    expect(text.split("\r\n").filter((line) => line.includes("套餐很便宜"))).toHaveLength(6);
    const refused = await anna.json("GET", `/api/search/export?q=${encodeURIComponent("(((")}`);
    expect(refused).toMatchObject({ status: 400, body: { code: "search/bad-query" } });
  });

  it.each([
    "(",
    ")",
    '"',
    "AND",
    "退款 AND",
    "NOT",
    "NEAR/3 退款",
    `${"(".repeat(400)}a${")".repeat(400)}`,
    Array(200).fill("甲乙").join(" OR ").slice(0, 990),
  ])("a bad query says where: %.40s", async (q) => {
    const refused = await anna.json("GET", `/api/search?q=${encodeURIComponent(q)}`);
    expect(refused).toMatchObject({ status: 400, body: { code: "search/bad-query", details: { position: expect.any(Number) } } });
  });

  it.each([
    "q=",
    "q[$gt]=a",
    "q=a&q=b",
    "q=a&limit=201",
    "q=a&sound=2",
    "q=a&regex=1",
    "q=a&from=2025-02-31",
    `q=${"a".repeat(1_001)}`,
    "",
  ])("?%.40s is refused", async (query) => {
    expect(await anna.json("GET", `/api/search?${query}`)).toMatchObject({ status: 400, body: { code: "request/invalid" } });
  });

  it.each([".*", "^", "$where", "\\u0000", "退\u0000款", "{$gt:1}", "NOT 甲", "%", "😀"])("hostile words are words: %j", async (q) => {
    const answer = await anna.json("GET", `/api/search?q=${encodeURIComponent(q)}`);
    expect([200, 400]).toContain(answer.status);
    if (answer.status === 400) expect(answer.body.code).toBe("search/bad-query");
  });

  async function decided(id: string) {
    const { recipe, policy } = (await api.models.calls.get(id)) ?? {};
    const screening = await api.models.screenings.get(id, recipe ?? "", policy ?? "");
    return (screening?.findings ?? []).map((finding) => ({ id: finding.id, decision: "confirmed" }));
  }
});
