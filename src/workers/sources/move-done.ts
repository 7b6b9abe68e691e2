import { constants, copyFile, link, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, extname, join } from "node:path";

/**
 * Moves a file to a place of the same name below `doneFolder`, over no other file: where the name is taken, a number is put behind it. On another disk it is copied whole and on the disk before the first one goes.
 *
 * @param name relative, with `/` between its parts
 * @returns the new path; null where the file is not there any more (another process was quicker)
 */
export async function moveDone(path: string, doneFolder: string, name: string): Promise<string | null> {
  const wanted = join(doneFolder, ...name.split("/"));
  await mkdir(dirname(wanted), { recursive: true });
  for (let number = 0; ; number++) {
    const ending = extname(wanted);
    const target = number === 0 ? wanted : `${wanted.slice(0, wanted.length - ending.length)}.${number}${ending}`;
    try {
      await moveOver(path, target);
      return target;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return null;
      if (code !== "EEXIST") throw error;
    }
  }
}

/** Fails with EEXIST where there is a file already. */
async function moveOver(path: string, target: string): Promise<void> {
  try {
    await link(path, target);
    await rm(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EXDEV" && code !== "EPERM" && code !== "ENOTSUP" && code !== "EMLINK") throw error;
    await moveAcross(path, target);
  }
}

/** Between disks, and where there are no hard links. */
async function moveAcross(path: string, target: string): Promise<void> {
  const { dev, mtime, atime } = await stat(path);
  const sameDisk = dev === (await stat(dirname(target))).dev;
  if (sameDisk) {
    await (await open(target, "wx")).close();
    await rename(path, target);
    return;
  }
  await copyFile(path, target, constants.COPYFILE_EXCL);
  const copy = await open(target, "r+");
  try {
    await copy.utimes(atime, mtime);
    await copy.sync();
  } finally {
    await copy.close();
  }
  await rm(path);
}
