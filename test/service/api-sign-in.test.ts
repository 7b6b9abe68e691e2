import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createFirstAdmin } from "../../src/api/auth/first-admin.ts";
import { createSignInLink } from "../../src/api/auth/sign-in.ts";
import { openTestApi, PASSWORD, type TestApi } from "../support/api.ts";
import { TEST_SERVER } from "../support/database.ts";
import { until } from "../support/work.ts";

describe.skipIf(TEST_SERVER === null)("signing in", () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await openTestApi();
  });
  afterAll(async () => await api[Symbol.asyncDispose]());

  const login = async (username: string, password: string, headers: Record<string, string> = {}) =>
    await fetch(`${api.address}/api/login`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ username, password }),
    });

  it("sets a cookie that pages cannot read and other sites cannot borrow", async () => {
    const user = await api.addUser("inspector", { username: "Anna", name: "Anna B." });
    const response = await login("anna", PASSWORD);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ user: { id: user.id, username: "Anna", name: "Anna B.", role: "inspector" } });
    const [cookie = ""] = response.headers.getSetCookie();
    expect(cookie).toMatch(/^callsift_session=[\w-]{43}; .*HttpOnly; SameSite=Strict$/);
    expect(cookie).not.toContain("Secure");
    const me = await fetch(`${api.address}/api/me`, { headers: { cookie: cookie.split(";")[0] ?? "" } });
    expect(await me.json()).toEqual({ user: { id: user.id, username: "Anna", name: "Anna B.", role: "inspector" } });
  });

  it("marks the cookie Secure where people come by TLS", async () => {
    await using tls = await openTestApi({ env: { CALLSIFT_PUBLIC_URL: "https://calls.example.com" } });
    const user = await tls.addUser("admin");
    const response = await fetch(`${tls.address}/api/login`, {
      method: "POST",
      headers: { "content-type": "application/json", origin: "https://calls.example.com" },
      body: JSON.stringify({ username: user.username, password: PASSWORD }),
    });
    expect(response.headers.getSetCookie()[0]).toContain("Secure");
    expect(response.headers.get("strict-transport-security")).toMatch(/max-age=\d+/);
  });

  it("tells a wrong password and a name that nobody has in the same words", async () => {
    await api.addUser("inspector", { username: "bert" });
    const wrong = await login("bert", "wrong");
    const nobody = await login("nobody", "wrong");
    expect([wrong.status, nobody.status]).toEqual([401, 401]);
    expect(await wrong.json()).toEqual(await nobody.json());
  });

  it("refuses who is disabled, and ends their session", async () => {
    const carla = await api.as("inspector", { username: "carla" });
    const admin = await api.as("admin");
    expect((await carla.json("GET", "/api/me")).status).toBe(200);
    expect((await admin.json("PATCH", `/api/users/${carla.user?.id}`, { disabled: true })).status).toBe(200);
    expect((await carla.json("GET", "/api/me")).status).toBe(401);
    expect((await login("carla", PASSWORD)).status).toBe(401);
  });

  it("ends with signing out", async () => {
    const person = await api.as("manager");
    expect((await person.json("POST", "/api/logout")).status).toBe(204);
    expect((await person.json("GET", "/api/me")).body).toMatchObject({ code: "auth/required" });
  });

  it("refuses cookies that are forged, cut, expired or made of another secret", async () => {
    const person = await api.as("admin");
    const good = person.cookie ?? "";
    const get = async (cookie: string) => (await fetch(`${api.address}/api/me`, { headers: { cookie } })).status;
    expect(await get(good)).toBe(200);
    for (const cookie of [
      `${good}x`,
      good.slice(0, -1),
      "callsift_session=",
      `callsift_session=${"a".repeat(5000)}`,
      "callsift_session=%00",
      "other=1",
    ])
      expect(await get(cookie), cookie).toBe(401);
    const { hashSecret } = await import("../../src/api/auth/secret.ts");
    await api.models.sessions.open(hashSecret("expired"), person.user?.id ?? "", new Date(Date.now() - 1), "here");
    expect(await get("callsift_session=expired")).toBe(401);
    // What the database keeps is no way in.
    expect(await get(`callsift_session=${hashSecret(good.split("=")[1] ?? "")}`)).toBe(401);
  });

  it("refuses the eleventh wrong try within five minutes, with Retry-After, even with the right password", async () => {
    await using other = await openTestApi();
    await other.addUser("inspector", { username: "dora" });
    const post = async (password: string) =>
      await fetch(`${other.address}/api/login`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ username: "dora", password }),
      });
    const first = await Promise.all(Array.from({ length: 25 }, (_, i) => post(`wrong ${i}`)));
    const statuses = first.map(({ status }) => status).sort();
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 401), ...Array.from({ length: 15 }, () => 429)]);
    const refused = await post(PASSWORD);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(200);
    expect(await refused.json()).toMatchObject({ code: "auth/too-many-tries" });
  });

  it("refuses changes that a page of another site asks for", async () => {
    const person = await api.as("admin");
    const create = async (headers: Record<string, string>) =>
      await person.fetch("/api/tokens", {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: '{"name":"x"}',
      });
    for (const headers of [
      { origin: "https://evil.example" },
      { origin: "null" },
      { origin: "nonsense" },
      { "sec-fetch-site": "cross-site" },
    ]) {
      const refused = await create(headers as Record<string, string>);
      expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([403, "auth/bad-origin"]);
    }
    expect((await create({ origin: api.address })).status).toBe(201);
    expect((await create({})).status).toBe(201);
    expect((await login("anna", PASSWORD, { origin: "https://evil.example" })).status).toBe(403);
  });

  it("works once by a link that a terminal shows", async () => {
    const user = await api.addUser("admin");
    const path = await createSignInLink(api.models, user.id);
    const first = await api.anybody.fetch(path);
    expect([first.status, first.headers.get("location")]).toEqual([303, "/api/docs"]);
    const cookie = first.headers.getSetCookie()[0]?.split(";")[0] ?? "";
    expect((await fetch(`${api.address}/api/me`, { headers: { cookie } })).status).toBe(200);
    expect((await api.anybody.fetch(path)).status).toBe(404);
    // The link itself is no cookie.
    const other = await createSignInLink(api.models, user.id);
    expect((await fetch(`${api.address}/api/me`, { headers: { cookie: `callsift_session=${other.split("/").at(-1)}` } })).status).toBe(401);
  });

  it("makes the user admin once, with the password of the settings or one that is told", async () => {
    await using fresh = await openTestApi();
    const made = await Promise.all([1, 2, 3].map(async () => await createFirstAdmin(fresh.models, { adminPassword: null })));
    const passwords = made.filter((password) => password !== null);
    expect(passwords).toHaveLength(1);
    expect(await fresh.models.users.count()).toBe(1);
    const response = await fetch(`${fresh.address}/api/login`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ username: "admin", password: passwords[0] }),
    });
    expect(response.status).toBe(200);
    expect(await createFirstAdmin(fresh.models, { adminPassword: "another password" })).toBeNull();
  });

  it("is written down, and no secret in any log", async () => {
    const admin = await api.as("admin");
    await login("anna", "not the password");
    const { body } = await admin.json("GET", "/api/audit?what=sign-in-refused&limit=1");
    expect(body.items).toMatchObject([{ what: "sign-in-refused", username: "Anna", from: "127.0.0.1" }]);
    expect((await admin.json("GET", "/api/audit?what=signed-in")).body.items).not.toEqual([]);
    const log = api.logged.join("");
    expect(log).toContain('"route":"/api/login"');
    for (const secret of [PASSWORD, "not the password", admin.cookie?.split("=")[1] ?? "?"]) expect(log).not.toContain(secret);
  });
});

describe.skipIf(TEST_SERVER === null)("tokens of programs", () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await openTestApi();
  });
  afterAll(async () => await api[Symbol.asyncDispose]());

  const bearer = async (token: string, path = "/api/me", method = "GET") =>
    await fetch(`${api.address}${path}`, { method, headers: { authorization: `Bearer ${token}` } });

  it("are shown once, work without a cookie, and end when they are removed", async () => {
    const person = await api.as("supervisor");
    const { status, body } = await person.json("POST", "/api/tokens", { name: "back-load" });
    expect(status).toBe(201);
    expect(body).toMatchObject({ name: "back-load", role: "supervisor", expiresAt: null, lastUsedAt: null });
    const token = String(body.token);
    expect(await (await bearer(token)).json()).toMatchObject({ user: { role: "supervisor" } });
    const list = await person.json("GET", "/api/tokens");
    expect(list.body.items).toMatchObject([{ id: body.id, name: "back-load" }]);
    expect(JSON.stringify(list.body)).not.toContain(token);
    const stranger = await api.as("supervisor");
    expect((await stranger.json("DELETE", `/api/tokens/${body.id}`)).status).toBe(404);
    expect((await person.json("DELETE", `/api/tokens/${body.id}`)).status).toBe(204);
    expect((await bearer(token)).status).toBe(401);
  });

  it("have no more rights than their owner, then and later", async () => {
    const person = await api.as("supervisor");
    expect((await person.json("POST", "/api/tokens", { name: "x", role: "admin" })).status).toBe(403);
    const { body } = await person.json("POST", "/api/tokens", { name: "x", role: "inspector" });
    const token = String(body.token);
    expect(await (await bearer(token)).json()).toMatchObject({ user: { role: "inspector" } });
    const admin = await api.as("admin");
    expect((await admin.json("PATCH", `/api/users/${person.user?.id}`, { role: "manager" })).status).toBe(200);
    expect((await bearer(token)).status).toBe(401);
  });

  it("make no tokens, and need no Origin", async () => {
    const person = await api.as("admin");
    const { body } = await person.json("POST", "/api/tokens", { name: "x" });
    const response = await fetch(`${api.address}/api/tokens`, {
      method: "POST",
      headers: { authorization: `Bearer ${body.token}`, "content-type": "application/json", origin: "https://elsewhere.example" },
      body: '{"name":"y"}',
    });
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([403, "auth/forbidden"]);
  });

  it("are refused where they have expired, are forged or no tokens at all", async () => {
    const person = await api.as("admin");
    expect((await person.json("POST", "/api/tokens", { name: "x", expiresAt: "2020-01-01T00:00:00Z" })).status).toBe(400);
    const { body } = await person.json("POST", "/api/tokens", { name: "x", expiresAt: new Date(Date.now() + 300).toISOString() });
    await new Promise((resolve) => setTimeout(resolve, 400));
    for (const token of [String(body.token), "callsift_forged", `${"x".repeat(10_000)}`, "a b", "%00"])
      expect((await bearer(token)).status).toBe(401);
    const basic = await fetch(`${api.address}/api/me`, { headers: { authorization: "Basic YTpi", cookie: person.cookie ?? "" } });
    expect(basic.status).toBe(401);
  });
});

describe.skipIf(TEST_SERVER === null)("users", () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await openTestApi();
  });
  afterAll(async () => await api[Symbol.asyncDispose]());

  it("are added, listed and changed by administrators, and never shown with a password", async () => {
    const admin = await api.as("admin");
    const made = await admin.json("POST", "/api/users", { username: "erik", password: "password 1", role: "leader", team: "A" });
    expect(made).toMatchObject({ status: 201, body: { username: "erik", name: "erik", role: "leader", team: "A", disabled: false } });
    expect((await admin.json("POST", "/api/users", { username: "ERIK", password: "password 1", role: "admin" })).status).toBe(409);
    const list = await admin.json("GET", "/api/users");
    expect(JSON.stringify(list.body)).not.toMatch(/scrypt|password/i);
    const changed = await admin.json("PATCH", `/api/users/${made.body.id}`, { role: "inspector", password: "password 2" });
    expect(changed).toMatchObject({ status: 200, body: { role: "inspector" } });
    const login = async (password: string) => (await api.anybody.json("POST", "/api/login", { username: "erik", password })).status;
    expect([await login("password 1"), await login("password 2")]).toEqual([401, 200]);
    expect((await admin.json("GET", "/api/audit?what=user-changed")).body.items).toMatchObject([
      { object: made.body.id, details: { fields: "password role" } },
    ]);
  });

  it.each([
    [{ username: "f", password: "short", role: "agent", agentId: "1" }, "body/password"],
    [{ username: "f", password: "long enough", role: "agent" }, "body/agentId"],
    [{ username: "f", password: "long enough", role: "leader" }, "body/team"],
    [{ username: "f", password: "long enough", role: "root" }, "body/role"],
    [{ username: { $gt: "" }, password: "long enough", role: "admin" }, "body/username"],
    [{ username: "f", password: "long enough", role: "admin", tenant: "other" }, "body/tenant"],
    [{ username: "f\u0000g", password: "long enough", role: "admin" }, "body/username"],
  ])("are refused as %j", async (body, path) => {
    const admin = await api.as("admin");
    expect(await admin.json("POST", "/api/users", body)).toMatchObject({
      status: 400,
      body: { code: "request/invalid", details: { path } },
    });
  });

  it("do not take their own rights away, and don't reach into another tenant", async () => {
    const admin = await api.as("admin");
    expect((await admin.json("PATCH", `/api/users/${admin.user?.id}`, { disabled: true })).status).toBe(409);
    expect((await admin.json("PATCH", `/api/users/${admin.user?.id}`, { role: "agent", agentId: "1" })).status).toBe(409);
    const stranger = await api.addUser("admin", { tenant: "other", username: "stranger" });
    for (const id of [stranger.id, "nonsense", "..", "0".repeat(24)])
      expect((await admin.json("PATCH", `/api/users/${encodeURIComponent(id)}`, { name: "x" })).status).toBe(404);
    const { body } = await admin.json("GET", "/api/users?limit=200");
    expect((body.items as { username: string }[]).map(({ username }) => username)).not.toContain("stranger");
  });
});

describe.skipIf(TEST_SERVER === null)("what is remembered of a sign-in", () => {
  it("is no longer than a second, where another process ended it", async () => {
    await using api = await openTestApi();
    const person = await api.as("inspector");
    expect((await person.json("GET", "/api/me")).status).toBe(200);
    await api.models.users.change(person.user?.id ?? "", { disabled: true });
    await until(async () => (await person.json("GET", "/api/me")).status === 401, "the sign-in is known to have ended", 5_000);
  });
});
