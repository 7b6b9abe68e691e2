import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newCallId } from "../../src/models/ids.ts";
import type { Models } from "../../src/models/models.ts";
import { openModels } from "../../src/models/open.ts";
import { TEST_SERVERS } from "../support/database.ts";
import { newCall, newSummary, openTestModels, scoredCall, type TestModels } from "../support/models.ts";

const LEASE_MS = 60_000;
const SCREENING = { recipe: "r".repeat(64), policy: "p".repeat(64), summary: newSummary() };

describe.skipIf(TEST_SERVERS.length === 0)("calls", () => {
  describe.each(TEST_SERVERS)("on $name", (server) => {
    let opened: TestModels;
    let models: Models;
    let others: Models;
    beforeAll(async () => {
      opened = await openTestModels(server);
      models = opened.models;
      others = await openModels(opened.uri);
    });
    afterAll(async () => {
      await others?.[Symbol.asyncDispose]();
      await opened?.[Symbol.asyncDispose]();
    });

    it("accepts the same bytes once, whoever is first", async () => {
      const bytes = newCall();
      const racers = await Promise.all(
        Array.from({ length: 50 }, (_, i) => (i % 2 ? models : others).calls.accept({ ...bytes, id: newCallId(), name: `${i}.wav` })),
      );
      expect(racers.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
      expect(new Set(racers.map(({ call }) => call.id)).size).toBe(1);
      const other = await models.calls.accept({ ...bytes, id: newCallId(), tenant: "another" });
      expect(other.duplicate).toBe(false);
    });

    it("gives a call to one worker of fifty", async () => {
      const { call } = await models.calls.accept(newCall());
      const racers = await Promise.all(
        Array.from({ length: 50 }, (_, i) => (i % 2 ? models : others).calls.begin(call.id, `worker-${i}`, LEASE_MS)),
      );
      expect(racers.filter((one) => one !== null)).toHaveLength(1);
      expect(await models.calls.get(call.id)).toMatchObject({ status: "listening", attempts: 1, crashes: 0 });
    });

    it("gives the best open calls to fifty people, none twice", async () => {
      const tenant = "claims";
      for (let i = 0; i < 30; i++) await scoredCall(models, { tenant }, { priority: i });
      const racers = await Promise.all(
        Array.from({ length: 50 }, (_, i) => (i % 2 ? models : others).calls.claimNext({ tenant }, `person-${i}`, LEASE_MS)),
      );
      const claimed = racers.flatMap((call) => (call ? [call] : []));
      expect(claimed).toHaveLength(30);
      expect(new Set(claimed.map(({ id }) => id)).size).toBe(30);
      expect((await models.calls.queue({ tenant }, { limit: 10 })).items).toEqual([]);
    });

    it("goes from queued to scored", async () => {
      const { calls } = models;
      const { call } = await calls.accept(newCall());
      expect(call.status).toBe("queued");
      await calls.begin(call.id, "w", LEASE_MS);
      expect(await calls.renew(call.id, "w", LEASE_MS)).toBe(true);
      expect(await calls.renew(call.id, "x", LEASE_MS)).toBe(false);
      await calls.heard(call.id, SCREENING.recipe);
      expect(await calls.get(call.id)).toMatchObject({ status: "listening", recipe: SCREENING.recipe });
      await calls.begin(call.id, "v", LEASE_MS);
      await calls.scored(call.id, SCREENING);
      expect(await calls.get(call.id)).toMatchObject({
        status: "scored",
        attempts: 1,
        crashes: 0,
        summary: SCREENING.summary,
        review: { state: "open", version: 0 },
      });
      await calls.failed(call.id, { code: "asr/failed", message: "late" });
      expect((await calls.get(call.id))?.status).toBe("scored");
      expect(await calls.begin(call.id, "w", LEASE_MS)).toBeNull();
    });
  });
});
