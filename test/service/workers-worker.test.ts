import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { startWorker } from "../../src/workers/worker.ts";
import type { WorkerDeps } from "../../src/workers/worker-deps.ts";
import { TEST_SERVER, type TestServer } from "../support/database.ts";
import { openTestRedis, REDIS_SERVER, type TestRedis } from "../support/redis.ts";
import { until } from "../support/work.ts";
import { hearingOf, openWorkerWorld, type WorkerWorld } from "../support/workers.ts";

interface Setting extends AsyncDisposable {
  readonly world: WorkerWorld;
  readonly redis: TestRedis | null;
  readonly deps: WorkerDeps;
}

async function open(isShared: boolean): Promise<Setting> {
  const world = await openWorkerWorld(TEST_SERVER as TestServer);
  const redis = isShared ? await openTestRedis() : null;
  return {
    world,
    redis,
    deps: { ...world.deps, redisUrl: redis?.url ?? null },
    [Symbol.asyncDispose]: async () => {
      await world[Symbol.asyncDispose]();
      await redis?.[Symbol.asyncDispose]();
    },
  };
}

const isScored =
  (world: WorkerWorld, ...ids: string[]) =>
  async (): Promise<boolean> =>
    (await Promise.all(ids.map(world.call))).every(({ status }) => status === "scored");

describe.skipIf(TEST_SERVER === null).each([
  { name: "alone", isShared: false, isThere: true },
  { name: "on Redis", isShared: true, isThere: REDIS_SERVER !== null },
])("a worker $name", ({ isShared, isThere }) => {
  describe.skipIf(!isThere)("with its server", () => {
    test("does what is enqueued, and what it finds unfinished when it starts", async () => {
      await using setting = await open(isShared);
      const { world, deps } = setting;
      const before = [await world.accept(), await world.accept()];
      await using worker = await startWorker(deps);
      await until(isScored(world, ...before), "what was there is scored");
      const after = await world.accept();
      await worker.schedule.enqueue({ id: after, tenant: "default", lane: "upload", stage: "listen" });
      await until(isScored(world, after), "what came is scored");
      expect((await world.call(after)).attempts).toBe(1);
    }, 60_000);

    test("begins no call while the service is paused, and goes on afterwards", async () => {
      await using setting = await open(isShared);
      const { world, deps } = setting;
      await world.models.settings.change({ paused: true });
      await using worker = await startWorker(deps);
      await until(() => world.logged.some(({ message }) => message === "no call is begun"), "it has seen the pause");
      const id = await world.accept();
      await worker.schedule.enqueue({ id, tenant: "default", lane: "upload", stage: "listen" });
      await sleep(1_000);
      expect((await world.call(id)).status).toBe("queued");
      await world.models.settings.change({ paused: false });
      await until(isScored(world, id), "it is scored");
    }, 60_000);

    test("begins no call while the disk is nearly full", async () => {
      await using setting = await open(isShared);
      const { world, deps } = setting;
      const id = await world.accept();
      await using worker = await startWorker({ ...deps, config: { ...deps.config, minFreeBytes: Number.MAX_SAFE_INTEGER } });
      await until(() => world.logged.some(({ fields }) => fields.why === "the disk is nearly full"), "it has seen the disk");
      const late = await world.accept();
      await worker.schedule.enqueue({ id: late, tenant: "default", lane: "upload", stage: "listen" });
      await sleep(1_000);
      expect([(await world.call(id)).status, (await world.call(late)).status]).toEqual(["queued", "queued"]);
    }, 60_000);

    test("stopped, it finishes what is short and hands back what is long; the next one takes it up", async () => {
      await using setting = await open(isShared);
      const { world, deps } = setting;
      const [short, long] = [await world.accept({ name: "short.wav" }), await world.accept({ name: "long.wav" })];
      const began = new Set<string>();
      const hearing = hearingOf(async (name, signal) => {
        began.add(name);
        await sleep(name === "short.wav" ? 300 : 60_000, undefined, { signal: signal as AbortSignal });
      });
      const worker = await startWorker({ ...deps, hearing });
      await until(() => began.size === 2, "both have begun");
      await worker.stop(1_500);
      expect(await world.call(short)).toMatchObject({ recipe: expect.any(String), attempts: 1 });
      expect(await world.call(long)).toMatchObject({ status: "queued", attempts: 0, crashes: 0 });
      await using _next = await startWorker(deps);
      await until(isScored(world, short, long), "both are scored");
      expect(await world.call(long)).toMatchObject({ attempts: 1, crashes: 0 });
    }, 60_000);

    test("takes up the call of a worker that is gone without a word", async () => {
      await using setting = await open(isShared);
      const { world, deps } = setting;
      const id = await world.accept();
      await world.models.calls.begin(id, "gone", 2_000);
      await using _worker = await startWorker(deps);
      await until(isScored(world, id), "it is scored");
      expect(await world.call(id)).toMatchObject({ attempts: 2, crashes: 1 });
    }, 60_000);
  });
});

describe.skipIf(TEST_SERVER === null || REDIS_SERVER === null)("workers on a Redis that fails", () => {
  test("nothing is lost and nothing done twice when Redis is emptied, and killed, in the middle", async () => {
    await using setting = await open(true);
    const { world, deps } = setting;
    const redis = setting.redis as TestRedis;
    const heard: string[] = [];
    const hearing = hearingOf(async (name) => {
      heard.push(name);
      await sleep(100);
    });
    await using first = await startWorker({ ...deps, hearing });
    await using _second = await startWorker({ ...deps, hearing });
    const ids: string[] = [];
    for (let i = 0; i < 30; i++) {
      const id = await world.accept({ name: `${i}.wav` });
      ids.push(id);
      await first.schedule.enqueue({ id, tenant: "default", lane: "upload", stage: "listen" });
      if (i === 10) await redis.empty();
      if (i === 20) {
        await redis.kill();
        await redis.start();
      }
    }
    await until(isScored(world, ...ids), "all are scored", 100_000);
    expect([...heard].sort()).toEqual(ids.map((_, i) => `${i}.wav`).sort());
    const calls = await Promise.all(ids.map(world.call));
    expect(calls.every(({ attempts, crashes }) => attempts === 1 && crashes === 0)).toBe(true);
  }, 120_000);
});
