import { pipeline, Readable } from "node:stream";
import { crc32, createDeflateRaw } from "node:zlib";
import { PIECE_BYTES } from "./table.ts";

/** One file of an archive; its content is asked for when those before it are written. */
export interface ZipEntry {
  /** ASCII. */
  readonly name: string;
  readonly content: AsyncIterable<string> | Iterable<string>;
}

interface Written {
  readonly name: Buffer;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
}

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const DESCRIPTOR = 0x08074b50;
const END = 0x06054b50;
/** Sizes follow the content; names are UTF-8. */
const FLAGS = 0x0808;
const DEFLATE = 8;
const VERSION = 20;
/** 1980-01-01, the first day that the format knows: equal content gives equal bytes. */
const DATE = 0x0021;
const MAX_BYTES = 0xffff_ffff;

/**
 * A ZIP archive, deflated, written as its entries come (PKWARE APPNOTE 6.3: sizes in data descriptors); at most 4 GiB.
 *
 * @throws RangeError past 4 GiB
 */
export async function* zipOf(entries: AsyncIterable<ZipEntry> | Iterable<ZipEntry>): AsyncGenerator<Buffer> {
  const written: Written[] = [];
  let offset = 0;
  for await (const entry of entries) {
    const start = offset;
    const name = Buffer.from(entry.name);
    const header = record(LOCAL, [VERSION, FLAGS, DEFLATE, 0, DATE], [0, 0, 0], [name.length, 0]);
    yield Buffer.concat([header, name]);
    offset += header.length + name.length;
    const deflated = deflate(entry.content);
    for await (const bytes of deflated.bytes) {
      offset += bytes.length;
      yield bytes;
    }
    const { crc, packed, size } = deflated.total();
    if (offset > MAX_BYTES || size > MAX_BYTES) throw new RangeError(`expected at most ${MAX_BYTES} bytes, got ${Math.max(offset, size)}`);
    const descriptor = record(DESCRIPTOR, [], [crc, packed, size], []);
    yield descriptor;
    offset += descriptor.length;
    written.push({ name, crc, packed, size, offset: start });
  }
  const directory = Buffer.concat(
    written.flatMap(({ name, crc, packed, size, offset: at }) => [
      record(CENTRAL, [VERSION, VERSION, FLAGS, DEFLATE, 0, DATE], [crc, packed, size], [name.length, 0, 0, 0, 0, 0, 0], at),
      name,
    ]),
  );
  yield Buffer.concat([directory, record(END, [0, 0, written.length, written.length], [directory.length, offset], [0])]);
}

/** Little-endian: the signature, 16-bit, 32-bit and again 16-bit fields, and an offset where there is one. */
function record(signature: number, before: readonly number[], wide: readonly number[], after: readonly number[], offset?: number): Buffer {
  const bytes = Buffer.alloc(4 + 2 * before.length + 4 * wide.length + 2 * after.length + (offset === undefined ? 0 : 4));
  let at = bytes.writeUInt32LE(signature);
  for (const value of before) at = bytes.writeUInt16LE(value, at);
  for (const value of wide) at = bytes.writeUInt32LE(value, at);
  for (const value of after) at = bytes.writeUInt16LE(value, at);
  if (offset !== undefined) bytes.writeUInt32LE(offset, at);
  return bytes;
}

function deflate(content: ZipEntry["content"]): {
  readonly bytes: AsyncIterable<Buffer>;
  /** Once the bytes have all been read. */
  readonly total: () => { readonly crc: number; readonly packed: number; readonly size: number };
} {
  const deflater = createDeflateRaw({ chunkSize: PIECE_BYTES });
  let crc = 0;
  let size = 0;
  let packed = 0;
  async function* counted(): AsyncGenerator<Buffer> {
    for await (const text of content) {
      const bytes = Buffer.from(text);
      crc = crc32(bytes, crc);
      size += bytes.length;
      yield bytes;
    }
  }
  async function* read(): AsyncGenerator<Buffer> {
    // A fault of either comes out of the deflater, which is read here; a reader that goes away ends both.
    pipeline(Readable.from(counted()), deflater, () => undefined);
    for await (const bytes of deflater) {
      packed += (bytes as Buffer).length;
      yield bytes as Buffer;
    }
  }
  return { bytes: read(), total: () => ({ crc, packed, size }) };
}
