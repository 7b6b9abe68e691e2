import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RescoreRequest } from "../../src/models/rescore.ts";
import { openTestApi, type Person, type TestApi } from "../support/api.ts";
import { TEST_SERVER } from "../support/database.ts";

const name = { zh: "甲", en: "a" };
const RULE = {
  id: "no-weather",
  severity: "general",
  name,
  when: { operator: "phrase", options: { phrases: ["天气"], role: "agent" } },
  examples: { hit: ["agent: 今天天气真好"], miss: ["customer: 今天天气真好"] },
};
const FORM = {
  id: "short",
  name,
  max: 10,
  bands: [{ id: "all", name, from: 0 }],
  groups: [{ id: "g", name, max: 10, items: [{ id: "weather", name, by: "machine", kind: "check", max: 10, rules: ["no-weather"] }] }],
};

interface Versions {
  readonly items: readonly {
    readonly rule: { readonly id: string; readonly version: number; readonly severity: string };
    readonly language: string | null;
    readonly by: string;
  }[];
  readonly nextCursor: string | null;
}

describe.skipIf(TEST_SERVER === null)("rules and forms", () => {
  let api: TestApi;
  let boss: Person;
  const asked: RescoreRequest[] = [];
  beforeAll(async () => {
    api = await openTestApi({
      deps: {
        rescore: async (request) => {
          asked.push(request);
          return {
            dryRun: request.dryRun,
            ...{ calls: 2, changed: 1, reviewed: 0, skipped: 0 },
            rules: [{ rule: "no-weather", before: 0, after: 1, gained: 1, lost: 0 }],
            scores: { raised: 0, lowered: 1, meanBefore: 20, meanAfter: 19.5 },
            bands: [{ from: "excellent", to: "good", calls: 1 }],
            examples: [{ callId: "c1", scoreBefore: 20, scoreAfter: 19, bandBefore: "excellent", bandAfter: "good" }],
          };
        },
      },
    });
    boss = await api.as("supervisor");
  });
  afterAll(async () => await api[Symbol.asyncDispose]());

  const add = async (rule: object, more: object = {}) => await boss.json("POST", "/api/rules", { ...more, rules: [rule] });
  const versions = async (query: string) => (await boss.json("GET", `/api/rules?${query}`)).body as unknown as Versions;

  it("the rules in force are those that ship with callsift, until a version of ours is added", async () => {
    const all: Versions["items"][number][] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page: Versions = await versions(`limit=7${cursor && `&cursor=${cursor}`}`);
      all.push(...page.items);
      cursor = page.nextCursor;
    }
    expect(all.filter(({ language }) => language === "zh").map(({ rule }) => rule.id)).toContain("dead-air");
    const added = await add({ ...RULE, severity: "serious" }, { language: "zh" });
    expect(added).toMatchObject({
      status: 201,
      body: { items: [{ rule: { id: "no-weather", version: 1, severity: "serious" }, language: "zh", by: boss.user?.id }] },
    });
    const current = await api.models.policies.current();
    expect(current?.source.rules.find(({ language }) => language === "zh")?.rules.map(({ id }) => id)).toContain("no-weather");
  });

  it("a version never changes; the next one stands beside it, whatever number is asked for", async () => {
    await add({ ...RULE, id: "steady" });
    const second = await add({ ...RULE, id: "steady", version: 1, severity: "notice" });
    expect(second.body).toMatchObject({ items: [{ rule: { version: 2, severity: "notice" } }] });
    expect((await versions("id=steady")).items.map(({ rule }) => [rule.version, rule.severity])).toEqual([
      [2, "notice"],
      [1, "general"],
    ]);
    const third = await Promise.all([add({ ...RULE, id: "steady" }), add({ ...RULE, id: "steady" }), add({ ...RULE, id: "steady" })]);
    expect(third.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect((await versions("id=steady")).items.map(({ rule }) => rule.version)).toEqual([5, 4, 3, 2, 1]);
    const log = (await api.models.audit.list("default", { object: "steady" }, { limit: 10 })).items;
    expect(log.map(({ what }) => what)).toEqual(Array.from({ length: 5 }, () => "rule-changed"));
  });

  it("are taken as they lie in files: YAML, whole", async () => {
    const text = await readFile(new URL("../../src/pipeline/rules/builtin/en.yaml", import.meta.url), "utf8");
    const response = await boss.fetch("/api/rules", { method: "POST", body: text, headers: { "content-type": "application/yaml" } });
    const body = (await response.json()) as Versions;
    expect(response.status, JSON.stringify(body).slice(0, 300)).toBe(201);
    expect(body.items.every(({ rule, language }) => rule.version === 2 && language === "en")).toBe(true);
  });

  it("are refused with all their faults, or the examples that come out otherwise", async () => {
    const wrong = await add({ ...RULE, severity: "deadly", when: { operator: "telepathy" } });
    expect(wrong).toMatchObject({ status: 400, body: { code: "rules/invalid" } });
    expect(wrong.body.message).toContain("rules[0].severity");
    expect((await add({ ...RULE, when: { operator: "telepathy" } })).body.message).toContain("telepathy");
    const failed = await add({ ...RULE, examples: { hit: ["agent: 您好"], miss: ["agent: 天气"] } });
    expect(failed).toMatchObject({
      status: 422,
      body: {
        code: "rules/example-failed",
        details: { examples: [{ rule: "no-weather", kind: "hit", index: 0, expected: "a finding" }, { kind: "miss" }] },
      },
    });
  });

  it.each<[string, string, string, number, string]>([
    ["no rules", "{}", "application/json", 400, "request/invalid"],
    ["rules that are none", '{"rules":"all"}', "application/json", 400, "rules/invalid"],
    ["an unknown field", JSON.stringify({ rules: [{ ...RULE, price: 1 }] }), "application/json", 400, "rules/invalid"],
    ["a prototype", '{"rules":[],"__proto__":{"a":1}}', "application/json", 400, "request/invalid"],
    ["nesting beyond reason", `{"rules":${"[".repeat(50_000)}${"]".repeat(50_000)}}`, "application/json", 400, "request/invalid"],
    [
      "alias bombs",
      "a: &a [1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b]\nrules: [*c,*c,*c,*c,*c,*c,*c]\n",
      "text/yaml",
      400,
      "rules/invalid",
    ],
    ["a tag", "rules: !!js/function 'x'\n", "text/yaml", 400, "rules/invalid"],
    [
      "a regular expression that runs for ever elsewhere",
      JSON.stringify({
        rules: [
          {
            ...RULE,
            when: { operator: "phrase", options: { phrases: [`/(a+)+$/`] } },
            examples: { miss: [`agent: ${"a".repeat(5_000)}b`] },
          },
        ],
      }),
      "application/json",
      0,
      "",
    ],
    [
      "too many examples",
      JSON.stringify({ rules: [{ ...RULE, examples: { hit: Array(2_001).fill("agent: 天气") } }] }),
      "application/json",
      400,
      "rules/invalid",
    ],
    [
      "two megabytes",
      JSON.stringify({ rules: [{ ...RULE, description: { zh: "x".repeat(2_000_000), en: "x" } }] }),
      "application/json",
      413,
      "request/too-large",
    ],
    ["a picture", "GIF89a", "image/gif", 415, "request/unsupported-type"],
  ])("with %s end in a refusal, and quickly", async (_name, body, type, status, code) => {
    const response = await boss.fetch("/api/rules", { method: "POST", body, headers: { "content-type": type } });
    const answer = (await response.json()) as { code?: string };
    if (status === 0) expect([201, 400, 422]).toContain(response.status);
    else expect({ status: response.status, code: answer.code }).toEqual({ status, code });
  });

  it("a form is bound to rules that are there, and becomes the active one by a setting", async () => {
    await add(RULE);
    const unbound = structuredClone(FORM);
    unbound.groups[0]?.items[0]?.rules.push("no-such-rule");
    expect(await boss.json("POST", "/api/forms", unbound)).toMatchObject({ status: 400, body: { code: "form/invalid" } });
    const uneven = { ...FORM, max: 11 };
    expect((await boss.json("POST", "/api/forms", uneven)).body.message).toContain("groups that add up to max 11");
    expect((await boss.json("PATCH", "/api/settings", { activeForm: "short" })).body).toMatchObject({ code: "request/invalid" });
    expect(await boss.json("POST", "/api/forms", FORM)).toMatchObject({
      status: 201,
      body: { form: { id: "short", version: 1 }, by: boss.user?.id },
    });
    expect((await boss.json("POST", "/api/forms", { ...FORM, version: 1, bands: [{ id: "any", name, from: 0 }] })).body).toMatchObject({
      form: { version: 2 },
    });
    const listed = (await boss.json("GET", "/api/forms?id=short")).body as {
      items: { form: { version: number; bands: { id: string }[] } }[];
    };
    expect(listed.items.map(({ form }) => [form.version, form.bands[0]?.id])).toEqual([
      [2, "any"],
      [1, "all"],
    ]);
    expect((await boss.json("PATCH", "/api/settings", { activeForm: "short" })).body).toMatchObject({ activeForm: "short" });
    expect((await api.models.policies.current())?.source.form).toMatchObject({ id: "short", version: 2 });
  });

  it("are read by everybody and written by supervisors", async () => {
    const inspector = await api.as("inspector");
    expect((await inspector.json("GET", "/api/rules")).status).toBe(200);
    expect((await inspector.json("GET", "/api/forms")).status).toBe(200);
    for (const path of ["/api/rules", "/api/forms", "/api/rescore"])
      expect((await inspector.json("POST", path, {})).status, path).toBe(403);
    expect((await api.anybody.json("GET", "/api/rules")).status).toBe(401);
  });

  it("a re-score says what would change, and is written down when it changes something", async () => {
    const dry = await boss.json("POST", "/api/rescore", { rules: ["no-weather"], dryRun: true });
    expect(dry).toMatchObject({
      status: 200,
      body: { dryRun: true, calls: 2, rules: [{ rule: "no-weather", gained: 1 }], bands: [{ from: "excellent" }] },
    });
    await boss.json("POST", "/api/rescore", { form: "short" });
    expect(asked).toEqual([
      { tenant: "default", by: boss.user?.id, rules: ["no-weather"], dryRun: true },
      { tenant: "default", by: boss.user?.id, form: "short", dryRun: false },
    ]);
    expect((await api.models.audit.list("default", { what: "rescored" }, { limit: 10 })).items).toHaveLength(1);
    for (const body of [{ rules: [] }, { rules: ["NOT AN ID"] }, { form: { $ne: "" } }, { all: true }])
      expect((await boss.json("POST", "/api/rescore", body)).body, JSON.stringify(body)).toMatchObject({ code: "request/invalid" });
  });
});
