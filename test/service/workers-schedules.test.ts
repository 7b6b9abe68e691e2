import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Schedule } from "../../src/models/schedule.ts";
import { CallsiftError } from "../../src/pipeline/errors.ts";
import { openQueueSchedule, openQueueWorkers } from "../../src/workers/schedule-bullmq.ts";
import { createInProcessSchedule } from "../../src/workers/schedule-in-process.ts";
import type { Hands, Outcome, Process } from "../../src/workers/work.ts";
import { openTestRedis, REDIS_SERVER } from "../support/redis.ts";
import { until, workOf } from "../support/work.ts";

interface Opened extends AsyncDisposable {
  readonly schedule: Schedule;
  readonly hands: Hands;
}

type Open = (process: Process, concurrency?: number) => Promise<Opened>;

const inProcess: Open = async (process, concurrency = 1) => {
  const schedule = createInProcessSchedule({ process, concurrency: { listen: concurrency, score: 1 } });
  return { schedule, hands: schedule.hands, [Symbol.asyncDispose]: () => schedule[Symbol.asyncDispose]() };
};

const bullmq: Open = async (process, concurrency = 1) => {
  const redis = await openTestRedis();
  const schedule = openQueueSchedule(redis.url);
  await until(() => answers(schedule), "Redis answers");
  const hands = openQueueWorkers(redis.url, { process, concurrency: { listen: concurrency, score: 1 }, schedule });
  return {
    schedule,
    hands,
    [Symbol.asyncDispose]: async () => {
      for (const opened of [hands, schedule, redis]) await opened[Symbol.asyncDispose]();
    },
  };
};

const answers = (schedule: Schedule): Promise<boolean> =>
  schedule.ping().then(
    () => true,
    () => false,
  );

const DONE: Outcome = { kind: "done" };
const failure = new CallsiftError("asr/busy", "expected room, got none");

describe.each([
  { name: "in process", open: inProcess, isThere: true },
  { name: "BullMQ on Redis", open: bullmq, isThere: REDIS_SERVER !== null },
])("schedule: $name", ({ open, isThere }) => {
  describe.skipIf(!isThere)("with its server", () => {
    /** Opened with its hands held, so that the order is that of the schedule and not of the moment. */
    async function orderOf(enqueue: (schedule: Schedule) => Promise<void>): Promise<string[]> {
      const order: string[] = [];
      await using opened = await open(async ({ id }) => {
        order.push(id);
        return DONE;
      });
      await opened.schedule.pause();
      await enqueue(opened.schedule);
      const { waiting } = (await opened.schedule.depth()).listen;
      await opened.schedule.resume();
      await until(() => order.length >= waiting, "all is done");
      return order;
    }

    test("people's uploads come before folders, folders before back-loads", async () => {
      const order = await orderOf(async (schedule) => {
        for (const lane of ["bulk", "folder", "upload"] as const) {
          await schedule.enqueue(workOf(`${lane}-1`, { lane }));
          await schedule.enqueue(workOf(`${lane}-2`, { lane }));
        }
      });
      expect(order).toEqual(["upload-1", "upload-2", "folder-1", "folder-2", "bulk-1", "bulk-2"]);
    });

    test("tenants take turns: one's back-load does not stand before another's calls", async () => {
      const order = await orderOf(async (schedule) => {
        for (let i = 1; i <= 20; i++) await schedule.enqueue(workOf(`a${i}`, { tenant: "a" }));
        for (let i = 1; i <= 3; i++) await schedule.enqueue(workOf(`b${i}`, { tenant: "b" }));
      });
      expect(order).toHaveLength(23);
      expect(order.indexOf("b3")).toBeLessThan(7);
      expect(order.filter((id) => id.startsWith("a"))).toEqual(Array.from({ length: 20 }, (_, i) => `a${i + 1}`));
    });

    test("the same work twice is done once, and can come again when it is done", async () => {
      const order: string[] = [];
      await using opened = await open(async ({ id }) => {
        order.push(id);
        return DONE;
      });
      await opened.schedule.pause();
      for (let i = 0; i < 5; i++) await opened.schedule.enqueue(workOf("call"));
      expect((await opened.schedule.depth()).listen).toMatchObject({ waiting: 1, active: 0, delayed: 0 });
      await opened.schedule.resume();
      await until(() => order.length > 0, "it is done");
      await until(async () => (await opened.schedule.depth()).listen.active === 0, "it has ended");
      await opened.schedule.enqueue(workOf("call"));
      await until(() => order.length > 1, "it is done again");
      expect(order).toEqual(["call", "call"]);
    });

    test("the next stage follows; what may heal is tried again after its delay; what failed is not", async () => {
      const seen: string[] = [];
      const began = new Map<string, number>();
      await using opened = await open(async ({ id, stage }): Promise<Outcome> => {
        seen.push(`${stage} ${id}`);
        if (id === "heals" && !began.has(id)) {
          began.set(id, Date.now());
          return { kind: "later", delayMs: 300, error: failure };
        }
        if (id === "fails") return { kind: "failed", error: failure };
        return stage === "listen" ? { kind: "next", work: workOf(id, { stage: "score" }) } : DONE;
      });
      for (const id of ["plain", "heals", "fails"]) await opened.schedule.enqueue(workOf(id));
      await until(() => seen.includes("score heals"), "the healed call is scored");
      expect(Date.now() - (began.get("heals") ?? 0)).toBeGreaterThanOrEqual(300);
      expect([...seen].sort()).toEqual(["listen fails", "listen heals", "listen heals", "listen plain", "score heals", "score plain"]);
    });

    test("no more at once than its concurrency", async () => {
      let active = 0;
      let most = 0;
      let done = 0;
      await using opened = await open(async () => {
        most = Math.max(most, ++active);
        await sleep(30);
        active--;
        done++;
        return DONE;
      }, 3);
      for (let i = 0; i < 12; i++) await opened.schedule.enqueue(workOf(`call-${i}`));
      await until(() => done === 12, "all is done");
      expect(most).toBe(3);
    });

    test("hands that are held take nothing; stopped ones finish what they have, or hand it back after the grace", async () => {
      const seen: string[] = [];
      await using opened = await open(async ({ id }, signal): Promise<Outcome> => {
        seen.push(id);
        if (id === "quick") return DONE;
        await sleep(30_000, undefined, { signal }).catch(() => {});
        return signal.aborted ? { kind: "handed-back" } : DONE;
      });
      opened.hands.pause();
      await opened.schedule.enqueue(workOf("quick"));
      await sleep(400);
      expect(seen).toEqual([]);
      opened.hands.resume();
      await until(() => seen.length === 1, "it goes on");
      await opened.schedule.enqueue(workOf("long"));
      await until(() => seen.includes("long"), "the long one has begun");
      await opened.schedule.enqueue(workOf("after"));
      await opened.hands.stop(200);
      expect(seen).toEqual(["quick", "long"]);
    });
  });
});

describe.skipIf(REDIS_SERVER === null)("queues on a Redis that fails", () => {
  test("enqueueing without Redis does not fail, ping says so, and both are back with it", async () => {
    await using redis = await openTestRedis();
    const seen: string[] = [];
    await using schedule = openQueueSchedule(redis.url);
    await until(() => answers(schedule), "Redis answers");
    await using _hands = openQueueWorkers(redis.url, {
      process: async ({ id }) => {
        seen.push(id);
        return DONE;
      },
      concurrency: { listen: 1, score: 1 },
      schedule,
    });
    await redis.kill();
    await schedule.enqueue(workOf("lost"));
    await expect(schedule.ping()).rejects.toMatchObject({ code: "queue/unreachable" });
    await redis.start();
    await until(() => answers(schedule), "Redis answers again");
    await schedule.enqueue(workOf("found"));
    await until(() => seen.includes("found"), "work goes on", 30_000);
    expect(seen).toEqual(["found"]);
  });

  test("a job that was handed back is there for another worker at once", async () => {
    await using redis = await openTestRedis();
    await using schedule = openQueueSchedule(redis.url);
    await until(() => answers(schedule), "Redis answers");
    const began: string[] = [];
    const concurrency = { listen: 1, score: 1 };
    const first = openQueueWorkers(redis.url, {
      process: async ({ id }, signal) => {
        began.push(`first ${id}`);
        await sleep(30_000, undefined, { signal }).catch(() => {});
        return { kind: "handed-back" };
      },
      concurrency,
      schedule,
    });
    await schedule.enqueue(workOf("call"));
    await until(() => began.length === 1, "the first has it");
    await first.stop(0);
    expect((await schedule.depth()).listen).toMatchObject({ waiting: 1, active: 0 });
    await using _second = openQueueWorkers(redis.url, {
      process: async ({ id }) => {
        began.push(`second ${id}`);
        return DONE;
      },
      concurrency,
      schedule,
    });
    await until(() => began.length === 2, "the second has it");
    expect(began).toEqual(["first call", "second call"]);
  });

  test("work of a worker that is gone is enqueued beside its dead job", async () => {
    await using redis = await openTestRedis();
    await using schedule = openQueueSchedule(redis.url);
    await until(() => answers(schedule), "Redis answers");
    let began = 0;
    await using _hands = openQueueWorkers(redis.url, {
      process: async (_, signal) => {
        if (++began === 1) await sleep(30_000, undefined, { signal }).catch(() => {});
        return DONE;
      },
      concurrency: { listen: 2, score: 1 },
      schedule,
    });
    await schedule.enqueue(workOf("call"));
    await until(() => began === 1, "it has begun");
    await schedule.enqueue(workOf("call"));
    await sleep(200);
    expect(began).toBe(1);
    await schedule.enqueueAgain(workOf("call"));
    await until(() => began === 2, "it has begun again");
    expect(await schedule.isFirst("sweep", 60_000)).toBe(true);
    expect(await schedule.isFirst("sweep", 60_000)).toBe(false);
  });
});
