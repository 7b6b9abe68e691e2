import mongoose, { type Connection } from "mongoose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createCallRecordStore } from "../../src/models/call-records.ts";
import { CALL_SORTS, type CallFilter, type CallScope, createCallStore } from "../../src/models/calls.ts";
import { createSearchStore } from "../../src/models/search.ts";
import { TEST_SERVERS } from "../support/database.ts";
import { collect, openTestModels, scoredCall, type TestModels } from "../support/models.ts";

type Command = Record<string, unknown>;

/** Commands of the driver that `explain` takes. */
const READS = ["find", "aggregate", "count", "distinct", "findAndModify"];
/** What the driver adds to a command by itself. */
const OF_THE_DRIVER = ["lsid", "$readPreference", "$db", "$clusterTime", "txnNumber", "writeConcern", "apiVersion"];

/** Runs a read and gives the stages of all its queries, as the server plans them. */
async function stagesOf(
  connection: Connection,
  read: () => Promise<unknown>,
): Promise<readonly { readonly query: string; readonly stages: readonly string[] }[]> {
  const client = connection.getClient();
  const commands: Command[] = [];
  const note = ({ commandName, command }: { commandName: string; command: object }) => {
    if (READS.includes(commandName)) commands.push({ ...command });
  };
  client.on("commandStarted", note);
  await read();
  client.off("commandStarted", note);
  const explained = commands.map(async (command) => {
    const asked = Object.fromEntries(Object.entries(command).filter(([name]) => !OF_THE_DRIVER.includes(name)));
    const plan = await client.db(connection.name).command({ explain: asked, verbosity: "queryPlanner" });
    return {
      query: JSON.stringify(asked),
      stages: [...JSON.stringify(plan).matchAll(/"stage":"(\w+)"/g)].map(([, stage]) => stage as string),
    };
  });
  return await Promise.all(explained);
}

const DAY = { from: new Date("2025-03-01"), to: new Date("2025-03-02") };
const FILTERS: Readonly<Record<string, CallFilter>> = {
  nothing: {},
  status: { status: "scored" },
  queue: { queue: "review" },
  "an open review": { review: "open" },
  "a claim": { review: "claimed" },
  "a review that is done": { review: "done" },
  agent: { agentId: "7" },
  team: { team: "A" },
  rule: { rule: "dead-air" },
  severity: { severity: "general" },
  time: DAY,
  score: { minScore: 3, maxScore: 18 },
  "all at once": {
    status: "scored",
    queue: "review",
    review: "open",
    agentId: "7",
    team: "A",
    rule: "dead-air",
    severity: "general",
    minScore: 1,
    ...DAY,
  },
};
const SCOPES: Readonly<Record<string, CallScope>> = {
  "an installation": { tenant: "default" },
  "a team": { tenant: "default", team: "A" },
  "an agent, reviewed": { tenant: "default", agentId: "7", reviewedOnly: true },
};

/** SecantusDB in Python reads the whole collection for every query that has `$and`, and says so. */
const SERVERS = TEST_SERVERS.filter(({ name }) => !name.includes("py"));

describe.skipIf(SERVERS.length === 0)("no list or search scans a collection", () => {
  describe.each(SERVERS)("on $name", (server) => {
    let opened: TestModels;
    let connection: Connection;
    beforeAll(async () => {
      opened = await openTestModels(server);
      for (let i = 0; i < 30; i++)
        await scoredCall(opened.models, {
          metadata: { agentId: String(i % 9), team: i % 2 ? "A" : "B", startedAt: "2025-03-01T10:00:00Z", customerNumber: `${i}` },
        });
      connection = await mongoose.createConnection(opened.uri, { monitorCommands: true, autoIndex: false, autoCreate: false }).asPromise();
    });
    afterAll(async () => {
      await connection?.close();
      await opened?.[Symbol.asyncDispose]();
    });
    const expectIndexed = async (read: () => Promise<unknown>) => {
      const plans = await stagesOf(connection, read);
      expect(plans).not.toEqual([]);
      for (const { query, stages } of plans) {
        expect(stages, query).not.toEqual([]);
        expect(stages, query).not.toContain("COLLSCAN");
      }
    };

    describe.each(Object.entries(SCOPES))("for %s", (_who, scope) => {
      it.each(Object.entries(FILTERS))("lists by %s", async (_what, filter) => {
        for (const sort of CALL_SORTS) {
          const calls = createCallStore(connection);
          await expectIndexed(async () => {
            const { nextCursor } = await calls.list(scope, filter, { limit: 2, sort });
            // Once more, now that the list's end is known; the next page; all of it.
            await calls.list(scope, filter, { limit: 2, sort });
            if (nextCursor) await calls.list(scope, filter, { limit: 2, sort, cursor: nextCursor });
            await collect(calls.all(scope, filter, sort));
          });
        }
      });

      it("the queue, and who takes from it", async () => {
        const calls = createCallStore(connection);
        await expectIndexed(async () => await calls.queue(scope, { limit: 2 }));
        await expectIndexed(async () => await calls.claimNext(scope, "u", 1000));
      });

      it("words", async () => {
        const { search } = createSearchStore(connection);
        const options = { sound: true, limit: 10, owner: "u" };
        await expectIndexed(async () => await search("投诉", scope, {}, options));
        await expectIndexed(async () => await search("投诉 OR 您好", scope, { rule: "dead-air", status: "scored" }, options));
      });
    });

    it("work to be done, counts, removals, the ledger", async () => {
      const calls = createCallStore(connection);
      const scope = { tenant: "default" };
      await expectIndexed(async () => await calls.unfinished({ limit: 10 }));
      await expectIndexed(async () => await calls.unfinished({ limit: 10, abandoned: true }));
      await expectIndexed(async () => await calls.counts());
      await expectIndexed(async () => await collect(calls.find(scope, { customerNumber: "7" })));
      await expectIndexed(async () => await collect(calls.find(scope, { receivedBefore: new Date(), queue: "pass" })));
      await expectIndexed(async () => await createCallRecordStore(connection).coverage("default", DAY.from, DAY.to, "UTC"));
    });

    it("finds scans where there are some", async () => {
      const plans = await stagesOf(connection, async () => await connection.collection("calls").find({ name: "call.wav" }).toArray());
      expect(plans[0]?.stages).toContain("COLLSCAN");
    });
  });
});
