import fc from "fast-check";
import Type from "typebox";
import { describe, expect, it } from "vitest";
import { readByteRange } from "../../src/api/audio/byte-range.ts";
import { hashPassword, verifyPassword } from "../../src/api/auth/password.ts";
import { covers, scopeOf, tokenRole } from "../../src/api/auth/rights.ts";
import { createTries } from "../../src/api/auth/tries.ts";
import { plainName } from "../../src/api/calls/received.ts";
import { parseJson } from "../../src/api/json-body.ts";
import { problemOf, STATUS } from "../../src/api/problem.ts";
import { createRecently } from "../../src/api/recently.ts";
import { oneOf, orNull, strict } from "../../src/api/schemas/common.ts";
import { readTime } from "../../src/api/time.ts";
import { checkValue } from "../../src/api/validate.ts";
import { USER_ROLES, type User } from "../../src/models/people.ts";
import { CallsiftError, ERRORS } from "../../src/pipeline/errors.ts";

describe("ranges of bytes", () => {
  it.each([
    [undefined, null],
    ["bytes=0-9", { start: 0, end: 9 }],
    ["bytes=90-", { start: 90, end: 99 }],
    ["bytes=90-1000", { start: 90, end: 99 }],
    ["bytes=-10", { start: 90, end: 99 }],
    ["bytes=-1000", { start: 0, end: 99 }],
    ["bytes=100-", "unsatisfiable"],
    ["bytes=-0", "unsatisfiable"],
    ["bytes=9-0", null],
    ["bytes=0-1,3-4", null],
    ["bytes=-", null],
    ["lines=0-9", null],
    ["bytes=99999999999999999999-", null],
  ])("%s of 100 bytes", (header, expected) => {
    expect(readByteRange(header, 100)).toEqual(expected);
  });

  it("lie within the file, whatever is asked for", () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(), fc.nat(), fc.integer({ min: 1, max: 1000 }), (text, a, b, size) => {
        for (const header of [text, `bytes=${a}-${b}`, `bytes=${a}-`, `bytes=-${b}`]) {
          const range = readByteRange(header, size);
          if (range === null || range === "unsatisfiable") continue;
          expect(range.start).toBeGreaterThanOrEqual(0);
          expect(range.start).toBeLessThanOrEqual(range.end);
          expect(range.end).toBeLessThan(size);
        }
      }),
    );
  });
});

describe("times of a request", () => {
  it.each([
    ["2025-03-01", "Asia/Shanghai", "2025-02-28T16:00:00.000Z"],
    ["2025-03-01T09:30", "Asia/Shanghai", "2025-03-01T01:30:00.000Z"],
    ["2025-03-01T09:30:00+02:00", "Asia/Shanghai", "2025-03-01T07:30:00.000Z"],
    ["2025-03-01T09:30:15.250Z", "Asia/Shanghai", "2025-03-01T09:30:15.250Z"],
    ["2025-07-01", "Europe/Berlin", "2025-06-30T22:00:00.000Z"],
    ["2025-01-01", "America/New_York", "2025-01-01T05:00:00.000Z"],
    // Clocks go from 02:00 to 03:00: what they never show is the time after.
    ["2025-03-30T02:30", "Europe/Berlin", "2025-03-30T01:30:00.000Z"],
    ["2025-03-30T03:30", "Europe/Berlin", "2025-03-30T01:30:00.000Z"],
  ])("%s in %s", (text, zone, expected) => {
    expect(readTime(text, "query/from", zone)?.toISOString()).toBe(expected);
  });

  it.each(["2025-02-31", "2025-13-01", "2025-03-01T25:00Z", "2025-03-01T09:30:61Z", "yesterday", ""])("refuses %j", (text) => {
    expect(() => readTime(text, "query/from", "UTC")).toThrowError(expect.objectContaining({ code: "request/invalid" }));
  });
});

describe("JSON of a request", () => {
  it("is read as it is", () => {
    expect(parseJson('{"a":["[[[[","\\"{",1e3,null]}', "body")).toEqual({ a: ["[[[[", '"{', 1000, null] });
  });

  it.each([
    ["a megabyte of brackets", "[".repeat(1_000_000)],
    ["whole nesting", `${"[".repeat(1000)}${"]".repeat(1000)}`],
    ["a prototype", '{"__proto__":{"role":"admin"}}'],
    ["a prototype that is written otherwise", '{"\\u005f_proto__":{"role":"admin"}}'],
    ["a constructor", '{"a":{"constructor":{"prototype":{"x":1}}}}'],
    ["text", "username=admin"],
    ["an end that is missing", '{"a":'],
    ["an open string", '{"a'],
  ])("refuses %s", (_, text) => {
    expect(() => parseJson(text, "body")).toThrowError(expect.objectContaining({ code: "request/invalid" }));
  });
});

describe("what a request holds", () => {
  const Schema = strict({
    name: Type.String({ minLength: 1 }),
    kind: Type.Optional(oneOf(["a", "b"])),
    list: Type.Optional(Type.Array(strict({ id: Type.String(), note: Type.Optional(orNull(Type.String())) }))),
  });
  it.each([
    [{ name: "x", other: 1 }, "body/other: expected no such field"],
    [{}, "body/name: expected a value, got none"],
    [{ name: { $gt: "" } }, "body/name: must be string"],
    [{ name: "x", kind: "c" }, "body/kind: expected one of a, b"],
    [{ name: "x", list: [{ id: "1" }, { id: "2", role: "admin" }] }, "body/list/1/role: expected no such field"],
    [{ name: "x", list: [{ id: 1 }] }, "body/list/0/id: must be string"],
    [[], "body: must be object"],
  ])("%j is refused by its path", (value, message) => {
    expect(() => checkValue(Schema, value, "body")).toThrowError(expect.objectContaining({ code: "request/invalid", message }));
  });
  it("passes where it is as the schema says", () => {
    expect(() => checkValue(Schema, { name: "x", kind: "a", list: [{ id: "1", note: null }] }, "body")).not.toThrow();
  });
});

describe("problems", () => {
  it("has a status for every code, and one that says whose fault it is", () => {
    expect(Object.keys(STATUS).sort()).toEqual(Object.keys(ERRORS).sort());
    for (const status of Object.values(STATUS)) expect(status).toBeGreaterThanOrEqual(400);
  });
  it("tells nothing of a fault in the program", () => {
    const secret = new TypeError("mongodb://user:password@host is not a function");
    for (const error of [secret, new CallsiftError("internal/bug", secret.message), "text", null, undefined, { statusCode: 200 }]) {
      const { status, problem } = problemOf(error);
      expect(status).toBe(500);
      expect(JSON.stringify(problem)).not.toContain("password");
      expect(problem.code).toBe("internal/bug");
    }
  });
  it("carries code, message and details", () => {
    expect(problemOf(new CallsiftError("search/bad-query", "no end", { details: { position: 3 } }))).toEqual({
      status: 400,
      problem: { code: "search/bad-query", message: "no end", details: { position: 3 } },
      isBug: false,
    });
  });
});

describe("passwords", () => {
  it("are known again by their hash, and only they", async () => {
    const hash = await hashPassword("correct horse");
    expect(hash).toMatch(/^scrypt\$\d+\$8\$\d+\$/);
    expect(hash).not.toContain("horse");
    expect(await verifyPassword("correct horse", hash)).toBe(true);
    expect(await verifyPassword("correct horsf", hash)).toBe(false);
    expect(await hashPassword("correct horse")).not.toBe(hash);
  });
  it("are the same however their characters are composed", async () => {
    expect(await verifyPassword("pässword", await hashPassword("pässword"))).toBe(true);
  });
  it.each([null, "", "plain", "scrypt$1$8$1$short$short", `scrypt$99999999$8$1$${"a".repeat(22)}$${"b".repeat(43)}`])(
    "are none of %j",
    async (hash) => {
      expect(await verifyPassword("", hash)).toBe(false);
      expect(await verifyPassword("plain", hash)).toBe(false);
    },
  );
});

describe("wrong tries", () => {
  const keys = (user: string, address: string) => [`user ${user}`, `address ${address}`];
  it("are borne ten times in five minutes, by user and by address", () => {
    let now = 1_000_000;
    const tries = createTries(() => now);
    for (let i = 0; i < 10; i++) {
      expect(tries.begin(keys("a", `address ${i}`))).toBe(0);
      now += 1000;
    }
    expect(tries.begin(keys("a", "another"))).toBe(290_000);
    for (let i = 0; i < 10; i++) expect(tries.begin(keys(`user ${i}`, "one"))).toBe(0);
    expect(tries.begin(keys("new", "one"))).toBe(300_000);
    expect(tries.begin(keys("new", "two"))).toBe(0);
    now += 290_000;
    expect(tries.begin(keys("a", "another"))).toBe(0);
  });
  it("do not grow while somebody is refused, so that the refusal ends", () => {
    let now = 0;
    const tries = createTries(() => now);
    for (let i = 0; i < 10; i++) tries.begin(["user a"]);
    for (let i = 0; i < 100; i++) expect(tries.begin(["user a"])).toBe(300_000);
    now = 300_000;
    expect(tries.begin(["user a"])).toBe(0);
  });
  it("are not what was right", () => {
    const tries = createTries(() => 0);
    for (let i = 0; i < 100; i++) {
      expect(tries.begin(keys("a", "one"))).toBe(0);
      tries.succeed(keys("a", "one"));
    }
  });
});

describe("rights", () => {
  const user = (role: User["role"], more: Partial<User> = {}): User => ({
    ...{ id: "1", tenant: "t", username: "u", name: "u", role, team: null, agentId: null, disabled: false, createdAt: new Date(0) },
    ...more,
  });
  it("of a token are never more than its owner's", () => {
    for (const owner of USER_ROLES)
      for (const token of USER_ROLES) {
        const role = tokenRole(token, owner);
        if (role !== null) expect([covers(owner, role), covers(token, role)]).toEqual([true, true]);
      }
    expect(tokenRole("inspector", "admin")).toBe("inspector");
    expect(tokenRole("supervisor", "inspector")).toBe("inspector");
    expect(tokenRole("inspector", "agent")).toBeNull();
    expect(tokenRole("agent", "supervisor")).toBeNull();
  });
  it("narrow what is seen; who belongs nowhere sees nothing", () => {
    expect(scopeOf(user("inspector"), "inspector")).toEqual({ tenant: "t" });
    expect(scopeOf(user("leader", { team: "A" }), "leader")).toEqual({ tenant: "t", team: "A" });
    expect(scopeOf(user("agent", { agentId: "7" }), "agent")).toEqual({ tenant: "t", agentId: "7", reviewedOnly: true });
    expect(scopeOf(user("leader"), "leader").team).toBe("\u0000");
    expect(scopeOf(user("leader", { team: "" }), "leader").team).toBe("\u0000");
    expect(scopeOf(user("agent"), "agent").agentId).toBe("\u0000");
    expect(scopeOf(user("manager"), "manager")).toMatchObject({ agentId: "\u0000", team: "\u0000" });
  });
});

describe("names of files", () => {
  it.each([
    ["a.wav", "a.wav"],
    ["../../etc/passwd", "passwd"],
    ["C:\\calls\\b.wav", "b.wav"],
    ["/", "recording"],
    ["..", "recording"],
    [undefined, "recording"],
    ["a\u0000\r\nSet-Cookie: x=1.wav", "aSet-Cookie: x=1.wav"],
    ["a\u202egnp.wav", "agnp.wav"],
    ["录音 一.wav", "录音 一.wav"],
  ])("%j", (name, expected) => {
    expect(plainName(name)).toBe(expected);
  });
  it("hold no folder and no control character, whatever comes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 500 }), (name) => {
        const plain = plainName(name);
        expect(plain).not.toMatch(/[/\\\p{Cc}\p{Cs}]/u);
        expect(plain.length).toBeGreaterThan(0);
        expect(plain.length).toBeLessThanOrEqual(200);
        expect(plain).not.toMatch(/^\.+$/);
      }),
    );
  });
});

describe("what was met of late", () => {
  it("is met first once in a while", () => {
    let now = 0;
    const recently = createRecently(1000, () => now);
    expect([recently.isFirst("a"), recently.isFirst("a"), recently.isFirst("b")]).toEqual([true, false, true]);
    now = 1000;
    expect(recently.isFirst("a")).toBe(true);
  });
});
