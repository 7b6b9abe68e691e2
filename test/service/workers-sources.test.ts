import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CallsiftError } from "../../src/pipeline/errors.ts";
import { type BackLoadOptions, backLoad, doneListOf } from "../../src/workers/sources/back-load.ts";
import { openDoneFiles } from "../../src/workers/sources/done-files.ts";
import { callOfFile, findCalls } from "../../src/workers/sources/found-call.ts";
import { type MetadataRow, readMetadataRows } from "../../src/workers/sources/metadata-rows.ts";
import { parseNamePattern } from "../../src/workers/sources/name-pattern.ts";
import { createPace } from "../../src/workers/sources/pace.ts";
import { createTestFolder } from "../support/audio-files.ts";
import { TEST_SERVER, type TestServer } from "../support/database.ts";
import { openWorkerWorld, type WorkerWorld } from "../support/workers.ts";

const never = new AbortController().signal;
let folder: ReturnType<typeof createTestFolder>;
beforeEach(() => {
  folder = createTestFolder();
});
afterEach(() => folder.remove());

const write = (name: string, content: string | Uint8Array): string => {
  const path = folder.file(name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, content);
  return path;
};

describe("finding calls", () => {
  test("in order, below each folder, without what is hidden, beside or a leg of another", async () => {
    for (const name of [
      "b.wav",
      "a/2.mp3",
      "a/1.WAV",
      "a/1.meta.json",
      "a/1.transcript.json",
      ".hidden/x.wav",
      ".x.wav",
      "notes.txt",
      "done/old.wav",
    ])
      write(name, "x");
    write("pair.meta.json", JSON.stringify({ legs: { agent: "pair.agent.wav", customer: "sub/pair.customer.wav" } }));
    write("pair.agent.wav", "x");
    write("sub/pair.customer.wav", "x");
    write("sub/other.wav", "x");
    write("broken.meta.json", "{");
    const found = [];
    for await (const { name, legs } of findCalls(folder.path, { except: [folder.file("done")] })) found.push([name, legs !== null]);
    expect(found).toEqual([
      ["b.wav", false],
      ["pair", true],
      ["a/1.WAV", false],
      ["a/2.mp3", false],
      ["sub/other.wav", false],
    ]);
    const below = { "sub/pair.customer.wav": null, "sub/other.wav": { name: "sub/other.wav" } };
    for (const [name, call] of Object.entries(below)) {
      const found = await callOfFile(folder.path, folder.file(name), ["pair.customer.wav", "other.wav"]);
      if (call) expect(found).toMatchObject(call);
      else expect(found).toBeNull();
    }
  });
});

describe("the list of what is done", () => {
  const mark = { name: "a.wav", bytes: 10, modifiedMs: 1.5 };

  test("is kept over restarts; another size or time is another file; a line that was cut is passed over", async () => {
    const path = folder.file("x/list.done");
    {
      await using done = await openDoneFiles(path);
      await done.add(mark);
      await done.add(mark);
      await done.add({ ...mark, name: "b.wav" });
    }
    expect(readFileSync(path, "utf8").split("\n")).toHaveLength(3);
    appendFileSync(path, "cut");
    await using done = await openDoneFiles(path);
    expect([done.size, done.has(mark), done.has({ ...mark, bytes: 11 }), done.has({ ...mark, modifiedMs: 2 })]).toEqual([
      2,
      true,
      false,
      false,
    ]);
    await done.add({ ...mark, bytes: 11 });
    await using again = await openDoneFiles(path);
    expect(again.size).toBe(3);
  });
});

describe("metadata tables, row by row", () => {
  const rows = async (content: string | Uint8Array): Promise<MetadataRow[]> => {
    const read = [];
    for await (const row of readMetadataRows(write("calls.csv", content), "calls.csv")) read.push(row);
    return read;
  };
  const GBK = Uint8Array.from([...Buffer.from("file;agentName\na.wav;"), 0xd5, 0xc5, 0xc8, 0xfd, 0x0a]);

  test.each([
    ["commas", "file,agentName\na.wav,张三\n"],
    ["a BOM and semicolons", "\uFEFFfile;agentName\r\na.wav;张三\r\n"],
    ["tabs and empty lines", "file\tagentName\n\n\na.wav\t张三\n\n"],
    ["UTF-16 with a BOM", Buffer.from("\uFEFFfile,agentName\na.wav,张三\n", "utf16le")],
    ["GBK", GBK],
  ])("with %s", async (_, content) => {
    expect(await rows(content)).toMatchObject([{ file: "a.wav", metadata: { agentName: "张三" } }]);
  });

  test("a bad row costs itself only, with its line; a bad table is refused", async () => {
    const read = await rows("file,satisfaction\na.wav,9\nb.wav,4\n,3\nc.wav,1,2\n");
    expect(read.map((row) => ("fault" in row ? [row.file, row.fault.message] : [row.file, row.metadata]))).toEqual([
      ["a.wav", expect.stringContaining("line 2")],
      ["b.wav", { satisfaction: 4 }],
      ["", expect.stringContaining("line 4")],
      ["c.wav", expect.stringContaining("line 5")],
    ]);
    for (const content of [
      "",
      "agentId\nA1\n",
      "file,nonsense\na.wav,1\n",
      "file,__proto__\na.wav,1\n",
      Uint8Array.from([0x66, 0xff, 0xff, 0x0a]),
    ])
      await expect(rows(content)).rejects.toMatchObject({ code: "metadata/invalid" });
    await expect(readMetadataRows(folder.file("none.csv"), "none.csv").next()).rejects.toMatchObject({ code: "metadata/invalid" });
  });

  test("a million rows pass through without being kept", async () => {
    const path = folder.file("million.csv");
    const chunk = Array.from({ length: 10_000 }, (_, i) => `rec/${i}.wav,A${i % 100},2026-03-01T09:00:00+08:00\n`).join("");
    writeFileSync(path, "file,agentId,startedAt\n");
    for (let i = 0; i < 100; i++) appendFileSync(path, chunk);
    let count = 0;
    let most = 0;
    const before = process.memoryUsage().heapUsed;
    for await (const _ of readMetadataRows(path, "million.csv"))
      if (++count % 100_000 === 0) most = Math.max(most, process.memoryUsage().heapUsed - before);
    expect(count).toBe(1_000_000);
    expect(most).toBeLessThan(150e6);
  }, 120_000);
});

test("the pace lets through so many a second, and does not make up for a rest", async () => {
  let nowMs = 0;
  const waits: number[] = [];
  const pace = createPace(10, { now: () => nowMs, wait: async (ms) => void waits.push(ms) });
  for (let i = 0; i < 4; i++) await pace(never);
  expect(waits).toEqual([100, 200, 300]);
  nowMs = 5_000;
  for (let i = 0; i < 3; i++) await pace(never);
  expect(waits).toEqual([100, 200, 300, 100, 200]);
});

describe.skipIf(TEST_SERVER === null)("back-loading a folder", () => {
  const open = () => openWorkerWorld(TEST_SERVER as TestServer);

  function optionsOf(
    world: WorkerWorld,
    more: Partial<BackLoadOptions> = {},
  ): BackLoadOptions & { faults: string[][]; enqueued: string[] } {
    const faults: string[][] = [];
    const enqueued: string[] = [];
    return {
      models: world.models,
      files: world.files,
      tenant: "default",
      maxBytes: 1e6,
      pattern: null,
      folder: folder.path,
      table: null,
      rate: null,
      dataDir: world.folder,
      minFreeBytes: 0,
      enqueue: async ({ id }) => void enqueued.push(id),
      signal: never,
      onFault: (name, code) => faults.push([name, code]),
      faults,
      enqueued,
      ...more,
    };
  }

  const listed = async (world: WorkerWorld) =>
    (await world.models.calls.list({ tenant: "default" }, {}, { limit: 200, sort: "-startedAt" })).items;

  test("stores every call with all that is known of it, and each once, however often it runs", async () => {
    await using world = await open();
    write("20260301093005_A12_138.wav", "one");
    write("20260301093005_A12_138.meta.json", JSON.stringify({ team: "T1", agentId: "A13" }));
    write("20260301093005_A12_138.transcript.json", JSON.stringify({ language: "zh", utterances: [] }));
    write("odd.wav", "two");
    write("same.wav", "two");
    write("empty.wav", "");
    write("pair.meta.json", JSON.stringify({ legs: { agent: "l.wav", customer: "r.wav" }, callId: "77" }));
    write("l.wav", "left");
    write("r.wav", "right");
    const pattern = parseNamePattern("{startedAt}_{agentId}_{customerNumber}.wav", "Asia/Shanghai");
    const options = optionsOf(world, { pattern });
    expect(await backLoad(options)).toMatchObject({ imported: 3, duplicates: 1, failed: 1, skipped: 0, oddNames: 3 });
    expect(options.faults).toEqual([["empty.wav", "audio/empty"]]);
    const calls = await listed(world);
    expect(calls).toHaveLength(3);
    const full = calls.find(({ name }) => name.startsWith("2026"));
    expect(full).toMatchObject({
      lane: "bulk",
      metadata: { startedAt: "2026-03-01T09:30:05+08:00", agentId: "A13", team: "T1", customerNumber: "138" },
    });
    expect(await world.models.calls.source(full?.id as string)).toMatchObject({
      givenTranscript: { name: "20260301093005_A12_138.transcript.json" },
    });
    const pair = calls.find(({ name }) => name === "pair");
    expect(pair).toMatchObject({ bytes: 9, metadata: { callId: "77" } });
    expect(pair?.metadata).not.toHaveProperty("legs");
    expect([...options.enqueued].sort()).toEqual(calls.map(({ id }) => id).sort());

    const again = optionsOf(world, { pattern });
    expect(await backLoad(again)).toMatchObject({ imported: 0, duplicates: 0, skipped: 4, failed: 1 });
    // The list lost: the bytes are read again, and known.
    rmSync(doneListOf(world.folder, folder.path));
    expect(await backLoad(optionsOf(world, { pattern }))).toMatchObject({ imported: 0, duplicates: 4, skipped: 0 });
    expect(await listed(world)).toHaveLength(3);
  });

  test("rows of a table come first, wherever the file lies; a bad row is not taken without it", async () => {
    await using world = await open();
    for (const name of ["deep/er/a.wav", "b.wav", "c.wav", "d.wav"]) write(name, name);
    write("calls.csv", "file,agentId,satisfaction\na.wav,A1,5\nb.wav,B1,9\nc.wav,C1,4\n../../etc/passwd,X,1\nnone.wav,N1,1\nc.wav,C2,4\n");
    const options = optionsOf(world, { table: folder.file("calls.csv") });
    expect(await backLoad(options)).toMatchObject({ imported: 3, failed: 3 });
    expect(options.faults.sort()).toEqual([
      ["../../etc/passwd", "audio/not-found"],
      ["b.wav", "metadata/invalid"],
      ["none.wav", "audio/not-found"],
    ]);
    expect((await listed(world)).map(({ name, metadata }) => [name, metadata.agentId]).sort()).toEqual([
      ["a.wav", "A1"],
      ["c.wav", "C1"],
      ["d.wav", undefined],
    ]);
  });

  test("stopped in the middle and started again, it goes on where it was", async () => {
    await using world = await open();
    for (let i = 0; i < 40; i++) write(`${i}.wav`, `recording ${i}`);
    const stop = new AbortController();
    const first = await backLoad(
      optionsOf(world, { signal: stop.signal, onProgress: ({ imported }) => (imported >= 10 ? stop.abort() : undefined) }),
    );
    expect(first.imported).toBeGreaterThanOrEqual(10);
    expect(first.imported).toBeLessThan(40);
    const second = await backLoad(optionsOf(world));
    expect([second.imported + first.imported, second.failed]).toEqual([40, 0]);
    expect(await listed(world)).toHaveLength(40);
  });

  test("a call that is too large is named and passed over; a folder that is none is refused", async () => {
    await using world = await open();
    write("large.wav", "x".repeat(2000));
    write("small.wav", "y");
    const options = optionsOf(world, { maxBytes: 1000 });
    expect(await backLoad(options)).toMatchObject({ imported: 1, failed: 1 });
    expect(options.faults).toEqual([["large.wav", "request/too-large"]]);
    await expect(backLoad(optionsOf(world, { folder: folder.file("small.wav") }))).rejects.toThrow(CallsiftError);
    expect(existsSync(folder.file("large.wav"))).toBe(true);
  });
});
