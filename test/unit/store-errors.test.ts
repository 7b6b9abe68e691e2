import { createServer, type Socket } from "node:net";
import mongoose from "mongoose";
import { describe, expect, test } from "vitest";
import { guarded, toStoreError } from "../../src/models/connection.ts";

const { MongoClient, MongoNetworkError, MongoServerError } = mongoose.mongo;

describe("errors of the database", () => {
  test("a connection that breaks while others wait for one is the database away, for all of them", async () => {
    const sockets = new Set<Socket>();
    // Takes the first words of every connection and breaks off.
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("data", () => socket.destroy()).on("error", () => {});
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const client = new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`, {
      serverSelectionTimeoutMS: 500,
      retryReads: false,
    });
    try {
      const store = guarded({ read: (i: number) => client.db("t").collection<{ _id: number }>("c").findOne({ _id: i }) });
      const results = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => store.read(i)));
      for (const result of results) expect(result).toMatchObject({ status: "rejected", reason: { code: "store/unreachable" } });
    } finally {
      await client.close();
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  });

  test("every kind of network error is, also those that only the driver's pool throws", () => {
    class PoolClearedOnNetworkError extends MongoNetworkError {
      override get name(): string {
        return "PoolClearedOnNetworkError";
      }
    }
    expect(toStoreError(new PoolClearedOnNetworkError("Connection to 10.0.0.1 interrupted"))).toMatchObject({ code: "store/unreachable" });
    expect(toStoreError(new Error("outer", { cause: new MongoNetworkError("inner") }))).toMatchObject({ code: "store/unreachable" });
    expect(toStoreError(new MongoServerError({ message: "going", code: 91 }))).toMatchObject({ code: "store/unreachable" });
  });

  test("what the database refuses stays as it is, and no host leaves with the message", () => {
    const refused = new MongoServerError({ message: "E11000 duplicate key", code: 11000 });
    expect(toStoreError(refused)).toBe(refused);
    const bug = new TypeError("x is not a function");
    expect(toStoreError(bug)).toBe(bug);
    expect((toStoreError(new MongoNetworkError("connect ECONNREFUSED 10.9.8.7:27017")) as Error).message).not.toContain("10.9");
  });
});
