import type { Readable } from "node:stream";

/** A recording as a file that this process can read; let go of it when done. */
export interface LocalRecording extends AsyncDisposable {
  readonly path: string;
}

/** Where the bytes of recordings are kept: a folder, or S3-compatible storage. */
export interface RecordingFiles {
  /**
   * Streams to a temporary name, hashes, syncs to disk, renames: once it resolves the bytes survive a crash. The key is made of tenant and hash, so the same bytes are there once.
   * Whatever goes wrong leaves nothing behind.
   *
   * @throws CallsiftError `request/too-large` past `maxBytes`, `output/no-space`, `aborted` also where the bytes break off
   */
  put(
    tenant: string,
    name: string,
    bytes: Readable,
    options: { readonly maxBytes: number; readonly signal?: AbortSignal },
  ): Promise<{ readonly key: string; readonly sha256: string; readonly bytes: number }>;
  /** @throws CallsiftError `recording/gone` */
  local(key: string, signal?: AbortSignal): Promise<LocalRecording>;
  /** @throws CallsiftError `recording/gone` */
  size(key: string): Promise<number>;
  /**
   * @param range bytes, both ends included, as in HTTP
   * @throws CallsiftError `recording/gone`
   */
  read(key: string, range?: { readonly start: number; readonly end: number }): Promise<Readable>;
  /** false where it was not there. */
  remove(key: string): Promise<boolean>;
}
