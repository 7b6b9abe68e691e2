import { buffer } from "node:stream/consumers";
import { crc32, deflateRawSync } from "node:zlib";
import { type Header, pack } from "tar-stream";

/** A tar archive of these entries, in order; a header may be as wicked as the format allows. */
export async function tarOf(
  entries: readonly (readonly [Partial<Header> & { readonly name: string }, (string | Buffer)?])[],
): Promise<Buffer> {
  const tar = pack();
  for (const [header, content] of entries) {
    if (content === undefined) tar.entry(header);
    else tar.entry(header, content);
  }
  tar.finalize();
  return await buffer(tar as unknown as NodeJS.ReadableStream);
}

export interface ZipEntry {
  readonly name: string;
  readonly content: Buffer | string;
  readonly deflate?: boolean;
  /** Unix mode with its type bits, e.g. 0o120777 for a link. */
  readonly mode?: number;
  /** Size told in the headers instead of the real one. */
  readonly toldBytes?: number;
  readonly encrypted?: boolean;
}

/** A zip archive of these entries (PKWARE's APPNOTE 6.3: local headers, central directory, end record). */
export function zipOf(entries: readonly ZipEntry[]): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const { name, content, deflate = false, mode = 0, toldBytes, encrypted = false } of entries) {
    const raw = Buffer.from(content);
    const data = deflate ? deflateRawSync(raw) : raw;
    const path = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x800 | (encrypted ? 1 : 0), 2);
    common.writeUInt16LE(deflate ? 8 : 0, 4);
    common.writeUInt32LE(crc32Of(raw), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(toldBytes ?? raw.length, 18);
    common.writeUInt16LE(path.length, 22);
    locals.push(Buffer.from("PK\x03\x04", "latin1"), common, path, data);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(((mode << 16) >>> 0) >>> 0, 6);
    tail.writeUInt32LE(offset, 10);
    centrals.push(Buffer.from("PK\x01\x02\x14\x03", "latin1"), common, tail, path);
    offset += 4 + common.length + path.length + data.length;
  }
  const directory = Buffer.concat(centrals);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", 0, "latin1");
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}

/** node:zlib has it since 20.15. */
const crc32Of = (bytes: Buffer): number => crc32(bytes) >>> 0;
