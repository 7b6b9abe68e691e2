import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { createCurrentPolicies } from "../../src/models/current-policies.ts";
import { CallsiftError, type ErrorCode } from "../../src/pipeline/errors.ts";
import { createProcessor } from "../../src/workers/process-work.ts";
import { sendNext } from "../../src/workers/webhooks.ts";
import type { Process } from "../../src/workers/work.ts";
import type { Hearing } from "../../src/workers/worker-deps.ts";
import { TEST_SERVER, type TestServer } from "../support/database.ts";
import { workOf } from "../support/work.ts";
import { hearingOf, openWorkerWorld, RECIPE, transcribedOf, type WorkerWorld } from "../support/workers.ts";

const never = new AbortController().signal;

function processorOf(world: WorkerWorld, worker = "worker-1", hearing: Hearing = world.deps.hearing): Process {
  return createProcessor({ ...world.deps, hearing, policies: createCurrentPolicies(world.models.policies), worker });
}

const failing = (code: ErrorCode): Hearing =>
  hearingOf(async () => {
    throw new CallsiftError(code, "expected this, got that");
  });

describe.skipIf(TEST_SERVER === null)("the processor", () => {
  const open = () => openWorkerWorld(TEST_SERVER as TestServer);

  test("listens, saves, says that scoring is next; scores, saves, and is done", async () => {
    await using world = await open();
    const process = processorOf(world);
    const id = await world.accept({ metadata: { callId: "77", agentId: "A1" } });
    const next = await process(workOf(id), never);
    expect(next).toEqual({ kind: "next", work: workOf(id, { stage: "score" }) });
    expect(await world.call(id)).toMatchObject({ status: "listening", recipe: RECIPE, attempts: 1, crashes: 0 });
    expect(await process(workOf(id, { stage: "score" }), never)).toEqual({ kind: "done" });
    const call = await world.call(id);
    expect(call).toMatchObject({ status: "scored", attempts: 1, crashes: 0, error: null, summary: { max: 20 } });
    const screening = await world.models.screenings.get(id, RECIPE, call.policy as string);
    expect(screening).toMatchObject({
      schema: "callsift.screening/1",
      recipe: RECIPE,
      policy: call.policy,
      score: { total: call.summary?.score },
    });
    expect(await world.models.policies.kept(call.policy as string)).toMatchObject({ form: { id: "deduction-20" } });
  });

  test("does nothing twice: work that comes again changes nothing", async () => {
    await using world = await open();
    let heard = 0;
    const process = processorOf(
      world,
      "worker-1",
      hearingOf(async () => void heard++),
    );
    const id = await world.accept();
    await process(workOf(id), never);
    await process(workOf(id, { stage: "score" }), never);
    const before = await world.call(id);
    expect(await process(workOf(id), never)).toEqual({ kind: "done" });
    expect(await process(workOf(id, { stage: "score" }), never)).toEqual({ kind: "done" });
    expect([heard, await world.call(id)]).toEqual([1, before]);
  });

  test("leaves to another worker what another worker has", async () => {
    await using world = await open();
    const id = await world.accept();
    await world.models.calls.begin(id, "worker-2", 60_000);
    expect(await processorOf(world)(workOf(id), never)).toEqual({ kind: "done" });
    expect(await world.call(id)).toMatchObject({ status: "listening", attempts: 1, recipe: null });
  });

  test("work for the wrong stage is passed on to the right one", async () => {
    await using world = await open();
    const process = processorOf(world);
    const id = await world.accept();
    expect(await process(workOf(id, { stage: "score" }), never)).toEqual({ kind: "next", work: workOf(id, { stage: "listen" }) });
    await process(workOf(id), never);
    expect(await process(workOf(id), never)).toEqual({ kind: "next", work: workOf(id, { stage: "score" }) });
    expect(await process(workOf(id, { stage: "score" }), never)).toEqual({ kind: "done" });
    expect(await world.call(id)).toMatchObject({ status: "scored", attempts: 1 });
  });

  test("what cannot heal fails the call at once, with its code; one request tries it again", async () => {
    await using world = await open();
    const id = await world.accept();
    expect(await processorOf(world, "worker-1", failing("audio/unreadable"))(workOf(id), never)).toMatchObject({ kind: "failed" });
    expect(await world.call(id)).toMatchObject({
      status: "failed",
      error: { code: "audio/unreadable", message: "expected this, got that" },
    });
    expect(await world.models.calls.retry(id)).toBe(true);
    expect(await processorOf(world)(workOf(id), never)).toMatchObject({ kind: "next" });
  });

  test("what may heal is tried six times, each time later, and then fails", async () => {
    await using world = await open();
    const id = await world.accept();
    const process = processorOf(world, "worker-1", failing("asr/unreachable"));
    const delays: number[] = [];
    let outcome = await process(workOf(id), never);
    while (outcome.kind === "later") {
      delays.push(outcome.delayMs);
      expect(await world.call(id)).toMatchObject({ status: "queued", error: null, attempts: delays.length, crashes: 0 });
      outcome = await process(workOf(id), never);
    }
    expect(delays).toEqual([2_000, 8_000, 32_000, 128_000, 512_000]);
    expect(outcome).toMatchObject({ kind: "failed", error: { code: "asr/unreachable" } });
    expect(await world.call(id)).toMatchObject({ status: "failed", attempts: 6, error: { code: "asr/unreachable" } });
  });

  test("a full disk says nothing about the call: it waits, however long that takes", async () => {
    await using world = await open();
    const id = await world.accept();
    const process = processorOf(world, "worker-1", failing("output/no-space"));
    for (let i = 0; i < 8; i++) expect(await process(workOf(id), never)).toMatchObject({ kind: "later" });
    expect(await world.call(id)).toMatchObject({ status: "queued", attempts: 0, error: null });
  });

  test("a bug fails its own call only, and is logged with its place", async () => {
    await using world = await open();
    const id = await world.accept();
    const broken = hearingOf(async () => {
      throw new TypeError("x is not a function");
    });
    await processorOf(world, "worker-1", broken)(workOf(id), never);
    expect(await world.call(id)).toMatchObject({ status: "failed", error: { code: "internal/bug" } });
    expect(world.logged.find(({ level }) => level === "error")?.fields.stack).toContain("workers-processor.test.ts");
  });

  test("a recording whose bytes are gone, or are others than came, fails with its reason", async () => {
    await using world = await open();
    const gone = await world.accept();
    const source = await world.models.calls.source(gone);
    await world.files.remove(source && "key" in source.recording ? source.recording.key : "");
    await processorOf(world)(workOf(gone), never);
    expect(await world.call(gone)).toMatchObject({ status: "failed", error: { code: "recording/gone" } });
    const other = await world.accept({ sha256: "0".repeat(64) });
    await processorOf(world)(workOf(other), never);
    expect(await world.call(other)).toMatchObject({ status: "failed", error: { code: "store/damaged" } });
  });

  test("a call that was given up twice without a word is set aside", async () => {
    await using world = await open();
    const id = await world.accept();
    await world.models.calls.begin(id, "dead-1", 1);
    await sleep(5);
    await world.models.calls.begin(id, "dead-2", 1);
    await sleep(5);
    expect(await world.models.calls.unfinished({ limit: 10, abandoned: true })).toMatchObject([{ id, stage: "listen", crashes: 1 }]);
    let heard = 0;
    const outcome = await processorOf(
      world,
      "worker-1",
      hearingOf(async () => void heard++),
    )(workOf(id), never);
    expect([outcome.kind, heard]).toEqual(["failed", 0]);
    expect(await world.call(id)).toMatchObject({ status: "failed", error: { code: "call/crashed" }, crashes: 2 });
    await world.models.calls.retry(id);
    expect(await processorOf(world)(workOf(id), never)).toMatchObject({ kind: "next" });
  });

  test("words that a killed worker had saved already are not heard again", async () => {
    await using world = await open();
    const id = await world.accept();
    const { sha256 } = await world.call(id);
    await world.models.calls.begin(id, "dead", 1);
    await world.models.transcripts.save(id, "default", transcribedOf(sha256));
    await sleep(5);
    let heard = 0;
    expect(
      await processorOf(
        world,
        "worker-1",
        hearingOf(async () => void heard++),
      )(workOf(id), never),
    ).toMatchObject({ kind: "next" });
    expect(heard).toBe(0);
  });

  test("stopped in the middle it hands the call back, its attempt not counted", async () => {
    await using world = await open();
    const id = await world.accept();
    const stopping = new AbortController();
    const slow = hearingOf(async (_, signal) => {
      setTimeout(() => stopping.abort(), 50);
      await sleep(30_000, undefined, { signal: signal as AbortSignal });
    });
    expect(await processorOf(world, "worker-1", slow)(workOf(id), stopping.signal)).toEqual({ kind: "handed-back" });
    expect(await world.call(id)).toMatchObject({ status: "queued", attempts: 0, crashes: 0 });
    expect(await world.models.calls.unfinished({ limit: 10 })).toMatchObject([{ id, stage: "listen" }]);
  });

  test("a call that is deleted while it is heard leaves nothing behind", async () => {
    await using world = await open();
    const id = await world.accept();
    const deleting = hearingOf(async () => void (await world.models.calls.bury(id)));
    const process = processorOf(world, "worker-1", deleting);
    const outcome = await process(workOf(id), never);
    if (outcome.kind === "next") await process(outcome.work, never);
    expect(await world.models.transcripts.get(id, RECIPE)).toBeNull();
    expect(await world.models.calls.get(id)).toBeNull();
  });

  test("a random share of unflagged calls is sampled, the same at every try", async () => {
    await using world = await open();
    await world.models.settings.change({ sampleShare: 1 });
    const process = processorOf(world);
    const id = await world.accept();
    await process(workOf(id), never);
    await process(workOf(id, { stage: "score" }), never);
    const call = await world.call(id);
    expect(call.sampled).toBe(call.summary?.queue === "pass");
  });

  test("webhooks are told once of a score and of a failure, signed, without words or numbers", async () => {
    await using world = await open();
    const got: { headers: Record<string, unknown>; body: string }[] = [];
    let status = 500;
    const server = createServer((request, response) => {
      void text(request).then((body) => {
        got.push({ headers: request.headers, body });
        response.writeHead(status).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
    await world.models.settings.change({ webhooks: [{ id: "w1", url, secret: "s3cret", events: ["call.scored", "call.failed"] }] });
    const process = processorOf(world);
    const id = await world.accept({ metadata: { callId: "77", customerNumber: "13800138000" } });
    await process(workOf(id), never);
    await process(workOf(id, { stage: "score" }), never);
    expect(await sendNext(world.deps, never)).toBe(true);
    expect(await sendNext(world.deps, never)).toBe(false);
    expect((await world.models.deliveries.list("waiting", { limit: 10 })).items).toMatchObject([{ attempts: 1, last: "500" }]);
    expect(got).toHaveLength(1);
    const [{ headers, body }] = got as [(typeof got)[number]];
    expect(JSON.parse(body)).toMatchObject({
      event: "call.scored",
      call: { id, metadata: { callId: "77" }, status: "scored", score: { max: 20 } },
    });
    expect(body).not.toMatch(/13800138000|投诉/);
    const [, seconds, digest] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers["x-callsift-signature"])) ?? [];
    const expected = createHmac("sha256", "s3cret").update(`${seconds}.${headers["x-callsift-delivery"]}.${body}`).digest("hex");
    expect([digest, headers["x-callsift-event"]]).toEqual([expected, "call.scored"]);
    status = 410;
    const failed = await world.accept();
    await processorOf(world, "worker-1", failing("audio/unreadable"))(workOf(failed), never);
    expect(await sendNext(world.deps, never)).toBe(true);
    expect(JSON.parse(got[1]?.body ?? "")).toMatchObject({
      event: "call.failed",
      call: { id: failed, error: { code: "audio/unreadable" } },
    });
    expect((await world.models.deliveries.list("dead", { limit: 10 })).items).toMatchObject([{ callId: failed, last: "410" }]);
    await world.models.settings.change({
      webhooks: [{ id: "w1", url: "http://169.254.169.254/", secret: "s3cret", events: ["call.failed"] }],
    });
    await processorOf(world, "worker-1", failing("audio/unreadable"))(workOf(await world.accept()), never);
    expect(await sendNext(world.deps, never)).toBe(true);
    expect((await world.models.deliveries.list("dead", { limit: 10 })).items[0]?.last).toContain("source/refused");
    server.close();
  });
});
