import { describe, expect, test } from "vitest";
import type { Unfinished } from "../../src/models/calls.ts";
import { createReconciler, type ReconcilerDeps } from "../../src/workers/reconciler.ts";
import { workOf } from "../support/work.ts";

interface World {
  nowMs: number;
  unfinished: Unfinished[];
  abandoned: Unfinished[];
  isAway: boolean;
  known: number;
  hasTurn: boolean;
}

function worldOf(more: Partial<ReconcilerDeps> = {}) {
  const world: World = { nowMs: 1_000_000, unfinished: [], abandoned: [], isAway: false, known: 0, hasTurn: true };
  const put = { plain: [] as string[], again: [] as string[], troubles: 0 };
  const reconciler = createReconciler({
    calls: {
      async unfinished({ limit, after, abandoned }) {
        if (world.isAway) throw new Error("away");
        const all = abandoned ? world.abandoned : world.unfinished;
        return all.filter(({ id }) => after === undefined || id > after).slice(0, limit);
      },
    },
    enqueue: async ({ id }) => void put.plain.push(id),
    enqueueAgain: async ({ id }) => void put.again.push(id),
    known: async () => world.known,
    isTurn: async () => world.hasTurn,
    onTrouble: () => void put.troubles++,
    hasPeers: false,
    now: () => world.nowMs,
    ...more,
  });
  const sweepAfter = async (ms: number): Promise<void> => {
    world.nowMs += ms;
    await reconciler.sweep();
  };
  return { world, put, sweepAfter };
}

const calls = (count: number): Unfinished[] => Array.from({ length: count }, (_, i) => workOf(`c${String(i).padStart(6, "0")}`));

describe("reconciler", () => {
  test("enqueues all that is unfinished at the start, and once a minute", async () => {
    const { world, put, sweepAfter } = worldOf();
    world.unfinished = calls(3);
    await sweepAfter(0);
    expect(put.plain).toHaveLength(3);
    for (let i = 0; i < 19; i++) await sweepAfter(3_000);
    expect(put.plain).toHaveLength(3);
    await sweepAfter(3_000);
    expect(put.plain).toHaveLength(6);
  });

  test("enqueues a large backlog part by part, the next one when the schedule runs low", async () => {
    const { world, put, sweepAfter } = worldOf();
    world.unfinished = calls(25_000);
    await sweepAfter(0);
    expect(put.plain).toHaveLength(10_000);
    world.known = 9_000;
    await sweepAfter(3_000);
    expect(put.plain).toHaveLength(10_000);
    world.known = 1_000;
    await sweepAfter(3_000);
    await sweepAfter(3_000);
    expect(new Set(put.plain).size).toBe(25_000);
    await sweepAfter(3_000);
    expect(put.plain).toHaveLength(25_000);
  });

  test("calls of workers that are gone are enqueued again at each look, everything else only by whose turn it is", async () => {
    const { world, put, sweepAfter } = worldOf();
    world.hasTurn = false;
    world.unfinished = calls(2);
    world.abandoned = calls(1);
    await sweepAfter(0);
    await sweepAfter(3_000);
    expect(put).toMatchObject({ plain: [], again: ["c000000", "c000000"] });
  });

  test("leases that ran out while the database was away are not taken for given up at once", async () => {
    const { world, put, sweepAfter } = worldOf();
    await sweepAfter(0);
    world.isAway = true;
    await sweepAfter(3_000);
    await sweepAfter(60_000);
    expect(put.troubles).toBe(2);
    world.isAway = false;
    world.abandoned = calls(1);
    world.unfinished = calls(1);
    await sweepAfter(3_000);
    await sweepAfter(3_000);
    expect(put).toMatchObject({ plain: [], again: [] });
    await sweepAfter(3_000);
    expect(put).toMatchObject({ plain: ["c000000"], again: ["c000000"] });
  });

  test("among others it waits at the start until the living have renewed their leases", async () => {
    const { world, put, sweepAfter } = worldOf({ hasPeers: true });
    world.abandoned = calls(1);
    await sweepAfter(0);
    await sweepAfter(3_000);
    expect(put.again).toEqual([]);
    await sweepAfter(3_000);
    expect(put.again).toEqual(["c000000"]);
  });
});
