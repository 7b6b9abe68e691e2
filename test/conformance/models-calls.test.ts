import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isSampled } from "../../src/models/calls-document.ts";
import { newCallId } from "../../src/models/ids.ts";
import type { Models } from "../../src/models/models.ts";
import { openModels } from "../../src/models/open.ts";
import { TEST_SERVERS } from "../support/database.ts";
import { collect, newCall, newSummary, openTestModels, scoredCall, type TestModels } from "../support/models.ts";

const LEASE_MS = 60_000;
const SCREENING = { recipe: "r".repeat(64), policy: "p".repeat(64), summary: newSummary() };
const FAILURE = { code: "asr/failed", message: "the recogniser stopped" } as const;

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
    const either = (i: number) => (i % 2 ? models : others).calls;
    const fifty = async <T>(action: (i: number) => Promise<T>) => await Promise.all(Array.from({ length: 50 }, (_, i) => action(i)));
    const queued = async () => (await models.calls.accept(newCall())).call.id;

    it("are accepted once for the same bytes, whoever is first", async () => {
      const bytes = newCall();
      const racers = await fifty((i) => either(i).accept({ ...bytes, id: newCallId(), name: `${i}.wav` }));
      expect(racers.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
      expect(new Set(racers.map(({ call }) => call.id)).size).toBe(1);
      const other = await models.calls.accept({ ...bytes, id: newCallId(), tenant: "another" });
      expect(other.duplicate).toBe(false);
    });

    it("are accepted once when the same request is sent twice", async () => {
      const call = newCall();
      expect((await models.calls.accept(call)).duplicate).toBe(false);
      expect(await models.calls.accept(call)).toMatchObject({ duplicate: false, call: { id: call.id } });
    });

    it("keep the transcript that came with them, of the first copy alone", async () => {
      const first = newCall({ givenTranscript: { name: "a.vtt", text: "WEBVTT\n\n您好".repeat(1000) } });
      const second = { ...first, id: newCallId(), givenTranscript: { name: "b.vtt", text: "other" } };
      await models.calls.accept(first);
      await models.calls.accept(second);
      expect(await models.calls.source(first.id)).toEqual({ recording: first.recording, givenTranscript: first.givenTranscript });
      expect(await models.calls.source(second.id)).toBeNull();
      const without = newCall({ recording: { agentKey: "a", customerKey: "b" } });
      await models.calls.accept(without);
      expect(await models.calls.source(without.id)).toEqual({ recording: without.recording, givenTranscript: null });
    });

    it("are given as they came", async () => {
      const call = newCall({
        lane: "bulk",
        name: "录音 1.wav",
        metadata: { callId: "c-1", agentId: "7", team: "A", startedAt: "2025-03-01T09:30:00+08:00", tags: ["a.b", "$c"], satisfaction: 1 },
      });
      const { call: accepted } = await models.calls.accept(call);
      expect(accepted).toEqual(await models.calls.get(call.id));
      expect(accepted).toEqual({
        id: call.id,
        tenant: "default",
        sha256: call.sha256,
        name: "录音 1.wav",
        bytes: 1000,
        lane: "bulk",
        status: "queued",
        error: null,
        metadata: call.metadata,
        receivedAt: accepted.receivedAt,
        startedAt: new Date("2025-03-01T01:30:00Z"),
        attempts: 0,
        crashes: 0,
        recipe: null,
        policy: null,
        summary: null,
        review: null,
        sampled: false,
        deletedAt: null,
        changedAt: accepted.receivedAt,
      });
    });

    it.each(["", "1", "0".repeat(23), "z".repeat(24), "0".repeat(25), `${"a".repeat(24)}\n`, '{"$gt":""}'])("have no id %j", async (id) => {
      const { calls } = models;
      expect(await calls.get(id)).toBeNull();
      expect(await calls.source(id)).toBeNull();
      expect(await calls.begin(id, "w", LEASE_MS)).toBeNull();
      expect(await calls.renew(id, "w", LEASE_MS)).toBe(false);
      expect(await calls.claim(id, "u", LEASE_MS)).toBeNull();
      expect(await calls.retry(id)).toBe(false);
      expect(await calls.bury(id)).toBeNull();
    });

    it("take no operator where a value belongs", async () => {
      await models.calls.accept(newCall({ metadata: { agentId: "operated", team: "A", customerNumber: "1" } }));
      const operator = { $gt: "" } as unknown as string;
      const scope = { tenant: "default" };
      // Nothing is found, or the database layer refuses it: it never matches.
      const found = async (asked: Promise<readonly unknown[]>) =>
        await asked.then(
          (items) => items.length,
          () => "refused",
        );
      const list = (...[of, filter]: [object, object]) =>
        models.calls.list({ ...scope, ...of }, filter, { limit: 10, sort: "score" }).then(({ items }) => items);
      expect(await models.calls.get(operator)).toBeNull();
      expect([0, "refused"]).toContain(await found(list({ tenant: operator }, {})));
      expect([0, "refused"]).toContain(await found(list({ team: operator }, {})));
      expect([0, "refused"]).toContain(await found(list({}, { agentId: operator })));
      expect([0, "refused"]).toContain(await found(list({}, { rule: operator })));
      expect([0, "refused"]).toContain(await found(collect(models.calls.find(scope, { customerNumber: operator }))));
      expect(await found(list({}, { agentId: "operated" }))).toBe(1);
    });

    it("are given to one worker of fifty", async () => {
      const id = await queued();
      const racers = await fifty((i) => either(i).begin(id, `worker-${i}`, LEASE_MS));
      expect(racers.filter((one) => one !== null)).toHaveLength(1);
      expect(await models.calls.get(id)).toMatchObject({ status: "listening", attempts: 1, crashes: 0 });
    });

    it("go from queued to scored", async () => {
      const { calls } = models;
      const id = await queued();
      await calls.begin(id, "w", LEASE_MS);
      expect(await calls.renew(id, "w", LEASE_MS)).toBe(true);
      expect(await calls.renew(id, "x", LEASE_MS)).toBe(false);
      await calls.heard(id, SCREENING.recipe);
      expect(await calls.get(id)).toMatchObject({ status: "listening", recipe: SCREENING.recipe });
      expect(await calls.renew(id, "w", LEASE_MS)).toBe(false);
      await calls.begin(id, "v", LEASE_MS);
      await calls.scored(id, SCREENING);
      expect(await calls.get(id)).toMatchObject({
        status: "scored",
        attempts: 1,
        crashes: 0,
        recipe: SCREENING.recipe,
        policy: SCREENING.policy,
        summary: SCREENING.summary,
        review: { state: "open", by: null, until: null, version: 0, score: null },
      });
      await calls.failed(id, FAILURE);
      await calls.heard(id, "later");
      expect(await calls.get(id)).toMatchObject({ status: "scored", recipe: SCREENING.recipe });
      expect(await calls.begin(id, "w", LEASE_MS)).toBeNull();
    });

    it("count a crash for each worker that let its lease run out", async () => {
      const { calls } = models;
      const id = await queued();
      await calls.begin(id, "a", 1);
      await sleep(5);
      expect((await calls.unfinished({ limit: 500, abandoned: true })).map((one) => one.id)).toContain(id);
      expect(await calls.begin(id, "b", 1)).toMatchObject({ attempts: 2, crashes: 1 });
      await sleep(5);
      expect(await calls.renew(id, "b", 1), "nobody else has begun").toBe(true);
      await sleep(5);
      expect(await calls.begin(id, "c", LEASE_MS)).toMatchObject({ attempts: 3, crashes: 2 });
      expect(await calls.renew(id, "b", LEASE_MS)).toBe(false);
      await calls.failed(id, { code: "call/crashed", message: "set aside" });
      expect(await calls.get(id)).toMatchObject({ status: "failed", error: { code: "call/crashed", message: "set aside" } });
      expect(await calls.retry(id)).toBe(true);
      expect(await calls.get(id)).toMatchObject({ status: "queued", error: null, crashes: 0 });
    });

    it("are handed back undone by who has them", async () => {
      const { calls } = models;
      const id = await queued();
      await calls.begin(id, "w", LEASE_MS);
      await calls.release(id, "somebody else");
      expect((await calls.get(id))?.status).toBe("listening");
      await calls.release(id, "w");
      expect(await calls.get(id)).toMatchObject({ status: "queued", attempts: 0, crashes: 0 });
      await calls.begin(id, "w", LEASE_MS);
      await calls.release(id, "w", { counted: true });
      expect(await calls.get(id)).toMatchObject({ status: "queued", attempts: 1, crashes: 0 });
      await calls.begin(id, "w", LEASE_MS);
      await calls.heard(id, "recipe");
      await calls.begin(id, "w", LEASE_MS);
      await calls.release(id, "w");
      expect(await calls.get(id)).toMatchObject({ status: "queued", attempts: 2, recipe: "recipe" });
    });

    it("are tried again only when they have failed", async () => {
      const { calls } = models;
      const id = await queued();
      expect(await calls.retry(id)).toBe(false);
      await calls.failed(id, FAILURE);
      const racers = await fifty((i) => either(i).retry(id));
      expect(racers.filter(Boolean)).toHaveLength(1);
      await calls.scored(id, SCREENING);
      expect(await calls.retry(id)).toBe(false);
    });

    it("are unfinished until they have a result, unless somebody has them", async () => {
      await using own = await openTestModels(server);
      const { calls } = own.models;
      const ids: string[] = [];
      for (let i = 0; i < 7; i++) ids.push((await calls.accept(newCall({ lane: i === 0 ? "bulk" : "upload" }))).call.id);
      const [waiting, held, lost, heard, scored, failed, buried] = ids as [string, string, string, string, string, string, string];
      await calls.begin(held, "w", LEASE_MS);
      await calls.begin(lost, "w", 1);
      await calls.heard(heard, "recipe");
      await calls.scored(scored, SCREENING);
      await calls.failed(failed, FAILURE);
      await calls.bury(buried);
      await sleep(5);
      const of = { tenant: "default", lane: "upload", attempts: 0, crashes: 0 };
      expect(await calls.unfinished({ limit: 10 })).toEqual([
        { ...of, id: waiting, stage: "listen", lane: "bulk" },
        { ...of, id: lost, stage: "listen", attempts: 1 },
        { ...of, id: heard, stage: "score" },
      ]);
      expect((await calls.unfinished({ limit: 10, after: waiting })).map(({ id }) => id)).toEqual([lost, heard]);
      expect((await calls.unfinished({ limit: 1 })).map(({ id }) => id)).toEqual([waiting]);
      expect((await calls.unfinished({ limit: 10, abandoned: true })).map(({ id }) => id)).toEqual([lost]);
      const counts = await calls.counts();
      expect(counts).toMatchObject({ queued: 1, listening: 3, scored: 1, failed: 1, reviewBacklog: 1 });
      expect(counts.oldestQueuedAt).toEqual((await calls.get(waiting))?.receivedAt);
    });

    it("are scored many at once as they are one by one, whatever else happens to them", async () => {
      const { calls } = models;
      const ids = await Promise.all(Array.from({ length: 40 }, queued));
      const [gone = ""] = ids;
      await calls.bury(gone);
      const list = ids.map((id) => ({ ...SCREENING, id }));
      const stop = new AbortController();
      const busy = ids.slice(1).map(async (id) => {
        for (let i = 0; !stop.signal.aborted && i < 50; i++) await others.calls.claim(id, "somebody", LEASE_MS);
      });
      await calls.scoredMany([...list, { ...SCREENING, id: newCallId() }]);
      stop.abort();
      await Promise.all(busy);
      const after = await Promise.all(ids.slice(1).map((id) => calls.get(id)));
      expect(after.map((call) => call?.status)).toEqual(after.map(() => "scored"));
      expect(await calls.get(gone)).toBeNull();
      await calls.scoredMany([]);
    });

    it("are drawn by lot from the id, about as often as asked for", () => {
      const ids = Array.from({ length: 2000 }, newCallId);
      expect(ids.filter((id) => isSampled(id, 0.05)).length).toBeGreaterThan(50);
      expect(ids.filter((id) => isSampled(id, 0.05)).length).toBeLessThan(170);
      expect(ids.some((id) => isSampled(id, 0))).toBe(false);
      expect(ids.every((id) => isSampled(id, 1))).toBe(true);
    });

    it("leave a tombstone when they are deleted, and free their bytes", async () => {
      const { calls } = models;
      const call = newCall({ metadata: { callId: "secret", customerNumber: "13800000000" }, givenTranscript: { name: "a", text: "b" } });
      await calls.accept(call);
      await calls.scored(call.id, SCREENING);
      const buried = await calls.bury(call.id);
      expect(buried).toMatchObject({ id: call.id, tenant: "default", status: "scored", sha256: "", name: "", metadata: {}, summary: null });
      expect(buried?.deletedAt).toBeInstanceOf(Date);
      expect(await calls.bury(call.id)).toBeNull();
      expect(await calls.get(call.id)).toBeNull();
      expect(await calls.source(call.id)).toBeNull();
      expect(await calls.claim(call.id, "u", LEASE_MS)).toBeNull();
      await calls.scored(call.id, SCREENING);
      await calls.failed(call.id, FAILURE);
      expect(await calls.get(call.id)).toBeNull();
      expect((await calls.accept({ ...call, id: newCallId() })).duplicate).toBe(false);
    });

    it("are found by customer, and by age and outcome", async () => {
      const tenant = "retention";
      const ids: string[] = [];
      for (let i = 0; i < 6; i++)
        ids.push(await scoredCall(models, { tenant, metadata: { customerNumber: `${i % 2}` } }, { queue: i < 3 ? "pass" : "review" }));
      const found = async (what: Parameters<Models["calls"]["find"]>[1]) =>
        (await collect(models.calls.find({ tenant }, what))).map(({ id }) => ids.indexOf(id));
      expect(await found({ customerNumber: "0" })).toEqual([0, 2, 4]);
      expect(await found({ customerNumber: "7" })).toEqual([]);
      const later = new Date(Date.now() + 1000);
      expect((await found({ receivedBefore: later })).sort()).toEqual([0, 1, 2, 3, 4, 5]);
      expect((await found({ receivedBefore: later, queue: "pass" })).sort()).toEqual([0, 1, 2]);
      expect(await found({ receivedBefore: new Date(0) })).toEqual([]);
      expect(await collect(models.calls.find({ tenant: "nobody" }, { customerNumber: "0" }))).toEqual([]);
    });

    it("tell of changes by any process", async () => {
      const stop = new AbortController();
      const id = await queued();
      const seen: string[] = [];
      const told = (async () => {
        for await (const call of models.calls.changes(stop.signal)) {
          if (call.id === id) seen.push(call.status);
          if (call.id === id && call.status === "scored") stop.abort();
        }
      })();
      const timer = setTimeout(() => stop.abort(), 20_000);
      // Until the stream stands nothing is told; it may take a moment.
      while (seen.length === 0 && !stop.signal.aborted) {
        await others.calls.begin(id, "w", LEASE_MS);
        await sleep(50);
        await others.calls.release(id, "w");
        await sleep(50);
      }
      const before = seen.length;
      await others.calls.begin(id, "w", LEASE_MS);
      await others.calls.renew(id, "w", LEASE_MS);
      await others.calls.scored(id, SCREENING);
      await told;
      clearTimeout(timer);
      expect(before).toBeGreaterThan(0);
      expect(seen.at(-1)).toBe("scored");
    });
  });
});
