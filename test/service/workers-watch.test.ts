import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { moveDone } from "../../src/workers/sources/move-done.ts";
import { openForWriting } from "../../src/workers/sources/open-for-writing.ts";
import { type FolderWatch, type WatchOptions, watchFolder } from "../../src/workers/sources/watch-folder.ts";
import { createTestFolder } from "../support/audio-files.ts";
import { TEST_SERVER, type TestServer } from "../support/database.ts";
import { until } from "../support/work.ts";
import { openWorkerWorld, type WorkerWorld } from "../support/workers.ts";

let folder: ReturnType<typeof createTestFolder>;
beforeEach(() => {
  folder = createTestFolder();
});
afterEach(() => folder.remove());

const write = (name: string, content: string): string => {
  const path = folder.file(name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, content);
  return path;
};

test("a move goes over no other file, and a file that is gone already is no failure", async () => {
  const done = folder.file("done");
  expect(await moveDone(write("in/a.wav", "one"), done, "x/a.wav")).toBe(join(done, "x/a.wav"));
  expect(await moveDone(write("in/a.wav", "two"), done, "x/a.wav")).toBe(join(done, "x/a.1.wav"));
  expect(await moveDone(folder.file("in/a.wav"), done, "x/a.wav")).toBeNull();
  expect(readdirSync(join(done, "x")).map((name) => [name, readFileSync(join(done, "x", name), "utf8")])).toEqual([
    ["a.1.wav", "two"],
    ["a.wav", "one"],
  ]);
});

test.skipIf(!existsSync("/dev/shm") || !existsSync("/proc"))(
  "a move to another disk leaves the same bytes there, and nothing here",
  async () => {
    const path = write("a.wav", "sound");
    const other = join("/dev/shm", `callsift-test-${process.pid}`);
    try {
      expect(await moveDone(path, other, "a.wav")).toBe(join(other, "a.wav"));
      expect([existsSync(path), readFileSync(join(other, "a.wav"), "utf8")]).toEqual([false, "sound"]);
    } finally {
      (await import("node:fs")).rmSync(other, { recursive: true, force: true });
    }
  },
);

test.skipIf(!existsSync("/proc/self/fd"))("a file is known to be written by who has it open for that, not by who reads it", async () => {
  const [written, read] = [write("w.wav", "x"), write("r.wav", "x")];
  const [one, two] = [openSync(written, "a"), openSync(read, "r")];
  try {
    expect([...(await openForWriting(new Set([written, read])))]).toEqual([written]);
  } finally {
    closeSync(one);
    closeSync(two);
  }
  expect((await openForWriting(new Set([written, read]))).size).toBe(0);
});

describe.skipIf(TEST_SERVER === null)("a watched folder", () => {
  async function open(
    more: Partial<WatchOptions> = {},
  ): Promise<{ world: WorkerWorld; watch: FolderWatch; enqueued: string[] } & AsyncDisposable> {
    const world = await openWorkerWorld(TEST_SERVER as TestServer);
    const enqueued: string[] = [];
    const watch = await watchFolder({
      models: world.models,
      files: world.files,
      tenant: "default",
      maxBytes: 1e6,
      pattern: null,
      folder: folder.file("in"),
      doneFolder: folder.file("in/done"),
      dataDir: world.folder,
      log: world.deps.log,
      enqueue: async ({ id }) => void enqueued.push(id),
      stableMs: 700,
      ...more,
    });
    return {
      world,
      watch,
      enqueued,
      [Symbol.asyncDispose]: async () => {
        await watch[Symbol.asyncDispose]();
        await world[Symbol.asyncDispose]();
      },
    };
  }

  const names = async (world: WorkerWorld) =>
    (await world.models.calls.list({ tenant: "default" }, {}, { limit: 200, sort: "-startedAt" })).items.map(({ name }) => name).sort();

  test("takes what was there and what comes, each once, and moves it with what lies beside it", async () => {
    write("in/old.wav", "old");
    await using opened = await open();
    const { world, enqueued } = opened;
    await until(() => enqueued.length === 1, "the old one is taken");
    write("in/2026/new.meta.json", JSON.stringify({ agentId: "A1" }));
    write("in/2026/new.transcript.json", JSON.stringify({ utterances: [] }));
    write("in/2026/new.wav", "new");
    write("in/notes.txt", "x");
    write("in/.hidden.wav", "x");
    await until(() => enqueued.length === 2, "the new one is taken");
    await until(() => !existsSync(folder.file("in/2026/new.wav")), "it is moved");
    expect(await names(world)).toEqual(["new.wav", "old.wav"]);
    const calls = (await world.models.calls.list({ tenant: "default" }, { agentId: "A1" }, { limit: 2, sort: "-startedAt" })).items;
    expect(calls).toMatchObject([{ name: "new.wav", lane: "folder", metadata: { agentId: "A1" } }]);
    expect(readFileSync(folder.file("in/done/2026/new.wav"), "utf8")).toBe("new");
    expect(readdirSync(folder.file("in/done/2026")).sort()).toEqual(["new.meta.json", "new.transcript.json", "new.wav"]);
    expect(readdirSync(folder.file("in")).sort()).toEqual([".hidden.wav", "2026", "done", "notes.txt"]);
    // The same bytes under another name are moved and are no second call.
    write("in/again.wav", "new");
    await until(() => existsSync(folder.file("in/done/again.wav")), "it is moved");
    expect([await names(world), enqueued.length]).toEqual([["new.wav", "old.wav"], 2]);
  }, 60_000);

  test("waits for a file that is still being written, however long its writer rests", async () => {
    mkdirSync(folder.file("in"));
    await using opened = await open();
    const { world, enqueued } = opened;
    const path = folder.file("in/slow.wav");
    const writer = openSync(path, "a");
    for (let i = 0; i < 4; i++) {
      writeSync(writer, "part ");
      await sleep(300);
    }
    // Its size stays the same for longer than it takes to be whole, but its writer has it open.
    await sleep(2_000);
    expect(enqueued).toEqual([]);
    writeSync(writer, "end");
    closeSync(writer);
    await until(() => enqueued.length === 1, "it is taken");
    expect((await world.call(enqueued[0] as string)).bytes).toBe("part part part part end".length);
  }, 60_000);

  test("waits while others append to it and close it again, and takes a file that is moved in", async () => {
    mkdirSync(folder.file("in"));
    await using opened = await open();
    const { world, enqueued } = opened;
    for (let i = 0; i < 6; i++) {
      appendFileSync(folder.file("in/parts.wav"), "part ");
      await sleep(300);
    }
    renameSync(write("elsewhere.wav", "moved"), folder.file("in/moved.wav"));
    await until(() => enqueued.length === 2, "both are taken");
    const calls = await Promise.all(enqueued.map(world.call));
    expect(calls.map(({ bytes }) => bytes).sort((a, b) => a - b)).toEqual([5, 30]);
  }, 60_000);

  test("takes two files of one call as one call", async () => {
    mkdirSync(folder.file("in"));
    write("in/c.meta.json", JSON.stringify({ legs: { agent: "c.a.wav", customer: "c.b.wav" } }));
    write("in/c.a.wav", "agent");
    write("in/c.b.wav", "customer");
    await using opened = await open();
    const { world, enqueued } = opened;
    await until(() => enqueued.length === 1, "it is taken");
    await until(() => !existsSync(folder.file("in/c.b.wav")), "its files are moved");
    await sleep(1_500);
    expect(await names(world)).toEqual(["c"]);
    expect(await world.models.calls.source(enqueued[0] as string)).toMatchObject({ recording: { agentKey: expect.any(String) } });
    expect(readdirSync(folder.file("in/done")).sort()).toEqual(["c.a.wav", "c.b.wav", "c.meta.json"]);
  }, 60_000);

  test("leaves what it cannot take where it is, says so, and takes it once it is mended", async () => {
    mkdirSync(folder.file("in"));
    await using opened = await open({ doneFolder: null });
    const { world, enqueued } = opened;
    write("in/bad.meta.json", "{");
    write("in/bad.wav", "sound");
    await until(() => world.logged.some(({ fields }) => fields.code === "metadata/invalid"), "it is told");
    expect([enqueued, existsSync(folder.file("in/bad.wav"))]).toEqual([[], true]);
    write("in/bad.meta.json", JSON.stringify({ agentId: "A1" }));
    appendFileSync(folder.file("in/bad.wav"), "!");
    await until(() => enqueued.length === 1, "it is taken");
    expect((await world.call(enqueued[0] as string)).metadata).toEqual({ agentId: "A1" });
    expect(existsSync(folder.file("in/bad.wav"))).toBe(true);
  }, 60_000);
});
