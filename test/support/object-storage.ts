import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import type { ObjectStorage } from "../../src/models/recording-objects.ts";
import { freePort } from "./free-port.ts";

/** The program moto_server (PyPI `moto[server]`, Apache-2.0), a server that speaks S3 and is not ours; null where it is not installed. */
export const MOTO_SERVER: string | null = foundMoto();

/** A bucket on a server of its own. */
export interface TestStorage extends AsyncDisposable {
  readonly storage: ObjectStorage;
}

/** Starts the server with one bucket. */
export async function openTestStorage(): Promise<TestStorage> {
  if (MOTO_SERVER === null) throw new Error("expected moto_server, got none: skip by MOTO_SERVER === null");
  const port = await freePort();
  const server = spawn(MOTO_SERVER, ["-H", "127.0.0.1", "-p", `${port}`], { stdio: "ignore" });
  const storage = {
    url: `http://127.0.0.1:${port}`,
    bucket: "recordings",
    region: "us-east-1",
    credentials: { key: "test", secret: "secret-of-tests" },
  };
  const stop = () => {
    server.kill("SIGKILL");
    return Promise.resolve();
  };
  try {
    await makeBucket(storage);
    return { storage, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function makeBucket({
  url,
  bucket,
  region,
  credentials: { key, secret },
}: ObjectStorage & { credentials: { key: string; secret: string } }) {
  const client = new S3Client({
    endpoint: url,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId: key, secretAccessKey: secret },
    maxAttempts: 1,
  });
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      await client.send(new CreateBucketCommand({ Bucket: bucket }));
      return;
    } catch (error) {
      if (Date.now() > deadline) throw new Error("moto_server is not ready after 60 s", { cause: error });
      await sleep(100);
    }
  }
}

function foundMoto(): string | null {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const folders = [join(cache, "callsift", "test", "moto", "bin"), ...(process.env.PATH ?? "").split(delimiter)];
  return folders.map((folder) => join(folder, "moto_server")).find((path) => existsSync(path)) ?? null;
}
