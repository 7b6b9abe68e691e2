import type { Readable } from "node:stream";

/** A recording as a file that this process can read; let go of it when done. */
export interface LocalRecording extends AsyncDisposable {
  readonly path: string;
}

/** Where the bytes of recordings are kept: a folder, or S3-compatible storage. */
export interface RecordingFiles {
  /**
   * Streams to a temporary name, hashes, syncs to disk, renames: once it resolves the bytes survive a crash. Bytes that are there already are not written twice.
   *
   * @throws CallsiftError `request/too-large` past `maxBytes`, `output/no-space`
   */
  put(
    tenant: string,
    name: string,
    bytes: Readable,
    options: { readonly maxBytes: number; readonly signal?: AbortSignal },
  ): Promise<{ readonly key: string; readonly sha256: string; readonly bytes: number }>;
  /** @throws CallsiftError `recording/gone` */
  local(key: string, signal?: AbortSignal): Promise<LocalRecording>;
  size(key: string): Promise<number>;
  read(key: string, range?: { readonly start: number; readonly end: number }): Promise<Readable>;
  /** false where it was not there. */
  remove(key: string): Promise<boolean>;
}
