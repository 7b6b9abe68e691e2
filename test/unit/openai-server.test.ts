import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import type { Clock } from "../../src/pipeline/asr/openai/clock.ts";
import { type OpenaiOptions, openOpenai } from "../../src/pipeline/asr/openai/open.ts";
import type { HearOptions } from "../../src/pipeline/asr/recogniser.ts";
import { CallsiftError, type ErrorCode } from "../../src/pipeline/errors.ts";
import { sine } from "../support/sound.ts";
import { type SpeechReply, type SpeechRequest, startSpeechServer, verboseJson } from "../support/speech-server.ts";

const SOUND = sine(440, 2, 16_000);
const KEY = "sk-very-secret-0123456789abcdef";
const TEXT = "您好，请讲。";

const good = ({ lengthMs }: SpeechRequest): SpeechReply => ({ json: verboseJson(TEXT, lengthMs) });
const refusal = (status: number, message: string, more: Record<string, unknown> = {}): SpeechReply => ({
  status,
  json: { error: { message, type: "invalid_request_error", ...more } },
});

/** A clock that does not wait, and remembers how long it should have. */
function fakeClock(random = 0): Clock & { readonly waits: number[] } {
  const waits: number[] = [];
  return {
    waits,
    nowMs: () => waits.reduce((sum, ms) => sum + ms, 0),
    sleep: async (ms) => void waits.push(ms),
    random: () => random,
  };
}

/** Opens the engine on a server that answers by this. */
async function withServer<T>(
  reply: (request: SpeechRequest) => SpeechReply | Promise<SpeechReply>,
  work: (opened: {
    recogniser: Awaited<ReturnType<typeof openOpenai>>;
    server: Awaited<ReturnType<typeof startSpeechServer>>;
    hear: (options?: Partial<HearOptions>, sound?: Float32Array) => ReturnType<Awaited<ReturnType<typeof openOpenai>>["hear"]>;
  }) => Promise<T>,
  options: Partial<OpenaiOptions> = {},
): Promise<T> {
  await using server = await startSpeechServer(reply);
  await using recogniser = await openOpenai({ baseUrl: server.baseUrl, apiKey: KEY, model: "whisper-1", ...options });
  return await work({ recogniser, server, hear: (more = {}, sound = SOUND) => recogniser.hear(sound, { language: "zh", ...more }) });
}

async function failureOf(work: Promise<unknown>): Promise<CallsiftError> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof CallsiftError)) throw new Error(`expected a coded failure, got ${inspect(error)}`);
  return error;
}

describe("a request", () => {
  it("carries one piece as FLAC, the model, the language and the wish for words, and the key in its header only", async () => {
    await withServer(good, async ({ hear, server }) => {
      const heard = await hear();
      expect(heard.text).toBe(TEXT);
      expect(heard.weigh).toBeNull();
      expect(server.requests.length).toBe(1);
      const [request] = server.requests;
      expect(request).toMatchObject({
        path: "/v1/audio/transcriptions",
        lengthMs: 2_000,
        file: { name: "piece.flac", type: "audio/flac" },
        fields: {
          model: ["whisper-1"],
          temperature: ["0"],
          language: ["zh"],
          response_format: ["verbose_json"],
          "timestamp_granularities[]": ["word", "segment"],
        },
      });
      expect(request?.file.bytes.length).toBeLessThan(SOUND.length * 2);
      expect(request?.headers.authorization).toBe(`Bearer ${KEY}`);
      expect(JSON.stringify(request?.fields)).not.toContain(KEY);
    });
  });

  it("gives Whisper something to follow on from in Chinese, and tells where the text is just that", async () => {
    await withServer(
      ({ lengthMs, number }) => ({ json: verboseJson(number === 0 ? "以下是普通話的句子,您好。" : TEXT, lengthMs) }),
      async ({ hear, server }) => {
        expect((await hear()).prompted).toBe(true);
        expect((await hear()).prompted).toBe(false);
        await hear({ language: "en" });
        expect(server.requests.map(({ fields }) => fields.prompt)).toEqual([["以下是普通话的句子。"], ["以下是普通话的句子。"], undefined]);
      },
    );
    await withServer(
      good,
      async ({ hear, server }) => {
        await hear();
        expect(server.requests[0]?.fields).not.toHaveProperty("prompt");
      },
      { model: "sense-voice" },
    );
  });

  it("names no language where the engine decides", async () => {
    await withServer(good, async ({ hear, server }) => {
      await hear({ language: "auto" });
      expect(server.requests[0]?.fields).not.toHaveProperty("language");
    });
  });

  it("pads the shortest sound to what servers take, and keeps the times inside the piece", async () => {
    await withServer(good, async ({ hear, server }) => {
      const heard = await hear({}, new Float32Array(16).fill(Number.NaN));
      expect(server.requests[0]?.lengthMs).toBe(500);
      for (const { startMs, endMs } of heard.tokens) expect([startMs, endMs].every((ms) => ms === null || (ms >= 0 && ms <= 1))).toBe(true);
    });
  });

  it("says nothing of this machine, nor what the environment wants added", async () => {
    process.env.OPENAI_CUSTOM_HEADERS = "X-Mine: 1\nAuthorization: Bearer other";
    process.env.OPENAI_ORG_ID = "org-1";
    process.env.OPENAI_ADMIN_KEY = "sk-admin";
    try {
      await withServer(good, async ({ hear, server }) => {
        await hear();
        const headers = server.requests[0]?.headers ?? {};
        expect(headers.authorization).toBe(`Bearer ${KEY}`);
        expect(Object.keys(headers).filter((name) => /^(x-|openai-)/.test(name))).toEqual([]);
      });
    } finally {
      delete process.env.OPENAI_CUSTOM_HEADERS;
      delete process.env.OPENAI_ORG_ID;
      delete process.env.OPENAI_ADMIN_KEY;
    }
  });

  it("leaves no file behind", async () => {
    const folders = (): string[] =>
      ["/dev/shm", tmpdir()].flatMap((root) => {
        try {
          return readdirSync(root).filter((name) => name.startsWith("callsift-") && name.includes(`-${process.pid}-`));
        } catch {
          return [];
        }
      });
    const before = folders();
    await withServer(good, async ({ hear }) => {
      await Promise.all([hear(), hear()]);
      expect(folders().length).toBe(before.length + 1);
    });
    expect(folders()).toEqual(before);
  });
});

describe("the address", () => {
  it.each([
    ["ftp://host/v1", null],
    ["not an address", null],
    ["", null],
    [null, null],
    ["http://127.0.0.1/v1", "two words"],
    ["http://127.0.0.1/v1", "line\nbreak"],
    ["http://127.0.0.1/v1", "键"],
  ])("refuses %j with the key %j, showing neither", async (baseUrl, apiKey) => {
    const error = await failureOf(openOpenai({ baseUrl, apiKey, model: "m" }));
    expect(error.code).toBe("asr/not-available");
    for (const shown of [baseUrl, apiKey]) if (shown) expect(inspect(error)).not.toContain(shown);
  });

  it("sends no key where there is none", async () => {
    await withServer(
      good,
      async ({ hear, server }) => {
        await hear();
        expect(server.requests[0]?.headers).not.toHaveProperty("authorization");
      },
      { apiKey: null },
    );
  });

  it("takes a user and a password for a server behind a gate, before the key, and a slash at the end", async () => {
    await using server = await startSpeechServer(good);
    const baseUrl = `${server.baseUrl.replace("http://", "http://us%40er:p%25w@")}/`;
    await using recogniser = await openOpenai({ baseUrl, apiKey: KEY, model: "m" });
    await recogniser.hear(SOUND, { language: "zh" });
    expect(server.requests[0]?.headers.authorization).toBe(`Basic ${Buffer.from("us@er:p%w").toString("base64")}`);
    expect(server.requests[0]?.path).toBe("/v1/audio/transcriptions");
    expect(recogniser.recipe).not.toContain("127.0.0.1");
  });

  it("is part of the recipe, and so is the model, without naming the server", async () => {
    const recipe = async (baseUrl: string, model: string): Promise<string> => {
      await using recogniser = await openOpenai({ baseUrl, apiKey: null, model });
      return recogniser.recipe;
    };
    const recipes = await Promise.all([recipe("http://a/v1", "m"), recipe("http://b/v1", "m"), recipe("http://a/v1", "n")]);
    expect(new Set(recipes).size).toBe(3);
    expect(await recipe("http://u:p@a/v1/", "m")).toBe(recipes[0]);
    expect(recipes[0]).toMatch(/^openai\/\d+ m server\/[0-9a-f]{8}$/);
  });
});

describe("a server that can do less", () => {
  /** Serves only these formats, words apart. */
  const only =
    (formats: readonly string[], { words = false, status = 400 } = {}) =>
    ({ fields, lengthMs }: SpeechRequest): SpeechReply => {
      const [format = ""] = fields.response_format ?? [];
      const wantsWords = "timestamp_granularities[]" in fields;
      if (!formats.includes(format) || (wantsWords && !words)) return refusal(status, `response_format '${format}' is not supported`);
      if (format === "text") return { body: `${TEXT}\n`, type: "text/plain; charset=utf-8" };
      return { json: format === "json" ? { text: TEXT } : { ...verboseJson(TEXT, lengthMs), words: undefined } };
    };

  it.each([
    ["verbose_json without words", only(["verbose_json", "json"]), 2],
    ["json", only(["json", "text"], { status: 422 }), 3],
    ["text", only(["text"]), 4],
  ])("is asked for %s, and later pieces straight away", async (_, reply, tries) => {
    await withServer(reply, async ({ hear, server }) => {
      const heard = await hear();
      expect(heard.text).toBe(TEXT);
      expect(heard.tokens.every(({ startMs, endMs }) => startMs === null && endMs === null)).toBe(true);
      expect(server.requests.length).toBe(tries);
      await hear();
      expect(server.requests.length).toBe(tries + 1);
    });
  });

  it("is asked for token odds with plain JSON where the model has them", async () => {
    await withServer(
      (request) => {
        const answer = only(["json"])(request);
        return "json" in (answer as object) && "include[]" in request.fields
          ? { json: { text: TEXT, logprobs: [{ token: "您好", logprob: -0.5 }] } }
          : answer;
      },
      async ({ hear, server }) => {
        expect((await hear()).confidence).toBeCloseTo(Math.exp(-0.5), 10);
        expect(server.requests.at(-1)?.fields["include[]"]).toEqual(["logprobs"]);
      },
      { model: "gpt-4o-transcribe" },
    );
  });

  it("fails with its first words where it refuses every form", async () => {
    await withServer(
      () => refusal(400, "sound of this coding is not read"),
      async ({ hear, server }) => {
        const error = await failureOf(hear());
        expect(error).toMatchObject({ code: "asr/failed", message: expect.stringContaining("sound of this coding is not read") });
        expect(server.requests.length).toBe(4);
      },
    );
  });

  it("keeps to a form that it once took, though it refuses a piece", async () => {
    await withServer(
      (request) => (request.number === 1 ? refusal(400, "cannot read this one") : good(request)),
      async ({ hear, server }) => {
        await hear();
        expect((await failureOf(hear())).code).toBe("asr/failed");
        await hear();
        expect(server.requests.map(({ fields }) => fields.response_format?.[0])).toEqual(["verbose_json", "verbose_json", "verbose_json"]);
      },
    );
  });

  it("may give JSON under another name", async () => {
    await withServer(
      ({ lengthMs }) => ({ body: JSON.stringify(verboseJson(TEXT, lengthMs)), type: "text/plain" }),
      async ({ hear }) => {
        const heard = await hear();
        expect(heard.text).toBe(TEXT);
        expect(heard.tokens[0]?.startMs).toBe(0);
      },
    );
  });
});

describe("a server that fails", () => {
  const html: SpeechReply = { body: "<html><body>Sign in</body></html>", type: "text/html" };
  const cases: readonly [string, SpeechReply, ErrorCode, number][] = [
    ["401", refusal(401, `Incorrect API key provided: ${KEY}`), "asr/unauthorised", 1],
    ["403", refusal(403, `key ${KEY.slice(0, 12)}*** may not`), "asr/unauthorised", 1],
    ["404", refusal(404, "The model does not exist", { code: "model_not_found" }), "asr/no-model", 1],
    ["404 in HTML", { ...html, status: 404 }, "asr/no-model", 1],
    ["an unknown model as 400", refusal(400, "no such model", { code: "model_not_found" }), "asr/no-model", 1],
    ["413", { body: "", type: "text/plain", status: 413 }, "asr/too-large", 1],
    ["429", refusal(429, `slow down, ${KEY}`), "asr/busy", 4],
    ["429 without credit", refusal(429, "You exceeded your current quota", { code: "insufficient_quota" }), "asr/busy", 1],
    ["500", refusal(500, `stack trace ${KEY} at Basic ${KEY}`), "asr/unreachable", 4],
    ["502 in HTML", { ...html, status: 502 }, "asr/unreachable", 4],
    ["503 without end", { endless: 503 }, "asr/unreachable", 4],
    ["HTML", html, "asr/bad-answer", 1],
    ["HTML called JSON", { ...html, type: "application/json" }, "asr/bad-answer", 1],
    ["JSON that is none", { body: '{"text":', type: "application/json" }, "asr/bad-answer", 1],
    ["JSON without text", { json: { result: "您好" } }, "asr/bad-answer", 1],
    ["an empty answer", { body: "", type: "application/json" }, "asr/bad-answer", 1],
    ["nothing (204)", { body: "", type: "application/json", status: 204 }, "asr/bad-answer", 1],
    ["an answer without end", { endless: 200 }, "asr/bad-answer", 1],
    ["a redirect", { body: "", type: "text/plain", status: 308, headers: { location: "http://127.0.0.1:9/v1" } }, "asr/bad-answer", 1],
    ["a closed door", "close", "asr/unreachable", 4],
    ["half an answer", "cut", "asr/unreachable", 4],
  ];

  it.each(cases)("is told by its code: %s", async (_, reply, code, requests) => {
    const clock = fakeClock();
    await withServer(
      () => reply,
      async ({ hear, server }) => {
        const error = await failureOf(hear({ timeoutMs: 60_000 }));
        expect(error).toMatchObject({ code, message: expect.stringMatching(/^[^\n]{10,400}$/) });
        expect(server.requests.length).toBe(requests);
        expect(clock.waits.length).toBe(requests - 1);
        const shown = inspect(error, { depth: 10, showHidden: true }) + JSON.stringify(error);
        expect(shown).not.toContain(KEY.slice(3, 12));
        expect(shown).not.toContain("127.0.0.1");
      },
      { clock },
    );
  });

  it("is told where nobody listens", async () => {
    const clock = fakeClock();
    const { baseUrl } = await deadAddress();
    await using recogniser = await openOpenai({ baseUrl, apiKey: KEY, model: "m", clock });
    const error = await failureOf(recogniser.hear(SOUND, { language: "zh" }));
    expect(error).toMatchObject({ code: "asr/unreachable", message: expect.stringContaining("ECONNREFUSED") });
    expect(clock.waits.length).toBe(3);
  });

  it("is asked again, after longer and longer", async () => {
    const clock = fakeClock();
    await withServer(
      (request) => (request.number < 3 ? refusal(500, "not yet") : good(request)),
      async ({ hear }) => expect((await hear()).text).toBe(TEXT),
      { clock },
    );
    expect(clock.waits).toEqual([250, 500, 1000]);
    const late = fakeClock(1);
    await withServer(
      (request) => (request.number < 3 ? "cut" : good(request)),
      async ({ hear }) => expect((await hear()).text).toBe(TEXT),
      { clock: late },
    );
    expect(late.waits).toEqual([500, 1000, 2000]);
  });

  it("is left alone for as long as it asks", async () => {
    const clock = fakeClock();
    const headers = [
      { "retry-after": "7" },
      { "retry-after-ms": "1500", "retry-after": "9" },
      { "retry-after": "Thu, 01 Jan 1970 00:00:00 GMT" },
    ];
    await withServer(
      (request) => {
        const wait = headers[request.number];
        return wait ? { ...(refusal(request.number % 2 ? 503 : 429, "busy") as object), json: {}, headers: wait } : good(request);
      },
      async ({ hear }) => expect((await hear()).text).toBe(TEXT),
      { clock },
    );
    expect(clock.waits).toEqual([7000, 1500, 0]);
  });

  it("is not waited for beyond the piece's time", async () => {
    const clock = fakeClock();
    await withServer(
      () => ({ ...(refusal(429, "busy") as object), json: {}, headers: { "retry-after": "20" } }),
      async ({ hear, server }) => {
        expect((await failureOf(hear({ timeoutMs: 20_000 }))).code).toBe("asr/busy");
        expect(server.requests.length).toBe(1);
      },
      { clock },
    );
    expect(clock.waits).toEqual([]);
  });

  it.each(["hang", "stall"] as const)("runs out of time: %s", async (reply) => {
    await withServer(
      (request) => (request.number === 0 ? reply : good(request)),
      async ({ hear }) => {
        const error = await failureOf(hear({ timeoutMs: 300 }));
        expect(error).toMatchObject({ code: "asr/time-out", message: expect.stringContaining("300 ms") });
        expect((await hear()).text).toBe(TEXT);
      },
    );
  });
});

/** An address where a server was. */
async function deadAddress(): Promise<{ baseUrl: string }> {
  await using server = await startSpeechServer(good);
  return { baseUrl: server.baseUrl };
}

describe("many pieces", () => {
  it("are at the server four at a time, and all answered", async () => {
    // Every four wait for one another, and a little longer for a fifth that must not come.
    let fourth: Promise<void> = Promise.resolve();
    let letGo = (): void => undefined;
    await withServer(
      async ({ number, lengthMs }) => {
        if (number % 4 === 0) fourth = new Promise((resolve) => (letGo = () => void setTimeout(resolve, 30)));
        const mine = fourth;
        if (number % 4 === 3) letGo();
        await mine;
        return { json: verboseJson("好".repeat(Math.round(lengthMs / 500)), lengthMs) };
      },
      async ({ hear, server, recogniser }) => {
        expect(recogniser.lanes).toBe(4);
        const heard = await Promise.all(Array.from({ length: 12 }, (_, i) => hear({}, sine(300, (i + 1) / 2, 16_000))));
        expect(heard.map(({ text }) => text.length)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
        expect(server.requests.length).toBe(12);
        expect(server.mostAtOnce).toBe(4);
      },
    );
  });

  it("wait their turn, first come first served; one that is stopped meanwhile is never sent", async () => {
    await withServer(
      ({ lengthMs }) => ({ json: verboseJson("好", lengthMs), afterMs: 20 }),
      async ({ hear, server }) => {
        const stop = new AbortController();
        const works = [1, 2, 3, 4].map((seconds) => hear(seconds === 3 ? { signal: stop.signal } : {}, sine(300, seconds, 16_000)));
        stop.abort();
        const ends = await Promise.allSettled(works);
        expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled"]);
        expect(server.requests.map(({ lengthMs }) => lengthMs)).toEqual([1000, 2000, 4000]);
      },
      { lanes: 1 },
    );
  });

  it("leave a lane free where one is stopped in a wait between attempts", async () => {
    const stop = new AbortController();
    await withServer(
      (request) => (request.lengthMs === 1000 ? refusal(503, "later") : good(request)),
      async ({ hear }) => {
        const first = failureOf(hear({ signal: stop.signal }, sine(300, 1, 16_000)));
        setTimeout(() => stop.abort(), 100);
        expect((await first).code).toBe("aborted");
        expect((await hear()).text).toBe(TEXT);
      },
      { lanes: 1 },
    );
  });
});
