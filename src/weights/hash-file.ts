import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { Got } from "./download.ts";

/** Size and sha256 of a file. */
export async function hashFile(path: string, signal?: AbortSignal): Promise<Got> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024, ...(signal && { signal }) })) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  return { bytes, sha256: hash.digest("hex") };
}
