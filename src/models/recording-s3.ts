import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import { CallsiftError } from "../pipeline/errors.ts";
import { newId } from "./ids.ts";
import type { RecordingFiles } from "./recording-files.ts";
import { removeStrays, takeIn } from "./recording-intake.ts";
import { checkedKey, gone, recordingKey } from "./recording-key.ts";
import type { ObjectStorage } from "./recording-objects.ts";

/** Recordings in a bucket of S3-compatible storage; on the way in, and while they are listened to, in `tempDir`. */
export function openS3Files(
  { url, bucket, region, credentials }: ObjectStorage,
  { tempDir }: { readonly tempDir: string },
): RecordingFiles {
  const client = new S3Client({
    endpoint: url,
    region,
    // Buckets as folders of the address: what all servers understand, without a DNS name each.
    forcePathStyle: true,
    // Servers other than Amazon's don't all know the newer check sums.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    ...(credentials && { credentials: { accessKeyId: credentials.key, secretAccessKey: credentials.secret } }),
  });
  let swept: Promise<number> | undefined;

  async function head(key: string): Promise<number> {
    const answer = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: checkedKey(key) })).catch(failed);
    return answer.ContentLength ?? 0;
  }

  async function get(key: string, range?: { readonly start: number; readonly end: number }, signal?: AbortSignal): Promise<Readable> {
    const command = new GetObjectCommand({
      Bucket: bucket,
      Key: checkedKey(key),
      ...(range && { Range: `bytes=${range.start}-${range.end}` }),
    });
    const { Body } = await client.send(command, { ...(signal && { abortSignal: signal }) }).catch(failed);
    if (!(Body instanceof Readable))
      throw new CallsiftError("recording/unreachable", "expected the bytes of a recording, got an empty answer");
    return Body;
  }

  return {
    async put(tenant, _name, bytes, options) {
      swept ??= removeStrays(tempDir);
      await using intake = await takeIn(tempDir, bytes, options);
      await swept;
      const key = recordingKey(tenant, intake.sha256);
      const command = new PutObjectCommand({
        Bucket: bucket,
        Key: key,
        Body: createReadStream(intake.path),
        ContentLength: intake.bytes,
        ContentType: "application/octet-stream",
      });
      await client.send(command, { ...(options.signal && { abortSignal: options.signal }) }).catch(failed);
      return { key, sha256: intake.sha256, bytes: intake.bytes };
    },
    async local(key, signal) {
      const body = await get(key, undefined, signal);
      await mkdir(tempDir, { recursive: true });
      const path = join(tempDir, `${newId()}.part`);
      const remove = () => rm(path, { force: true });
      try {
        await pipeline(body, createWriteStream(path, { flags: "wx", mode: 0o600 }), { ...(signal && { signal }) });
      } catch (error) {
        await remove();
        throw error;
      }
      return { path, [Symbol.asyncDispose]: remove };
    },
    size: head,
    read: get,
    async remove(key) {
      try {
        await head(key);
      } catch (error) {
        if (error instanceof CallsiftError && error.code === "recording/gone") return false;
        throw error;
      }
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key })).catch(failed);
      return true;
    },
  };
}

/** The failure of a request in our words; the client has tried again before where that may help. */
function failed(error: unknown): never {
  if (error instanceof S3ServiceException) {
    const status = error.$metadata.httpStatusCode;
    if (error.name === "NoSuchKey" || error.name === "NotFound") throw gone(error);
    throw new CallsiftError(
      "recording/unreachable",
      `expected an answer of the object storage, got ${error.name} (${status ?? "no status"})`,
      {
        cause: error,
      },
    );
  }
  if (error instanceof Error && error.name === "AbortError") throw error;
  throw new CallsiftError("recording/unreachable", "expected an answer of the object storage, got none", { cause: error });
}
