import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTestApi, type Person, type TestApi } from "../support/api.ts";
import { TEST_SERVER } from "../support/database.ts";
import { newCall, newSummary, scoredCall } from "../support/models.ts";

interface Queue {
  readonly items: readonly {
    readonly id: string;
    readonly priority: number;
    readonly reasons: string[];
    readonly sampled: boolean;
    readonly review: unknown;
  }[];
  readonly nextCursor: string | null;
}

describe.skipIf(TEST_SERVER === null)("the queue", () => {
  let api: TestApi;
  let anna: Person;
  beforeAll(async () => {
    api = await openTestApi();
    anna = await api.as("inspector");
  });
  afterAll(async () => await api[Symbol.asyncDispose]());

  const queue = async (person: Person, query = "") => (await person.json("GET", `/api/queue${query}`)).body as unknown as Queue;
  const next = async (person: Person) => await person.json("POST", "/api/queue/next");

  it("has open calls by priority with their reasons, a random share of unflagged ones among them, and is empty when all are taken", async () => {
    const low = await scoredCall(api.models, {}, { priority: 20, reasons: ["dead-air"] });
    const high = await scoredCall(api.models, {}, { priority: 90, reasons: ["insult"] });
    await scoredCall(api.models, {}, { priority: 0, reasons: [], queue: "pass", findings: 0 });
    const pass = newSummary({ priority: 0, reasons: [], queue: "pass", findings: 0 });
    const drawn = (await api.models.calls.accept(newCall())).call.id;
    await api.models.calls.scored(drawn, { recipe: "r".repeat(64), policy: "p".repeat(64), summary: pass, sampled: true });
    await scoredCall(api.models, {}, { queue: "unusable", priority: 5, reasons: ["no-speech"] });
    const { items } = await queue(anna);
    const order = items.map(({ id }) => id);
    expect(order[0]).toBe(high);
    expect(order).toContain(low);
    expect(order).toHaveLength(3);
    expect(items[0]).toMatchObject({ priority: 90, reasons: ["insult"], review: { state: "open", by: null } });
    expect(items.find(({ id }) => id === drawn)).toMatchObject({ sampled: true, queue: "pass", reasons: ["random-sample"] });

    const first = await next(anna);
    expect(first).toMatchObject({ status: 200, body: { id: high, status: "scored", review: { state: "claimed", by: anna.user?.id } } });
    expect((await queue(anna)).items.map(({ id }) => id)).not.toContain(high);
    await next(anna);
    const third = await next(anna);
    expect(third.status).toBe(200);
    expect(await next(anna)).toMatchObject({ status: 204, body: {} });
    await anna.json("DELETE", `/api/calls/${high}/claim`);
    expect((await next(anna)).body).toMatchObject({ id: high });
    const seen = (await api.models.audit.list("default", { object: high }, { limit: 10 })).items.map(({ what }) => what);
    expect(seen).toEqual(["call-seen", "call-claimed", "call-unclaimed", "call-seen", "call-claimed"]);
  });

  it("gives each of many people at once a call of their own, and none twice", async () => {
    const ids = new Set<string>();
    for (let n = 0; n < 20; n++) ids.add(await scoredCall(api.models, {}, { priority: n }));
    const people = await Promise.all(Array.from({ length: 5 }, () => api.as("inspector")));
    const given: string[] = [];
    await Promise.all(
      people.map(async (person) => {
        for (;;) {
          const answer = await next(person);
          if (answer.status === 204) return;
          expect(answer.body.review).toMatchObject({ by: person.user?.id });
          given.push(String(answer.body.id));
        }
      }),
    );
    expect(given).toHaveLength(20);
    expect(new Set(given)).toEqual(ids);
  });

  it("goes page by page, and somebody else's cursor opens nothing", async () => {
    for (let n = 0; n < 5; n++) await scoredCall(api.models, {}, { priority: 50 + n });
    const bert = await api.as("inspector");
    const seen: string[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page: Queue = await queue(anna, `?limit=2${cursor && `&cursor=${cursor}`}`);
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
      if (cursor) expect((await bert.json("GET", `/api/queue?limit=2&cursor=${cursor}`)).body).toMatchObject({ code: "request/invalid" });
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toHaveLength(5);
  });

  it.each(["limit=0", "limit=201", "limit=x", "cursor=%00", "cursor[$gt]=", "cursor=e30", "team=a", "limit=1&limit=2"])(
    "refuses ?%s",
    async (query) => {
      expect(await anna.json("GET", `/api/queue?${query}`)).toMatchObject({ status: 400, body: { code: "request/invalid" } });
    },
  );

  it("is for who reviews", async () => {
    for (const role of ["leader", "agent", "manager"] as const) {
      const person = await api.as(role, { team: "t", agentId: "a" });
      expect([(await person.json("GET", "/api/queue")).status, (await next(person)).status], role).toEqual([403, 403]);
    }
    expect((await next(api.anybody)).status).toBe(401);
  });
});
