import type { RecordingFiles } from "./recording-files.ts";
import { keepErrors } from "./recording-intake.ts";

/** Where an S3-compatible server is, and which bucket is ours. */
export interface ObjectStorage {
  /** Address of the server. */
  readonly url: string;
  readonly bucket: string;
  readonly region: string;
  /** Secrets; null: as the environment of the machine says. */
  readonly credentials: { readonly key: string; readonly secret: string } | null;
}

/**
 * Recordings in a bucket of S3-compatible storage; on the way in, and while they are listened to, in `tempDir`. Amazon's client is loaded with the first recording: who has no such storage
 * doesn't pay for it.
 */
export function openObjectFiles(storage: ObjectStorage, options: { readonly tempDir: string }): RecordingFiles {
  let loaded: Promise<RecordingFiles> | undefined;
  const files = async (): Promise<RecordingFiles> => {
    loaded ??= import("./recording-s3.ts").then(({ openS3Files }) => openS3Files(storage, options));
    return await loaded;
  };
  return {
    put: async (tenant, name, bytes, options) => {
      keepErrors(bytes);
      return await (await files()).put(tenant, name, bytes, options);
    },
    local: async (...args) => await (await files()).local(...args),
    size: async (...args) => await (await files()).size(...args),
    read: async (...args) => await (await files()).read(...args),
    remove: async (...args) => await (await files()).remove(...args),
  };
}
