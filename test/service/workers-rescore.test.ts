import { describe, expect, test } from "vitest";
import { createCurrentPolicies } from "../../src/models/current-policies.ts";
import { policiesOf, readBuiltins } from "../../src/pipeline/policies.ts";
import { createProcessor } from "../../src/workers/process-work.ts";
import { createRescore } from "../../src/workers/rescore.ts";
import { TEST_SERVER, type TestServer } from "../support/database.ts";
import { workOf } from "../support/work.ts";
import { openWorkerWorld, RECIPE, type WorkerWorld } from "../support/workers.ts";

const never = new AbortController().signal;

/** A world with calls that were scored by the built-in rules. */
async function scoredWorld(calls: number): Promise<WorkerWorld & { readonly ids: readonly string[] }> {
  const world = await openWorkerWorld(TEST_SERVER as TestServer);
  const process = createProcessor({ ...world.deps, policies: createCurrentPolicies(world.models.policies), worker: "worker-1" });
  const ids: string[] = [];
  for (let i = 0; i < calls; i++) {
    const id = await world.accept();
    await process(workOf(id), never);
    await process(workOf(id, { stage: "score" }), never);
    ids.push(id);
  }
  return { ...world, ids };
}

async function ruleOf(id: string) {
  const { rules } = await readBuiltins();
  const rule = rules.find(({ language }) => language === "zh")?.rules.find((one) => one.id === id);
  if (!rule) throw new Error(`expected a built-in rule ${id}`);
  return rule;
}

describe.skipIf(TEST_SERVER === null)("judging stored calls again", () => {
  const request = { tenant: "default", by: "system" } as const;

  test("by the same rules changes nothing, and stores nothing", async () => {
    await using world = await scoredWorld(2);
    const before = await world.call(world.ids[0] as string);
    const report = await createRescore({ models: world.models, threads: 1 })({ ...request, dryRun: false }, never);
    expect(report).toMatchObject({ calls: 2, changed: 0, skipped: 0, rules: [], bands: [], examples: [] });
    expect(await world.call(before.id)).toEqual(before);
  });

  test("by other rules: a dry run says what would change and changes nothing, a real one does it and keeps what was", async () => {
    await using world = await scoredWorld(3);
    const before = await Promise.all(world.ids.map(world.call));
    const [{ summary, policy }] = before as [(typeof before)[number]];
    const hit = summary?.rules.find((rule) => rule === "missing-closing") as string;
    expect(hit).toBe("missing-closing");
    await world.models.policies.addRule({ ...(await ruleOf(hit)), enabled: false }, "zh", "somebody");
    const rescore = createRescore({ models: world.models, threads: 2 });
    const dry = await rescore({ ...request, dryRun: true }, never);
    expect(dry).toMatchObject({
      dryRun: true,
      calls: 3,
      changed: 3,
      skipped: 0,
      rules: [{ rule: hit, before: 3, after: 0, gained: 0, lost: 3 }],
    });
    expect(dry.scores).toMatchObject({ raised: 3, lowered: 0, meanBefore: summary?.score, meanAfter: (summary?.score ?? 0) + 1 });
    expect(dry.examples.map(({ callId }) => callId).sort()).toEqual([...world.ids].sort());
    expect(await Promise.all(world.ids.map(world.call))).toEqual(before);

    const real = await rescore({ ...request, dryRun: false }, never);
    expect(real).toEqual({ ...dry, dryRun: false });
    for (const id of world.ids) {
      const call = await world.call(id);
      expect(call).toMatchObject({ status: "scored", recipe: RECIPE, summary: { score: (summary?.score ?? 0) + 1 } });
      expect(call.policy).not.toBe(policy);
      expect(await world.models.screenings.get(id, RECIPE, call.policy as string)).toMatchObject({ score: { total: call.summary?.score } });
      // What was judged before stays as it was, with its words.
      const old = await world.models.screenings.get(id, RECIPE, policy as string);
      expect(old?.findings.map(({ rule }) => rule)).toContain(hit);
      expect(old?.transcript).toHaveProperty("utterances");
      const source = await world.models.policies.kept(call.policy as string);
      expect(
        source &&
          policiesOf(source)
            .policyFor("zh")
            .rules.some((rule) => rule.id === hit),
      ).toBe(false);
    }
    expect(await rescore({ ...request, dryRun: true }, never)).toMatchObject({ calls: 3, changed: 0 });
  });

  test("what is stored again is what scoring would have stored", async () => {
    await using world = await scoredWorld(1);
    const [id] = world.ids as [string];
    await world.models.policies.addRule({ ...(await ruleOf("missing-greeting")), severity: "serious" }, "zh", "somebody");
    await createRescore({ models: world.models, threads: 1 })({ ...request, dryRun: false }, never);
    const rescored = await world.call(id);
    const fresh = await world.accept();
    const process = createProcessor({ ...world.deps, policies: createCurrentPolicies(world.models.policies), worker: "worker-1" });
    await process(workOf(fresh), never);
    await process(workOf(fresh, { stage: "score" }), never);
    const scored = await world.call(fresh);
    expect([rescored.policy, rescored.summary]).toEqual([scored.policy, scored.summary]);
    const [one, other] = await Promise.all(
      [id, fresh].map((callId) => world.models.screenings.get(callId, RECIPE, scored.policy as string)),
    );
    expect({ ...one, recording: null, timings: null }).toEqual({ ...other, recording: null, timings: null });
  });

  test("only some rules are brought to their version in force, the others stay as each call was judged by", async () => {
    await using world = await scoredWorld(1);
    const [id] = world.ids as [string];
    for (const rule of ["missing-closing", "missing-greeting"])
      await world.models.policies.addRule({ ...(await ruleOf(rule)), enabled: false }, "zh", "somebody");
    const before = await world.call(id);
    const rescore = createRescore({ models: world.models, threads: 1 });
    const report = await rescore({ ...request, rules: ["missing-closing"], dryRun: false }, never);
    expect(report.rules).toEqual([{ rule: "missing-closing", before: 1, after: 0, gained: 0, lost: 1 }]);
    const source = await world.models.policies.kept((await world.call(id)).policy as string);
    const rules =
      source &&
      policiesOf(source)
        .policyFor("zh")
        .rules.map((rule) => rule.id);
    expect([rules?.includes("missing-closing"), rules?.includes("missing-greeting")]).toEqual([false, true]);
    expect((await world.call(id)).policy).not.toBe(before.policy);
  });

  test("another form gives other scores; rules and forms that are not there are refused", async () => {
    await using world = await scoredWorld(1);
    const rescore = createRescore({ models: world.models, threads: 1 });
    const report = await rescore({ ...request, form: "weighted-100", dryRun: true }, never);
    expect(report).toMatchObject({ calls: 1, changed: 1, scores: { raised: 1 } });
    await expect(rescore({ ...request, form: "nowhere", dryRun: true }, never)).rejects.toMatchObject({ code: "request/invalid" });
    await expect(rescore({ ...request, rules: ["nowhere"], dryRun: true }, never)).rejects.toMatchObject({ code: "request/invalid" });
  });

  test("calls whose words are gone are passed over and counted; other tenants' calls are not touched", async () => {
    await using world = await scoredWorld(2);
    await world.models.transcripts.removeCall(world.ids[0] as string);
    await world.models.policies.addRule({ ...(await ruleOf("missing-closing")), enabled: false }, "zh", "somebody");
    const rescore = createRescore({ models: world.models, threads: 1 });
    expect(await rescore({ ...request, dryRun: false }, never)).toMatchObject({ calls: 1, changed: 1, skipped: 1 });
    expect(await rescore({ ...request, tenant: "other", dryRun: false }, never)).toMatchObject({ calls: 0, changed: 0, skipped: 0 });
  });

  test("stops when it is told to", async () => {
    await using world = await scoredWorld(1);
    const rescore = createRescore({ models: world.models, threads: 1 });
    await expect(rescore({ ...request, dryRun: true }, AbortSignal.abort())).rejects.toMatchObject({ code: "aborted" });
  });
});
