import { readdirSync, readlinkSync, rmSync } from "node:fs";
import { mkdtemp, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CallsiftError } from "../errors.ts";
import { atExit } from "./at-exit.ts";

/** A private folder that is gone once it is disposed of, or when the process exits. */
export interface Scratch extends AsyncDisposable {
  readonly folder: string;
  /** Bytes that its disk has room for. */
  readonly freeBytes: number;
}

/** Memory for decoded sound comes out of what recognition needs: long recordings go to disk (its cache makes them fast enough). */
const MEMORY_DISK = "/dev/shm";
const MAX_IN_MEMORY_BYTES = 512 * 1024 * 1024;

/** Names which process owns a folder; process ids mean something only inside their namespace. */
function ownerPrefix(): string {
  return `callsift-${namespaceId()}-`;
}

function namespaceId(): string {
  try {
    return /\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0] ?? "0";
  } catch {
    return "0";
  }
}

/** Removes what processes that were killed outright have left behind. */
function sweep(root: string): void {
  const prefix = ownerPrefix();
  for (const name of readdirSync(root)) {
    if (!name.startsWith(prefix)) continue;
    const pid = Number(/^\d+/.exec(name.slice(prefix.length))?.[0]);
    if (!(pid > 0) || pid === process.pid || isRunning(pid)) continue;
    try {
      rmSync(join(root, name), { recursive: true, force: true });
    } catch {
      // Another user's, or swept by another process at this moment.
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}

async function freeBytesOf(root: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(root);
    return bavail * bsize;
  } catch {
    return 0;
  }
}

/**
 * Makes a private folder (mode 700): in memory if about `expectedBytes` fit well, else on disk. `root` decides instead where given.
 *
 * @throws CallsiftError `output/unwritable`
 */
export async function createScratch(expectedBytes: number, root?: string): Promise<Scratch> {
  const chosen = root ?? ((await fitsInMemory(expectedBytes)) ? MEMORY_DISK : tmpdir());
  let folder: string;
  try {
    sweep(chosen);
    folder = await mkdtemp(join(chosen, `${ownerPrefix()}${process.pid}-`));
  } catch (error) {
    throw new CallsiftError("output/unwritable", "expected to make a folder for temporary files, but could not", { cause: error });
  }
  const forget = atExit(() => rmSync(folder, { recursive: true, force: true }));
  return {
    folder,
    freeBytes: await freeBytesOf(folder),
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true });
      forget();
    },
  };
}

async function fitsInMemory(expectedBytes: number): Promise<boolean> {
  return expectedBytes <= MAX_IN_MEMORY_BYTES && expectedBytes <= (await freeBytesOf(MEMORY_DISK)) / 4;
}
