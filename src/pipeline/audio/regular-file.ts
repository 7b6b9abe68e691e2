import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, open, stat } from "node:fs/promises";
import { CallsiftError } from "../errors.ts";

/** A path; as bytes where the name is not valid UTF-8. */
export type FilePath = string | Buffer;

/** Bytes at a position; fewer than asked for only at the end of the file. */
export type ReadAt = (position: number, length: number) => Promise<Buffer>;

export interface RegularFile extends AsyncDisposable {
  readonly handle: FileHandle;
  readonly size: number;
  readonly readAt: ReadAt;
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return "a directory";
  if (stats.isFIFO()) return "a pipe";
  if (stats.isSocket()) return "a socket";
  return "a device";
}

async function explain(error: unknown, path: FilePath): Promise<unknown> {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const cause = { cause: error };
  switch (code) {
    case "ENOENT": {
      const link = await lstat(path).catch(() => null);
      return new CallsiftError("audio/not-found", link ? "expected a file, got a link to nowhere" : "no such file", cause);
    }
    case "ENOTDIR":
    case "ENAMETOOLONG":
    case "ERR_INVALID_ARG_VALUE":
      return new CallsiftError("audio/not-found", "no such file: the path is not a possible one", cause);
    case "ELOOP":
      return new CallsiftError("audio/not-found", "expected a file, got links that go round in a circle", cause);
    case "EACCES":
    case "EPERM":
      return new CallsiftError("audio/forbidden", "no permission to read the file", cause);
    case "ENXIO":
    case "EISDIR":
      return new CallsiftError("audio/not-a-file", "expected a regular file", cause);
    case "EIO":
      return new CallsiftError("audio/unreadable", "the disk reports a read error", cause);
    default:
      return error;
  }
}

/** Reads until `length` bytes or the end of the file; one read may legally return less. */
async function readFully(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

/**
 * Opens a regular file for reading, and nothing else: the path is looked at before it is opened (opening a device can act),
 * opened without waiting (a pipe without a writer would wait for ever) and looked at again (it may have been swapped).
 *
 * @throws CallsiftError `audio/not-found`, `audio/forbidden`, `audio/not-a-file`, `audio/unreadable`
 */
export async function openRegularFile(path: FilePath): Promise<RegularFile> {
  let handle: FileHandle | undefined;
  try {
    const before = await stat(path);
    if (!before.isFile()) throw new CallsiftError("audio/not-a-file", `expected a regular file, got ${kindOf(before)}`);
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await handle.stat();
    if (!stats.isFile()) throw new CallsiftError("audio/not-a-file", `expected a regular file, got ${kindOf(stats)}`);
    const opened = handle;
    return {
      handle: opened,
      size: stats.size,
      readAt: (position, length) => readFully(opened, position, length),
      [Symbol.asyncDispose]: () => opened.close(),
    };
  } catch (error) {
    await handle?.close();
    throw await explain(error, path);
  }
}
