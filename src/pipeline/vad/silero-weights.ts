import { fileURLToPath } from "node:url";

/** SHA-256 of the graph that scripts/build-silero.ts writes; the same on every machine. */
export const SILERO_SHA256 = "4cd2bd539faf82b1b7b137838ac198582bca53e753c5817eb6d12184d5964e29";

/** Path of the graph: `dist/weights/` of this package, whether this file runs from `src` or from `dist`. */
export function sileroPath(): string {
  return fileURLToPath(new URL("../../../dist/weights/silero-8k.onnx", import.meta.url));
}
