import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { addAbortSignal, type Readable } from "node:stream";
import { CallsiftError } from "../pipeline/errors.ts";
import { newId } from "./ids.ts";

/** Bytes that have come in, synced, under a name of their own. Disposing of it removes them unless they were moved on. */
export interface Intake extends AsyncDisposable {
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
  /** Moves them on, over what may be there. */
  moveTo(path: string): Promise<void>;
}

export interface IntakeOptions {
  readonly maxBytes: number;
  /** What must be left on the disk. */
  readonly minFreeBytes?: number;
  readonly signal?: AbortSignal;
}

/**
 * Takes bytes in: hashed on the way, and on the disk once this resolves. Whatever goes wrong leaves nothing behind.
 *
 * @throws CallsiftError `request/too-large`, `output/no-space`, `aborted`
 */
export async function takeIn(folder: string, bytes: Readable, options: IntakeOptions): Promise<Intake> {
  const { minFreeBytes = 0, signal } = options;
  keepErrors(bytes);
  if (signal) addAbortSignal(signal, bytes);
  const path = join(folder, `${newId()}.part`);
  const remove = () => rm(path, { force: true });
  let isMoved = false;
  try {
    const file = await withFolder(
      () => open(path, "wx", 0o600),
      () => mkdir(folder, { recursive: true }),
    );
    let taken: Pick<Intake, "sha256" | "bytes">;
    try {
      if (minFreeBytes > 0) await checkSpace(folder, minFreeBytes);
      taken = await write(file, bytes, options.maxBytes);
      await file.sync();
    } finally {
      await file.close();
    }
    return {
      path,
      ...taken,
      async moveTo(to) {
        await rename(path, to);
        isMoved = true;
      },
      async [Symbol.asyncDispose]() {
        if (!isMoved) await remove();
      },
    };
  } catch (error) {
    bytes.destroy();
    await remove();
    throw intakeError(error);
  }
}

/** Does what needs a folder; makes the folder only where it is missing, since that is asked for with every recording. */
export async function withFolder<Done>(act: () => Promise<Done>, makeFolder: () => Promise<unknown>): Promise<Done> {
  try {
    return await act();
  } catch (error) {
    if (!isMissing(error)) throw error;
    await makeFolder();
    return await act();
  }
}

/** There is no such file or folder. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}

/** An error of a stream that nobody reads yet would end the process; whoever reads it later still gets it. */
export function keepErrors(bytes: Readable): void {
  bytes.on("error", () => undefined);
}

/** A megabyte comes in sixteen chunks; in two writes it costs less of the processor. One write would wait for the last chunk: a tenth fewer recordings a second. */
const WRITTEN_AT_ONCE = 512 * 1024;

async function write(file: FileHandle, bytes: Readable, maxBytes: number): Promise<Pick<Intake, "sha256" | "bytes">> {
  const hash = createHash("sha256");
  let total = 0;
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  const flush = async () => {
    const parts = waiting;
    const length = waitingBytes;
    waiting = [];
    waitingBytes = 0;
    if (length === 0) return;
    let { bytesWritten } = await file.writev(parts);
    if (bytesWritten === length) return;
    const whole = Buffer.concat(parts, length);
    while (bytesWritten < length) bytesWritten += (await file.write(whole, bytesWritten)).bytesWritten;
  };
  for await (const chunk of bytes as AsyncIterable<Uint8Array | string>) {
    const part = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    total += part.length;
    if (total > maxBytes) throw new CallsiftError("request/too-large", `expected a recording of at most ${maxBytes} bytes, got more`);
    hash.update(part);
    waiting.push(part);
    waitingBytes += part.length;
    if (waitingBytes >= WRITTEN_AT_ONCE) await flush();
  }
  await flush();
  return { sha256: hash.digest("hex"), bytes: total };
}

async function checkSpace(folder: string, minFreeBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= minFreeBytes) return;
  throw new CallsiftError("output/no-space", `expected ${minFreeBytes} bytes free on the disk of recordings, got ${bavail * bsize}`);
}

/** Codes of the system: no space, over quota. */
const FULL = new Set(["ENOSPC", "EDQUOT"]);
/** Codes of streams whose other side is gone. */
const BROKEN_OFF = new Set(["ERR_STREAM_PREMATURE_CLOSE", "ECONNRESET", "EPIPE", "ABORT_ERR", "ERR_STREAM_DESTROYED"]);

function intakeError(error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (FULL.has(code)) return new CallsiftError("output/no-space", "expected room for a recording on the disk, got none", { cause: error });
  if (BROKEN_OFF.has(code)) return new CallsiftError("aborted", "the recording broke off before its end", { cause: error });
  return error;
}

/** Who is still writing, or listening to what was fetched, is done within this time. */
const STRAY_MS = 24 * 3_600_000;

/** Removes what processes that were killed left of their intakes; how many. */
export async function removeStrays(folder: string, now = Date.now()): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  let removed = 0;
  for (const name of names) {
    if (!name.endsWith(".part")) continue;
    const path = join(folder, name);
    const found = await stat(path).catch(() => null);
    if (found === null || now - found.mtimeMs < STRAY_MS) continue;
    await rm(path, { force: true });
    removed++;
  }
  return removed;
}
