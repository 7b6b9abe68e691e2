import { availableParallelism } from "node:os";
import { catalogueEntry } from "./catalogue.ts";
import { inspectWeights } from "./inspect.ts";
import type { InstalledWeights } from "./store.ts";

/** Left to everything else on the machine. */
const MEMORY_SHARE = 0.8;

export interface Lanes {
  /** Pieces of sound that can be recognised at once: a core and a copy of the weights each. 0 where not even one fits. */
  readonly count: number;
  readonly cores: number;
  /** Of one. */
  readonly memoryBytes: number;
  readonly freeBytes: number;
}

/**
 * How many copies of the weights fit this machine as it is now.
 *
 * @throws CallsiftError `weights/…` of the engine's inspector
 */
export async function lanesThatFit({ name, folder, manifest }: InstalledWeights): Promise<Lanes> {
  const memoryBytes = catalogueEntry(name)?.memory.bytes ?? (await inspectWeights(folder, manifest?.engine)).memoryBytes;
  const cores = availableParallelism();
  const freeBytes = process.availableMemory();
  return { count: Math.min(cores, Math.floor((freeBytes * MEMORY_SHARE) / memoryBytes)), cores, memoryBytes, freeBytes };
}
