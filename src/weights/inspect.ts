import { readdir } from "node:fs/promises";
import { CallsiftError } from "../pipeline/errors.ts";
import type { WeightsEngine } from "./catalogue.ts";

/** What a folder of weights holds. */
export interface Inspected {
  readonly engine: WeightsEngine;
  readonly family: string;
  /** ISO 639 codes; `*`: many more. */
  readonly languages: readonly string[];
  /** Memory of one process that has them loaded, with one lane; an estimate. */
  readonly memoryBytes: number;
}

/** What the process itself takes, beside weights. */
const PROCESS_BYTES = 120e6;
/** A model's bytes in memory beside those of its file: what it is rewritten to when loaded, and what a piece of sound needs. */
const SHERPA_FACTOR = 2.5;

const INSPECTORS = {
  async whisper(folder) {
    const { inspectWhisper } = await import("../pipeline/asr/whisper/inspect.ts");
    const { bytesInMemory } = await inspectWhisper(folder);
    return { engine: "whisper", family: "whisper", languages: ["zh", "en", "*"], memoryBytes: bytesInMemory + PROCESS_BYTES };
  },
  async sherpa(folder) {
    const { inspectSherpa } = await import("../pipeline/asr/sherpa/inspect.ts");
    const { family, languages, onnx } = inspectSherpa(folder);
    return { engine: "sherpa", family, languages, memoryBytes: Math.round(onnx.bytes * SHERPA_FACTOR + PROCESS_BYTES) };
  },
} as const satisfies Record<WeightsEngine, (folder: string) => Promise<Inspected>>;

/**
 * Says what weights lie in a folder, by what is in the files; they are not loaded.
 *
 * @param engine - What they must be for; without it, whatever they are.
 * @throws CallsiftError `weights/foreign`, `weights/missing`, `weights/damaged`
 */
export async function inspectWeights(folder: string, engine?: WeightsEngine): Promise<Inspected> {
  const names = await readdir(folder);
  const found = names.includes("model.bin") ? "whisper" : names.some((name) => name.endsWith(".onnx")) ? "sherpa" : null;
  if (found === null)
    throw new CallsiftError("weights/foreign", "expected weights (model.bin, or an .onnx file with tokens.txt), got neither");
  if (engine !== undefined && engine !== found)
    throw new CallsiftError("weights/foreign", `expected weights for ${engine}, got some for ${found}`);
  return await INSPECTORS[found](folder);
}
