import type { ReadAt } from "./regular-file.ts";

/** Signs in a container itself that its end is missing; ffmpeg decodes these without a word. */
export interface Cut {
  readonly detail: string;
  /** true: bytes are gone. false: nothing seems to be, but the recorder never finished the file. */
  readonly isCertain: boolean;
}

/** An Ogg page is at most 27 + 255 + 255 * 255 bytes (RFC 3533). */
const OGG_PAGE_BYTES = 27 + 255 + 255 * 255;
const OGG_LAST_PAGE_FLAG = 4;

/** The last page must be whole and say that it is the last. */
async function oggCut(readAt: ReadAt, size: number): Promise<Cut | null> {
  const from = Math.max(0, size - OGG_PAGE_BYTES);
  const tail = await readAt(from, size - from);
  const at = tail.lastIndexOf("OggS");
  if (at < 0 || at + 27 > tail.length) return { detail: "the last page is cut", isCertain: true };
  const segments = tail.subarray(at + 27, at + 27 + (tail[at + 26] as number));
  const bodyBytes = segments.reduce((total, bytes) => total + bytes, 0);
  const pageEnd = at + 27 + (tail[at + 26] as number) + bodyBytes;
  if (pageEnd > tail.length) return { detail: `the last page is cut, ${pageEnd - tail.length} bytes are missing`, isCertain: true };
  const isLast = ((tail[at + 5] as number) & OGG_LAST_PAGE_FLAG) !== 0;
  return isLast ? null : { detail: "the recorder never marked the end", isCertain: false };
}

/** File Properties Object of the ASF specification: GUID, object size, file id, file size, …, flags (bit 0: live, sizes unknown). */
const ASF_FILE_PROPERTIES = Buffer.from("a1dcab8c47a9cf118ee400c00c205365", "hex");

function asfCut(head: Buffer, size: number): Cut | null {
  const at = head.indexOf(ASF_FILE_PROPERTIES);
  if (at < 0 || at + 92 > head.length) return null;
  const isLive = (head.readUInt32LE(at + 88) & 1) !== 0;
  const missing = head.readBigUInt64LE(at + 40) - BigInt(size);
  if (isLive || missing <= 0n) return null;
  return { detail: `the header promises ${missing} bytes more than are there`, isCertain: true };
}

/**
 * Looks whether a file that ffmpeg will decode is cut.
 *
 * @param head its first bytes
 */
export async function findCut(demuxer: string, head: Buffer, readAt: ReadAt, size: number): Promise<Cut | null> {
  if (demuxer === "ogg") return await oggCut(readAt, size);
  if (demuxer === "asf") return asfCut(head, size);
  return null;
}
