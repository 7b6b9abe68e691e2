import { createHash, randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CallsiftError } from "../../src/pipeline/errors.ts";
import { openTestApi, type Person, type TestApi } from "../support/api.ts";
import { bytesOf, sines, wav } from "../support/audio-files.ts";
import { TEST_SERVER } from "../support/database.ts";
import { until } from "../support/work.ts";

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
/** Sound that nobody else has. */
const recording = (): Buffer =>
  Buffer.concat([wav({ channels: 2, data: bytesOf(sines([300, 500], 8000, 0.2)) }), chunkOf(randomBytes(16))]);
const chunkOf = (body: Buffer): Buffer => Buffer.concat([Buffer.from("junk"), Buffer.from([body.length, 0, 0, 0]), body]);

function form(...parts: readonly (readonly [name: string, value: string | Buffer, fileName?: string])[]): FormData {
  const data = new FormData();
  for (const [name, value, fileName] of parts) {
    if (fileName === undefined && typeof value === "string") data.append(name, value);
    else data.append(name, new Blob([value]), fileName ?? "file");
  }
  return data;
}

describe.skipIf(TEST_SERVER === null)("handing in calls", () => {
  let api: TestApi;
  let person: Person;
  beforeAll(async () => {
    api = await openTestApi({ env: { CALLSIFT_MAX_UPLOAD_MB: "1" } });
    person = await api.as("supervisor");
  });
  afterAll(async () => await api[Symbol.asyncDispose]());

  const post = async (body: FormData | string, headers: Record<string, string> = {}) => {
    const response = await person.fetch("/api/calls", { method: "POST", body, headers });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  /** Everything below the folder of recordings. */
  const stored = async (): Promise<string[]> =>
    (await readdir(join(api.dataDir, "recordings"), { recursive: true, withFileTypes: true }).catch(() => []))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));

  it("answers 202 once the bytes are on disk and the call is in the database, and tells the queue", async () => {
    const bytes = recording();
    const metadata = { callId: "c-1", agentId: "7", team: "A", startedAt: "2025-03-01T09:30:00+08:00", agentChannel: 0, tags: ["x"] };
    const { status, body } = await post(form(["recording", bytes, "录音 a.wav"], ["metadata", JSON.stringify(metadata)]));
    expect([status, body]).toEqual([202, { id: expect.stringMatching(/^[0-9a-f]{24}$/), status: "queued", duplicate: false }]);
    const call = await api.models.calls.get(String(body.id));
    expect(call).toMatchObject({
      sha256: sha256(bytes),
      name: "录音 a.wav",
      bytes: bytes.length,
      lane: "upload",
      metadata,
      tenant: "default",
    });
    expect(call?.startedAt.toISOString()).toBe("2025-03-01T01:30:00.000Z");
    const [path] = (await stored()).filter((name) => name.includes(sha256(bytes)));
    expect(await readFile(path ?? "")).toEqual(bytes);
    expect(api.enqueued.at(-1)).toMatchObject({ id: body.id, stage: "listen", lane: "upload" });
  });

  it("takes the parts in any order, each as a field or as a file", async () => {
    const transcript = JSON.stringify({ language: "zh", utterances: [{ role: "agent", startMs: 0, endMs: 150, text: "您好" }] });
    const orders = [
      form(["metadata", '{"agentId":"1"}'], ["transcript", transcript], ["recording", recording(), "a.wav"]),
      form(["transcript", transcript, "a.transcript.json"], ["recording", recording(), "a.wav"], ["metadata", '{"agentId":"1"}', "m.json"]),
      form(["recording", recording(), "a.wav"], ["transcript", transcript], ["metadata", '{"agentId":"1"}']),
    ];
    for (const body of orders) {
      const { status, body: accepted } = await post(body);
      expect(status).toBe(202);
      expect(await api.models.calls.get(String(accepted.id))).toMatchObject({ metadata: { agentId: "1" } });
      expect(await api.models.calls.source(String(accepted.id))).toMatchObject({ givenTranscript: { text: transcript } });
    }
  });

  it("answers 200 with the first id for the same bytes again, also at the same time", async () => {
    const bytes = recording();
    const answers = await Promise.all(Array.from({ length: 8 }, async () => await post(form(["recording", bytes, "a.wav"]))));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(7);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    for (const { status, body } of answers) expect(body.duplicate).toBe(status === 200);
    expect((await stored()).filter((name) => name.includes(sha256(bytes)))).toHaveLength(1);
  });

  it("does not refuse a call because the queue is down", async () => {
    await using other = await openTestApi({
      deps: {
        schedule: {
          enqueue: async () => await Promise.reject(new CallsiftError("queue/unreachable", "Redis is away")),
          depth: async () => await Promise.reject(new CallsiftError("queue/unreachable", "Redis is away")),
          pause: async () => {},
          resume: async () => {},
          ping: async () => await Promise.reject(new CallsiftError("queue/unreachable", "Redis is away")),
          [Symbol.asyncDispose]: async () => {},
        },
      },
    });
    const supervisor = await other.as("supervisor");
    const response = await supervisor.fetch("/api/calls", { method: "POST", body: form(["recording", recording(), "a.wav"]) });
    expect(response.status).toBe(202);
    const { id } = (await response.json()) as { id: string };
    expect((await other.models.calls.unfinished({ limit: 10 })).map((work) => work.id)).toEqual([id]);
    expect(await (await other.anybody.fetch("/readyz")).json()).toMatchObject({ code: "queue/unreachable" });
    const metrics = await (await other.anybody.fetch("/metrics")).text();
    expect(metrics).toContain('callsift_store_up{store="queue"} 0');
    expect(metrics).toContain('callsift_calls{status="queued"} 1');
  });

  it("keeps only the last part of a name", async () => {
    const { body } = await post(form(["recording", recording(), "../../../etc/pass\u0000wd.wav"]));
    expect((await api.models.calls.get(String(body.id)))?.name).toMatch(/^pass.*wd\.wav$/);
  });

  describe("refuses, and leaves nothing behind,", () => {
    const JSON_OF_DEPTH = "[".repeat(500_000);
    const fields = (count: number) => JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, i) => [`field${i}`, i])));
    const many = () => {
      const data = form(["recording", recording(), "a.wav"]);
      for (let i = 0; i < 10_000; i++) data.append(`field${i}`, "x");
      return data;
    };
    it.each<[string, () => FormData, number, string]>([
      ["two recordings", () => form(["recording", recording(), "a.wav"], ["recording", recording(), "b.wav"]), 400, "request/invalid"],
      ["no recording", () => form(["metadata", "{}"]), 400, "request/invalid"],
      ["an empty form", () => form(), 400, "request/invalid"],
      ["a part of another name", () => form(["recording", recording(), "a.wav"], ["role", "admin"]), 400, "request/invalid"],
      ["ten thousand parts", many, 400, "request/invalid"],
      [
        "ten thousand fields of metadata",
        () => form(["recording", recording(), "a.wav"], ["metadata", fields(10_000)]),
        400,
        "metadata/invalid",
      ],
      ["metadata that is no JSON", () => form(["recording", recording(), "a.wav"], ["metadata", "agentId=7"]), 400, "request/invalid"],
      [
        "metadata in other bytes",
        () => form(["recording", recording(), "a.wav"], ["metadata", Buffer.from([0xff, 0xfe, 0x7b])]),
        400,
        "metadata/invalid",
      ],
      ["metadata twice", () => form(["metadata", "{}"], ["metadata", "{}"], ["recording", recording(), "a.wav"]), 400, "request/invalid"],
      ["metadata as a list", () => form(["recording", recording(), "a.wav"], ["metadata", "[]"]), 400, "metadata/invalid"],
      [
        "a prototype",
        () => form(["recording", recording(), "a.wav"], ["metadata", '{"__proto__":{"agentId":"1"}}']),
        400,
        "request/invalid",
      ],
      ["a part called __proto__", () => form(["__proto__", "x"], ["recording", recording(), "a.wav"]), 400, "request/invalid"],
      ["a part called constructor", () => form(["recording", recording(), "a.wav"], ["constructor", "x"]), 400, "request/invalid"],
      ["an operator", () => form(["recording", recording(), "a.wav"], ["metadata", '{"agentId":{"$gt":""}}']), 400, "metadata/invalid"],
      ["a wrong type", () => form(["recording", recording(), "a.wav"], ["metadata", '{"satisfaction":"5"}']), 400, "metadata/invalid"],
      [
        "files of two sides",
        () => form(["recording", recording(), "a.wav"], ["metadata", '{"legs":{"agent":"a","customer":"b"}}']),
        400,
        "metadata/invalid",
      ],
      ["half a megabyte of brackets", () => form(["recording", recording(), "a.wav"], ["metadata", JSON_OF_DEPTH]), 400, "request/invalid"],
      [
        "two megabytes of metadata",
        () => form(["recording", recording(), "a.wav"], ["metadata", `"${"x".repeat(2_000_000)}"`]),
        413,
        "request/too-large",
      ],
      [
        "a transcript of no format",
        () => form(["recording", recording(), "a.wav"], ["transcript", '{"a":1}']),
        400,
        "transcript/unreadable",
      ],
      [
        "a transcript of brackets",
        () => form(["recording", recording(), "a.wav"], ["transcript", JSON_OF_DEPTH]),
        400,
        "transcript/invalid",
      ],
      ["an empty transcript", () => form(["recording", recording(), "a.wav"], ["transcript", ""]), 400, "transcript/unreadable"],
      ["a recording above the limit", () => form(["recording", randomBytes(1024 * 1024 + 1), "a.wav"]), 413, "request/too-large"],
      ["a recording far above the limit", () => form(["recording", randomBytes(12 * 1024 * 1024), "a.wav"]), 413, "request/too-large"],
    ])("%s", async (_, body, status, code) => {
      const before = await stored();
      const refused = await post(body());
      expect(refused).toMatchObject({ status, body: { code } });
      expect(JSON.stringify(refused.body)).not.toMatch(/\n\s+at /);
      expect(await stored()).toEqual(before);
    });

    it("a recording of exactly the limit is taken", async () => {
      expect((await post(form(["recording", randomBytes(1024 * 1024), "a.wav"]))).status).toBe(202);
    });

    it.each([
      ["text/plain", "x", 415],
      ["application/x-www-form-urlencoded", "recording=x", 415],
      ["multipart/form-data", "no boundary", 400],
      ["multipart/form-data; boundary=x", "no form at all", 400],
      ["multipart/form-data; boundary=x", '--x\r\nContent-Disposition: form-data; name="recording"; filename="a.wav"\r\n\r\nRIFF cut', 400],
      [
        "multipart/form-data; boundary=x",
        '--x\r\nContent-Disposition: form-data; name="recording"; filename="a.wav"\r\n\r\nRIFF\r\n--x\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n{',
        400,
      ],
      ["multipart/form-data; boundary=x", `--x\r\n${"a: b\r\n".repeat(50_000)}\r\n\r\nx\r\n--x--\r\n`, 400],
    ])("a body of %s", async (type, body, status) => {
      const before = await stored();
      expect((await post(body, { "content-type": type })).status).toBe(status);
      expect(await stored()).toEqual(before);
    });

    it("a client that goes away in the middle", async () => {
      const before = await stored();
      const calls = (await person.json("GET", "/api/calls?limit=200")).body.items as unknown[];
      const { port } = new URL(api.address);
      for (const cut of [200, 100_000, 700_000]) {
        const socket = connect(Number(port), "127.0.0.1");
        const head = '--x\r\nContent-Disposition: form-data; name="recording"; filename="a.wav"\r\n\r\n';
        socket.write(
          `POST /api/calls HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: ${person.cookie}\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 900000\r\n\r\n${head}`,
        );
        socket.write(randomBytes(cut));
        await sleep(50);
        socket.destroy();
      }
      await sleep(300);
      expect(await stored()).toEqual(before);
      expect((await person.json("GET", "/api/calls?limit=200")).body.items).toEqual(calls);
      expect(api.logged.filter((line) => line.includes('"level":50'))).toEqual([]);
    });
  });

  describe("by their address", () => {
    it("is refused while no host is allowed", async () => {
      expect(await person.json("POST", "/api/calls", { url: "https://rec.example.com/a.wav" })).toMatchObject({
        status: 422,
        body: { code: "source/refused" },
      });
    });
    it.each([
      [{ url: 1 }, "request/invalid"],
      [{ metadata: {} }, "request/invalid"],
      [{ url: "https://x/a.wav", other: 1 }, "request/invalid"],
      [{ url: "https://x/a.wav", metadata: { agentId: { $gt: "" } } }, "metadata/invalid"],
      [[], "request/invalid"],
      [undefined, "request/invalid"],
    ])("refuses %j", async (body, code) => {
      expect(await person.json("POST", "/api/calls", body)).toMatchObject({ status: 400, body: { code } });
    });
    it("fetches through what it is given, and keeps nothing where that breaks off", async () => {
      const bytes = recording();
      await using other = await openTestApi({
        env: { CALLSIFT_ALLOWED_HOSTS: "rec.example.com" },
        deps: {
          fetchRecording: async (url) => {
            if (url.endsWith("/b.wav")) throw new CallsiftError("source/failed", "404");
            if (url.endsWith("/c.wav"))
              return Readable.from(
                (async function* () {
                  yield bytes.subarray(0, 100);
                  throw new CallsiftError("source/failed", "it broke off");
                })(),
              );
            return Readable.from([bytes]);
          },
        },
      });
      const supervisor = await other.as("supervisor");
      const taken = await supervisor.json("POST", "/api/calls", { url: "https://rec.example.com/x/a%20b.wav", metadata: { agentId: "1" } });
      expect(taken).toMatchObject({ status: 202, body: { duplicate: false } });
      expect(await other.models.calls.get(String(taken.body.id))).toMatchObject({
        name: "a b.wav",
        sha256: sha256(bytes),
        metadata: { agentId: "1" },
      });
      for (const name of ["b.wav", "c.wav"])
        expect(await supervisor.json("POST", "/api/calls", { url: `https://rec.example.com/${name}` })).toMatchObject({
          status: 502,
          body: { code: "source/failed" },
        });
      const files = await readdir(join(other.dataDir, "recordings"), { recursive: true, withFileTypes: true });
      expect(files.filter((entry) => entry.isFile())).toHaveLength(1);
    });
  });

  it("lets go of clients that never finish", async () => {
    await using other = await openTestApi({ deps: { timeouts: { headersMs: 300, requestMs: 600, idleMs: 1000, checkMs: 100 } } });
    const { port } = new URL(other.address);
    const supervisor = await other.as("supervisor");
    const heads = [
      "GET /api/me HTTP/1.1\r\nHost: x\r\nX-Slow: ",
      `POST /api/calls HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: ${supervisor.cookie}\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 900000\r\n\r\n--x\r\nContent-Disposition: form-data; name="recording"; filename="a.wav"\r\n\r\n`,
    ];
    for (const head of heads) {
      const socket = connect(Number(port), "127.0.0.1");
      let isClosed = false;
      let answer = "";
      socket.on("data", (chunk) => {
        answer += chunk;
      });
      socket.on("close", () => {
        isClosed = true;
      });
      socket.on("error", () => {});
      socket.write(head);
      const drip = setInterval(() => socket.writable && socket.write("a"), 50);
      await until(() => isClosed, "the connection is closed");
      clearInterval(drip);
      expect(answer === "" || /^HTTP\/1.1 4\d\d/.test(answer), answer).toBe(true);
    }
    const files = await readdir(join(other.dataDir, "recordings"), { recursive: true, withFileTypes: true }).catch(() => []);
    expect(files.filter((entry) => entry.isFile())).toEqual([]);
  });
});
