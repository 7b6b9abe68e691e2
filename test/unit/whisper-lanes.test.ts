import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, it } from "vitest";
import { createLanes, type Lanes } from "../../src/pipeline/asr/whisper/lanes.ts";

/**
 * A thread that keeps the protocol of whisper-worker.ts and does what the first sample says: 0 hears, 1 ends, 2 throws, 3 works until it is stopped, 4 works for half a second
 * whatever happens.
 */
const SCRIPT = `
const { parentPort, threadId } = require("node:worker_threads");
parentPort.postMessage({ kind: "opened" });
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let last = Promise.resolve();
const heard = (text) => ({ text, tokens: [], confidence: 1, noSpeech: 0, capped: false, looped: false, prompted: false, languages: null, tags: { thread: String(threadId) } });
async function serve(order) {
  if (order === null) return parentPort.close();
  if (order.kind === "weigh") return parentPort.postMessage({ kind: "weighed", id: order.id, weights: order.texts.map((text) => -text.length) });
  if (order.kind === "release") return;
  const [what, name] = order.sound;
  if (what === 1) process.exit(7);
  if (what === 2) throw new Error("broken");
  if (what === 3) while (Atomics.load(order.stop, 0) === 0) await wait(5);
  if (what === 4) await wait(500);
  if (Atomics.load(order.stop, 0) === 1) parentPort.postMessage({ kind: "failed", id: order.id, code: "aborted", message: "stopped", cause: null });
  else parentPort.postMessage({ kind: "heard", id: order.id, heard: heard(String(name)) });
}
parentPort.on("message", (order) => { last = last.then(() => serve(order)); });
`;

const [HEAR, END, THROW, UNTIL_STOPPED, STUBBORN] = [0, 1, 2, 3, 4];
const piece = (what = HEAR, name = 0) => Float32Array.of(what, name);
const zh = { language: "zh" } as const;

let lanes: Lanes | undefined;
let started = 0;
function open(count: number): Lanes {
  started = 0;
  lanes = createLanes(() => {
    started++;
    return new Worker(SCRIPT, { eval: true });
  }, count);
  return lanes;
}
afterEach(async () => {
  await lanes?.[Symbol.asyncDispose]();
});

describe("lanes", () => {
  it("start threads as there is work for them, and no more than there are lanes", async () => {
    const threads = open(2);
    await threads.open();
    expect(started).toBe(1);
    await threads.hear(piece(), zh);
    expect(started).toBe(1);
    await Promise.all(Array.from({ length: 6 }, () => threads.hear(piece(), zh)));
    expect(started).toBe(2);
  });

  it("take pieces in the order they come", async () => {
    const threads = open(1);
    const order: string[] = [];
    await Promise.all([5, 3, 9, 1].map((name) => threads.hear(piece(HEAR, name), zh).then(({ text }) => order.push(text))));
    expect(order).toEqual(["5", "3", "9", "1"]);
  });

  it.each([
    ["ends", END],
    ["throws", THROW],
  ])("fail the piece of a thread that %s, and replace the thread", async (_, what) => {
    const threads = open(1);
    const failing = threads.hear(piece(what), zh);
    const next = threads.hear(piece(HEAR, 4), zh);
    await expect(failing).rejects.toMatchObject({ name: "CallsiftError", code: "asr/failed" });
    expect((await next).text).toBe("4");
    expect(started).toBe(2);
  });

  it("say why a thread cannot be opened", async () => {
    lanes = createLanes(
      () =>
        new Worker(
          `const { parentPort } = require("node:worker_threads");
           parentPort.postMessage({ kind: "failed", id: null, code: "weights/damaged", message: "no weights", cause: null });`,
          { eval: true },
        ),
      1,
    );
    await expect(lanes.open()).rejects.toMatchObject({ code: "weights/damaged", message: "no weights" });
  });

  it("let go of a piece that is aborted, whether it waits or is worked on", async () => {
    const threads = open(1);
    const first = new AbortController();
    const second = new AbortController();
    const running = threads.hear(piece(UNTIL_STOPPED), { ...zh, signal: first.signal });
    const waiting = threads.hear(piece(), { ...zh, signal: second.signal });
    const last = threads.hear(piece(HEAR, 2), zh);
    second.abort();
    await expect(waiting).rejects.toMatchObject({ code: "aborted" });
    first.abort();
    await expect(running).rejects.toMatchObject({ code: "aborted" });
    expect((await last).text).toBe("2");
    await expect(threads.hear(piece(), { ...zh, signal: first.signal })).rejects.toMatchObject({ code: "aborted" });
    expect(started).toBe(1);
  });

  it("let go at once though the thread is slow to notice, and use it again when it has", async () => {
    const threads = open(1);
    const controller = new AbortController();
    const order: string[] = [];
    const slow = threads.hear(piece(STUBBORN), { ...zh, signal: controller.signal }).catch(({ code }) => order.push(code));
    const next = threads.hear(piece(HEAR, 8), zh).then(({ text }) => order.push(text));
    controller.abort();
    await Promise.all([slow, next]);
    expect(order).toEqual(["aborted", "8"]);
    expect(started).toBe(1);
  });

  it("count a piece's time from when its turn comes", async () => {
    const threads = open(1);
    const late = threads.hear(piece(UNTIL_STOPPED), { ...zh, timeoutMs: 300 });
    const patient = threads.hear(piece(HEAR, 6), { ...zh, timeoutMs: 250 });
    await expect(late).rejects.toMatchObject({ code: "asr/time-out" });
    expect((await patient).text).toBe("6");
  });

  it("weigh texts where the piece was heard, until it is released", async () => {
    const threads = open(2);
    const kept = await threads.hear(piece(), { ...zh, keep: true });
    expect(await kept.weigh?.(["a", "bcd"])).toEqual([-1, -3]);
    kept.release();
    kept.release();
    await expect(kept.weigh?.(["a"])).rejects.toMatchObject({ code: "internal/bug" });
    expect((await threads.hear(piece(), zh)).weigh).toBeNull();
  });

  it("fail to weigh where the thread is gone", async () => {
    const threads = open(1);
    const kept = await threads.hear(piece(), { ...zh, keep: true });
    await threads.hear(piece(END), zh).catch(() => {});
    await expect(kept.weigh?.(["a"])).rejects.toMatchObject({ code: "asr/failed" });
    kept.release();
  });

  it("end what runs and what waits when they are closed", async () => {
    const threads = open(1);
    const running = threads.hear(piece(UNTIL_STOPPED), zh);
    const waiting = threads.hear(piece(), zh);
    const outcomes = Promise.allSettled([running, waiting]);
    await threads[Symbol.asyncDispose]();
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ status: "rejected", reason: { code: "aborted" } });
    await expect(threads.hear(piece(), zh)).rejects.toMatchObject({ code: "aborted" });
  });
});
