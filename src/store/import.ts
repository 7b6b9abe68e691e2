import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { type BSON, type Collection, type Db, MongoBulkWriteError } from "mongodb";
import { createContentsHash, type DumpedCollection, fromLine, MANIFEST, type Manifest, readManifest, toLine } from "./dump-format.ts";
import { LocalDatabaseError, throwIfAborted } from "./error.ts";
import { type DumpOptions, isArchive, withDatabase } from "./export.ts";
import { unpackTar } from "./unpack.ts";

export interface ImportOptions extends DumpOptions {
  /** Goes on with an import that was cut: documents that are there are left as they are. At the end all must be as in the export all the same. */
  readonly resume?: boolean | undefined;
}

/**
 * Brings the documents of an export into an empty database. Every file is held to its hash before anything is written, and every collection afterwards.
 * Indexes are made by whoever uses the database.
 *
 * @throws LocalDatabaseError `damaged` where the export is not whole or the database not as it says, `in-use` where the database is not empty, `unreachable`,
 * `aborted`
 */
export async function importDatabase(path: string, options: ImportOptions): Promise<Manifest> {
  const place = resolve(path);
  const found = await stat(place).catch((cause: Error) => {
    throw new LocalDatabaseError("damaged", `${place}: expected an export, got nothing`, { cause });
  });
  if (found.isDirectory()) return await importFolder(place, options);
  const folder = await mkdtemp(join(dirname(place), ".callsift-import-"));
  try {
    await unpack(place, folder, options.signal);
    return await importFolder(folder, options);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function unpack(archive: string, folder: string, signal: AbortSignal | undefined): Promise<void> {
  if (!isArchive(archive)) throw new LocalDatabaseError("damaged", `${archive}: expected a folder or an archive (.tar, .tar.gz, .tgz)`);
  try {
    await unpackTar(archive, folder, (name) => name === MANIFEST || name.endsWith(".ndjson"), signal);
  } catch (cause) {
    if (cause instanceof LocalDatabaseError) throw cause;
    throw new LocalDatabaseError("damaged", `${archive}: expected a whole archive, got: ${(cause as Error).message}`, { cause });
  }
}

async function importFolder(folder: string, options: ImportOptions): Promise<Manifest> {
  const manifest = await readManifest(folder);
  for (const collection of manifest.collections) await checkFile(folder, collection, options.signal);
  return await withDatabase(options, async (database) => {
    if (!options.resume) await expectEmpty(database);
    for (const collection of manifest.collections) {
      await insertAll(database.collection(collection.name), folder, collection, options);
      await checkCollection(database.collection(collection.name), collection, options.signal);
      options.onProgress?.(`${collection.name}: ${collection.documents} documents, as in the export`);
    }
    return manifest;
  });
}

async function checkFile(
  folder: string,
  { file, documents, bytes, sha256, contents }: DumpedCollection,
  signal: AbortSignal | undefined,
): Promise<void> {
  const hash = createHash("sha256");
  const found = { documents: 0, bytes: 0 };
  const sum = createContentsHash();
  try {
    const onChunk = (chunk: Buffer): void => {
      hash.update(chunk);
      found.bytes += chunk.length;
    };
    for await (const line of linesOf(join(folder, file), onChunk)) {
      throwIfAborted(signal);
      fromLine(line);
      sum.add(line);
      found.documents++;
    }
  } catch (cause) {
    throwIfAborted(signal);
    throw new LocalDatabaseError("damaged", `${file}: expected a document of Extended JSON a line, got: ${(cause as Error).message}`, {
      cause,
    });
  }
  const got = { ...found, sha256: hash.digest("hex"), contents: sum.hex() };
  for (const [name, expected] of Object.entries({ documents, bytes, sha256, contents }))
    if (got[name as keyof typeof got] !== expected)
      throw new LocalDatabaseError("damaged", `${file}: expected ${name} ${expected}, got ${got[name as keyof typeof got]}`);
}

async function expectEmpty(database: Db): Promise<void> {
  for (const { name } of await database.listCollections({ type: "collection" }, { nameOnly: true }).toArray())
    if (!name.startsWith("system.") && (await database.collection(name).findOne({}, { projection: { _id: 1 } })) !== null)
      throw new LocalDatabaseError(
        "in-use",
        `${database.databaseName}: expected an empty database to import into, got documents in ${name}: import into a new data folder or database, or go on with an import that was cut (--resume)`,
      );
}

const BATCH_DOCUMENTS = 500;
const BATCH_BYTES = 4 * 1024 ** 2;
const DUPLICATE_KEY = 11000;

async function insertAll(collection: Collection, folder: string, { file }: DumpedCollection, { signal }: ImportOptions): Promise<void> {
  let batch: BSON.Document[] = [];
  let bytes = 0;
  async function flush(): Promise<void> {
    if (batch.length > 0) await insertBatch(collection, batch);
    batch = [];
    bytes = 0;
  }
  for await (const line of linesOf(join(folder, file))) {
    throwIfAborted(signal);
    batch.push(fromLine(line));
    bytes += line.length;
    if (batch.length >= BATCH_DOCUMENTS || bytes >= BATCH_BYTES) await flush();
  }
  await flush();
}

/** A document that is there already is left as it is: the driver may have sent a batch twice, or an earlier import was cut. What differs is found out afterwards. */
async function insertBatch(collection: Collection, batch: readonly BSON.Document[]): Promise<void> {
  try {
    await collection.insertMany([...batch], { ordered: false });
  } catch (error) {
    if (!(error instanceof MongoBulkWriteError)) throw error;
    const others = [error.writeErrors].flat().filter(({ code }) => code !== DUPLICATE_KEY);
    if (others.length > 0) throw error;
  }
}

/** What is in the database is held against the export, document by document. */
async function checkCollection(
  collection: Collection,
  { name, documents, contents }: DumpedCollection,
  signal: AbortSignal | undefined,
): Promise<void> {
  const sum = createContentsHash();
  let count = 0;
  for await (const raw of collection.find({}, { raw: true, batchSize: 500 })) {
    throwIfAborted(signal);
    sum.add(toLine(raw as unknown as Uint8Array));
    count++;
  }
  if (count !== documents)
    throw new LocalDatabaseError("damaged", `${name}: expected ${documents} documents after the import, got ${count}`);
  if (sum.hex() !== contents)
    throw new LocalDatabaseError("damaged", `${name}: expected the documents of the export, got some that differ`);
}

const NEWLINE = 0x0a;

/** Lines end with a newline and nothing else: a text may hold what Node's readline takes for the end of a line (U+2028). */
async function* linesOf(path: string, onChunk: (chunk: Buffer) => void = () => {}): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    onChunk(chunk);
    let from = 0;
    for (let to = chunk.indexOf(NEWLINE); to >= 0; to = chunk.indexOf(NEWLINE, from)) {
      parts.push(chunk.subarray(from, to));
      yield Buffer.concat(parts).toString("utf8");
      parts = [];
      from = to + 1;
    }
    parts.push(chunk.subarray(from));
  }
  const rest = Buffer.concat(parts).toString("utf8");
  if (rest !== "") yield rest;
}
