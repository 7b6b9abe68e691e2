import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CallReview } from "../../src/models/calls.ts";
import { openDiskFiles } from "../../src/models/recording-disk.ts";
import { openTestApi, type Person, type TestApi } from "../support/api.ts";
import { bytesOf, FFMPEGS, ffmpeg, sines, wav, writeSines } from "../support/audio-files.ts";
import { TEST_SERVER } from "../support/database.ts";
import { scoredCall } from "../support/models.ts";
import { screenedCall } from "../support/screened-call.ts";

type Item = Readonly<Record<string, unknown>> & { readonly id: string };
const ids = (body: Record<string, unknown>): string[] => (body.items as Item[]).map(({ id }) => id);

describe.skipIf(TEST_SERVER === null)("calls", () => {
  let api: TestApi;
  let supervisor: Person;
  beforeAll(async () => {
    api = await openTestApi();
    supervisor = await api.as("supervisor");
  });
  afterAll(async () => await api[Symbol.asyncDispose]());
  const get = async (path: string, person = supervisor) => await person.json("GET", path);

  describe("in lists", () => {
    let first: string;
    let second: string;
    let third: string;
    let queued: string;
    beforeAll(async () => {
      const day = (n: number) => `2025-03-0${n}T09:00:00+08:00`;
      first = await scoredCall(
        api.models,
        { metadata: { agentId: "7", team: "A", startedAt: day(1) } },
        { score: 20, priority: 10, queue: "pass", rules: [], severities: [], reasons: [] },
      );
      second = await scoredCall(
        api.models,
        { metadata: { agentId: "8", team: "A", startedAt: day(2) } },
        { score: 12, priority: 70, rules: ["insult"], severities: ["fatal"], fatal: true },
      );
      third = await scoredCall(api.models, { metadata: { agentId: "9", team: "B", startedAt: day(3) } }, { score: 17, priority: 40 });
      queued = (
        await api.models.calls.accept({ ...(await import("../support/models.ts")).newCall({ metadata: { startedAt: day(4), team: "C" } }) })
      ).call.id;
    });

    it.each<[string, () => string[]]>([
      ["", () => [queued, third, second, first]],
      ["sort=-startedAt", () => [queued, third, second, first]],
      ["sort=-priority&status=scored", () => [second, third, first]],
      ["sort=score&status=scored", () => [second, third, first]],
      ["status=queued", () => [queued]],
      ["queue=pass", () => [first]],
      ["review=open", () => [third, second]],
      ["agentId=8", () => [second]],
      ["team=A", () => [second, first]],
      ["rule=insult", () => [second]],
      ["severity=fatal", () => [second]],
      ["minScore=13&maxScore=17", () => [third]],
      ["from=2025-03-02&to=2025-03-03", () => [second]],
      ["from=2025-03-02T09:00:00%2B08:00&to=2025-03-03T09:00:00%2B08:00", () => [second]],
      ["team=nobody", () => []],
    ])("are those of ?%s", async (query, expected) => {
      const { status, body } = await get(`/api/calls?${query}`);
      expect([status, ids(body), body.nextCursor]).toEqual([200, expected(), null]);
    });

    it("show what is needed to choose one, and no words", async () => {
      const { body } = await get("/api/calls?rule=insult");
      expect((body.items as Item[])[0]).toMatchObject({
        ...{ status: "scored", score: 12, queue: "review", priority: 70, reasons: ["dead-air"], error: null, attempts: 0, sampled: false },
        metadata: { agentId: "8", team: "A", startedAt: "2025-03-02T09:00:00+08:00" },
        summary: { fatal: true, rules: ["insult"], durationMs: 60_000 },
        review: { state: "open", by: null, until: null, version: 0, score: null },
      });
    });

    it("come in pages that stay in order while calls arrive", async () => {
      const page = await get("/api/calls?limit=2");
      expect(ids(page.body)).toEqual([queued, third]);
      const late = await scoredCall(api.models, { metadata: { startedAt: "2025-03-05T09:00:00+08:00" } });
      const next = await get(`/api/calls?limit=2&cursor=${encodeURIComponent(String(page.body.nextCursor))}`);
      expect(ids(next.body)).toEqual([second, first]);
      expect(next.body.nextCursor).toBeNull();
      await api.models.calls.bury(late);
    });

    it.each([
      ["foo=1", "query/foo"],
      ["agentId[$gt]=", "query/agentId[$gt]"],
      ["agentId=1&agentId=2", "query/agentId"],
      ["status=done", "query/status"],
      ["sort=priority", "query/sort"],
      ["limit=0", "query/limit"],
      ["limit=201", "query/limit"],
      ["limit=1e2", "query/limit"],
      ["minScore=many", "query/minScore"],
      ["from=yesterday", "query/from"],
      ["from=2025-02-30", "query/from"],
      ["from=2025-03-02&to=2025-03-01", "query/to"],
      ["__proto__=1", "query/__proto__"],
    ])("refuse ?%s by its path", async (query, path) => {
      expect(await get(`/api/calls?${query}`)).toMatchObject({ status: 400, body: { code: "request/invalid", details: { path } } });
    });

    it("refuse cursors that are made up, of another list or of another person", async () => {
      const { body } = await get("/api/calls?limit=1");
      const cursor = encodeURIComponent(String(body.nextCursor));
      const leader = await api.as("leader", { team: "A" });
      const colleague = await api.as("supervisor");
      for (const [path, person] of [
        ["cursor=nonsense", supervisor],
        [`cursor=${"A".repeat(3000)}`, supervisor],
        [`sort=score&cursor=${cursor}`, supervisor],
        [`team=A&cursor=${cursor}`, supervisor],
        [`cursor=${cursor}`, leader],
        [`cursor=${cursor}`, colleague],
      ] as const)
        expect(await get(`/api/calls?limit=1&${path}`, person), path).toMatchObject({ status: 400, body: { code: "request/invalid" } });
    });

    it("hold only what one may see", async () => {
      expect(ids((await get("/api/calls", await api.as("leader", { team: "B" }))).body)).toEqual([third]);
      expect(ids((await get("/api/calls?team=A", await api.as("leader", { team: "B" }))).body)).toEqual([]);
      expect(ids((await get("/api/calls", await api.as("agent", { agentId: "8" }))).body)).toEqual([]);
      expect((await get("/api/calls", await api.as("manager"))).status).toBe(403);
      expect(ids((await get("/api/calls", await api.as("leader"))).body)).toEqual([]);
      expect(ids((await get("/api/calls", await api.as("admin", { tenant: "other" }))).body)).toEqual([]);
    });
  });

  describe("one by one", () => {
    it("are shown whole: the screening exactly as it was made", async () => {
      const { id, screening } = await screenedCall(api.models, undefined, { metadata: { agentId: "7", team: "A" } });
      const { status, body } = await get(`/api/calls/${id}`);
      expect(status).toBe(200);
      expect(body.screening).toEqual(JSON.parse(JSON.stringify(screening)));
      expect(body).toMatchObject({ id, status: "scored", error: null, metadata: { agentId: "7" }, attempts: 0, finalScore: null });
      expect(body.review).toEqual({
        state: "open",
        by: null,
        until: null,
        version: 0,
        score: null,
        status: null,
        at: null,
        findings: [],
        items: [],
        added: [],
      });
    });

    it("show null for what is not there yet", async () => {
      const { call } = await api.models.calls.accept((await import("../support/models.ts")).newCall());
      expect((await get(`/api/calls/${call.id}`)).body).toMatchObject({
        status: "queued",
        screening: null,
        review: null,
        finalScore: null,
      });
    });

    it("show what people said, and the final score of what they submitted", async () => {
      const { id, screening } = await screenedCall(api.models);
      await api.models.calls.claim(id, supervisor.user?.id ?? "", 60_000);
      const { recipe, policy, score } = screening;
      const review = {
        callId: id,
        recipe,
        policy,
        by: supervisor.user?.id ?? "",
        at: new Date(),
        findings: [{ id: "f1", decision: "confirmed" as const, note: "yes" }],
        items: [],
        added: [],
      };
      expect(await api.models.reviews.save({ ...review, version: 1, status: "draft", score }, 60_000)).toBe("saved");
      expect((await get(`/api/calls/${id}`)).body).toMatchObject({
        finalScore: null,
        review: { state: "claimed", version: 1, status: "draft", findings: [{ id: "f1", decision: "confirmed", note: "yes" }] },
      });
      const final = { ...score, total: score.total - 1 };
      expect(await api.models.reviews.save({ ...review, version: 2, status: "submitted", score: final }, 60_000)).toBe("saved");
      expect((await get(`/api/calls/${id}`)).body).toMatchObject({
        finalScore: { total: final.total, form: score.form },
        review: { state: "done", version: 2, status: "submitted" },
      });
      const draft = { ...score, total: 3 };
      await api.models.calls.claim(id, supervisor.user?.id ?? "", 60_000);
      if ((await api.models.reviews.save({ ...review, version: 3, status: "draft", score: draft }, 60_000)) === "saved")
        expect((await get(`/api/calls/${id}`)).body).toMatchObject({ finalScore: { total: final.total } });
    });

    it("are not there for others, nor under ids of another shape", async () => {
      const { id } = await screenedCall(api.models, undefined, { metadata: { agentId: "7", team: "A" } });
      const reviewed = await screenedCall(api.models, undefined, { metadata: { agentId: "7", team: "A" } });
      await api.models.calls.reviewed(reviewed.id, { state: "done", by: "x", until: null, version: 1, score: 10 } satisfies CallReview);
      const see = async (person: Person, call: string) => (await get(`/api/calls/${call}`, person)).status;
      const own = await api.as("agent", { agentId: "7" });
      const other = await api.as("agent", { agentId: "8" });
      expect([await see(own, id), await see(own, reviewed.id), await see(other, reviewed.id)]).toEqual([404, 200, 404]);
      const leader = await api.as("leader", { team: "A" });
      const otherLeader = await api.as("leader", { team: "B" });
      expect([await see(leader, id), await see(otherLeader, id)]).toEqual([200, 404]);
      expect(await see(await api.as("admin", { tenant: "other" }), id)).toBe(404);
      for (const wrong of ["1", "x".repeat(24), `${id}0`, "%00", "..%2f..%2fetc", "%7B%22%24gt%22%3A%22%22%7D", "a".repeat(190)]) {
        const { status, body } = await get(`/api/calls/${wrong}`);
        expect([wrong, status, body.code]).toEqual([wrong, 404, "request/not-found"]);
      }
    });

    it("that somebody looked at are written down", async () => {
      const { id } = await screenedCall(api.models);
      await get(`/api/calls/${id}`);
      const admin = await api.as("admin");
      const { body } = await get(`/api/audit?object=${id}`, admin);
      expect(body.items).toMatchObject([
        { what: "call-seen", object: id, by: supervisor.user?.id, username: supervisor.user?.username, from: "127.0.0.1" },
      ]);
    });

    it("are tried again where they failed, and only there", async () => {
      const { call } = await api.models.calls.accept((await import("../support/models.ts")).newCall());
      expect(await supervisor.json("POST", `/api/calls/${call.id}/retry`)).toMatchObject({
        status: 409,
        body: { code: "call/not-failed" },
      });
      await api.models.calls.failed(call.id, { code: "audio/unreadable", message: "expected sound" });
      expect((await get(`/api/calls/${call.id}`)).body).toMatchObject({
        status: "failed",
        error: { code: "audio/unreadable", message: "expected sound" },
      });
      const answers = await Promise.all([1, 2, 3].map(async () => await supervisor.json("POST", `/api/calls/${call.id}/retry`)));
      expect(answers.map(({ status }) => status).sort()).toEqual([202, 409, 409]);
      expect(api.enqueued.at(-1)).toMatchObject({ id: call.id, stage: "listen" });
      expect((await get(`/api/calls/${call.id}`)).body).toMatchObject({ status: "queued", error: null });
    });
  });
});

describe.skipIf(TEST_SERVER === null)("the sound of calls", () => {
  let api: TestApi;
  let person: Person;
  const sound = wav({ channels: 2, sampleRate: 8000, data: bytesOf(sines([300, 500], 8000, 2)) });
  beforeAll(async () => {
    api = await openTestApi();
    person = await api.as("admin");
  });
  afterAll(async () => await api[Symbol.asyncDispose]());

  const upload = async (bytes: Buffer, name = "a.wav"): Promise<string> => {
    const body = new FormData();
    body.append("recording", new Blob([bytes]), name);
    return ((await (await person.fetch("/api/calls", { method: "POST", body })).json()) as { id: string }).id;
  };
  const bytes = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());

  it("is a WAV that browsers play, made once, of any coding", async () => {
    const program = FFMPEGS[0]?.path ?? "";
    const folder = join(api.dataDir, "made");
    await (await import("node:fs/promises")).mkdir(folder);
    writeSines(join(folder, "a.wav"), [300, 500], 8000, 2);
    ffmpeg(program, ["-i", join(folder, "a.wav"), "-c:a", "pcm_mulaw", join(folder, "mulaw.wav")]);
    ffmpeg(program, ["-i", join(folder, "a.wav"), "-c:a", "libmp3lame", "-ar", "16000", join(folder, "b.mp3")]);
    for (const name of ["mulaw.wav", "b.mp3"]) {
      const id = await upload(await readFile(join(folder, name)), name);
      const answers = await Promise.all([1, 2, 3].map(async () => await person.fetch(`/api/calls/${id}/audio`)));
      for (const answer of answers) {
        expect([answer.status, answer.headers.get("content-type"), answer.headers.get("accept-ranges")]).toEqual([
          200,
          "audio/wav",
          "bytes",
        ]);
        const body = await bytes(answer);
        expect(body.length).toBe(Number(answer.headers.get("content-length")));
        expect([body.toString("latin1", 0, 4), body.readUInt16LE(20), body.readUInt16LE(22), body.readUInt16LE(34)]).toEqual([
          "RIFF",
          1,
          2,
          16,
        ]);
        expect((body.length - 44) / 4 / body.readUInt32LE(24)).toBeCloseTo(2, 0);
      }
      expect((await readdir(join(api.dataDir, "derived"))).filter((file) => file.startsWith(id))).toEqual([`${id}.wav`]);
    }
  });

  it("is sent in parts", async () => {
    const id = await upload(sound);
    const whole = await bytes(await person.fetch(`/api/calls/${id}/audio`));
    expect(whole).toEqual(sound);
    const part = async (range: string, headers: Record<string, string> = {}) =>
      await person.fetch(`/api/calls/${id}/audio`, { headers: { range, ...headers } });
    for (const [range, start, end] of [
      ["bytes=0-99", 0, 100],
      ["bytes=1000-", 1000, whole.length],
      ["bytes=-50", whole.length - 50, whole.length],
      ["bytes=0-0", 0, 1],
    ] as const) {
      const answer = await part(range);
      expect([answer.status, answer.headers.get("content-range")]).toEqual([206, `bytes ${start}-${end - 1}/${whole.length}`]);
      expect(await bytes(answer)).toEqual(whole.subarray(start, end));
    }
    const behind = await part(`bytes=${whole.length}-`);
    expect([behind.status, behind.headers.get("content-range")]).toEqual([416, `bytes */${whole.length}`]);
    expect(await behind.json()).toMatchObject({ code: "request/invalid" });
    expect((await part("bytes=0-9", { "if-range": '"another"' })).status).toBe(200);
    const etag = (await part("bytes=0-9")).headers.get("etag") ?? "";
    expect((await part("bytes=0-9", { "if-range": etag })).status).toBe(206);
    expect((await person.fetch(`/api/calls/${id}/audio`, { headers: { "if-none-match": etag } })).status).toBe(304);
    const head = await person.fetch(`/api/calls/${id}/audio`, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), (await bytes(head)).length]).toEqual([200, `${whole.length}`, 0]);
  });

  it("is there as it was stored", async () => {
    const mulaw = wav({ tag: 7, bits: 8, channels: 2, data: Buffer.alloc(1600, 0xd5) });
    const id = await upload(mulaw, "录音 (1)'s.wav");
    const answer = await person.fetch(`/api/calls/${id}/audio?original=1`);
    expect(answer.headers.get("content-disposition")).toBe("inline; filename*=UTF-8''%E5%BD%95%E9%9F%B3%20%281%29%27s.wav");
    expect(await bytes(answer)).toEqual(mulaw);
    const part = await person.fetch(`/api/calls/${id}/audio?original=1`, { headers: { range: "bytes=10-19" } });
    expect([part.status, await bytes(part)]).toEqual([206, mulaw.subarray(10, 20)]);
  });

  it("of two files is one recording of two channels", async () => {
    const files = openDiskFiles(api.dataDir);
    const side = async (hz: number, seconds: number) =>
      (await files.put("default", "x.wav", Readable.from([wav({ data: bytesOf(sines([hz], 8000, seconds)) })]), { maxBytes: 1e6 })).key;
    const { newCall } = await import("../support/models.ts");
    const { call } = await api.models.calls.accept(
      newCall({ recording: { agentKey: await side(300, 1), customerKey: await side(500, 0.5) } }),
    );
    const body = await bytes(await person.fetch(`/api/calls/${call.id}/audio`));
    expect([body.readUInt16LE(22), (body.length - 44) / 4]).toEqual([2, 8000]);
    // The shorter side ends in silence.
    expect(body.subarray(44 + 4 * 4100).some((_, i, rest) => i % 4 >= 2 && rest[i] !== 0)).toBe(false);
    const stored = async (which: string) =>
      (await bytes(await person.fetch(`/api/calls/${call.id}/audio?original=1&side=${which}`))).length;
    expect([await stored("agent"), await stored("customer")]).toEqual([16_044, 8_044]);
  });

  it("has an outline: the lowest and highest sample of each part, per channel", async () => {
    const samples = new Int16Array(8000);
    samples[0] = -32768;
    samples[2500] = 16384;
    samples[7999] = 32767;
    const id = await upload(wav({ data: bytesOf(samples) }));
    expect((await person.json("GET", `/api/calls/${id}/peaks?points=4`)).body).toEqual({
      durationMs: 1000,
      points: 4,
      channels: [
        [
          [-1, 0],
          [0, 0.5],
          [0, 0],
          [0, 1],
        ],
      ],
    });
    const stereo = await upload(sound);
    const { body } = await person.json("GET", `/api/calls/${stereo}/peaks`);
    const channels = body.channels as [number, number][][];
    expect(channels.map((channel) => channel.length)).toEqual([1000, 1000]);
    for (const [min, max] of channels.flat()) expect([min >= -0.5, max <= 0.5, min <= max]).toEqual([true, true, true]);
    const short = await upload(wav({ data: bytesOf(Int16Array.of(100, -100)) }));
    expect(((await person.json("GET", `/api/calls/${short}/peaks?points=10`)).body.channels as unknown[][])[0]).toHaveLength(10);
    for (const points of ["0", "-1", "20001", "x", "1.5"])
      expect((await person.json("GET", `/api/calls/${id}/peaks?points=${points}`)).body.code).toBe("request/invalid");
  });

  it("that cannot be decoded, or is gone, is said so", async () => {
    const id = await upload(Buffer.from("this is no recording at all"));
    expect(await person.json("GET", `/api/calls/${id}/audio`)).toMatchObject({ status: 422, body: { code: "audio/unreadable" } });
    expect((await person.fetch(`/api/calls/${id}/audio?original=1`)).status).toBe(200);
    const { newCall } = await import("../support/models.ts");
    const { call } = await api.models.calls.accept(newCall({ recording: { key: `default/${"0".repeat(64)}` } }));
    for (const path of ["audio", "audio?original=1", "peaks"])
      expect(await person.json("GET", `/api/calls/${call.id}/${path}`), path).toMatchObject({
        status: 410,
        body: { code: "recording/gone" },
      });
  });

  it("that somebody heard is written down, once for one time of listening", async () => {
    const id = await upload(sound);
    await (await person.fetch(`/api/calls/${id}/audio`, { headers: { range: "bytes=5000-" } })).arrayBuffer();
    await (await person.fetch(`/api/calls/${id}/audio`)).arrayBuffer();
    const { body } = await person.json("GET", `/api/audit?object=${id}&what=recording-heard`);
    expect(body.items).toHaveLength(1);
    await (await (await api.as("inspector")).fetch(`/api/calls/${id}/audio`)).arrayBuffer();
    expect((await person.json("GET", `/api/audit?object=${id}&what=recording-heard`)).body.items).toHaveLength(2);
  });

  it("is gone with its call: from disk, database and cache; a tombstone stays", async () => {
    const { id, screening } = await screenedCall(api.models);
    const own = await upload(sound.subarray(0, 20_044));
    await (await person.fetch(`/api/calls/${own}/audio`)).arrayBuffer();
    const key = await api.models.calls.source(own);
    const path = join(api.dataDir, "recordings", ...String(key && "key" in key.recording ? key.recording.key : "").split("/"));
    expect(existsSync(path)).toBe(true);
    for (const call of [id, own]) {
      expect((await (await api.as("supervisor")).json("DELETE", `/api/calls/${call}`)).status).toBe(403);
      expect((await person.json("DELETE", `/api/calls/${call}`)).status).toBe(204);
      expect((await person.json("GET", `/api/calls/${call}`)).status).toBe(404);
      expect((await person.fetch(`/api/calls/${call}/audio`)).status).toBe(404);
      expect((await person.json("DELETE", `/api/calls/${call}`)).status).toBe(404);
      expect(await api.models.calls.source(call)).toBeNull();
    }
    expect(await api.models.transcripts.get(id, screening.recipe)).toBeNull();
    expect(await api.models.screenings.get(id, screening.recipe, screening.policy)).toBeNull();
    expect(existsSync(path)).toBe(false);
    expect(existsSync(join(api.dataDir, "derived", `${own}.wav`))).toBe(false);
    expect((await person.json("GET", `/api/audit?object=${own}&what=call-deleted`)).body.items).toHaveLength(1);
    // The same bytes again are a new call.
    expect(await upload(sound.subarray(0, 20_044))).not.toBe(own);
  });
});

describe.skipIf(TEST_SERVER === null)("events", () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await openTestApi();
  });
  afterAll(async () => await api[Symbol.asyncDispose]());

  /** What a stream brings, until it is let go of. */
  async function listen(person: Person): Promise<{ text: () => string; response: Response; stop: () => void }> {
    const stop = new AbortController();
    const response = await person.fetch("/api/events", { signal: stop.signal, headers: { accept: "text/event-stream" } });
    let text = "";
    void (async () => {
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) text += Buffer.from(chunk).toString();
    })().catch(() => {});
    return { text: () => text, response, stop: () => stop.abort() };
  }

  it("tell of changes within one's scope, and of no words", async () => {
    const all = await listen(await api.as("supervisor"));
    const team = await listen(await api.as("leader", { team: "B" }));
    expect([all.response.status, all.response.headers.get("content-type")]).toEqual([200, "text/event-stream; charset=utf-8"]);
    await sleep(300);
    const a = await scoredCall(api.models, { metadata: { team: "A" } }, { priority: 70 });
    const b = await scoredCall(api.models, { metadata: { team: "B" } });
    const deadline = Date.now() + 15_000;
    while (!(all.text().includes(a) && all.text().includes(b) && team.text().includes(b)) && Date.now() < deadline) await sleep(50);
    expect(all.text()).toContain(`"id":"${a}"`);
    expect(all.text()).toMatch(/event: call\ndata: \{.*"status":"scored".*"priority":70/);
    expect(team.text()).toContain(b);
    expect(team.text()).not.toContain(a);
    all.stop();
    team.stop();
  });

  it("are refused to managers, and to nobody", async () => {
    expect((await (await api.as("manager")).fetch("/api/events")).status).toBe(403);
    expect((await api.anybody.fetch("/api/events")).status).toBe(401);
  });

  it("end with the server, which does not wait for who listens", async () => {
    const own = await openTestApi();
    const stream = await listen(await own.as("supervisor"));
    await sleep(100);
    await own[Symbol.asyncDispose]();
    stream.stop();
  });
});
