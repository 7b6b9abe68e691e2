import { randomUUID } from "node:crypto";
import { readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { CallsiftError } from "../pipeline/errors.ts";
import { type Manifest, readManifest, WEIGHTS_NAME } from "./manifest.ts";

/** Weights in the store. */
export interface InstalledWeights {
  readonly name: string;
  /** Where the files lie; what engines are opened with. */
  readonly folder: string;
  /** null where it cannot be read. */
  readonly manifest: Manifest | null;
  /** Of the files the manifest names, as they are on the disk. */
  readonly bytes: number;
  /** `damaged`: a file is missing or of another size, or the manifest is. Contents are judged by `verifyWeights` only. */
  readonly state: "ready" | "damaged";
  /** What is wrong, for people; null where nothing is. */
  readonly fault: string | null;
}

/** All weights in the store's folder, by name; none where there is no such folder. */
export async function installedWeights(weightsDir: string): Promise<InstalledWeights[]> {
  const entries = await readdir(weightsDir, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
    throw new CallsiftError("weights/missing", `expected a readable folder of weights, got ${error.code}`, { cause: error });
  });
  // Downloads under way begin with a dot, which no name does.
  const names = entries
    .filter((entry) => entry.isDirectory() && WEIGHTS_NAME.test(entry.name))
    .map(({ name }) => name)
    .sort();
  return await Promise.all(names.map((name) => lookAt(weightsDir, name)));
}

/**
 * The weights of that name.
 *
 * @throws CallsiftError `weights/unknown`
 */
export async function findWeights(weightsDir: string, name: string): Promise<InstalledWeights> {
  const found = (await installedWeights(weightsDir)).find((weights) => weights.name === name);
  if (found) return found;
  throw new CallsiftError("weights/unknown", `expected the name of installed weights (callsift models list), got ${JSON.stringify(name)}`);
}

/**
 * Removes weights from the store.
 *
 * @throws CallsiftError `weights/unknown`, `output/unwritable`
 */
export async function removeWeights(weightsDir: string, name: string): Promise<InstalledWeights> {
  const found = await findWeights(weightsDir, name);
  const away = join(weightsDir, `.old-${randomUUID()}`);
  try {
    // Renamed first: whoever looks meanwhile sees them whole or not at all.
    await rename(found.folder, away);
    await rm(away, { recursive: true, force: true });
  } catch (cause) {
    throw new CallsiftError("output/unwritable", `${name} cannot be removed: ${(cause as NodeJS.ErrnoException).code}`, { cause });
  }
  return found;
}

async function lookAt(weightsDir: string, name: string): Promise<InstalledWeights> {
  const folder = join(weightsDir, name);
  try {
    const manifest = await readManifest(folder);
    let bytes = 0;
    let fault: string | null = manifest.name === name ? null : `the manifest is that of ${manifest.name}`;
    for (const file of manifest.files) {
      const size = await stat(join(folder, file.name)).then(
        (found) => (found.isFile() ? found.size : null),
        () => null,
      );
      bytes += size ?? 0;
      if (size === null) fault ??= `${file.name} is missing`;
      else if (size !== file.bytes) fault ??= `${file.name}: expected ${file.bytes} bytes, got ${size}`;
    }
    return { name, folder, manifest, bytes, state: fault === null ? "ready" : "damaged", fault };
  } catch (error) {
    if (!(error instanceof CallsiftError)) throw error;
    return { name, folder, manifest: null, bytes: 0, state: "damaged", fault: error.message };
  }
}
