import { randomUUID } from "node:crypto";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { CallsiftError } from "../pipeline/errors.ts";

/**
 * Where weights grow before they are whole, inside the store so that the last step is a rename. It belongs to one pull at a time: its name says
 * whose it is, and taking over an abandoned one is a rename, which only one of several can succeed with.
 */
export interface WorkFolder extends AsyncDisposable {
  /** The files that will be the weights. */
  readonly files: string;
  /** What is needed on the way: archives, wheels. */
  readonly scratch: string;
  /**
   * Puts `files` in the store under that name in one step, in place of what may be there; where `isGood` says that this is as good, that stays.
   *
   * @returns the folder in the store
   */
  publish(name: string, isGood?: () => Promise<boolean>): Promise<string>;
}

/** Left alone so long, a work folder is nobody's, whatever its name says. */
const ABANDONED_MS = 24 * 3_600_000;
/** Work that nobody goes on with. */
const ONCE = ".once~";

/**
 * Opens a work folder for a pull of weights, with what an interrupted one has left. Closed without `publish`, it stays for the next. Without `pull` it is
 * for once only.
 *
 * @throws CallsiftError `output/unwritable`
 */
export async function openWorkFolder(weightsDir: string, { pull }: { readonly pull?: string } = {}): Promise<WorkFolder> {
  const prefix = pull === undefined ? ONCE : `.work-${pull}~`;
  const host = hostname().replaceAll("~", "-");
  const folder = join(weightsDir, `${prefix}${host}~${process.pid}~${randomUUID()}`);
  const files = join(folder, "files");
  const scratch = join(folder, "scratch");
  try {
    await mkdir(weightsDir, { recursive: true });
    await tidy(weightsDir);
    if (pull !== undefined) await claim();
    for (const path of [files, scratch]) await mkdir(path, { recursive: true });
  } catch (cause) {
    throw unwritable(cause);
  }

  /** Takes over what a pull that is no more has left; where there is nothing of that kind, none. */
  async function claim(): Promise<void> {
    for (const left of await readdir(weightsDir)) {
      if (!left.startsWith(prefix)) continue;
      const [owner, pid] = left.slice(prefix.length).split("~");
      const free = owner === "" || (owner === host && !isAlive(Number(pid))) || (await isOld(join(weightsDir, left)));
      if (!free) continue;
      const taken = await rename(join(weightsDir, left), folder).then(
        () => true,
        () => false, // another one was faster
      );
      if (taken) return;
    }
  }

  let done = false;
  return {
    files,
    scratch,
    async publish(name, isGood = async () => false) {
      const place = join(weightsDir, name);
      for (let attempt = 0; ; attempt++) {
        try {
          await rename(files, place);
          done = true;
          return place;
        } catch (error) {
          // There are some already: of an earlier pull, or of one that was at it at the same time.
          const isTaken = ["ENOTEMPTY", "EEXIST", "EPERM", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
          if (!isTaken || attempt === 5) throw unwritable(error);
        }
        if (await isGood()) {
          done = true;
          return place;
        }
        const away = join(weightsDir, `.old-${randomUUID()}`);
        await rename(place, away).catch(ignoreMissing);
        await rm(away, { recursive: true, force: true });
      }
    },
    async [Symbol.asyncDispose]() {
      if (done || pull === undefined || (await isEmpty(files, scratch))) await rm(folder, { recursive: true, force: true });
      else await rename(folder, join(weightsDir, `${prefix}~~${randomUUID()}`)).catch(() => {});
    },
  };
}

/** What a process that died half-way has left and nobody goes on with. */
async function tidy(weightsDir: string): Promise<void> {
  for (const name of await readdir(weightsDir))
    if ((name.startsWith(".old-") || name.startsWith(ONCE)) && (await isOld(join(weightsDir, name))))
      await rm(join(weightsDir, name), { recursive: true, force: true });
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw unwritable(error);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function isOld(folder: string): Promise<boolean> {
  let newest = 0;
  try {
    for (const path of [".", ...(await readdir(folder, { recursive: true }))])
      newest = Math.max(newest, (await stat(join(folder, path))).mtimeMs);
  } catch {
    return false; // it is being worked on
  }
  return Date.now() - newest > ABANDONED_MS;
}

async function isEmpty(...folders: readonly string[]): Promise<boolean> {
  for (const folder of folders) if ((await readdir(folder).catch(() => [])).length > 0) return false;
  return true;
}

function unwritable(cause: unknown): CallsiftError {
  if (cause instanceof CallsiftError) return cause;
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT") return new CallsiftError("weights/no-space", "the disk is full", { cause });
  return new CallsiftError("output/unwritable", `expected a folder for weights that can be written to, got ${code}`, { cause });
}
