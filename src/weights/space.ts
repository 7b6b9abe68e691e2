import { statfs } from "node:fs/promises";
import { CallsiftError } from "../pipeline/errors.ts";

/** Left free beside what is asked for: a disk filled to its last byte troubles everything else on it. */
const MARGIN_BYTES = 64 * 1024 ** 2;

/** Bytes that this user may still write in that folder, which is there. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/**
 * Makes sure that so many bytes can be written.
 *
 * @throws CallsiftError `weights/no-space`
 */
export async function checkSpace(folder: string, bytes: number, free: (folder: string) => Promise<number> = freeBytes): Promise<void> {
  const has = await free(folder);
  if (has >= bytes + MARGIN_BYTES) return;
  throw new CallsiftError("weights/no-space", `expected ${megabytes(bytes + MARGIN_BYTES)} free, got ${megabytes(has)}`);
}

/** Bytes of a disk for people: `74.7 GiB`. */
export function gibibytes(bytes: number): string {
  return `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
}

/** Bytes for people: `145 MB`, `0.02 MB`. */
export function megabytes(bytes: number): string {
  const mb = bytes / 1e6;
  return `${mb >= 10 ? Math.round(mb).toLocaleString("en") : Number(mb.toPrecision(2))} MB`;
}
