import { createReadStream, createWriteStream, type WriteStream } from "node:fs";
import { mkdir, open, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import unbzip2 from "unbzip2-stream";
import { type Entry, openPromise } from "yauzl";
import { CallsiftError } from "../pipeline/errors.ts";

export type ArchiveKind = "tar" | "tar.gz" | "tar.bz2" | "zip";

export interface UnpackOptions {
  /**
   * Where a file of the archive goes, as a path below the target folder; null: it is passed over. `path` has been checked: relative, with `/`, without `..`.
   * Default: everything at its own place.
   */
  readonly place?: (path: string) => string | null;
  /** Most bytes that may come out, files passed over included. */
  readonly maxBytes: number;
  /** Bytes of the archive read so far. */
  readonly onBytes?: (bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** More files are no weights. */
const MAX_ENTRIES = 1_000;
const MAX_DEPTH = 16;

/** What kind of archive a file is, by its first bytes; null: none that is known. */
export async function archiveKind(path: string): Promise<ArchiveKind | null> {
  const head = Buffer.alloc(512);
  const handle = await open(path);
  try {
    await handle.read(head, 0, 512, 0);
  } finally {
    await handle.close();
  }
  if (head.subarray(0, 3).toString("latin1") === "BZh") return "tar.bz2";
  if (head[0] === 0x1f && head[1] === 0x8b) return "tar.gz";
  if (head.readUInt32LE(0) === 0x04034b50) return "zip";
  if (head.subarray(257, 262).toString("latin1") === "ustar") return "tar";
  return null;
}

/**
 * Unpacks an archive of weights into a folder: plain files only, nothing outside, nothing twice, within a bound.
 *
 * @returns the paths written, below `folder`
 * @throws CallsiftError `weights/unsafe-archive`, `weights/damaged`, `weights/foreign`, `weights/no-space`, `aborted`
 */
export async function unpackArchive(archive: string, folder: string, options: UnpackOptions): Promise<string[]> {
  const kind = await archiveKind(archive);
  if (kind === null) throw new CallsiftError("weights/foreign", "expected an archive (.tar.bz2, .tar.gz, .tar, .zip), got another file");
  const target = createTarget(folder, options);
  try {
    if (kind === "zip") await unpackZip(archive, target, options);
    else await unpackTar(archive, kind, target, options);
    return target.written;
  } catch (error) {
    if (options.signal?.aborted) throw new CallsiftError("aborted", "stopped on request", { cause: error });
    if (error instanceof CallsiftError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOSPC" || code === "EDQUOT") throw new CallsiftError("weights/no-space", "the disk is full", { cause: error });
    throw new CallsiftError("weights/damaged", `expected a whole archive, got: ${message}`, { cause: error });
  }
}

/** Decides what may be written where, and counts. */
interface Target {
  readonly written: string[];
  /** @returns null: pass it over */
  open(path: string): Promise<WriteStream | null>;
  count(bytes: number): void;
}

function createTarget(folder: string, { place, maxBytes }: UnpackOptions): Target {
  const written: string[] = [];
  let entries = 0;
  let bytes = 0;
  return {
    written,
    async open(path) {
      if (++entries > MAX_ENTRIES) throw unsafe(`at most ${MAX_ENTRIES} files`, "more");
      const clean = checkPath(path);
      const to = place ? place(clean) : clean;
      if (to === null) return null;
      if (written.includes(to)) throw unsafe("each file once", `${to} twice`);
      await mkdir(dirname(join(folder, to)), { recursive: true });
      written.push(to);
      // `wx`: never through something that is there, whatever it is.
      return createWriteStream(join(folder, to), { flags: "wx" });
    },
    count(more) {
      bytes += more;
      if (bytes > maxBytes) throw unsafe(`at most ${maxBytes} bytes`, "more: it may be made to fill the disk");
    },
  };
}

/**
 * The path of an entry in one spelling: relative, `/` between its parts, no `.`.
 *
 * @throws CallsiftError `weights/unsafe-archive`
 */
function checkPath(path: string): string {
  const parts = path.split("/").filter((part, i, all) => part !== "." && !(part === "" && i === all.length - 1));
  const bad =
    parts.length === 0 ||
    parts.length > MAX_DEPTH ||
    path.includes("\\") ||
    path.includes("\0") ||
    /^[a-z]:/i.test(path) ||
    parts.some((part) => part === "" || part === ".." || part.length > 255);
  if (bad) throw unsafe("paths inside the archive's own folder", JSON.stringify(path.slice(0, 200)));
  return parts.join("/");
}

async function unpackTar(
  archive: string,
  kind: "tar" | "tar.gz" | "tar.bz2",
  target: Target,
  { onBytes, signal }: UnpackOptions,
): Promise<void> {
  const tar = extract();
  let read = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      read += chunk.length;
      onBytes?.(read);
      done(null, chunk);
    },
  });
  const bounded = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        target.count(chunk.length);
        done(null, chunk);
      } catch (error) {
        done(error as Error);
      }
    },
  });
  const file = createReadStream(archive, { highWaterMark: 256 * 1024 });
  const stop = signal ? { signal } : {};
  // unbzip2-stream is of the old kind of streams, which `pipeline` cannot end properly.
  const plain =
    kind === "tar.bz2"
      ? pipeline(file, counted, (chunks) => bunzip(chunks as AsyncIterable<Buffer>), bounded, tar as unknown as NodeJS.WritableStream, stop)
      : kind === "tar.gz"
        ? pipeline(file, counted, createGunzip(), bounded, tar as unknown as NodeJS.WritableStream, stop)
        : pipeline(file, counted, bounded, tar as unknown as NodeJS.WritableStream, stop);
  await Promise.all([plain, takeEntries(tar as unknown as AsyncIterable<TarEntry>, target)]);
}

type TarEntry = AsyncIterable<Buffer> & { readonly header: { readonly name: string; readonly type: string | null }; resume(): void };

async function takeEntries(tar: AsyncIterable<TarEntry>, target: Target): Promise<void> {
  for await (const entry of tar) {
    const { name, type } = entry.header;
    if (type === "directory") {
      if (!/^(\.\/?)?$/.test(name)) checkPath(name);
      entry.resume();
      continue;
    }
    if (type !== "file" && type !== "contiguous-file")
      throw unsafe("plain files", `a ${type ?? "thing of unknown kind"} (${JSON.stringify(name.slice(0, 200))})`);
    const file = await target.open(name);
    if (file === null) entry.resume();
    else await pipeline(entry, file);
  }
}

/** Blocks of a bzip2 stream, one after the other. */
async function* bunzip(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const old = unbzip2();
  const plain = new Readable({ highWaterMark: 0 }).wrap(old);
  old.on("error", (error: Error) => plain.destroy(error));
  const fed = (async () => {
    for await (const chunk of chunks) if (!old.write(chunk)) await new Promise((resolve) => old.once("drain", () => resolve(null)));
    old.end();
  })();
  fed.catch((error: Error) => plain.destroy(error));
  for await (const block of plain) yield block as Buffer;
  await fed;
}

async function unpackZip(archive: string, target: Target, { onBytes, signal }: UnpackOptions): Promise<void> {
  const zip = await openPromise(archive).catch((error: Error) => {
    throw zipError(error);
  });
  try {
    const { size } = await stat(archive);
    for await (const entry of zip.eachEntry() as AsyncIterable<Entry>) {
      signal?.throwIfAborted();
      onBytes?.(Math.min(size, entry.relativeOffsetOfLocalHeader));
      // The upper half holds the Unix mode; 0o12 is a link, 0o10 a file, 0o04 a folder, and 0 what other systems write.
      const type = (entry.externalFileAttributes >>> 28) & 0o17;
      const isFolder = entry.fileName.endsWith("/");
      if (type !== 0 && type !== (isFolder ? 0o04 : 0o10))
        throw unsafe("plain files", `a link or device (${JSON.stringify(entry.fileName.slice(0, 200))})`);
      if (entry.isEncrypted()) throw unsafe("files without a password", "an encrypted one");
      if (isFolder) {
        checkPath(entry.fileName);
        continue;
      }
      const file = await target.open(entry.fileName);
      if (file === null) continue;
      // What is said beforehand is enough to refuse, and counted again as it comes.
      target.count(entry.uncompressedSize);
      const content = await zip.openReadStreamPromise(entry);
      await pipeline(content, file, signal ? { signal } : {});
    }
    onBytes?.(size);
  } catch (error) {
    throw zipError(error);
  } finally {
    zip.close();
  }
}

/** yauzl checks paths itself, and says so in words only. */
function zipError(error: unknown): unknown {
  if (
    error instanceof Error &&
    !(error instanceof CallsiftError) &&
    /^(absolute path|invalid relative path|invalid characters in fileName)/.test(error.message)
  )
    return unsafe("paths inside the archive's own folder", error.message.slice(0, 200));
  return error;
}

function unsafe(expected: string, came: string): CallsiftError {
  return new CallsiftError("weights/unsafe-archive", `expected ${expected}, got ${came}`);
}
