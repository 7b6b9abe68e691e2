import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { CallsiftError } from "../errors.ts";

/** SHA-256 of the graph that scripts/voice-encoder.py writes from Resemblyzer 0.1.4. */
export const VOICE_ENCODER_SHA256 = "dc2a733ad79007d1e92ea61f6eafb5266a6322896606990f4a79c4cc750352c7";

/** Path of the graph: beside this file, whether it runs from `src` or from `dist`. */
export function voiceEncoderPath(): string {
  return fileURLToPath(new URL("./voice-encoder.fp16.onnx", import.meta.url));
}

/**
 * The graph's bytes, checked.
 *
 * @throws CallsiftError `weights/missing`, `weights/damaged`
 */
export async function readVoiceEncoder(path = voiceEncoderPath()): Promise<Uint8Array> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new CallsiftError("weights/missing", `the voice encoder's weights cannot be read at ${path}: install callsift again`, { cause });
  });
  const hash = createHash("sha256").update(bytes).digest("hex");
  if (hash === VOICE_ENCODER_SHA256) return bytes;
  throw new CallsiftError(
    "weights/damaged",
    `${path} is damaged: expected sha256 ${VOICE_ENCODER_SHA256}, found ${hash}; install callsift again`,
  );
}
