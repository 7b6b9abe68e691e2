import { setTimeout as sleep } from "node:timers/promises";
import mongoose, { type Connection } from "mongoose";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createAuditStore } from "../../src/models/audit.ts";
import { type Migration, migrate } from "../../src/models/migrations.ts";
import { createUserStore } from "../../src/models/users.ts";
import { TEST_SERVERS, type TestDatabase } from "../support/database.ts";

/** Steps that write down when they ran. */
function stepsOf(count: number, ran: number[], during: (version: number) => Promise<void> = async () => {}): Migration[] {
  return Array.from({ length: count }, (_, i) => ({
    version: i + 1,
    name: `step ${i + 1}`,
    run: async () => {
      ran.push(i + 1);
      await during(i + 1);
    },
  }));
}

describe.skipIf(TEST_SERVERS.length === 0)("migrations (skipped where there is no MongoDB server)", () => {
  describe.each(TEST_SERVERS)("on $name", (server) => {
    let database: TestDatabase;
    let connection: Connection;
    let connections: Connection[] = [];

    /** A process of its own, as far as the database can tell. */
    const connect = async (): Promise<Connection> => {
      const made = await mongoose.createConnection(database.uri, { autoIndex: false, autoCreate: false }).asPromise();
      for (const create of [createUserStore, createAuditStore]) create(made);
      connections.push(made);
      return made;
    };
    const documents = () => connection.collection<{ _id: string; version: number; holder: string | null; until: Date }>("migrations");
    const setDocument = (fields: object) => documents().updateOne({ _id: "documents" }, { $set: fields });

    beforeAll(async () => {
      database = await server.open();
    });
    afterAll(async () => {
      await database?.[Symbol.asyncDispose]();
    });
    beforeEach(async () => {
      connection = await connect();
      await documents().deleteMany({});
    });
    afterEach(async () => {
      await Promise.all(connections.map((one) => one.close()));
      connections = [];
    });

    test("an empty database has the latest version and gets its indexes", async () => {
      const ran: number[] = [];
      await migrate(connection, stepsOf(3, ran));
      expect(ran).toEqual([]);
      expect(await documents().findOne({ _id: "documents" })).toMatchObject({ version: 3, holder: null });
      const indexes = await connection.collection("users").indexes();
      expect(indexes.length).toBeGreaterThan(1);
    });

    test("documents of an earlier version are brought forward step by step, once", async () => {
      await migrate(connection, stepsOf(1, []));
      const ran: number[] = [];
      await migrate(connection, stepsOf(3, ran));
      await migrate(connection, stepsOf(3, ran));
      expect(ran).toEqual([2, 3]);
    });

    test("of four processes that start at once one does it and the others wait until it is done", async () => {
      await migrate(connection, stepsOf(1, []));
      const ran: number[] = [];
      let done = 0;
      const slowly = stepsOf(2, ran, async () => {
        await sleep(500);
        done++;
      });
      const others = await Promise.all([connect(), connect(), connect()]);
      const seen = await Promise.all(
        [connection, ...others].map(async (one) => {
          await migrate(one, slowly);
          return done;
        }),
      );
      expect(ran).toEqual([2]);
      expect(seen).toEqual([1, 1, 1, 1]);
    });

    test("a step that fails is run again by the next start, and those before it are not", async () => {
      await migrate(connection, stepsOf(1, []));
      const ran: number[] = [];
      const failing = stepsOf(3, ran, async (version) => {
        if (version === 3 && ran.length < 3) throw new Error("the disk is full");
      });
      await expect(migrate(connection, failing)).rejects.toThrow("the disk is full");
      expect(await documents().findOne({ _id: "documents" })).toMatchObject({ version: 2, holder: null });
      await migrate(connection, failing);
      expect(ran).toEqual([2, 3, 3]);
    });

    test("who was killed in the middle of it is waited for as long as it may take, not for ever", async () => {
      await migrate(connection, stepsOf(1, []));
      await setDocument({ holder: "killed", until: new Date(Date.now() + 1500) });
      const ran: number[] = [];
      const started = performance.now();
      await migrate(connection, stepsOf(2, ran));
      expect(performance.now() - started).toBeGreaterThan(1000);
      expect(ran).toEqual([2]);
    });

    test("where there is nothing to do nobody is waited for", async () => {
      await migrate(connection, stepsOf(1, []));
      await setDocument({ holder: "killed", until: new Date(Date.now() + 3_600_000) });
      await migrate(await connect(), stepsOf(1, []));
    });

    test("an index that somebody dropped is made again", async () => {
      await migrate(connection, stepsOf(1, []));
      const names = async () => (await connection.collection("users").indexes()).map(({ name }) => name as string).sort();
      const all = await names();
      await connection.collection("users").dropIndex(all.find((name) => name !== "_id_") as string);
      expect(await names()).not.toEqual(all);
      await migrate(connection, stepsOf(1, []));
      expect(await names()).toEqual(all);
    });

    test("data of a later callsift is refused, and left as it is", async () => {
      await migrate(connection, stepsOf(3, []));
      await expect(migrate(connection, stepsOf(2, []))).rejects.toMatchObject({ code: "config/invalid" });
      expect(await documents().findOne({ _id: "documents" })).toMatchObject({ version: 3, holder: null });
    });
  });
});
