import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Binary, Double, Int32, Long, MongoClient, ObjectId } from "mongodb";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { exportDatabase } from "../../src/store/export.ts";
import { importDatabase } from "../../src/store/import.ts";
import { TEST_SERVERS } from "../support/database.ts";

interface Anything {
  // biome-ignore lint/suspicious/noExplicitAny: MongoDB takes anything for an _id, and so must an export
  readonly _id: any;
  readonly [name: string]: unknown;
}

const DOCUMENTS: readonly Anything[] = [
  { _id: new ObjectId(), text: "您好，\u2028\u2029请问 \r\n \0 😀", whole: new Int32(1), broken: new Double(1), large: Long.MAX_VALUE },
  { _id: "text id", when: new Date(0), bytes: new Binary(Buffer.from([0, 255, 10])), none: null, empty: {}, list: [[], [1.5, "a"]] },
  { _id: new Int32(7), nan: Number.NaN, minus: new Double(-0), infinite: Number.NEGATIVE_INFINITY, money: "$5", "a.b": 1 },
];

describe.skipIf(TEST_SERVERS.length === 0).each([...TEST_SERVERS])("export and import, $name", ({ open }) => {
  let folder = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "callsift-dump-"));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  async function filled(): Promise<Awaited<ReturnType<typeof open>>> {
    const database = await open();
    await using client = new MongoClient(database.uri);
    await client
      .db()
      .collection<Anything>("calls")
      .insertMany([...DOCUMENTS]);
    await client.db().collection<Anything>("odd/name 通话").insertOne({ _id: 1 });
    await client.db().createCollection("nothing");
    return database;
  }

  async function rawDocuments(uri: string, name: string): Promise<string[]> {
    await using client = new MongoClient(uri);
    const raw = await client.db().collection(name).find({}, { raw: true }).toArray();
    return raw
      .map((bytes) =>
        createHash("sha256")
          .update(bytes as unknown as Uint8Array)
          .digest("hex"),
      )
      .sort();
  }

  it.each(["backup", "backup.tar.gz", "backup.tar"])("%s: the same bytes come back", async (name) => {
    await using from = await filled();
    await using to = await open();
    const path = join(folder, name);
    const told: string[] = [];
    const manifest = await exportDatabase(path, { uri: from.uri, onProgress: (line) => told.push(line) });
    expect(manifest.collections.map((collection) => [collection.name, collection.documents])).toEqual([
      ["calls", 3],
      ["nothing", 0],
      ["odd/name 通话", 1],
    ]);
    expect(told).toContain("calls: 3 documents");
    expect((await stat(path)).mode & 0o077).toBe(0);
    expect(await readdir(folder)).toEqual([name]);
    await importDatabase(path, { uri: to.uri });
    for (const collection of ["calls", "odd/name 通话"])
      expect(await rawDocuments(to.uri, collection)).toEqual(await rawDocuments(from.uri, collection));
    expect(await readdir(folder)).toEqual([name]);
  });

  it("reads what is pointed to after what points to it", async () => {
    await using from = await filled();
    const { collections } = await exportDatabase(join(folder, "backup"), { uri: from.uri, last: ["not there", "nothing", "calls"] });
    expect(collections.map(({ name, file }) => [name, file])).toEqual([
      ["odd/name 通话", "000-odd_name___.ndjson"],
      ["nothing", "001-nothing.ndjson"],
      ["calls", "002-calls.ndjson"],
    ]);
  });

  it("refuses a place that is taken, and a database that is not empty", async () => {
    await using from = await filled();
    const path = join(folder, "backup");
    await exportDatabase(path, { uri: from.uri });
    await expect(exportDatabase(path, { uri: from.uri })).rejects.toMatchObject({ reason: "in-use" });
    await expect(importDatabase(path, { uri: from.uri })).rejects.toMatchObject({ reason: "in-use" });
  });

  it("goes on with an import that was cut, and finds a document that differs", async () => {
    await using from = await filled();
    await using to = await open();
    const path = join(folder, "backup");
    await exportDatabase(path, { uri: from.uri });
    await using client = new MongoClient(to.uri);
    await client
      .db()
      .collection<Anything>("calls")
      .insertOne(DOCUMENTS[0] as Anything);
    await importDatabase(path, { uri: to.uri, resume: true });
    expect(await rawDocuments(to.uri, "calls")).toEqual(await rawDocuments(from.uri, "calls"));
    await client
      .db()
      .collection<Anything>("calls")
      .updateOne({ when: new Date(0) }, { $set: { none: 1 } });
    await expect(importDatabase(path, { uri: to.uri, resume: true })).rejects.toMatchObject({ reason: "damaged" });
    await client.db().collection<Anything>("calls").insertOne({ _id: "one more" });
    await expect(importDatabase(path, { uri: to.uri, resume: true })).rejects.toThrow(/expected 3 documents after the import, got 4/);
  });

  it("refuses to write a document that would come back as another", async () => {
    await using from = await filled();
    await using client = new MongoClient(from.uri);
    // The driver would not send such a field in a filter, but as plain data it does.
    await client
      .db()
      .collection<Anything>("calls")
      .insertOne({ _id: "x", value: { $numberInt: "5" } });
    await expect(exportDatabase(join(folder, "backup"), { uri: from.uri })).rejects.toMatchObject({ reason: "damaged" });
    expect(await readdir(folder)).toEqual([]);
  });

  it("writes nothing where a file of the export was changed, cut or replaced", async () => {
    await using from = await filled();
    await using to = await open();
    const path = join(folder, "backup");
    const { collections } = await exportDatabase(path, { uri: from.uri });
    const file = join(path, collections[0]?.file ?? "");
    const whole = await readFile(file);
    for (const spoilt of [
      whole.subarray(0, -20),
      Buffer.concat([whole, whole]),
      Buffer.from(whole.toString().replace("😀", "😁")),
      Buffer.from("[]\n"),
    ]) {
      await writeFile(file, spoilt);
      await expect(importDatabase(path, { uri: to.uri })).rejects.toMatchObject({ reason: "damaged" });
    }
    await using client = new MongoClient(to.uri);
    expect(await client.db().listCollections().toArray()).toEqual([]);
  });

  it("stops on request", async () => {
    await using from = await filled();
    await expect(exportDatabase(join(folder, "backup"), { uri: from.uri, signal: AbortSignal.abort() })).rejects.toMatchObject({
      reason: "aborted",
    });
    expect(await readdir(folder)).toEqual([]);
  });
});

describe("an export that is none", () => {
  const good = { name: "a", file: "a.ndjson", documents: 0, bytes: 0, sha256: "0".repeat(64), contents: "0".repeat(64) };
  const manifest = (collections: unknown) => JSON.stringify({ format: "callsift.database/1", collections });

  it.each([
    ["no JSON", "{"],
    ["null", "null"],
    ["another format", '{"format":"x"}'],
    ["no collections", manifest(undefined)],
    ["a collection that is null", manifest([null])],
    ["a file outside", manifest([{ ...good, file: "../a.ndjson" }])],
    ["a file in a folder", manifest([{ ...good, file: "b/a.ndjson" }])],
    ["a system collection", manifest([{ ...good, name: "system.users" }])],
    ["a hash that is none", manifest([{ ...good, sha256: "x" }])],
    ["a count that is none", manifest([{ ...good, documents: -0.5 }])],
    ["a collection twice", manifest([good, good])],
    ["a file that is not there", manifest([good])],
  ])("%s", async (_name, text) => {
    const folder = await mkdtemp(join(tmpdir(), "callsift-dump-"));
    try {
      await writeFile(join(folder, "manifest.json"), text);
      // Nothing listens there: it must not even be asked.
      await expect(importDatabase(folder, { uri: "mongodb://127.0.0.1:1/x" })).rejects.toMatchObject({ reason: "damaged" });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("a file that is no archive, a cut archive, and nothing at all", async () => {
    const folder = await mkdtemp(join(tmpdir(), "callsift-dump-"));
    try {
      await mkdir(join(folder, "empty"));
      await writeFile(join(folder, "text.txt"), "x");
      await writeFile(join(folder, "cut.tar.gz"), Buffer.from([0x1f, 0x8b, 8, 0, 0]));
      for (const name of ["empty", "text.txt", "cut.tar.gz", "missing"])
        await expect(importDatabase(join(folder, name), { uri: "mongodb://127.0.0.1:1/x" })).rejects.toMatchObject({ reason: "damaged" });
      expect((await readdir(folder)).sort()).toEqual(["cut.tar.gz", "empty", "text.txt"]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("a database that is away is told as such, without its address", async () => {
    const folder = await mkdtemp(join(tmpdir(), "callsift-dump-"));
    try {
      const uri = "mongodb://me:secret@127.0.0.1:1/x?serverSelectionTimeoutMS=200";
      const failure = await exportDatabase(join(folder, "backup"), { uri }).catch((error: Error) => error);
      expect(failure).toMatchObject({ reason: "unreachable" });
      expect(String(failure)).not.toMatch(/secret|127\.0\.0\.1/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
