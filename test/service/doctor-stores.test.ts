import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkStores } from "../../src/cli/doctor-stores.ts";
import { loadConfig } from "../../src/config.ts";
import { scratch } from "../support/callsift.ts";
import { openTestDatabase, TEST_SERVER } from "../support/database.ts";
import { MOTO_SERVER, openTestStorage } from "../support/object-storage.ts";
import { openTestRedis, REDIS_SERVER } from "../support/redis.ts";

/** Nobody listens there. */
const AWAY = "127.0.0.1:1";

const stores = async (env: Record<string, string>) => {
  const [database, queue, recordings] = await checkStores(loadConfig({ PATH: "", ...env }));
  return { database, queue, recordings };
};

describe("doctor on the stores", () => {
  it("with nothing set: a database of our own, found or to be fetched; work in the process; recordings on the disk of the nearest folder that is there", async () => {
    await using folder = await scratch();
    const env = { XDG_CACHE_HOME: folder.path, CALLSIFT_DATA: join(folder.path, "not", "yet") };
    const { database, queue, recordings } = await stores(env);
    expect(database).toMatchObject({ state: "warn", remedy: expect.stringContaining("callsift store fetch") });
    expect(queue).toMatchObject({ state: "ok", detail: expect.stringContaining("REDIS_URL") });
    expect(recordings).toMatchObject({ state: "ok", detail: expect.stringMatching(/not.yet, \d+\.\d GiB free$/) });

    const named = await stores({ ...env, CALLSIFT_MONGOD: process.execPath });
    expect(named.database).toMatchObject({ state: "ok", detail: expect.stringContaining(`CALLSIFT_MONGOD: ${process.execPath}`) });
    const slow = join(folder.path, "secantusd-py");
    await writeFile(slow, "", { mode: 0o755 });
    const small = await stores({ ...env, CALLSIFT_MONGOD: slow });
    expect(small.database).toMatchObject({ state: "warn", remedy: expect.stringContaining("thousand calls") });
    const wrong = await stores({ ...env, CALLSIFT_MONGOD: folder.path });
    expect(wrong.database).toMatchObject({ state: "fail", detail: expect.stringContaining("expected a program") });
  });

  it("says which of them is away, and no secret", async () => {
    const all = await stores({
      MONGODB_URI: `mongodb://user:hidden-1@${AWAY}/callsift`,
      REDIS_URL: `redis://:hidden-2@${AWAY}/0`,
      CALLSIFT_S3_URL: `http://${AWAY}`,
      CALLSIFT_S3_BUCKET: "recordings",
      CALLSIFT_S3_KEY: "key",
      CALLSIFT_S3_SECRET: "hidden-3",
    });
    for (const check of Object.values(all)) expect(check).toMatchObject({ state: "fail", detail: expect.stringContaining(AWAY) });
    expect(JSON.stringify(all)).not.toContain("hidden");
  }, 30_000);

  it.skipIf(TEST_SERVER === null)("names the MongoDB server that answers (needs a server for tests)", async () => {
    await using database = await openTestDatabase();
    expect((await stores({ MONGODB_URI: database.uri })).database).toMatchObject({
      state: "ok",
      detail: expect.stringMatching(/^MongoDB \d+\.\d+\S* at 127\.0\.0\.1:\d+, (no )?replica set/),
    });
  });

  it.skipIf(REDIS_SERVER === null)(
    "names the Redis that answers, and warns of one that throws jobs away (needs redis-server)",
    async () => {
      await using redis = await openTestRedis();
      expect((await stores({ REDIS_URL: redis.url })).queue).toMatchObject({ state: "ok", detail: expect.stringMatching(/^Redis \d/) });
      const { Redis } = await import("ioredis");
      const client = new Redis(redis.url);
      await client.config("SET", "maxmemory-policy", "allkeys-lru");
      client.disconnect();
      expect((await stores({ REDIS_URL: redis.url })).queue).toMatchObject({
        state: "warn",
        detail: expect.stringContaining("allkeys-lru"),
        remedy: expect.stringContaining("noeviction"),
      });
    },
  );

  it.skipIf(MOTO_SERVER === null)("asks the bucket for recordings (needs moto_server)", async () => {
    await using folder = await scratch();
    await using server = await openTestStorage();
    const { url, bucket, credentials } = server.storage;
    const env = {
      CALLSIFT_DATA: folder.path,
      CALLSIFT_S3_URL: url,
      CALLSIFT_S3_BUCKET: bucket,
      CALLSIFT_S3_KEY: credentials?.key ?? "",
      CALLSIFT_S3_SECRET: credentials?.secret ?? "",
    };
    expect((await stores(env)).recordings).toMatchObject({ state: "ok", detail: expect.stringContaining(bucket) });
    expect((await stores({ ...env, CALLSIFT_S3_BUCKET: "another" })).recordings).toMatchObject({
      state: "fail",
      detail: expect.stringContaining("NoSuchBucket"),
    });
  });
});
