import { createHash, randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { BSON, type Collection, type Db, MongoClient } from "mongodb";
import { pack } from "tar-stream";
import { createContentsHash, type DumpedCollection, FORMAT, fromLine, MANIFEST, type Manifest, toDocument, toLine } from "./dump-format.ts";
import { LocalDatabaseError, throwIfAborted } from "./error.ts";
import { versionOf } from "./server-client.ts";
import { syncFolder, writeDurably } from "./write-durably.ts";

/** How databases are exported and imported. */
export interface DumpOptions {
  /** Of any MongoDB server, with the database's name. */
  readonly uri: string;
  readonly onProgress?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ExportOptions extends DumpOptions {
  /** Collections that are read last, in this order: what is written while an export runs is whole in it where what is pointed to is read after what points to it. */
  readonly last?: readonly string[] | undefined;
}

/** One archive, or a folder of files. */
export const isArchive = (path: string): boolean => /\.(?:tgz|tar\.gz|tar)$/i.test(path);

/**
 * Writes every document of a database into a folder, or into one archive where the path ends with .tar, .tar.gz or .tgz: a file of newline JSON a
 * collection, in canonical Extended JSON, and a manifest with counts and hashes, which is written last. Only its owner may read it.
 *
 * @throws LocalDatabaseError `in-use` where the place is taken, `unreachable`, `damaged` where a document cannot be told in Extended JSON, `aborted`
 */
export async function exportDatabase(path: string, options: ExportOptions): Promise<Manifest> {
  const place = resolve(path);
  if (await isTaken(place))
    throw new LocalDatabaseError("in-use", `${place}: expected no such file, or an empty folder, got one with something in it`);
  const folder = `${place}.${randomBytes(4).toString("hex")}.tmp`;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    const manifest = await withDatabase(options, (database, client) => dump(database, client, folder, options));
    if (isArchive(place)) await packFolder(folder, place, manifest);
    else {
      await rm(place, { recursive: true, force: true });
      await rename(folder, place);
      await syncFolder(dirname(place));
    }
    return manifest;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A connection for one piece of work. Failures of the connection come as `unreachable`. */
export async function withDatabase<T>({ uri, signal }: DumpOptions, work: (database: Db, client: MongoClient) => Promise<T>): Promise<T> {
  throwIfAborted(signal);
  const client = new MongoClient(uri, {
    appName: "callsift store",
    serverSelectionTimeoutMS: 10_000,
    writeConcern: { w: "majority", journal: true },
  });
  const stop = (): void => void client.close().catch(() => {});
  signal?.addEventListener("abort", stop, { once: true });
  try {
    return await work(client.db(), client);
  } catch (error) {
    throwIfAborted(signal);
    if (error instanceof Error && /^Mongo.*(?:Network|ServerSelection|NotConnected|TopologyClosed|PoolCleared)/.test(error.name))
      // The driver's own message names hosts and may name the user.
      throw new LocalDatabaseError("unreachable", "expected an answer of the database, got none: it is away or broke off", {
        cause: error,
      });
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
    await client.close();
  }
}

async function isTaken(place: string): Promise<boolean> {
  const found = await stat(place).catch(() => null);
  return found !== null && (!found.isDirectory() || isArchive(place) || (await readdir(place)).length > 0);
}

async function dump(database: Db, client: MongoClient, folder: string, options: ExportOptions): Promise<Manifest> {
  const collections: DumpedCollection[] = [];
  for (const [i, name] of (await namesOf(database, options.last ?? [])).entries()) {
    // The name is in the manifest; the file's is one that every file system takes.
    const file = `${String(i).padStart(3, "0")}-${name.replace(/[^\w-]/g, "_")}.ndjson`;
    const dumped = await dumpCollection(database.collection(name), join(folder, file), options);
    collections.push({ name, file, ...dumped });
    options.onProgress?.(`${name}: ${dumped.documents} documents`);
  }
  const manifest: Manifest = { format: FORMAT, createdAt: new Date().toISOString(), server: await versionOf(client), collections };
  await writeDurably(join(folder, MANIFEST), `${JSON.stringify(manifest, null, 1)}\n`);
  return manifest;
}

async function namesOf(database: Db, last: readonly string[]): Promise<string[]> {
  const names = (await database.listCollections({ type: "collection" }, { nameOnly: true }).toArray()).map(({ name }) => name);
  const first = names.filter((name) => !name.startsWith("system.") && !last.includes(name));
  return [...first.sort(), ...last.filter((name) => names.includes(name))];
}

async function dumpCollection(
  collection: Collection,
  path: string,
  { signal }: DumpOptions,
): Promise<Pick<DumpedCollection, "documents" | "bytes" | "sha256" | "contents">> {
  const hash = createHash("sha256");
  const contents = createContentsHash();
  let documents = 0;
  let bytes = 0;
  async function* lines(): AsyncGenerator<Buffer> {
    for await (const raw of collection.find({}, { raw: true, batchSize: 500 })) {
      throwIfAborted(signal);
      const line = checkedLine(raw as unknown as Uint8Array, collection.collectionName);
      const chunk = Buffer.from(`${line}\n`);
      contents.add(line);
      hash.update(chunk);
      documents++;
      bytes += chunk.length;
      yield chunk;
    }
  }
  const file = await open(path, "wx", 0o600);
  try {
    await pipeline(lines, createWriteStream("", { fd: file.fd, autoClose: false }));
    await file.sync();
  } finally {
    await file.close();
  }
  return { documents, bytes, sha256: hash.digest("hex"), contents: contents.hex() };
}

const DOLLAR = 0x24;

/** A field that has the name of one of Extended JSON's own (`$date`) would come back as something else: no line is written that does not read back. */
function checkedLine(raw: Uint8Array, collection: string): string {
  const line = toLine(raw);
  if (raw.includes(DOLLAR) && !readsBack(line, raw))
    throw new LocalDatabaseError("damaged", `${collection}: expected a document that Extended JSON can tell, got ${line.slice(0, 120)}`);
  return line;
}

function readsBack(line: string, raw: Uint8Array): boolean {
  try {
    // Taken apart and put together first: JavaScript puts fields with whole numbers for names before others.
    return Buffer.compare(BSON.serialize(fromLine(line)), BSON.serialize(toDocument(raw))) === 0;
  } catch {
    return false;
  }
}

/** Makes the archive beside its place, and moves it there when it is whole. */
async function packFolder(folder: string, place: string, manifest: Manifest): Promise<void> {
  const temporary = `${folder}.archive`;
  const tar = pack();
  const file = await open(temporary, "wx", 0o600);
  try {
    const target = createWriteStream("", { fd: file.fd, autoClose: false });
    const written = /\.tar$/i.test(place) ? pipeline(tar, target) : pipeline(tar, createGzip(), target);
    // Awaited below; where packing itself fails, that is told.
    written.catch(() => {});
    for (const name of [MANIFEST, ...manifest.collections.map((collection) => collection.file)]) {
      const { size, mtime } = await stat(join(folder, name));
      await pipeline(createReadStream(join(folder, name)), tar.entry({ name, size, mtime, mode: 0o600 }));
    }
    tar.finalize();
    await written;
    await file.sync();
    await rename(temporary, place);
    await syncFolder(dirname(place));
  } finally {
    await file.close();
    await rm(temporary, { force: true });
  }
}
