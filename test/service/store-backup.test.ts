import { spawn } from "node:child_process";
import { openAsBlob } from "node:fs";
import { cp, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MongoClient } from "mongodb";
import { describe, expect, it } from "vitest";
import { callsift, scratch } from "../support/callsift.ts";
import { openTestDatabase, PYTHON_SERVER, RUST_SERVER, TEST_SERVER } from "../support/database.ts";
import { type Client, eventually, type RunningService, signIn, startService } from "../support/service.ts";

const bin = fileURLToPath(new URL("../../bin/callsift.js", import.meta.url));
const calls = fileURLToPath(new URL("../../fixtures/calls/", import.meta.url));
const program = RUST_SERVER ?? PYTHON_SERVER;
const env = { CALLSIFT_MONGOD: program ?? "" };

const NAMES = ["zh-bank-forbidden", "zh-bank-clean"] as const;

async function upload(client: Client, name: string): Promise<string> {
  const form = new FormData();
  form.set("recording", await openAsBlob(join(calls, `${name}.wav`)), `${name}.wav`);
  form.set("transcript", await openAsBlob(join(calls, `${name}.transcript.json`)), `${name}.transcript.json`);
  form.set("metadata", JSON.stringify({ callId: name, agentId: "1024" }));
  const answer = await client.send("POST", "/api/calls", form);
  expect(answer.status).toBe(202);
  return ((await answer.json()) as { id: string }).id;
}

const serving = (data: string): Promise<RunningService> =>
  startService(["serve", "--data", data, "--port", "0", "--engine", "import"], env);

/** All that people see of a call, and what is found by its words. */
async function seen(client: Client, ids: readonly string[]): Promise<unknown> {
  return {
    calls: await Promise.all(ids.map((id) => client.json(`/api/calls/${id}`))),
    audio: await Promise.all(
      ids.map(async (id) => (await (await client.get(`/api/calls/${id}/audio?original=1`)).arrayBuffer()).byteLength),
    ),
    found: await client.json(`/api/search?q=${encodeURIComponent('"您好"')}`),
    users: await client.json("/api/users"),
  };
}

describe.skipIf(program === null)("docs/guide/backup.md", { timeout: 240_000 }, () => {
  it("a backup of a running service, restored on an empty machine, is the same service", async () => {
    await using folder = await scratch();
    const [data, restored, backup] = ["data", "restored", "backup.tar.gz"].map((name) => join(folder.path, name)) as [
      string,
      string,
      string,
    ];
    let before: unknown;
    let ids: string[];
    {
      await using service = await serving(data);
      const client = await signIn(service.address);
      ids = await Promise.all(NAMES.map((name) => upload(client, name)));
      for (const id of ids)
        await eventually(async () => ((await client.json<{ status: string }>(`/api/calls/${id}`)).status === "scored" ? true : null));
      const [reviewed = ""] = ids;
      expect((await client.send("POST", `/api/calls/${reviewed}/claim`)).status).toBe(200);
      const { screening } = await client.json<{ screening: { findings: { id: string }[] } }>(`/api/calls/${reviewed}`);
      const findings = screening.findings.map(({ id }) => ({ id, decision: "confirmed" }));
      const review = { version: 0, findings, items: [], added: [], submit: true };
      expect((await client.send("PUT", `/api/calls/${reviewed}/review`, review)).status).toBe(200);
      const exported = await callsift(["store", "export", backup, "--data", data], { env });
      expect(exported).toMatchObject({ code: 0, stdout: expect.stringMatching(/documents of \d+ collections written/) });
      before = await seen(client, ids);
    }
    await cp(join(data, "recordings"), join(restored, "recordings"), { recursive: true });
    const imported = await callsift(["store", "import", backup, "--data", restored], { env });
    expect(imported).toMatchObject({ code: 0, stdout: expect.stringMatching(/are as in/) });

    await using service = await serving(restored);
    const client = await signIn(service.address);
    expect(await seen(client, ids)).toEqual(before);
    // It is not only looked at: what comes in again is known, and what is new is taken.
    const form = new FormData();
    form.set("recording", await openAsBlob(join(calls, `${NAMES[0]}.wav`)), "again.wav");
    expect(await (await client.send("POST", "/api/calls", form)).json()).toMatchObject({ id: ids[0], duplicate: true });
  });
});

describe.skipIf(program === null)("callsift store", { timeout: 120_000 }, () => {
  it("prints an address that works, until it is told to stop", async () => {
    await using folder = await scratch();
    const child = spawn(process.execPath, [bin, "store", "--data", folder.path], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "ignore"],
    });
    const uri = (await new Promise<string>((resolve) => child.stdout.once("data", (chunk) => resolve(String(chunk))))).trim();
    {
      await using client = new MongoClient(uri);
      await client.db().collection("calls").insertOne({ a: 1 });
    }
    const second = await callsift(["store", "--data", folder.path], { env });
    expect(second).toMatchObject({ code: 3, stderr: expect.stringMatching(new RegExp(`store/in-use: .*process ${child.pid} `)) });
    child.kill("SIGTERM");
    expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(0);
    expect(await readdir(join(folder.path, "database"))).not.toContain("owner.json");
  });

  it.skipIf(TEST_SERVER === null)("moves documents between two servers by their addresses", async () => {
    await using folder = await scratch();
    await using from = await openTestDatabase();
    await using to = await openTestDatabase();
    {
      await using client = new MongoClient(from.uri);
      await client
        .db()
        .collection("calls")
        .insertMany([{ a: 1 }, { a: 2 }]);
    }
    const path = join(folder.path, "dump");
    expect(await callsift(["store", "export", path], { env: { MONGODB_URI: from.uri } })).toMatchObject({ code: 0 });
    expect((await stat(path)).isDirectory()).toBe(true);
    const imported = await callsift(["store", "import", path, "--uri", to.uri]);
    expect(imported).toMatchObject({ code: 0, stdout: expect.stringContaining("2 documents of 1 collections are as in") });
    expect(await callsift(["store", "import", path, "--uri", to.uri])).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/store\/in-use/),
    });
    expect(await callsift(["store", "import", path, "--uri", to.uri, "--resume"])).toMatchObject({ code: 0 });
  });

  it("says what is wrong in the world as exit code 3, and in the command as 2", async () => {
    await using folder = await scratch();
    const missing = { CALLSIFT_MONGOD: join(folder.path, "nothing") };
    expect(await callsift(["store", "--data", folder.path], { env: missing })).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/store\/no-program: CALLSIFT_MONGOD/),
    });
    expect(await callsift(["store", "import", join(folder.path, "nothing"), "--uri", "mongodb://127.0.0.1:1/x"])).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/store\/damaged/),
    });
    expect(await callsift(["store", "--port", "0"])).toMatchObject({ code: 2 });
    expect(await callsift(["store", "export"])).toMatchObject({ code: 2 });
    const { stdout } = await callsift(["store", "fetch", "--requirements"]);
    expect(stdout).toMatch(/^secantusdb==\S+ --hash=sha256:/m);
  });
});
