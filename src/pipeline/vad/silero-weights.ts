import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { CallsiftError } from "../errors.ts";

/** SHA-256 of the graph that scripts/build-silero.ts writes; the same on every machine. */
export const SILERO_SHA256 = "bfbfa06497be32af99c10b764ec11ea843c57ef06fbeb417029ed7b25075ce54";

/** Path of the graph: `dist/weights/` of this package, whether this file runs from `src` or from `dist`. */
export function sileroPath(): string {
  return fileURLToPath(new URL("../../../dist/weights/silero-8k.onnx", import.meta.url));
}

/**
 * The graph's bytes, checked.
 *
 * @throws CallsiftError `vad/unavailable`
 */
export async function readSileroWeights(path = sileroPath()): Promise<Uint8Array> {
  const cure = "run `npm run build` in callsift's folder to make it again";
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new CallsiftError("vad/unavailable", `the speech detector's weights cannot be read at ${path}: ${cure}`, { cause });
  });
  const hash = createHash("sha256").update(bytes).digest("hex");
  if (hash === SILERO_SHA256) return bytes;
  throw new CallsiftError("vad/unavailable", `${path} is damaged: expected sha256 ${SILERO_SHA256}, found ${hash}; ${cure}`);
}
