import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/** A path as text, or as bytes where the name is not valid UTF-8. */
export type AnyPath = string | Uint8Array;

const META = ".meta.json";

/**
 * The path of a file that lies beside a recording and shares its name: `/in/call.wav` with `.meta.json` is `/in/call.meta.json`.
 * A call of two files is named by its metadata file: `/in/call.meta.json` stands for a recording `/in/call`.
 */
export function besideRecording(recordingPath: AnyPath, ending: string): AnyPath {
  if (typeof recordingPath === "string") return stem(recordingPath) + ending;
  // Latin-1 maps every byte to one character and back, whatever encoding the name is really in.
  return Buffer.from(stem(Buffer.from(recordingPath).toString("latin1")) + ending, "latin1");
}

function stem(path: string): string {
  if (path.endsWith(META)) return path.slice(0, -META.length);
  const name = path.slice(path.lastIndexOf("/") + 1);
  const dot = name.lastIndexOf(".");
  return dot > 0 ? path.slice(0, path.length - name.length + dot) : path;
}

/** The last part of a path, on one line for messages. */
export function fileName(path: AnyPath): string {
  const text = typeof path === "string" ? path : Buffer.from(path).toString();
  return text.slice(text.lastIndexOf("/") + 1).replace(/\p{Cc}+/gu, " ");
}

/** What became of reading a small file whole. */
export type SmallFile =
  | { readonly status: "read"; readonly bytes: Buffer }
  | { readonly status: "missing" }
  | { readonly status: "too-large"; readonly size: number }
  /** `why` for people, e.g. `it is not a file`. */
  | { readonly status: "unreadable"; readonly why: string };

/** Reads a regular file of at most `limit` bytes; anything else (a pipe, a device) is never waited for. */
export async function readSmallFile(path: AnyPath, limit: number, signal?: AbortSignal): Promise<SmallFile> {
  signal?.throwIfAborted();
  let file: FileHandle;
  try {
    // Non-blocking, or opening a pipe without a writer would never return.
    file = await open(typeof path === "string" ? path : Buffer.from(path), constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return failed(error);
  }
  try {
    const found = await file.stat();
    if (!found.isFile()) return { status: "unreadable", why: "it is not a file" };
    if (found.size > limit) return { status: "too-large", size: found.size };
    const bytes = await file.readFile({ ...(signal && { signal }) });
    return bytes.length > limit ? { status: "too-large", size: bytes.length } : { status: "read", bytes };
  } catch (error) {
    if (error instanceof Error && error.name === "AbortError") throw error;
    return failed(error);
  } finally {
    await file.close();
  }
}

function failed(error: unknown): SmallFile {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT" || code === "ENOTDIR") return { status: "missing" };
  if (code === "EACCES" || code === "EPERM") return { status: "unreadable", why: "this user may not read it" };
  return { status: "unreadable", why: code ?? String(error) };
}
