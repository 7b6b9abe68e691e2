import mongoose, { type Connection } from "mongoose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createPolicyStore, type PolicyStore } from "../../src/models/policies.ts";
import { createSettingsStore } from "../../src/models/settings.ts";
import { policiesOf, readBuiltins } from "../../src/pipeline/policies.ts";
import type { Rule } from "../../src/pipeline/rules/schema.ts";
import type { Form } from "../../src/pipeline/scoring/schema.ts";
import { TEST_SERVERS, type TestDatabase } from "../support/database.ts";

describe.skipIf(TEST_SERVERS.length === 0)("rules and forms (skipped where there is no MongoDB server)", () => {
  describe.each(TEST_SERVERS)("on $name", (server) => {
    let database: TestDatabase;
    let connections: Connection[];
    let stores: PolicyStore[];

    beforeAll(async () => {
      database = await server.open();
      connections = await Promise.all([0, 1, 2].map(() => mongoose.createConnection(database.uri).asPromise()));
      stores = connections.map((connection) => createPolicyStore(connection));
      for (const model of Object.values(connections[0]?.models ?? {})) await model.createIndexes();
    });
    afterAll(async () => {
      for (const connection of connections) await connection.close();
      await database?.[Symbol.asyncDispose]();
    });
    const store = (i = 0): PolicyStore => stores[i] as PolicyStore;

    test("the built-in rules are put in once by several processes at once, and judge as the files do", async () => {
      const builtins = await readBuiltins();
      await Promise.all(stores.map((each) => each.seed(builtins)));
      await store().seed(builtins);
      const current = await store(1).current();
      expect(current?.source).toEqual({ rules: builtins.rules, form: builtins.form });
      expect(await store(2).current(current?.revision)).toBeNull();
      const { canonical } = policiesOf(current?.source ?? builtins).policyFor("zh");
      expect(canonical).toBe(policiesOf(builtins).policyFor("zh").canonical);
    });

    test("the next version of a rule is in force for everybody, one number each, however many add at once", async () => {
      const before = await store().current();
      const rule = before?.source.rules.find(({ language }) => language === "zh")?.rules[0] as Rule;
      const added = await Promise.all(
        Array.from({ length: 9 }, (_, i) =>
          store(i % 3).addRule({ ...rule, version: 1, name: { zh: `改 ${i}`, en: `change ${i}` } }, "zh", `u${i}`),
        ),
      );
      expect(added.map(({ rule: { version } }) => version).sort((a, b) => a - b)).toEqual(
        Array.from({ length: 9 }, (_, i) => rule.version + 1 + i),
      );
      const after = await store(1).current(before?.revision);
      const newest = added.find(({ rule: { version } }) => version === rule.version + 9);
      expect(after?.source.rules.find(({ language }) => language === "zh")?.rules.find(({ id }) => id === rule.id)).toEqual(newest?.rule);

      const first = await store().rules({ id: rule.id, limit: 4 });
      await store().addRule(rule, "zh", "late");
      const second = await store().rules({ id: rule.id, limit: 4, cursor: first.nextCursor as string });
      const versions = [...first.items, ...second.items]
        .filter(({ language }) => language === "zh")
        .map(({ rule: { version } }) => version);
      expect(versions).toEqual([...versions].sort((a, b) => b - a));
      expect(new Set(versions).size).toBe(versions.length);
    });

    test("lists show the version in force of each, page by page", async () => {
      const all = await store().rules({ limit: 200 });
      const keys = all.items.map(({ rule, language }) => `${rule.id} ${language}`);
      expect(new Set(keys).size).toBe(keys.length);
      const paged: string[] = [];
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const page = await store().rules({ limit: 7, ...(cursor && { cursor }) });
        paged.push(...page.items.map(({ rule, language }) => `${rule.id} ${language}`));
        cursor = page.nextCursor;
      }
      expect(paged).toEqual(keys);
      expect((await store().forms({ limit: 200 })).items.map(({ form }) => form.id)).toContain("weighted-100");
      await expect(store().rules({ limit: 7, cursor: "x" })).rejects.toMatchObject({ code: "request/invalid" });
    });

    test("a disabled rule is out of force; one for any language stands in for those of its id", async () => {
      const { source } = (await store().current()) ?? {};
      const [one, two] = (source?.rules.find(({ language }) => language === "en")?.rules ?? []) as unknown as [Rule, Rule];
      await store().addRule({ ...one, enabled: false }, "en", "u");
      await store().addRule({ ...two, version: 1 }, null, "u");
      const now = (await store().current())?.source.rules ?? [];
      const ids = (language: string | null) => now.find((set) => set.language === language)?.rules.map(({ id }) => id) ?? [];
      expect(ids("en")).not.toContain(one.id);
      expect(ids("en")).not.toContain(two.id);
      expect(ids(null)).toEqual([two.id]);
      expect(
        (await store().rules({ limit: 200 })).items.find(({ rule, language }) => rule.id === one.id && language === "en")?.rule.enabled,
      ).toBe(false);
      expect(policiesOf({ rules: now, form: source?.form as Form }).policyFor("en").rules.length).toBeGreaterThan(0);
    });

    test("the form that the settings name is in force", async () => {
      const settings = createSettingsStore(connections[2] as Connection);
      const before = await store().current();
      await settings.change({ activeForm: "levels" });
      const after = await store().current(before?.revision);
      expect(after?.source.form.id).toBe("levels");
      const added = await store().addForm({ ...(after?.source.form as Form), version: 1 }, "u");
      expect((await store().current(after?.revision))?.source.form).toEqual(added.form);
      await settings.change({ activeForm: "nowhere" });
      await expect(store().current()).rejects.toMatchObject({ code: "form/invalid" });
      await settings.change({ activeForm: "deduction-20" });
      expect(await store().current(before?.revision)).not.toBeNull();
    });

    test("what a screening was judged by is kept under its hash as it was, once", async () => {
      const { source } = (await store().current()) ?? {};
      if (!source) throw new Error("expected rules in force, got none");
      const odd = {
        ...source,
        rules: [
          {
            language: null,
            rules: [{ ...(source.rules[0]?.rules[0] as Rule), when: { operator: "phrase", options: { "a.b": 1, $in: [] } } }],
          },
        ],
      };
      await Promise.all(stores.map((each) => each.keep("hash", odd)));
      await store().keep("hash", source);
      expect(await store(1).kept("hash")).toEqual(odd);
      expect(await store().kept("other")).toBeNull();
    });
  });
});
