import { dirname } from "node:path";
import type { Config } from "../config.ts";
import { CallsiftError, toCallsiftError } from "../pipeline/errors.ts";
import { findProgram } from "../store/programs.ts";
import { freeBytes, gibibytes } from "../weights/space.ts";
import type { Check } from "./check.ts";

/** A server that has not answered by then is away. */
const PATIENCE_MS = 4_000;

/** Where `serve`, `api` and `worker` keep calls, work and recordings: what the settings choose, and whether it is there. */
export async function checkStores(config: Config): Promise<Check[]> {
  return await Promise.all([
    config.mongodbUri === null ? checkLocalDatabase(config) : checkDatabase(config.mongodbUri),
    config.redisUrl === null ? OWN_QUEUE : checkRedis(config.redisUrl),
    config.s3 === null ? checkFolder(config.dataDir) : checkBucket(config.s3, config.dataDir),
  ]);
}

const OWN_QUEUE: Check = {
  name: "queue",
  state: "ok",
  detail: "the process's own (several machines share the work where REDIS_URL is set)",
};

/** Which program `serve` would start. */
async function checkLocalDatabase({ mongodPath, searchPath, cacheDir, dataDir }: Config): Promise<Check> {
  const name = "database";
  try {
    const program = await findProgram({ mongodPath, searchPath }, cacheDir);
    if (program) {
      const detail = `${program.kind} of our own (${program.from}: ${program.path}), files in ${dataDir}`;
      if (program.kind !== "secantusd-py") return { name, state: "ok", detail };
      const remedy = "good for some thousand calls (docs/benchmarks.md); for more put MongoDB's mongod on the PATH, or set MONGODB_URI";
      return { name, state: "warn", detail, remedy };
    }
    const remedy = "callsift store fetch, or install MongoDB, or set MONGODB_URI; serve fetches a program by itself where it can";
    return { name, state: "warn", detail: "no program for one of our own yet (only serve, api and worker need it)", remedy };
  } catch (error) {
    return {
      name,
      state: "fail",
      detail: (error as Error).message,
      remedy: "set CALLSIFT_MONGOD to a MongoDB server program, or unset it",
    };
  }
}

async function checkDatabase(uri: string): Promise<Check> {
  const name = "database";
  const { default: mongoose } = await import("mongoose");
  const hosts = /^mongodb(?:\+srv)?:\/\/(?:[^@/]*@)?([^/?]+)/.exec(uri)?.[1] ?? "MONGODB_URI";
  const remedy = "start it, or correct MONGODB_URI";
  try {
    const client = new mongoose.mongo.MongoClient(uri, { serverSelectionTimeoutMS: PATIENCE_MS });
    try {
      const admin = (await client.connect()).db().admin();
      const [{ version }, { setName }] = await Promise.all([admin.command({ buildInfo: 1 }), admin.command({ hello: 1 })]);
      return { name, state: "ok", detail: `MongoDB ${version} at ${hosts}, ${setName ? `replica set ${setName}` : "no replica set"}` };
    } finally {
      await client.close();
    }
  } catch (error) {
    // What the server says of a wrong password is worth reading; what the driver says of an address may hold one.
    const why = error instanceof mongoose.mongo.MongoServerError ? error.message : "no answer";
    return { name, state: "fail", detail: `MongoDB at ${hosts}: ${why}`, remedy };
  }
}

async function checkRedis(url: string): Promise<Check> {
  const name = "queue";
  const { connectForCommands } = await import("../workers/queue-connection.ts");
  const { host } = new URL(url);
  const redis = connectForCommands(url, () => {});
  try {
    await new Promise((resolve, reject) => {
      redis.once("ready", resolve).once("error", reject);
      AbortSignal.timeout(PATIENCE_MS).addEventListener("abort", () => reject(new Error(`no answer within ${PATIENCE_MS} ms`)));
    });
    const about = await redis.info();
    const of = (key: string): string => new RegExp(`^${key}:(.*?)\r?$`, "m").exec(about)?.[1] ?? "?";
    const detail = `Redis ${of("redis_version")} at ${host}`;
    const policy = of("maxmemory_policy");
    return policy === "noeviction" || policy === "?"
      ? { name, state: "ok", detail }
      : {
          name,
          state: "warn",
          detail: `${detail}, maxmemory-policy ${policy}`,
          remedy: "set maxmemory-policy noeviction: jobs are no cache",
        };
  } catch (error) {
    return { name, state: "fail", detail: `Redis at ${host}: ${(error as Error).message}`, remedy: "start it, or correct REDIS_URL" };
  } finally {
    redis.disconnect();
  }
}

async function checkFolder(dataDir: string): Promise<Check> {
  // Not made yet, perhaps: the disk is that of the nearest folder that is there.
  for (let folder = dataDir; ; folder = dirname(folder)) {
    const free = await freeBytes(folder).catch(() => null);
    if (free !== null) return { name: "recordings", state: "ok", detail: `in ${dataDir}, ${gibibytes(free)} free` };
    if (folder === dirname(folder))
      return { name: "recordings", state: "warn", detail: `in ${dataDir}`, remedy: "make the folder, or set CALLSIFT_DATA" };
  }
}

async function checkBucket(s3: NonNullable<Config["s3"]>, dataDir: string): Promise<Check> {
  const name = "recordings";
  const { openObjectFiles } = await import("../models/recording-objects.ts");
  const { recordingKey } = await import("../models/recording-key.ts");
  const detail = `bucket ${s3.bucket} at ${new URL(s3.url).host}`;
  try {
    // Nobody has these bytes: a storage that says so is there, and lets us ask.
    await using _nothing = await openObjectFiles(s3, { tempDir: dataDir }).local(
      recordingKey("default", "0".repeat(64)),
      AbortSignal.timeout(PATIENCE_MS),
    );
    return { name, state: "ok", detail };
  } catch (error) {
    if (error instanceof CallsiftError && error.code === "recording/gone") return { name, state: "ok", detail };
    return {
      name,
      state: "fail",
      detail: `${detail}: ${toCallsiftError(error).message}`,
      remedy: "see to the storage, or correct CALLSIFT_S3_…",
    };
  }
}
