import { statfs } from "node:fs/promises";

/** Whether the disk of a folder has this many bytes left for us; true where nobody can tell. */
export async function hasRoom(folder: string, minFreeBytes: number): Promise<boolean> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize >= minFreeBytes;
  } catch {
    return true;
  }
}
