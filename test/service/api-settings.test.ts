import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkWebhookAddress } from "../../src/api/webhook-address.ts";
import { openTestApi, type Person, type TestApi } from "../support/api.ts";
import { TEST_SERVER } from "../support/database.ts";

describe("where a webhook may be told", () => {
  const check = async (url: string, addresses: readonly string[] = ["93.184.216.34"]) =>
    await checkWebhookAddress(url, { privateAddresses: false, resolve: async () => addresses });

  it.each(["https://hooks.example.com/a?b=c", "http://8.8.8.8:8080/", "https://[2606:4700::1111]/"])("%s is fine", async (url) =>
    expect(await check(url)).toBe(url),
  );

  it.each([
    "http://127.0.0.1/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://[::1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://169.254.169.254/latest/meta-data",
    "http://192.168.0.1/",
    "http://0.0.0.0/",
    "http://100.64.0.1/",
    "http://[fd00::1]/",
    "http://[64:ff9b::a00:1]/",
  ])("%s leads to a private address", async (url) => await expect(check(url)).rejects.toMatchObject({ code: "source/refused" }));

  it("a name is as private as the worst of its addresses", async () => {
    await expect(check("https://hooks.example.com/", ["93.184.216.34", "10.0.0.1"])).rejects.toMatchObject({ code: "source/refused" });
    await expect(check("https://hooks.example.com/", [])).rejects.toMatchObject({ code: "request/invalid" });
    expect(await checkWebhookAddress("http://127.0.0.1:9000/", { privateAddresses: true })).toBe("http://127.0.0.1:9000/");
    await expect(checkWebhookAddress("http://169.254.169.254/", { privateAddresses: true })).rejects.toMatchObject({
      code: "source/refused",
    });
  });

  it.each([
    "ftp://example.com/",
    "javascript:alert(1)",
    "https://user:pass@example.com/",
    "not an address",
    "//example.com",
    "file:///etc/passwd",
  ])("%s is no address for it", async (url) => await expect(check(url)).rejects.toMatchObject({ code: "request/invalid" }));
});

describe.skipIf(TEST_SERVER === null)("settings and webhooks", () => {
  let api: TestApi;
  let admin: Person;
  let boss: Person;
  const schedule: string[] = [];
  beforeAll(async () => {
    const depth = { waiting: 0, active: 0, delayed: 0, failed: 0, oldestMs: 0 };
    api = await openTestApi({
      env: { CALLSIFT_PRIVATE_ADDRESSES: "yes" },
      deps: {
        schedule: {
          enqueue: async () => {},
          depth: async () => ({ listen: depth, score: depth }),
          pause: async () => void schedule.push("pause"),
          resume: async () => void schedule.push("resume"),
          ping: async () => {},
          [Symbol.asyncDispose]: async () => {},
        },
      },
    });
    [admin, boss] = await Promise.all([api.as("admin"), api.as("supervisor")]);
  });
  afterAll(async () => await api[Symbol.asyncDispose]());

  it("have defaults, are changed field by field, and the change is written down", async () => {
    expect((await boss.json("GET", "/api/settings")).body).toEqual({
      activeForm: "deduction-20",
      sampleShare: 0.05,
      retention: { recordingsDays: null, transcriptsDays: null, resultsDays: null },
      paused: false,
    });
    expect((await boss.json("PATCH", "/api/settings", { sampleShare: 0.1, paused: true })).body).toMatchObject({
      sampleShare: 0.1,
      paused: true,
    });
    expect((await admin.json("PATCH", "/api/settings", { retention: { recordingsDays: 90 }, paused: false })).body).toMatchObject({
      sampleShare: 0.1,
      retention: { recordingsDays: 90, transcriptsDays: null },
      paused: false,
    });
    expect(schedule).toEqual(["pause", "resume"]);
    const [last] = (await api.models.audit.list("default", { what: "settings-changed" }, { limit: 10 })).items;
    expect(last).toMatchObject({ by: admin.user?.id, details: { change: expect.stringContaining('"recordingsDays":90') } });
  });

  it("what deletes recordings is for administrators", async () => {
    expect((await boss.json("PATCH", "/api/settings", { retention: { recordingsDays: 1 } })).body).toMatchObject({
      code: "auth/forbidden",
    });
    const inspector = await api.as("inspector");
    expect((await inspector.json("GET", "/api/settings")).status).toBe(403);
  });

  it.each([
    { sampleShare: 1.1 },
    { sampleShare: "0.1" },
    { activeForm: "nope" },
    { retention: { recordingsDays: 0 } },
    { webhooks: [] },
    { paused: 1 },
    { activeForm: { $ne: 1 } },
  ])("%j is refused", async (body) =>
    expect(await admin.json("PATCH", "/api/settings", body)).toMatchObject({ status: 400, body: { code: "request/invalid" } }),
  );

  it("a webhook's secret is shown once", async () => {
    const made = await admin.json("POST", "/api/webhooks", { url: "http://127.0.0.1:9000/hook", events: ["call.scored"] });
    expect(made).toMatchObject({
      status: 201,
      body: { url: "http://127.0.0.1:9000/hook", events: ["call.scored"], secret: expect.stringMatching(/^[\w-]{43}$/) },
    });
    const { id } = made.body;
    expect((await admin.json("GET", "/api/webhooks")).body).toEqual({
      items: [{ id, url: "http://127.0.0.1:9000/hook", events: ["call.scored"] }],
      nextCursor: null,
    });
    expect(JSON.stringify((await admin.json("GET", "/api/settings")).body)).not.toContain("hook");
    const changed = await admin.json("PATCH", `/api/webhooks/${id}`, { events: ["call.failed", "review.submitted"] });
    expect(changed.body).toEqual({ id, url: "http://127.0.0.1:9000/hook", events: ["call.failed", "review.submitted"] });
    expect((await api.models.settings.get()).webhooks[0]).toMatchObject({ secret: made.body.secret });
    expect((await admin.json("DELETE", `/api/webhooks/${id}`)).status).toBe(204);
    expect((await admin.json("DELETE", `/api/webhooks/${id}`)).status).toBe(404);
    expect((await admin.json("PATCH", `/api/webhooks/${id}`, { events: ["call.failed"] })).status).toBe(404);
  });

  it("of webhooks that are added at once none is lost, and there is an end to them", async () => {
    const answers = await Promise.all(
      Array.from(
        { length: 25 },
        async (_, n) =>
          await admin.json("POST", "/api/webhooks", {
            url: `http://127.0.0.1:9000/${n}`,
            events: ["call.scored"],
            secret: "0123456789abcdef",
          }),
      ),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(20);
    expect(answers.filter(({ body }) => body.code === "request/conflict")).toHaveLength(5);
    expect((await api.models.settings.get()).webhooks).toHaveLength(20);
    await api.models.settings.change({ webhooks: [] });
  });

  it.each([
    { url: "http://127.0.0.1/", events: [] },
    { url: "http://127.0.0.1/", events: ["call.deleted"] },
    { url: "http://127.0.0.1/", events: ["call.scored", "call.scored"] },
    { url: "http://127.0.0.1/", events: ["call.scored"], secret: "short" },
    { url: "ftp://127.0.0.1/", events: ["call.scored"] },
    { url: { $gt: "" }, events: ["call.scored"] },
    { events: ["call.scored"] },
  ])("%j is no webhook", async (body) =>
    expect(await admin.json("POST", "/api/webhooks", body)).toMatchObject({ status: 400, body: { code: "request/invalid" } }),
  );

  it("messages that nobody took are seen and sent again", async () => {
    await api.models.deliveries.add({ webhook: "w1", event: "call.scored", callId: "c1", body: '{"secret words":1}', key: "k1" });
    const [waiting] = (await api.models.deliveries.list("waiting", { limit: 10 })).items;
    await api.models.deliveries.take(1_000);
    await api.models.deliveries.again(waiting?.id ?? "", "500 Internal Server Error", null);
    const dead = (await admin.json("GET", "/api/webhooks/deliveries")).body;
    expect(dead).toMatchObject({
      items: [{ id: waiting?.id, webhook: "w1", event: "call.scored", callId: "c1", state: "dead", last: "500 Internal Server Error" }],
    });
    expect(JSON.stringify(dead)).not.toContain("secret words");
    expect(await admin.json("POST", `/api/webhooks/deliveries/${waiting?.id}/resend`)).toMatchObject({
      status: 202,
      body: { state: "waiting" },
    });
    expect((await admin.json("POST", `/api/webhooks/deliveries/${waiting?.id}/resend`)).status).toBe(404);
    expect((await admin.json("POST", "/api/webhooks/deliveries/..%2f/resend")).status).toBe(404);
    expect(await api.models.deliveries.take(1_000)).toMatchObject({ id: waiting?.id, attempts: 1 });
    expect((await admin.json("GET", "/api/webhooks/deliveries?state=dead")).body).toMatchObject({ items: [] });
  });

  it("webhooks are for administrators", async () => {
    for (const [method, path] of [
      ["GET", "/api/webhooks"],
      ["POST", "/api/webhooks"],
      ["GET", "/api/webhooks/deliveries"],
      ["POST", "/api/webhooks/deliveries/x/resend"],
      ["PATCH", "/api/webhooks/x"],
      ["DELETE", "/api/webhooks/x"],
    ] as const) {
      expect((await boss.json(method, path)).status, path).toBe(403);
      expect((await api.anybody.json(method, path)).status, path).toBe(401);
    }
  });
});
