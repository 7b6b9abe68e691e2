import { mkdir, open, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { RecordingFiles } from "./recording-files.ts";
import { isMissing, removeStrays, takeIn, withFolder } from "./recording-intake.ts";
import { checkedKey, gone, recordingKey } from "./recording-key.ts";

/**
 * Recordings in the folder `recordings` of `dataDir`, by tenant and hash. Several processes may share it.
 *
 * @param options.minFreeBytes what must be left on the disk: below it `put` refuses with `output/no-space`
 */
export function openDiskFiles(dataDir: string, { minFreeBytes = 0 }: { readonly minFreeBytes?: number } = {}): RecordingFiles {
  const root = join(dataDir, "recordings");
  const incoming = join(root, "incoming");
  let swept: Promise<number> | undefined;

  const pathOf = (key: string): string => join(root, ...checkedKey(key).split("/"));

  return {
    async put(tenant, _name, bytes, options) {
      swept ??= removeStrays(incoming);
      await using intake = await takeIn(incoming, bytes, { ...options, minFreeBytes });
      await swept;
      const key = recordingKey(tenant, intake.sha256);
      const path = pathOf(key);
      // Over what may be there: the same bytes, perhaps just about to be removed with another call.
      await withFolder(
        () => intake.moveTo(path),
        () => makeFolder(dirname(path), root),
      );
      await syncFolder(dirname(path));
      return { key, sha256: intake.sha256, bytes: intake.bytes };
    },
    async local(key, signal) {
      signal?.throwIfAborted();
      const path = pathOf(key);
      await sizeOf(path);
      return { path, [Symbol.asyncDispose]: () => Promise.resolve() };
    },
    size: async (key) => await sizeOf(pathOf(key)),
    async read(key, range) {
      const file = await open(pathOf(key)).catch(missing);
      return file.createReadStream({ ...range });
    },
    async remove(key) {
      const path = pathOf(key);
      try {
        await rm(path);
      } catch (error) {
        if (isMissing(error)) return false;
        throw error;
      }
      await syncFolder(dirname(path));
      return true;
    },
  };
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(missing)).size;
}

/** Makes a folder; its entry, too, is on the disk when this resolves. */
async function makeFolder(folder: string, root: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true });
  if (first === undefined) return;
  for (let at = folder; at.length >= root.length; at = dirname(at)) await syncFolder(dirname(at));
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function missing(error: unknown): never {
  if (isMissing(error)) throw gone(error);
  throw error;
}
