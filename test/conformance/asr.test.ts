import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ENGINES, pickEngine } from "../../src/pipeline/asr/engines.ts";
import type { ToTranscribe } from "../../src/pipeline/asr/port.ts";
import { AGENT_ZH, CUSTOMER_ZH, failure, sound } from "../support/transcripts.ts";

/** Engines that read what lies beside the sound, and whether they find words in it; those that hear it are in recognisers.test.ts. */
const CALLS = {
  import: { transcript: "callsift.zh.json", words: true },
  none: { transcript: "callsift.zh.json", words: false },
} as const;

const DURATION_MS = 24_000;
let folder = "";
let recording = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "callsift-asr-"));
  recording = join(folder, "call.pcm");
  await writeFile(recording, Buffer.alloc(DURATION_MS * 2 * 8));
});
afterAll(() => rm(folder, { recursive: true }));

for (const name of ["import", "none"] as const) {
  const engine = ENGINES[name];
  const { transcript, words } = CALLS[name];
  const call = (): ToTranscribe => ({
    name: "call",
    pcm: [{ path: recording, encoding: "mulaw", bigEndian: false, sampleRate: 8000, channels: 2, dataOffset: 0, frames: DURATION_MS * 8 }],
    durationMs: DURATION_MS,
    sound: sound("split", AGENT_ZH, CUSTOMER_ZH),
    metadata: {},
    transcriptPath: fileURLToPath(new URL(`../../fixtures/transcripts/${transcript}`, import.meta.url)),
  });

  describe(`engine ${name}`, () => {
    it("says what it is", async () => {
      expect(engine.name).toBe(name);
      expect(engine.license).toMatch(/^[\w.+-]+$/);
      await using transcriber = await engine.open({});
      expect(transcriber.name).toBe(name);
      expect(transcriber.recipe).toMatch(new RegExp(`^${name}/.`));
    });

    it("gives a transcript of the shape that the pipeline relies on, or says why not", async () => {
      await using transcriber = await engine.open({});
      const result = await transcriber.transcribe(call(), { language: "auto" });
      expect("utterances" in result).toBe(words);
      if (!("utterances" in result)) {
        expect(result).toEqual({ status: "not-available", reason: expect.stringMatching(/^[^\n]{10,200}$/) });
        return;
      }
      expect(result.engine).toBe(name);
      expect(engine.capabilities.languages).toContain(result.language);
      expect(result.utterances.length).toBeGreaterThan(0);
      let lastStartMs = 0;
      for (const { startMs, endMs, text, confidence, words: spoken, role, channel, timing } of result.utterances) {
        expect([startMs, endMs].every(Number.isInteger)).toBe(true);
        expect(startMs).toBeGreaterThanOrEqual(lastStartMs);
        lastStartMs = startMs;
        expect(endMs).toBeGreaterThanOrEqual(startMs);
        expect(endMs).toBeLessThanOrEqual(DURATION_MS);
        expect(text).toBe(text.trim());
        expect(text).not.toBe("");
        expect(["agent", "customer", null]).toContain(role);
        expect([0, 1, null]).toContain(channel);
        expect(["exact", "estimated"]).toContain(timing);
        if (!engine.capabilities.wordTimes) expect(timing).toBe("estimated");
        if (!engine.capabilities.confidence) expect(confidence).toBeNull();
        if (confidence !== null) expect(confidence >= 0 && confidence <= 1).toBe(true);
        expect(spoken.length).toBeGreaterThan(0);
        let wordMs = startMs;
        for (const word of spoken) {
          expect([word.startMs, word.endMs].every(Number.isInteger)).toBe(true);
          expect(word.startMs).toBeGreaterThanOrEqual(wordMs);
          wordMs = word.startMs;
          expect(word.endMs).toBeGreaterThanOrEqual(word.startMs);
          expect(word.endMs).toBeLessThanOrEqual(endMs);
          expect(word.text).toMatch(/^\S+$/);
          expect(/\p{Script=Han}/u.test(word.text) ? [...word.text].length : 1).toBe(1);
        }
      }
    });

    it("gives the same for the same call, one after the other and two at once", async () => {
      await using transcriber = await engine.open({});
      const once = JSON.stringify(await transcriber.transcribe(call(), { language: "auto" }));
      const twice = await Promise.all([
        transcriber.transcribe(call(), { language: "auto" }),
        transcriber.transcribe(call(), { language: "auto" }),
      ]);
      for (const result of twice) expect(JSON.stringify(result)).toBe(once);
    });

    it("takes the language it is told", async () => {
      await using transcriber = await engine.open({});
      const result = await transcriber.transcribe(call(), { language: "en" });
      if ("utterances" in result) expect(result.language).toBe("en");
      else expect(words).toBe(false);
    });

    it("stops on request, and serves on", async () => {
      await using transcriber = await engine.open({});
      await expect(transcriber.transcribe(call(), { language: "auto", signal: AbortSignal.abort() })).rejects.toMatchObject({
        name: "AbortError",
      });
      expect("utterances" in (await transcriber.transcribe(call(), { language: "auto" }))).toBe(words);
    });

    it("does not mind being closed twice", async () => {
      const transcriber = await engine.open({});
      await transcriber[Symbol.asyncDispose]();
      await transcriber[Symbol.asyncDispose]();
    });
  });
}

describe("choice of an engine", () => {
  const without = { transcriptPath: null };
  const beside = { transcriptPath: "call.transcript.json" };
  it("auto takes the transcript beside the recording, else weights, else a server that was set, else none", () => {
    expect(pickEngine("auto", { ...beside, weights: "sherpa", hasServer: true }).name).toBe("import");
    expect(pickEngine("auto", { ...without, weights: "whisper", hasServer: true }).name).toBe("whisper");
    expect(pickEngine("auto", { ...without, hasServer: true }).name).toBe("openai");
    expect(pickEngine("auto", without).name).toBe("none");
  });
  it("a name is taken at its word", () => {
    expect(pickEngine("none", beside).name).toBe("none");
    expect(pickEngine("import", without).name).toBe("import");
  });
  it("an unknown one is said", () => {
    for (const name of ["kaldi", "toString", ""])
      expect(failure(() => pickEngine(name, beside))).toEqual({
        code: "asr/not-available",
        message: `expected an engine that is known (auto, import, sherpa, whisper, openai, none), got ${JSON.stringify(name)}`,
      });
  });
  it.each(["sherpa", "whisper"] as const)("%s without weights says what is missing", async (name) => {
    await expect(ENGINES[name].open({})).rejects.toMatchObject({ code: "asr/not-available", message: expect.stringContaining("weights") });
  });
  it("openai without a key or an address is not opened", async () => {
    await expect(ENGINES.openai.open({})).rejects.toMatchObject({ code: "asr/not-available", message: expect.stringContaining("OPENAI_") });
  });
  it("import without a transcript says so", async () => {
    await using transcriber = await ENGINES.import.open({});
    const call: ToTranscribe = { name: "x", pcm: [], durationMs: 1, sound: sound("silent", []), metadata: {}, transcriptPath: null };
    expect(await transcriber.transcribe(call, { language: "auto" })).toEqual({
      status: "not-available",
      reason: "there is no transcript beside the recording",
    });
  });
});
