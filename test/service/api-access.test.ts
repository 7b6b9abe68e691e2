import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { USER_ROLES, type UserRole } from "../../src/models/people.ts";
import { openTestApi, type Person, type TestApi } from "../support/api.ts";
import { bytesOf, sines, wav } from "../support/audio-files.ts";
import { TEST_SERVER } from "../support/database.ts";
import { screenedCall } from "../support/screened-call.ts";

const ALL = USER_ROLES;
const VIEWERS = ["admin", "supervisor", "inspector", "leader", "agent"] as const;
const REVIEWERS = ["admin", "supervisor", "inspector"] as const;
const SUPERVISORS = ["admin", "supervisor"] as const;
const FIGURES = ["admin", "supervisor", "manager"] as const;
const ADMINS = ["admin"] as const;
/** Anybody, signed in or not. */
const PUBLIC = "public";

/** Who may call a route, and what an allowed call answers. */
interface Expected {
  readonly who: readonly UserRole[] | typeof PUBLIC;
  readonly ok: number | readonly number[];
  /** Made for each try anew. */
  readonly body?: () => unknown;
  readonly query?: string;
  /** The path is of a call: foreign ones are not there. */
  readonly call?: true;
}

const of = (who: Expected["who"], ok: Expected["ok"], more: Omit<Expected, "who" | "ok"> = {}): Expected => ({ who, ok, ...more });
const call = (who: Expected["who"], ok: Expected["ok"], more: Omit<Expected, "who" | "ok" | "call"> = {}): Expected => ({
  ...of(who, ok, more),
  call: true,
});
const day = "from=2025-03-01&to=2025-03-02";

/** Every route that the API has; one that is missing here fails the first test. */
const TABLE: Readonly<Record<string, Expected>> = {
  "GET /healthz": of(PUBLIC, 200),
  "GET /readyz": of(PUBLIC, 200),
  "GET /metrics": of(PUBLIC, 200),
  "GET /api/openapi.json": of(PUBLIC, 200),
  "POST /api/login": of(PUBLIC, 401, { body: () => ({ username: "nobody at all", password: "x" }) }),
  "GET /api/login/{link}": of(PUBLIC, 404),
  "POST /api/logout": of(ALL, 204),
  "GET /api/me": of(ALL, 200),
  "GET /api/tokens": of(ALL, 200),
  "POST /api/tokens": of(ALL, 201, { body: () => ({ name: "x" }) }),
  "DELETE /api/tokens/{id}": of(ALL, 404),
  "GET /api/users": of(ADMINS, 200),
  "POST /api/users": of(ADMINS, 201, {
    body: () => ({ username: `u${randomBytes(6).toString("hex")}`, password: "password 1", role: "inspector" }),
  }),
  "PATCH /api/users/{id}": of(ADMINS, 404, { body: () => ({ name: "x" }) }),
  "GET /api/users/export": of(ADMINS, 200, { query: "format=csv" }),
  "GET /api/audit": of(ADMINS, 200),
  "GET /api/audit/export": of(ADMINS, 200, { query: "format=csv" }),
  "POST /api/calls": of(REVIEWERS, 202, { body: () => uploadForm() }),
  "GET /api/calls": of(VIEWERS, 200),
  "GET /api/calls/export": of(VIEWERS, 200, { query: "format=csv" }),
  "GET /api/calls/{id}": call(VIEWERS, 200),
  "DELETE /api/calls/{id}": call(ADMINS, 204),
  "POST /api/calls/{id}/retry": call(REVIEWERS, 409),
  "GET /api/calls/{id}/audio": call(VIEWERS, 410),
  "GET /api/calls/{id}/peaks": call(VIEWERS, 410),
  "POST /api/calls/{id}/claim": call(REVIEWERS, 200),
  "DELETE /api/calls/{id}/claim": call(REVIEWERS, [204, 409]),
  "GET /api/calls/{id}/review": call(VIEWERS, 200),
  "PUT /api/calls/{id}/review": call(REVIEWERS, [200, 409], { body: () => ({ version: 0 }) }),
  "GET /api/calls/{id}/review/history": call(REVIEWERS, 200),
  "GET /api/queue": of(REVIEWERS, 200),
  "POST /api/queue/next": of(REVIEWERS, [200, 204]),
  "GET /api/queue/export": of(REVIEWERS, 200, { query: "format=csv" }),
  "GET /api/search": of(VIEWERS, 200, { query: "q=x" }),
  "GET /api/search/export": of(VIEWERS, 200, { query: "q=x&format=csv" }),
  "POST /api/call-records": of(SUPERVISORS, 200, { body: () => [] }),
  "GET /api/coverage": of(FIGURES, 200, { query: day }),
  "GET /api/coverage/export": of(FIGURES, 200, { query: `${day}&format=csv` }),
  "GET /api/rules": of(ALL, 200),
  "POST /api/rules": of(SUPERVISORS, 400, { body: () => ({}) }),
  "GET /api/forms": of(ALL, 200),
  "POST /api/forms": of(SUPERVISORS, 400, { body: () => ({}) }),
  "POST /api/rescore": of(SUPERVISORS, 400, { body: () => ({ dryRun: "yes" }) }),
  "GET /api/settings": of(SUPERVISORS, 200),
  "PATCH /api/settings": of(SUPERVISORS, 200, { body: () => ({}) }),
  "GET /api/webhooks": of(ADMINS, 200),
  "POST /api/webhooks": of(ADMINS, 400, { body: () => ({}) }),
  "PATCH /api/webhooks/{id}": of(ADMINS, 404, { body: () => ({}) }),
  "DELETE /api/webhooks/{id}": of(ADMINS, 404),
  "GET /api/webhooks/deliveries": of(ADMINS, 200),
  "POST /api/webhooks/deliveries/{id}/resend": of(ADMINS, 404),
  "GET /api/events": of(VIEWERS, 200),
};

function uploadForm(): FormData {
  const form = new FormData();
  form.append("recording", new Blob([wav({ data: bytesOf(sines([300], 8000, 0.1)) }), randomBytes(8)]), "a.wav");
  return form;
}

/** Where each role belongs. */
const PLACE: Readonly<Record<UserRole, object>> = {
  admin: {},
  supervisor: {},
  inspector: {},
  manager: {},
  leader: { team: "A" },
  agent: { agentId: "7" },
};

describe.skipIf(TEST_SERVER === null)("who may do what", () => {
  let api: TestApi;
  const people = new Map<UserRole, Person>();
  beforeAll(async () => {
    api = await openTestApi();
    for (const role of USER_ROLES) people.set(role, await api.as(role, PLACE[role]));
  });
  afterAll(async () => await api[Symbol.asyncDispose]());

  it("is said of every route, and of no other", () => {
    const { paths = {} } = api.app.swagger() as { paths?: Record<string, object> };
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(Object.keys(TABLE).sort()).toEqual(routes.sort());
  });

  /** One answer, of which nothing but the beginning is read. */
  async function ask(
    person: Person,
    route: string,
    { body, query }: Expected,
    id: string,
  ): Promise<{ status: number; code: string | null }> {
    const [method = "GET", path = ""] = route.split(" ");
    const url = `${path.replace(/\{\w+\}/, id)}${query ? `?${query}` : ""}`;
    const given = body?.();
    const stop = new AbortController();
    const response = await person.fetch(url, {
      method,
      signal: stop.signal,
      ...(given instanceof FormData && { body: given }),
      ...(given !== undefined &&
        !(given instanceof FormData) && { body: JSON.stringify(given), headers: { "content-type": "application/json" } }),
    });
    const isProblem = response.status >= 400;
    const code = isProblem ? ((await response.json()) as { code: string }).code : null;
    if (!isProblem) {
      // An event stream has no end.
      await response.body?.cancel();
      stop.abort();
    }
    return { status: response.status, code };
  }

  /** A call that the role may see, or may not. */
  async function callFor(role: UserRole, whose: "own" | "foreign"): Promise<string> {
    const isOwn = whose === "own";
    const belongs = role === "leader" || role === "agent";
    const metadata = isOwn || !belongs ? { team: "A", agentId: "7" } : { team: "B", agentId: "8" };
    const { id } = await screenedCall(api.models, undefined, { metadata, tenant: isOwn || belongs ? "default" : "other" });
    if (role === "agent") await api.models.calls.reviewed(id, { state: "done", by: "x", until: null, version: 1, score: 10 });
    return id;
  }

  const statuses = ({ ok }: Expected): readonly number[] => (typeof ok === "number" ? [ok] : ok);
  const nothing = "0123456789abcdef01234567";

  for (const [route, expected] of Object.entries(TABLE)) {
    it(`${route}`, { timeout: 60_000 }, async () => {
      const { who } = expected;
      const unknown = await ask(api.anybody, route, expected, nothing);
      if (who === PUBLIC) expect(statuses(expected)).toContain(unknown.status);
      else expect(unknown).toEqual({ status: 401, code: "auth/required" });
      for (const role of USER_ROLES) {
        // Signing out is for one who is not needed afterwards.
        const person = route === "POST /api/logout" ? await api.as(role, PLACE[role]) : (people.get(role) as Person);
        if (who !== PUBLIC && !who.includes(role)) {
          const id = expected.call ? await callFor("supervisor", "own") : nothing;
          expect([role, await ask(person, route, expected, id)]).toEqual([role, { status: 403, code: "auth/forbidden" }]);
          continue;
        }
        const own = expected.call ? await callFor(role, "own") : nothing;
        expect(statuses(expected), `${role}, own`).toContain((await ask(person, route, expected, own)).status);
        if (!expected.call) continue;
        const foreign = await ask(person, route, expected, await callFor(role, "foreign"));
        expect([role, foreign]).toEqual([role, { status: 404, code: "request/not-found" }]);
        expect([role, await ask(person, route, expected, nothing)]).toEqual([role, { status: 404, code: "request/not-found" }]);
      }
    });
  }

  it("agents don't see their own calls before these are reviewed", async () => {
    const { id } = await screenedCall(api.models, undefined, { metadata: { team: "A", agentId: "7" } });
    for (const [route, expected] of Object.entries(TABLE)) {
      if (!expected.call || expected.who === PUBLIC || !expected.who.includes("agent")) continue;
      expect([route, (await ask(people.get("agent") as Person, route, expected, id)).status]).toEqual([route, 404]);
    }
  });
});
