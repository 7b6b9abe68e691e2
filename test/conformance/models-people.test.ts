import { setTimeout as sleep } from "node:timers/promises";
import mongoose, { type Connection } from "mongoose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createAuditStore } from "../../src/models/audit.ts";
import { createDeliveryStore } from "../../src/models/deliveries.ts";
import type { NewUser } from "../../src/models/people.ts";
import { createSessionStore } from "../../src/models/sessions.ts";
import { createSettingsStore, DEFAULT_SETTINGS } from "../../src/models/settings.ts";
import { createTokenStore } from "../../src/models/tokens.ts";
import { createUserStore } from "../../src/models/users.ts";
import { TEST_SERVERS, type TestDatabase } from "../support/database.ts";

const INSPECTOR: NewUser = {
  tenant: "t",
  username: "Li.Na",
  name: "李娜",
  role: "inspector",
  team: null,
  agentId: null,
  passwordHash: "scrypt$x",
};
const FUTURE = new Date(Date.now() + 3_600_000);

describe.skipIf(TEST_SERVERS.length === 0)("people, audit, settings and deliveries (skipped where there is no MongoDB server)", () => {
  describe.each(TEST_SERVERS)("on $name", (server) => {
    let database: TestDatabase;
    let connection: Connection;
    /** Commands that were sent. */
    const sent: { name: string; command: Record<string, unknown> }[] = [];

    beforeAll(async () => {
      database = await server.open();
      connection = await mongoose.createConnection(database.uri, { monitorCommands: true }).asPromise();
      connection.getClient().on("commandStarted", ({ commandName, command }) => sent.push({ name: commandName, command }));
      const stores = [createUserStore, createSessionStore, createTokenStore, createAuditStore, createSettingsStore, createDeliveryStore];
      for (const create of stores) create(connection);
      for (const model of Object.values(connection.models)) await model.createIndexes();
    });
    afterAll(async () => {
      await connection?.close();
      await database?.[Symbol.asyncDispose]();
    });

    test("a username is taken once, whatever its case and width, also by many at once", async () => {
      const users = createUserStore(connection);
      const names = ["Wang", "wang", "WANG", "ｗａｎｇ", "waNg"];
      const added = await Promise.all(names.map((username) => users.add({ ...INSPECTOR, username })));
      expect(added.filter((user) => user !== null)).toHaveLength(1);
      const [winner] = added.filter((user) => user !== null);
      expect((await users.byName("wAnG"))?.user).toEqual(winner);
      expect(await users.byName("wan")).toBeNull();
    });

    test("operators in values are no operators", async () => {
      const users = createUserStore(connection);
      await users.add({ ...INSPECTOR, username: "operators" });
      const sessions = createSessionStore(connection);
      const tokens = createTokenStore(connection);
      for (const value of [{ $gt: "" }, { $ne: null }, ["operators"], { $regex: "." }]) {
        expect(await users.byName(value as never)).toBeNull();
        expect(await users.get(value as never).catch(() => null)).toBeNull();
        expect(await sessions.find(value as never)).toBeNull();
        expect(await tokens.find(value as never)).toBeNull();
        expect(await sessions.closeAll(value as never).catch(() => 0)).toBe(0);
        expect(await users.change(value as never, { disabled: true }).catch(() => null)).toBeNull();
      }
      expect((await users.byName("operators"))?.user.disabled).toBe(false);
    });

    test("users are listed page by page in order of name, each once while more arrive", async () => {
      const users = createUserStore(connection);
      for (const username of ["d", "b", "a", "c"]) await users.add({ ...INSPECTOR, tenant: "paged", username: `p-${username}` });
      const first = await users.list("paged", { limit: 2 });
      await users.add({ ...INSPECTOR, tenant: "paged", username: "p-0" });
      const second = await users.list("paged", { limit: 2, cursor: first.nextCursor as string });
      expect([...first.items, ...second.items].map(({ username }) => username)).toEqual(["p-a", "p-b", "p-c", "p-d"]);
      expect(second.nextCursor).toBeNull();
      const foreign = { limit: 2, cursor: first.nextCursor as string };
      await expect(users.list("other", foreign)).rejects.toMatchObject({ code: "request/invalid" });
      for (const cursor of ["", "x", "W10", Buffer.from("{}").toString("base64url"), "9".repeat(5000)]) {
        await expect(users.list("paged", { limit: 2, cursor })).rejects.toMatchObject({ code: "request/invalid" });
      }
    });

    test("a session lasts until it ends, is closed, or its user changes in what matters", async () => {
      const users = createUserStore(connection);
      const sessions = createSessionStore(connection);
      const user = await users.add({ ...INSPECTOR, username: "sessions" });
      const id = user?.id as string;
      await sessions.open("h1", id, FUTURE, "10.0.0.1");
      expect(await sessions.find("h1")).toEqual({ user, expiresAt: FUTURE });
      await sessions.open("h2", id, new Date(Date.now() - 1), "10.0.0.1");
      expect(await sessions.find("h2")).toBeNull();
      await sessions.close("h1");
      expect(await sessions.find("h1")).toBeNull();

      await sessions.open("h3", id, FUTURE, "");
      expect((await users.change(id, { name: "李娜二" }))?.name).toBe("李娜二");
      expect((await sessions.find("h3"))?.user.name).toBe("李娜二");
      for (const change of [{ role: "leader" as const }, { team: "a" }, { agentId: "7" }, { passwordHash: "y" }, { disabled: true }]) {
        const hash = `change ${Object.keys(change)}`;
        await sessions.open(hash, id, FUTURE, "");
        await users.change(id, change);
        expect(await sessions.find(hash)).toBeNull();
      }
      await sessions.open("h4", id, FUTURE, "");
      expect(await sessions.find("h4")).toBeNull();
      await users.change(id, { disabled: false });
      await sessions.open("h5", id, FUTURE, "");
      await sessions.open("h6", id, FUTURE, "");
      expect(await sessions.closeAll(id)).toBeGreaterThanOrEqual(2);
      expect(await sessions.find("h5")).toBeNull();
      expect(await sessions.find("no such")).toBeNull();
    });

    test("a token is found by its secret until it ends or its owner is disabled; its use is kept to the minute", async () => {
      const users = createUserStore(connection);
      const tokens = createTokenStore(connection);
      const owner = (await users.add({ ...INSPECTOR, username: "tokens" }))?.id as string;
      const token = await tokens.add({ name: "export", userId: owner, role: "inspector", expiresAt: null }, "s1");
      const found = await tokens.find("s1");
      expect(found).toMatchObject({ token, user: { id: owner } });
      const [used] = await tokens.list(owner);
      expect(used?.lastUsedAt).toBeInstanceOf(Date);
      await tokens.find("s1");
      expect((await tokens.list(owner))[0]?.lastUsedAt).toEqual(used?.lastUsedAt);

      await tokens.add({ name: "short", userId: owner, role: "inspector", expiresAt: new Date(Date.now() + 30) }, "s2");
      await sleep(40);
      expect(await tokens.find("s2")).toBeNull();
      await users.change(owner, { disabled: true });
      expect(await tokens.find("s1")).toBeNull();
      await users.change(owner, { disabled: false });
      expect(await tokens.remove(token.id, "somebody else")).toBe(false);
      expect(await tokens.remove(token.id, owner)).toBe(true);
      expect(await tokens.find("s1")).toBeNull();
    });

    test("the audit log is read newest first by who, what, which and when, and can't be changed", async () => {
      const audit = createAuditStore(connection);
      const entry = { tenant: "log", by: "u1", username: "li", from: "10.0.0.1", details: { "a.b": 1, $x: true } };
      for (let i = 0; i < 7; i++) await audit.add({ ...entry, what: i % 2 ? "call-seen" : "recording-heard", object: `c${i}` });
      await audit.add({ ...entry, tenant: "other", what: "call-seen", object: "c1" });
      const all = await audit.list("log", {}, { limit: 200 });
      expect(all.items.map(({ object }) => object)).toEqual(["c6", "c5", "c4", "c3", "c2", "c1", "c0"]);
      expect(all.items[0]?.details).toEqual({ "a.b": 1, $x: true });
      const first = await audit.list("log", { what: "recording-heard" }, { limit: 3 });
      await audit.add({ ...entry, what: "recording-heard", object: "new" });
      const second = await audit.list("log", { what: "recording-heard" }, { limit: 3, cursor: first.nextCursor as string });
      expect([...first.items, ...second.items].map(({ object }) => object)).toEqual(["c6", "c4", "c2", "c0"]);
      expect((await audit.list("log", { object: "c3", by: "u1" }, { limit: 5 })).items).toHaveLength(1);
      expect((await audit.list("log", { to: new Date(0) }, { limit: 5 })).items).toHaveLength(0);
      const model = connection.models.audit;
      await expect(model?.deleteMany({})).rejects.toThrow("append-only");
      await expect(model?.updateOne({ tenant: "log" }, { $set: { by: "x" } })).rejects.toThrow("append-only");
    });

    test("settings have defaults, and changes from several sides all stay", async () => {
      const settings = createSettingsStore(connection);
      expect(await settings.get()).toEqual(DEFAULT_SETTINGS);
      const webhooks = [{ id: "w1", url: "https://example.org/x", secret: "s", events: ["call.scored" as const] }];
      await Promise.all([settings.change({ sampleShare: 0.2 }), settings.change({ paused: true }), settings.change({ webhooks })]);
      const changed = await settings.change({ retention: { recordingsDays: 90, transcriptsDays: null, resultsDays: null } });
      expect(changed).toEqual({
        ...DEFAULT_SETTINGS,
        sampleShare: 0.2,
        paused: true,
        webhooks,
        retention: { ...DEFAULT_SETTINGS.retention, recordingsDays: 90 },
      });
      expect(await settings.get()).toEqual(changed);
      await expect(settings.change({ sampleShare: 2 })).rejects.toThrow();
    });

    test("a delivery is told once, taken by one at a time, and again after its lease", async () => {
      const deliveries = createDeliveryStore(connection);
      const message = { webhook: "w1", event: "call.scored" as const, callId: "c1", body: '{"id":"c1"}' };
      await Promise.all(Array.from({ length: 5 }, () => deliveries.add({ ...message, key: "c1:policy" })));
      await deliveries.add({ ...message, callId: "c2", key: "c2:policy" });
      const taken = await Promise.all(Array.from({ length: 6 }, () => deliveries.take(200)));
      const got = taken.filter((delivery) => delivery !== null);
      expect(got.map(({ callId }) => callId).sort()).toEqual(["c1", "c2"]);
      expect(got.map(({ attempts }) => attempts)).toEqual([1, 1]);
      const one = got.find(({ callId }) => callId === "c1")?.id as string;
      const two = got.find(({ callId }) => callId === "c2")?.id as string;
      await deliveries.sent(one, "200");
      expect(await deliveries.take(200)).toBeNull();
      await sleep(250);
      expect(await deliveries.take(200)).toMatchObject({ id: two, attempts: 2 });
      await deliveries.again(two, "503", new Date(Date.now() - 1));
      expect(await deliveries.take(200)).toMatchObject({ id: two, attempts: 3, last: "503" });
      await deliveries.again(two, "410", null);
      expect((await deliveries.list("dead", { limit: 10 })).items).toMatchObject([{ id: two, last: "410", body: message.body }]);
      expect((await deliveries.list("sent", { limit: 10 })).items).toMatchObject([{ id: one, last: "200" }]);
      await deliveries.again(one, "late", new Date(0));
      expect((await deliveries.list("waiting", { limit: 10 })).items).toEqual([]);
    });

    test("every write asks for a majority and the journal", () => {
      const writes = sent.filter(({ name }) => ["insert", "update", "delete", "findAndModify"].includes(name));
      expect(new Set(writes.map(({ name }) => name)).size).toBe(4);
      const weak = writes.filter(({ command }) => JSON.stringify(command.writeConcern) !== '{"w":"majority","j":true}');
      expect(weak.map(({ name, command }) => `${name} ${command[name]}`)).toEqual([]);
    });
  });
});
