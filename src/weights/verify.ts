import { join } from "node:path";
import { CallsiftError, type ErrorCode } from "../pipeline/errors.ts";
import { type CatalogueEntry, catalogueEntry } from "./catalogue.ts";
import { hashFile } from "./hash-file.ts";
import { inspectWeights } from "./inspect.ts";
import type { InstalledWeights } from "./store.ts";
import { tryLoading } from "./try-loading.ts";

export interface Verified {
  readonly name: string;
  /** null: they are as they must be. */
  readonly fault: { readonly code: ErrorCode; readonly message: string } | null;
  /** Files that were held to a hash known beforehand, and to one recorded when they came. */
  readonly known: number;
  readonly recorded: number;
  /** How long loading and one second of sound took, ms; null where it did not come to that. */
  readonly loadMs: number | null;
}

export interface VerifyOptions {
  readonly signal?: AbortSignal | undefined;
  /** For loading them, ms. */
  readonly timeoutMs?: number;
}

/** Looks at installed weights: their bytes, then what they are, then whether they load, which happens in a process of its own. */
export async function verifyWeights(weights: InstalledWeights, { signal, timeoutMs }: VerifyOptions = {}): Promise<Verified> {
  const files = weights.manifest?.files ?? [];
  const known = files.filter((file) => file.known).length;
  const result = { name: weights.name, known, recorded: files.length - known, loadMs: null };
  try {
    const wrong = await checkHashes(weights, catalogueEntry(weights.name), signal);
    if (wrong !== null) throw wrong;
    const { engine } = await inspectWeights(weights.folder, weights.manifest?.engine);
    return { ...result, fault: null, loadMs: await tryLoading(weights.folder, engine, { signal, ...(timeoutMs && { timeoutMs }) }) };
  } catch (error) {
    if (!(error instanceof CallsiftError) || error.code === "aborted") throw error;
    return { ...result, fault: { code: error.code, message: error.message } };
  }
}

/** The first thing that is not as it came, or not as the catalogue knows it; null where all is well. */
export async function checkHashes(
  { folder, manifest, fault }: InstalledWeights,
  entry: CatalogueEntry | null,
  signal?: AbortSignal,
): Promise<CallsiftError | null> {
  if (manifest === null || fault !== null) return new CallsiftError("weights/damaged", fault ?? "no manifest");
  for (const { name, sha256 } of manifest.files) {
    // The manifest is a file like the others: where a hash is known of old, that one holds.
    const wanted = entry?.files.find((file) => file.name === name)?.sha256 ?? sha256;
    const got = await hashFile(join(folder, name), signal).catch((cause: NodeJS.ErrnoException) => {
      if (signal?.aborted) throw new CallsiftError("aborted", "stopped on request", { cause });
      return { sha256: `nothing readable (${cause.code})` };
    });
    if (got.sha256 !== wanted) return new CallsiftError("weights/damaged", `${name}: expected sha256 ${wanted}, got ${got.sha256}`);
  }
  for (const { name } of entry?.files ?? [])
    if (!manifest.files.some((file) => file.name === name)) return new CallsiftError("weights/damaged", `${name} is not in the manifest`);
  return null;
}
