import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mayRevise } from "../../src/api/reviews/claims.ts";
import type { Call } from "../../src/models/calls.ts";
import { openTestApi, type Person, type TestApi } from "../support/api.ts";
import { TEST_SERVER } from "../support/database.ts";
import { newCall } from "../support/models.ts";
import { screenedCall } from "../support/screened-call.ts";

/** Findings of FAULTY_CALL that cost points on the default form. */
const DEDUCTING = ["f1", "f2", "f4", "f5", "f6", "f8"];
const confirm = (...ids: string[]) => ids.map((id) => ({ id, decision: "confirmed" }));
const reject = (...ids: string[]) => ids.map((id) => ({ id, decision: "rejected" }));

describe.skipIf(TEST_SERVER === null)("claims and reviews", () => {
  let api: TestApi;
  let anna: Person;
  let bert: Person;
  let boss: Person;
  beforeAll(async () => {
    api = await openTestApi();
    [anna, bert, boss] = await Promise.all([
      api.as("inspector", { name: "Anna" }),
      api.as("inspector", { name: "Bert" }),
      api.as("supervisor"),
    ]);
  });
  afterAll(async () => await api[Symbol.asyncDispose]());

  const claim = async (person: Person, id: string) => await person.json("POST", `/api/calls/${id}/claim`);
  const put = async (person: Person, id: string, body: object) => await person.json("PUT", `/api/calls/${id}/review`, body);
  const audited = async (object: string) =>
    (await api.models.audit.list("default", { object }, { limit: 200 })).items.map(({ what, by }) => `${what} ${by}`);

  it("a claim holds for a quarter of an hour, and the other is told who has it until when", async () => {
    const { id } = await screenedCall(api.models);
    const before = Date.now();
    const mine = await claim(anna, id);
    expect(mine).toMatchObject({ status: 200, body: { id, state: "claimed", by: anna.user?.id, version: 0 } });
    const until = Date.parse(mine.body.until as string);
    expect(until - before).toBeGreaterThan(14 * 60_000);
    expect(until - before).toBeLessThan(16 * 60_000);
    expect(await claim(bert, id)).toMatchObject({
      status: 409,
      body: { code: "review/claimed", details: { by: anna.user?.id, name: "Anna", until: mine.body.until } },
    });
    expect((await put(bert, id, { version: 0, findings: [] })).body).toMatchObject({ code: "review/claimed", details: { name: "Anna" } });
    expect((await bert.json("DELETE", `/api/calls/${id}/claim`)).body).toMatchObject({ code: "review/claimed" });
    expect((await anna.json("DELETE", `/api/calls/${id}/claim`)).status).toBe(204);
    expect((await anna.json("DELETE", `/api/calls/${id}/claim`)).status).toBe(204);
    expect((await claim(bert, id)).status).toBe(200);
    expect(await audited(id)).toEqual([
      `call-claimed ${bert.user?.id}`,
      `call-unclaimed ${anna.user?.id}`,
      `call-claimed ${anna.user?.id}`,
    ]);
  });

  it("is renewed by every change", async () => {
    const { id } = await screenedCall(api.models);
    // A claim that is about to end.
    await api.models.calls.claim(id, anna.user?.id ?? "", 5_000);
    await put(anna, id, { version: 0, findings: confirm("f1") });
    const call = await api.models.calls.get(id);
    expect((call?.review?.until?.getTime() ?? 0) - Date.now()).toBeGreaterThan(14 * 60_000);
  });

  it("a draft is scored, a submitted review is final, and the screening stays as it was", async () => {
    const { id, screening } = await screenedCall(api.models);
    await claim(anna, id);
    const draft = await put(anna, id, { version: 0, findings: reject("f4"), submit: false });
    expect(draft).toMatchObject({
      status: 200,
      body: { version: 1, status: "draft", score: { form: "deduction-20", total: 15, max: 20 } },
    });
    expect(draft.body.undecided).toEqual(["f1", "f2", "f5", "f6", "f8"]);
    expect((await anna.json("GET", `/api/calls/${id}`)).body).toMatchObject({ finalScore: null, review: { state: "claimed", version: 1 } });
    const done = await put(anna, id, {
      version: 1,
      findings: [...reject("f4", "f6"), ...confirm("f1", "f2", "f5", "f8")],
      items: [{ item: "dead-air", points: 0, reason: "the customer was looking for a paper" }],
      added: [{ rule: "steering-away", startMs: 23_500, endMs: 26_000, note: "随便你" }],
      submit: true,
    });
    expect(done).toMatchObject({ status: 200, body: { version: 2, status: "submitted", undecided: [], score: { total: 0, fatal: true } } });
    const whole = (await anna.json("GET", `/api/calls/${id}`)).body;
    expect(whole).toMatchObject({ finalScore: { total: 0 }, review: { state: "done", by: anna.user?.id, version: 2, score: 0 } });
    expect(whole.screening).toMatchObject({
      findings: JSON.parse(JSON.stringify(screening.findings)),
      score: { total: screening.score.total },
    });
    expect(await api.models.screenings.get(id, screening.recipe, screening.policy)).toEqual(screening);
    expect((await anna.json("GET", `/api/calls/${id}/review`)).body).toMatchObject({
      version: 2,
      status: "submitted",
      screening: { recipe: screening.recipe, policy: screening.policy },
      scored: { total: 0 },
      items: [{ item: "dead-air", points: 0 }],
      added: [{ rule: "steering-away", note: "随便你" }],
    });
    const history = (await anna.json("GET", `/api/calls/${id}/review/history`)).body as { items: { version: number; status: string }[] };
    expect(history.items.map(({ version, status }) => [version, status])).toEqual([
      [2, "submitted"],
      [1, "draft"],
    ]);
    expect(await audited(id)).toContain(`review-submitted ${anna.user?.id}`);
  });

  it("goes through its history page by page", async () => {
    const { id } = await screenedCall(api.models);
    for (let version = 0; version < 5; version++) await put(anna, id, { version });
    const seen: number[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page = (await anna.json("GET", `/api/calls/${id}/review/history?limit=2${cursor && `&cursor=${cursor}`}`)).body as {
        items: { version: number }[];
        nextCursor: string | null;
      };
      seen.push(...page.items.map(({ version }) => version));
      cursor = page.nextCursor;
      if (cursor) {
        const foreign = await bert.json("GET", `/api/calls/${id}/review/history?limit=2&cursor=${cursor}`);
        expect(foreign).toMatchObject({ status: 400, body: { code: "request/invalid" } });
      }
    }
    expect(seen).toEqual([5, 4, 3, 2, 1]);
  });

  it("is not submitted while a finding that costs points is undecided; unsure is no decision", async () => {
    const { id } = await screenedCall(api.models);
    await claim(anna, id);
    const submit = async (findings: object[]) => await put(anna, id, { version: 0, findings, submit: true });
    expect(await submit([])).toMatchObject({ status: 422, body: { code: "review/incomplete", details: { findings: DEDUCTING } } });
    const unsure = [...confirm("f1", "f2", "f4", "f5", "f6"), { id: "f8", decision: "unsure" }];
    expect((await submit(unsure)).body).toMatchObject({ code: "review/incomplete", details: { findings: ["f8"] } });
    expect((await anna.json("GET", `/api/calls/${id}/review`)).body).toMatchObject({ version: 0 });
    // What costs nothing may stay as it is.
    expect((await submit(confirm(...DEDUCTING))).body).toMatchObject({ version: 1, status: "submitted", score: { total: 12 } });
  });

  it("of an old version is refused with the current one", async () => {
    const { id } = await screenedCall(api.models);
    const body = { version: 0, findings: confirm("f1") };
    expect((await put(anna, id, body)).status).toBe(200);
    expect(await put(anna, id, body)).toMatchObject({
      status: 409,
      body: { code: "review/stale", details: { version: 1, review: { version: 1, by: anna.user?.id, findings: confirm("f1") } } },
    });
    expect((await put(anna, id, { ...body, version: 7 })).body).toMatchObject({ code: "review/stale" });
  });

  it.each<[string, object, string]>([
    ["a finding that isn't there", { findings: confirm("f99") }, "findings[0].id"],
    ["an item without a reason", { items: [{ item: "dead-air", points: 0 }] }, "body/items/0/reason"],
    ["an item with an empty reason", { items: [{ item: "dead-air", points: 0, reason: " " }] }, "items[0].reason"],
    ["an item of no form", { items: [{ item: "nope", points: 0, reason: "x" }] }, "items[0].item"],
    ["more points than the item has", { items: [{ item: "dead-air", points: 5, reason: "x" }] }, "items[0].points"],
    ["a rule of no policy", { added: [{ rule: "nope", startMs: 0, endMs: 10 }] }, "added[0].rule"],
    ["a finding past the end", { added: [{ rule: "dead-air", startMs: 0, endMs: 99_999_999 }] }, "body/added/0/endMs"],
    ["another decision", { findings: [{ id: "f1", decision: "maybe" }] }, "body/findings/0/decision"],
    ["an operator where a text belongs", { findings: [{ id: { $gt: "" }, decision: "confirmed" }] }, "body/findings/0/id"],
    ["an unknown field", { points: 20 }, "body/points"],
    ["a version that is none", { version: "0" }, "body/version"],
    ["another call's screening", { screening: { recipe: "0".repeat(64), policy: "0".repeat(64) } }, "body/screening"],
  ])("with %s is refused, naming the path", async (_name, part, path) => {
    const { id } = await screenedCall(api.models);
    const refused = await put(anna, id, { version: 0, ...part });
    expect(refused).toMatchObject({ status: 400, body: { code: "request/invalid" } });
    expect(refused.body.message).toContain(path);
    expect((await api.models.calls.get(id))?.review?.state).toBe("open");
  });

  it("of a call without a pre-score is refused", async () => {
    const { id } = (await api.models.calls.accept(newCall())).call;
    expect((await claim(anna, id)).body).toMatchObject({ code: "review/not-scored" });
    expect((await put(anna, id, { version: 0 })).body).toMatchObject({ code: "review/not-scored" });
    expect((await anna.json("GET", `/api/calls/${id}/review`)).body).toMatchObject({ state: "open", version: 0, screening: null });
  });

  it("is always scored by the rules and the form that the call was judged by", async () => {
    const { id } = await screenedCall(api.models);
    await put(anna, id, { version: 0, findings: confirm("f1") });
    // Another form is in force by now, and the call is judged by it, too.
    await api.models.settings.change({ activeForm: "weighted-100" });
    try {
      const { screening: other } = await screenedCall(api.models);
      expect(other.score.max).toBe(100);
      const { recipe, policy } = other;
      const call = (await api.models.calls.get(id)) as Call;
      await api.models.screenings.save(id, other);
      await api.models.calls.scored(id, { recipe, policy, summary: call.summary as NonNullable<Call["summary"]> });
      const after = await put(anna, id, { version: 1, findings: confirm(...DEDUCTING), submit: true });
      expect(after.body).toMatchObject({ score: { form: "deduction-20", total: 12, max: 20 } });
      // Who has seen the newer one says so.
      const newer = await put(anna, id, { version: 2, findings: [], screening: { recipe, policy } });
      expect(newer.body).toMatchObject({ score: { form: "weighted-100", max: 100 } });
    } finally {
      await api.models.settings.change({ activeForm: "deduction-20" });
    }
  });

  it("of two inspectors who claim one call at the same moment one wins, and the other is told", async () => {
    const people = [anna, bert, boss];
    for (let round = 0; round < 15; round++) {
      const { id } = await screenedCall(api.models);
      const answers = await Promise.all(people.map(async (person) => await claim(person, id)));
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
      const winner = people[answers.findIndex(({ status }) => status === 200)] as Person;
      for (const { status, body } of answers)
        if (status === 409) expect(body).toMatchObject({ code: "review/claimed", details: { by: winner.user?.id } });
      expect((await api.models.calls.get(id))?.review).toMatchObject({ state: "claimed", by: winner.user?.id });
    }
  });

  it("of two inspectors who review one free call at the same moment one wins, and nothing is mixed", async () => {
    for (let round = 0; round < 15; round++) {
      const { id } = await screenedCall(api.models);
      const [a, b] = await Promise.all([
        put(anna, id, { version: 0, findings: confirm(...DEDUCTING), submit: true }),
        put(bert, id, { version: 0, findings: reject(...DEDUCTING), submit: true }),
      ]);
      expect([a.status, b.status].sort()).toEqual([200, 409]);
      const [winner, loser, total] = a.status === 200 ? [anna, b, 12] : [bert, a, 20];
      expect(["review/claimed", "review/stale"]).toContain(loser.body.code);
      const versions = await api.models.reviews.history(id);
      expect(versions.map(({ version, by, score }) => [version, by, score.total])).toEqual([[1, winner.user?.id, total]]);
      expect((await api.models.calls.get(id))?.review).toMatchObject({ state: "done", by: winner.user?.id, version: 1, score: total });
    }
  });

  it("of one person's two windows the second is told that the first has saved", async () => {
    const { id } = await screenedCall(api.models);
    await claim(anna, id);
    const answers = await Promise.all(
      [1, 2, 3, 4, 5].map(
        async (n) => await put(anna, id, { version: 0, findings: [{ id: "f1", decision: "confirmed", note: `window ${n}` }] }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409]);
    for (const { status, body } of answers)
      if (status === 409) expect(body).toMatchObject({ code: "review/stale", details: { version: 1 } });
    expect(await api.models.reviews.history(id)).toHaveLength(1);
  });

  it("what was written is not lost because the claim has run out and nobody came", async () => {
    const { id } = await screenedCall(api.models);
    await api.models.calls.claim(id, anna.user?.id ?? "", 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect((await put(anna, id, { version: 0, findings: confirm("f1") })).status).toBe(200);
    expect((await claim(bert, id)).body).toMatchObject({ code: "review/claimed" });
  });

  it("that is done may be changed by who has done it and by a supervisor, not by the next inspector", async () => {
    const { id } = await screenedCall(api.models);
    await put(anna, id, { version: 0, findings: confirm(...DEDUCTING), submit: true });
    expect((await put(bert, id, { version: 1, findings: reject(...DEDUCTING), submit: true })).body).toMatchObject({
      code: "review/claimed",
      details: { name: "Anna", state: "done", until: null },
    });
    expect((await claim(bert, id)).body).toMatchObject({ code: "review/claimed" });
    const revised = await put(boss, id, {
      version: 1,
      findings: [...reject("f4"), ...confirm("f1", "f2", "f5", "f6", "f8")],
      submit: true,
    });
    expect(revised.body).toMatchObject({ version: 2, score: { total: 15 } });
    expect((await anna.json("GET", `/api/calls/${id}`)).body).toMatchObject({ finalScore: { total: 15 } });
    expect(mayRevise({ review: null }, "u", "supervisor")).toBe(false);
  });

  it("tells webhooks once that it is done, without words or numbers of the customer", async () => {
    const webhook = { id: "hook1", url: "https://hooks.example.com/", secret: "s".repeat(32), events: ["review.submitted" as const] };
    await api.models.settings.change({ webhooks: [webhook] });
    const { id } = await screenedCall(api.models, undefined, { metadata: { callId: "c-77", customerNumber: "13800000000" } });
    await put(anna, id, { version: 0, findings: confirm(...DEDUCTING), submit: true });
    const [delivery, ...others] = (await api.models.deliveries.list("waiting", { limit: 10 })).items;
    expect(others).toEqual([]);
    expect(delivery).toMatchObject({ webhook: "hook1", event: "review.submitted", callId: id });
    expect(JSON.parse(delivery?.body ?? "")).toMatchObject({
      event: "review.submitted",
      call: { id, metadata: { callId: "c-77" }, score: { total: 12, max: 20 }, review: { version: 1, by: anna.user?.id } },
    });
    expect(delivery?.body).not.toMatch(/13800000000|宽带/);
    await api.models.settings.change({ webhooks: [] });
  });

  it("agents and leaders see reviews of their calls, and change none", async () => {
    const { id } = await screenedCall(api.models, undefined, { metadata: { agentId: "a1", team: "t1" } });
    const agent = await api.as("agent", { agentId: "a1" });
    const leader = await api.as("leader", { team: "t1" });
    expect((await agent.json("GET", `/api/calls/${id}/review`)).status).toBe(404);
    expect((await leader.json("GET", `/api/calls/${id}/review`)).status).toBe(200);
    await put(anna, id, { version: 0, findings: confirm(...DEDUCTING), submit: true });
    expect((await agent.json("GET", `/api/calls/${id}/review`)).body).toMatchObject({ state: "done", scored: { total: 12 } });
    for (const person of [agent, leader]) {
      expect((await claim(person, id)).status).toBe(403);
      expect((await put(person, id, { version: 1 })).status).toBe(403);
    }
    const stranger = await api.as("agent", { agentId: "a2" });
    expect((await stranger.json("GET", `/api/calls/${id}/review`)).status).toBe(404);
  });
});
