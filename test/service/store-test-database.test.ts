import { MongoClient } from "mongodb";
import { describe, expect, it } from "vitest";
import { openTestDatabase, TEST_SERVERS } from "../support/database.ts";

describe.skipIf(TEST_SERVERS.length === 0)("databases for tests", () => {
  it("are each of their own, and gone at the end", async () => {
    let name: string;
    let address: string;
    {
      await using one = await openTestDatabase();
      await using other = await openTestDatabase();
      address = one.uri;
      await using client = new MongoClient(one.uri);
      await using otherClient = new MongoClient(other.uri);
      await client.db().collection("things").insertOne({ a: 1 });
      expect(await client.db().collection("things").countDocuments()).toBe(1);
      expect(await otherClient.db().collection("things").countDocuments()).toBe(0);
      name = client.db().databaseName;
    }
    await using client = new MongoClient(address);
    expect((await client.db().admin().listDatabases()).databases.map((database) => database.name)).not.toContain(name);
  });
});
