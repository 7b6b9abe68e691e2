import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";

/** What is known of a file beforehand. */
export interface Wanted {
  readonly name: string;
  /** null: not known. */
  readonly bytes: number | null;
  /** Lower-case hex; null: not known. */
  readonly sha256: string | null;
}

/** A file that grows, and what must be known to go on with it. */
export interface Part {
  readonly bytes: number;
  readonly hash: Hash;
  readonly validator: string | null;
  readonly total: number | null;
  note(origin: Origin): Promise<void>;
  append(chunk: Uint8Array): Promise<void>;
  /** Throws away what is there. */
  restart(): Promise<void>;
  /** Puts the file in its place. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

/** Where the bytes come from. */
interface Origin {
  readonly url: string;
  readonly validator: string | null;
  readonly total: number | null;
}

/**
 * Opens `<path>.part` with its note `<path>.part.json`, empty unless what is there is worth going on with.
 *
 * @param path where the whole file will lie
 */
export async function openPart(path: string, url: string, wanted: Wanted): Promise<Part> {
  const partPath = `${path}.part`;
  const notePath = `${partPath}.json`;
  let origin = await readFile(notePath, "utf8").then(
    (text) => JSON.parse(text) as Origin,
    () => null,
  );
  const sameFile = origin?.url === withoutPassword(url) && origin.validator !== null;
  // With a known hash a part of any origin is worth going on with; else it must be of this very file.
  const usable = wanted.sha256 !== null || sameFile;
  let size = await stat(partPath).then(
    (found) => found.size,
    () => 0,
  );
  if (!usable || (wanted.bytes !== null && size > wanted.bytes)) size = 0;
  if (!sameFile) origin = null;
  let hash = createHash("sha256");
  if (size > 0) for await (const chunk of createReadStream(partPath, { end: size - 1 })) hash.update(chunk as Buffer);

  const handle: FileHandle = await open(partPath, size > 0 ? "r+" : "w");
  await handle.truncate(size);
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) await handle.close();
    isOpen = false;
  };
  return {
    get bytes() {
      return size;
    },
    get hash() {
      return hash;
    },
    get validator() {
      return origin?.validator ?? null;
    },
    get total() {
      return origin?.total ?? null;
    },
    async note(next) {
      const text = JSON.stringify({ ...next, url: withoutPassword(next.url) });
      if (text !== JSON.stringify(origin)) await writeFile(notePath, text);
      origin = JSON.parse(text) as Origin;
    },
    async append(chunk) {
      for (let done = 0; done < chunk.length; ) done += (await handle.write(chunk, done, chunk.length - done, size + done)).bytesWritten;
      hash.update(chunk);
      size += chunk.length;
    },
    async restart() {
      await handle.truncate(0);
      size = 0;
      hash = createHash("sha256");
      origin = null;
    },
    async finish() {
      await handle.sync();
      await close();
      await rename(partPath, path);
      await rm(notePath, { force: true });
    },
    close,
  };
}

function withoutPassword(url: string): string {
  const address = new URL(url);
  address.username = "";
  address.password = "";
  return address.href;
}
