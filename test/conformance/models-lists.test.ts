import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CALL_SORTS, type Call, type CallSort } from "../../src/models/calls.ts";
import { TEST_SERVERS } from "../support/database.ts";
import { collect, openTestModels, scoredCall, type TestModels } from "../support/models.ts";

const CALLS = 130;
const scope = { tenant: "default" };

/** Long enough for pages to be read up to where they ended the last time. */
describe.skipIf(TEST_SERVERS.length === 0)("long lists", () => {
  describe.each(TEST_SERVERS)("on $name", (server) => {
    let opened: TestModels;
    beforeAll(async () => {
      opened = await openTestModels(server);
      const numbers = Array.from({ length: CALLS }, (_, i) => i);
      await Promise.all(numbers.map(async (i) => await call(i)));
    });
    afterAll(async () => await opened?.[Symbol.asyncDispose]());
    const call = async (i: number) =>
      await scoredCall(
        opened.models,
        { metadata: { agentId: "7", startedAt: new Date(Date.UTC(2025, 0, 1) + ((i * 37) % CALLS) * 60_000).toISOString() } },
        { score: (i * 11) % 20, priority: (i * 29) % 80 },
      );
    const ids = (list: readonly Call[]) => list.map(({ id }) => id);
    const all = async (sort: CallSort) => ids(await collect(opened.models.calls.all(scope, { agentId: "7" }, sort)));
    const page = async (sort: CallSort, cursor?: string) =>
      await opened.models.calls.list(scope, { agentId: "7" }, { limit: 5, sort, ...(cursor !== undefined && { cursor }) });

    it.each(CALL_SORTS)("by %s are the same page by page, the first time and the second", async (sort) => {
      const whole = await all(sort);
      expect(new Set(whole).size).toBe(CALLS);
      for (const _time of ["first", "second"]) {
        const seen: string[] = [];
        let cursor: string | undefined;
        do {
          const { items, nextCursor } = await page(sort, cursor);
          seen.push(...ids(items));
          cursor = nextCursor ?? undefined;
        } while (cursor !== undefined);
        expect(seen).toEqual(whole);
      }
    });

    it("show what has just come, and not what has just gone", async () => {
      const { items: before } = await page("-startedAt");
      const id = await scoredCall(opened.models, { metadata: { agentId: "7", startedAt: "2026-01-01T00:00:00Z" } });
      expect(ids((await page("-startedAt")).items)).toEqual([id, ...ids(before).slice(0, 4)]);
      await opened.models.calls.bury(id);
      expect(ids((await page("-startedAt")).items)).toEqual(ids(before));
    });

    it("give each of 25 people a call of their own, the best first, and the queue goes on with the rest", async () => {
      const { calls } = opened.models;
      const queue = ids((await calls.queue(scope, { limit: 200 })).items);
      expect(queue).toHaveLength(CALLS);
      const claimed = await Promise.all(Array.from({ length: 25 }, (_, i) => calls.claimNext(scope, `user-${i}`, 60_000)));
      expect(new Set(claimed.map((one) => one?.id))).toEqual(new Set(queue.slice(0, 25)));
      expect(ids((await calls.queue(scope, { limit: 200 })).items)).toEqual(queue.slice(25));
      for (const next of queue.slice(25, 30)) expect((await calls.claimNext(scope, "late", 60_000))?.id).toBe(next);
    });
  });
});
