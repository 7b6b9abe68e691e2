import { createReadStream, createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import { throwIfAborted } from "./error.ts";

/**
 * Takes plain files out of a .tar or .tar.gz, by name: folders in the archive are passed over, so nothing can be written outside `folder`.
 *
 * @param wanted - Which names are taken; the first of a name counts.
 * @returns the names of what was taken
 */
export async function unpackTar(
  archive: string,
  folder: string,
  wanted: (name: string) => boolean,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const taken: string[] = [];
  const tar = extract();
  const source = createReadStream(archive);
  const fed = (await isGzip(archive)) ? pipeline(source, createGunzip(), tar) : pipeline(source, tar);
  // It fails the loop below as well.
  fed.catch(() => {});
  for await (const entry of tar) {
    throwIfAborted(signal);
    const name = basename(entry.header.name);
    if (entry.header.type === "file" && wanted(name) && !taken.includes(name)) {
      taken.push(name);
      await pipeline(entry, createWriteStream(join(folder, name), { flags: "wx", mode: 0o755 }));
    } else entry.resume();
  }
  await fed;
  return taken;
}

/** RFC 1952: the first two bytes. */
async function isGzip(path: string): Promise<boolean> {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer.readUInt16BE() === 0x1f8b;
  } finally {
    await file.close();
  }
}
