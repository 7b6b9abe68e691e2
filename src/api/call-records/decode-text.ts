import { TextDecoder } from "node:util";
import { CallsiftError } from "../../pipeline/errors.ts";

/** From the first byte beyond ASCII on, so much is looked at before UTF-8 and GBK are told apart: a short GBK word may be valid UTF-8 by chance. */
const LOOKED_AT = 65_536;

/**
 * Text of a stream of UTF-8, UTF-16 (by its mark) or GBK, as spreadsheets and telephone systems write it; a byte-order mark is taken off.
 *
 * @param charset what the client says it is, if it does
 * @throws CallsiftError `request/invalid` for other bytes
 */
export async function* decodeText(bytes: AsyncIterable<Buffer>, charset?: string): AsyncGenerator<string> {
  let decoder: TextDecoder | null = charset === undefined ? null : decoderOf(charset);
  let held = Buffer.alloc(0);
  let isStart = true;
  for await (const chunk of bytes) {
    if (decoder) {
      yield decode(decoder, chunk);
      continue;
    }
    held = Buffer.concat([held, chunk]);
    if (isStart && held.length < 3) continue;
    if (isStart && isMarked(held)) {
      decoder = tellApart(held);
      yield decode(decoder, held);
      continue;
    }
    isStart = false;
    const plain = asciiLength(held);
    if (plain > 0) yield held.toString("latin1", 0, plain);
    held = held.subarray(plain);
    if (held.length < LOOKED_AT) continue;
    decoder = tellApart(held);
    yield decode(decoder, held);
  }
  if (decoder) yield decode(decoder);
  else if (held.length > 0) {
    decoder = tellApart(held);
    yield decode(decoder, held) + decode(decoder);
  }
}

/** Every common name of these encodings; GB 18030 holds GBK and GB 2312. */
const ENCODINGS: Readonly<Record<string, string>> = {
  "utf-8": "utf-8",
  utf8: "utf-8",
  "us-ascii": "utf-8",
  "utf-16le": "utf-16le",
  "utf-16": "utf-16le",
  gbk: "gb18030",
  gb2312: "gb18030",
  gb18030: "gb18030",
};

function decoderOf(charset: string): TextDecoder {
  const name = charset.toLowerCase();
  const encoding = Object.hasOwn(ENCODINGS, name) ? ENCODINGS[name] : undefined;
  if (!encoding)
    throw new CallsiftError(
      "request/unsupported-type",
      `content-type: expected a charset of ${Object.keys(ENCODINGS).join(", ")}, got another`,
    );
  return new TextDecoder(encoding, { fatal: true });
}

/** A byte-order mark of UTF-16 or UTF-8. */
function isMarked([first, second, third]: Buffer): boolean {
  return (
    (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff) || (first === 0xef && second === 0xbb && third === 0xbf)
  );
}

function tellApart(start: Buffer): TextDecoder {
  const [first, second] = start;
  if (first === 0xff && second === 0xfe) return new TextDecoder("utf-16le", { fatal: true });
  if (first === 0xfe && second === 0xff) return new TextDecoder("utf-16be", { fatal: true });
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  try {
    utf8.decode(start, { stream: true });
    return new TextDecoder("utf-8", { fatal: true });
  } catch {
    return new TextDecoder("gb18030", { fatal: true });
  }
}

function decode(decoder: TextDecoder, bytes?: Buffer): string {
  try {
    return bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode();
  } catch (cause) {
    throw new CallsiftError("request/invalid", `body: expected text in ${decoder.encoding}, got other bytes`, { cause });
  }
}

function asciiLength(bytes: Buffer): number {
  const at = bytes.findIndex((byte) => byte >= 0x80);
  return at < 0 ? bytes.length : at;
}
