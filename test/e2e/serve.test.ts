import { spawn } from "node:child_process";
import { openAsBlob } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { callsift, scratch } from "../support/callsift.ts";
import { TEST_SERVER } from "../support/database.ts";
import { type Client, eventually, type RunningService, signIn, startService } from "../support/service.ts";

const bin = fileURLToPath(new URL("../../bin/callsift.js", import.meta.url));
const calls = fileURLToPath(new URL("../../fixtures/calls/", import.meta.url));

interface CallDetail {
  readonly id: string;
  readonly status: string;
  readonly attempts: number;
  readonly screening: {
    readonly findings: readonly { readonly id: string; readonly rule: string; readonly counts: boolean }[];
    readonly score: { readonly total: number };
  } | null;
  readonly finalScore: { readonly total: number } | null;
}

async function upload(
  client: Client,
  name: string,
): Promise<{ readonly status: number; readonly id: string; readonly duplicate: boolean }> {
  const form = new FormData();
  form.set("recording", await openAsBlob(join(calls, name)), basename(name));
  form.set(
    "transcript",
    await openAsBlob(join(calls, name.replace(/\.\w+$/, ".transcript.json"))),
    name.replace(/\.\w+$/, ".transcript.json"),
  );
  form.set("metadata", JSON.stringify({ callId: name, agentId: "1024", team: "A" }));
  const answer = await client.send("POST", "/api/calls", form);
  return { ...((await answer.json()) as { id: string; duplicate: boolean }), status: answer.status };
}

const scored = (client: Client, id: string): Promise<CallDetail> =>
  eventually(async () => {
    const call = await client.json<CallDetail>(`/api/calls/${id}`);
    return call.status === "scored" ? call : null;
  });

async function serving(data: string): Promise<RunningService> {
  return await startService(["serve", "--data", data, "--port", "0", "--engine", "import"]);
}

describe.skipIf(TEST_SERVER === null)("callsift serve", { timeout: 180_000 }, () => {
  it("takes a call from its recording to a person's word, on a machine with nothing else", async () => {
    await using folder = await scratch();
    await using service = await serving(folder.path);
    const client = await signIn(service.address);
    const first = await upload(client, "zh-bank-forbidden.wav");
    expect(first).toMatchObject({ status: 202, duplicate: false });
    expect(await upload(client, "zh-bank-forbidden.wav")).toMatchObject({ status: 200, id: first.id, duplicate: true });
    const call = await scored(client, first.id);
    expect(call).toMatchObject({ attempts: 1, finalScore: null });
    const findings = call.screening?.findings ?? [];
    expect(findings.map(({ rule }) => rule)).toContain("forbidden-phrase");

    expect((await client.send("POST", `/api/calls/${first.id}/claim`)).status).toBe(200);
    const decisions = findings.map(({ id }) => ({ id, decision: "rejected", note: "said by nobody" }));
    const review = { version: 0, findings: decisions, items: [], added: [], submit: true };
    expect((await client.send("PUT", `/api/calls/${first.id}/review`, review)).status).toBe(200);
    const reviewed = await client.json<CallDetail>(`/api/calls/${first.id}`);
    expect(reviewed.finalScore?.total).toBe(20);
    expect(reviewed.screening?.score.total).toBe(call.screening?.score.total);
    expect(await service.end("SIGTERM")).toBe(0);
  });

  it("has after kill -9 what it had accepted, and its data folder is nobody else's while it runs", async () => {
    await using folder = await scratch();
    const data = folder.path;
    const killed = await serving(data);
    const { id } = await upload(await signIn(killed.address), "zh-bank-clean.wav");
    await killed.end("SIGKILL");

    await using service = await serving(data);
    const client = await signIn(service.address);
    const call = await scored(client, id);
    expect(call.screening?.findings.filter(({ counts }) => counts)).toEqual([]);
    const second = await callsift(["serve", "--data", data, "--port", "0"]);
    expect(second.code).toBe(2);
    expect(second.stderr).toMatch(new RegExp(`store/in-use: .*process ${service.child.pid}`));
  });

  it("lets people in that are added beside it, each to their own", async () => {
    await using folder = await scratch();
    const data = folder.path;
    await using service = await serving(data);
    const args = ["user", "add", "li.na", "--role", "agent", "--agent-id", "7", "--data", data];
    const child = spawn(process.execPath, [bin, ...args], { stdio: ["pipe", "inherit", "inherit"] });
    child.stdin?.end("a-long-password\n");
    expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(0);
    const { id } = await upload(await signIn(service.address), "zh-bank-clean.wav");
    const agent = await signIn(service.address, "li.na", "a-long-password");
    expect((await agent.get(`/api/calls/${id}`)).status).toBe(404);
    expect((await agent.get("/api/users")).status).toBe(403);
  });

  it("prints a link that signs in once", async () => {
    await using folder = await scratch();
    await using service = await startService(["serve", "--data", folder.path, "--port", "0", "--engine", "none", "--sign-in-link"]);
    const link = /Sign in, once, .*: (\S+)/.exec(service.output())?.[1] ?? "";
    const answer = await fetch(link, { redirect: "manual" });
    expect(answer.status).toBe(303);
    const cookie = answer.headers.get("set-cookie")?.split(";")[0] ?? "";
    expect((await fetch(`${service.address}/api/me`, { headers: { cookie } })).status).toBe(200);
    expect((await fetch(link, { redirect: "manual" })).status).toBe(404);
  });
});

describe("the parts of the service", () => {
  it.each(["api", "worker"])("%s says what it needs of its surroundings", async (command) => {
    const { code, stderr } = await callsift([command]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/usage\/invalid: .*MONGODB_URI and REDIS_URL/);
  });
});
