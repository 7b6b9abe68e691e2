import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newCallId } from "../../src/models/ids.ts";
import { storedScreening } from "../../src/models/stored-screening.ts";
import { readBuiltins } from "../../src/pipeline/policies.ts";
import type { Screening } from "../../src/pipeline/screening.ts";
import { TEST_SERVERS } from "../support/database.ts";
import { openTestModels, type TestModels } from "../support/models.ts";
import { screenedCall } from "../support/screened-call.ts";

const RECIPE = "r".repeat(64);
const POLICY = "p".repeat(64);

describe.skipIf(TEST_SERVERS.length === 0)("screenings (skipped where there is no MongoDB server)", () => {
  describe.each(TEST_SERVERS)("on $name", (server) => {
    let opened: TestModels;
    let example: Screening;

    beforeAll(async () => {
      opened = await openTestModels(server);
      await opened.models.policies.seed(await readBuiltins());
      ({ screening: example } = await screenedCall(opened.models));
    });
    afterAll(async () => await opened?.[Symbol.asyncDispose]());

    const screeningOf = (priority: number): Screening => ({
      ...example,
      recipe: RECIPE,
      policy: POLICY,
      triage: { ...example.triage, priority },
    });
    const priorityOf = async (id: string): Promise<number | undefined> =>
      (await opened.models.screenings.get(id, RECIPE, POLICY))?.triage.priority;

    it("come back whole, with the words of their transcript", async () => {
      const { id, screening } = await screenedCall(opened.models);
      const stored = await opened.models.screenings.get(id, screening.recipe, screening.policy);
      expect(stored).toEqual(JSON.parse(JSON.stringify(screening)));
      expect(Object.keys(stored ?? {})).toEqual(Object.keys(screening));
    });

    it("are read packed, those of a batch that are there", async () => {
      const { screenings } = opened.models;
      const ids = Array.from({ length: 150 }, newCallId);
      const stored = ids.slice(0, 140).map((id) => storedScreening(id, screeningOf(1)));
      await screenings.saveMany(stored);
      const found = await screenings.getPacked(ids.map((callId) => ({ callId, recipe: RECIPE, policy: POLICY })));
      expect(new Set(found.keys())).toEqual(new Set(ids.slice(0, 140)));
      for (const { callId, packed } of stored) expect(Buffer.from(found.get(callId) ?? [])).toEqual(Buffer.from(packed));
      expect(await screenings.getPacked([])).toEqual(new Map());
    });

    it("saved many at once, are saved once each: what is there already stays, the others come to it", async () => {
      const { screenings } = opened.models;
      const ids = Array.from({ length: 100 }, newCallId);
      for (const id of ids.slice(0, 3)) await screenings.save(id, screeningOf(1));
      await screenings.saveMany(ids.slice(2, 90).map((id) => storedScreening(id, screeningOf(2))));
      await screenings.saveMany(ids.map((id) => storedScreening(id, screeningOf(3))));
      await screenings.saveMany(ids.map((id) => storedScreening(id, screeningOf(4))));
      await screenings.saveMany([]);
      expect(await Promise.all(ids.map(priorityOf))).toEqual(ids.map((_, i) => (i < 3 ? 1 : i < 90 ? 2 : 3)));
    });
  });
});
