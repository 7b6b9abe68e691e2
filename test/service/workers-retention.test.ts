import { describe, expect, test } from "vitest";
import { createCurrentPolicies } from "../../src/models/current-policies.ts";
import { createProcessor } from "../../src/workers/process-work.ts";
import { applyRetention, deleteCustomer, type RetentionOptions } from "../../src/workers/retention.ts";
import { TEST_SERVER, type TestServer } from "../support/database.ts";
import { workOf } from "../support/work.ts";
import { openWorkerWorld, RECIPE, type WorkerWorld } from "../support/workers.ts";

const never = new AbortController().signal;
const DAY_MS = 24 * 3_600_000;

async function scored(world: WorkerWorld, customerNumber: string): Promise<string> {
  const process = createProcessor({ ...world.deps, policies: createCurrentPolicies(world.models.policies), worker: "worker-1" });
  const id = await world.accept({ metadata: { customerNumber } });
  await process(workOf(id), never);
  await process(workOf(id, { stage: "score" }), never);
  return id;
}

describe.skipIf(TEST_SERVER === null)("what must not be kept", () => {
  async function open() {
    const world = await openWorkerWorld(TEST_SERVER as TestServer);
    const derived: string[] = [];
    const deps = { models: world.models, files: world.files, derived: { remove: async (id: string) => void derived.push(id) } };
    return { world, deps, derived, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
  }
  const later = (days: number): Date => new Date(Date.now() + days * DAY_MS);
  const options = (more: Partial<RetentionOptions>): RetentionOptions => ({
    tenant: "default",
    retention: { recordingsDays: 30, transcriptsDays: 60, resultsDays: 90 },
    dryRun: false,
    signal: never,
    ...more,
  });
  const nothing = { calls: 0, recordings: 0, bytes: 0, transcripts: 0 };

  test("goes by age: first the sound, then the words, then the rest; a dry run says the same and removes nothing", async () => {
    await using opened = await open();
    const { world, deps } = opened;
    const id = await scored(world, "138");
    const waiting = await world.accept();
    const { bytes } = await world.call(id);
    const steps = [
      { days: 29, expected: nothing },
      { days: 31, expected: { ...nothing, recordings: 1, bytes } },
      { days: 31, expected: nothing },
      { days: 61, expected: { ...nothing, transcripts: 1 } },
      { days: 91, expected: { ...nothing, calls: 1 } },
      { days: 91, expected: nothing },
    ];
    for (const { days, expected } of steps) {
      const dry = await applyRetention(options({ now: later(days), dryRun: true }), deps);
      expect(dry).toEqual({ dryRun: true, ...expected });
      expect(await applyRetention(options({ now: later(days) }), deps)).toEqual({ dryRun: false, ...expected });
      if (days < 61) expect(await world.models.transcripts.get(id, RECIPE)).not.toBeNull();
      if (days < 91) expect((await world.call(id)).summary).not.toBeNull();
    }
    expect(await world.models.calls.get(id)).toBeNull();
    // What nobody has worked on yet is kept, however old it is.
    expect((await world.call(waiting)).status).toBe("queued");
  });

  test("goes by outcome, and stays where no age is set", async () => {
    await using opened = await open();
    const { world, deps } = opened;
    const id = await scored(world, "138");
    const queue = (await world.call(id)).summary?.queue;
    const other = queue === "review" ? "pass" : "review";
    const now = later(1000);
    const never = { recordingsDays: null, transcriptsDays: null, resultsDays: null };
    expect(await applyRetention(options({ now, retention: never }), deps)).toMatchObject(nothing);
    expect(await applyRetention(options({ now, queue: other }), deps)).toMatchObject(nothing);
    expect(await applyRetention(options({ now, ...(queue && { queue }) }), deps)).toMatchObject({
      calls: 1,
      recordings: 1,
      transcripts: 1,
    });
  });

  test("of one customer goes everywhere, with a receipt; others' calls stay", async () => {
    await using opened = await open();
    const { world, deps, derived } = opened;
    const gone = [await scored(world, "138"), await scored(world, "138")];
    const kept = await scored(world, "139");
    const who = { tenant: "default", customerNumber: "138" };
    const bytes = (await Promise.all(gone.map(world.call))).reduce((sum, call) => sum + call.bytes, 0);
    const counts = { calls: gone, recordings: 2, bytes, transcripts: 2, screenings: 2, reviews: 0 };
    expect(await deleteCustomer({ ...who, dryRun: true }, deps)).toMatchObject(counts);
    expect(await deleteCustomer({ ...who, dryRun: false }, deps)).toMatchObject(counts);
    for (const id of gone) {
      expect(await world.models.calls.get(id)).toBeNull();
      expect(await world.models.transcripts.get(id, RECIPE)).toBeNull();
      expect(derived).toContain(id);
    }
    expect(await deleteCustomer({ ...who, dryRun: false }, deps)).toMatchObject({ calls: [], recordings: 0 });
    expect((await world.call(kept)).status).toBe("scored");
    expect(await world.models.transcripts.get(kept, RECIPE)).not.toBeNull();
  });
});
