import { copyFile, mkdir, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readProcessor } from "../../src/pipeline/asr/sherpa/processor.ts";
import type { Screening } from "../../src/pipeline/screening.ts";
import type { Transcript } from "../../src/pipeline/types.ts";
import { writeManifest } from "../../src/weights/manifest.ts";
import { callsift, scratch, screenJson } from "../support/callsift.ts";
import { startSpeechServer, verboseJson } from "../support/speech-server.ts";
import { whisperBase } from "../support/weights.ts";

/** Without VNNI onnxruntime computes otherwise, and Whisper base mishears the first word of this call. */
const GREETED = readProcessor().instructions.length > 0 ? /agent: .*您好[\s\S]*agent: .*没办法/ : /agent: .*帮您[\s\S]*agent: .*没办法/;

const CALLS = fileURLToPath(new URL("../../fixtures/calls/", import.meta.url));
const weights = whisperBase();

let folder: Awaited<ReturnType<typeof scratch>>;
/** The same call without its transcript. */
let call = "";
beforeAll(async () => {
  folder = await scratch();
  call = join(folder.path, "call.wav");
  await copyFile(`${CALLS}zh-bank-forbidden.wav`, call);
});
afterAll(() => folder[Symbol.asyncDispose]());

const scored = (results: readonly unknown[]): Screening => results[0] as Screening;
const transcriptOf = (screening: Screening): Transcript => {
  if (!("utterances" in screening.transcript)) throw new Error(screening.transcript.reason);
  return screening.transcript;
};

describe.skipIf(!weights)("from sound to words with Whisper base", () => {
  /** A cache that holds the weights as `models pull` leaves them. */
  const cache = async (): Promise<string> => {
    const path = join(folder.path, "cache");
    const inside = join(path, "callsift", "weights", "whisper-base");
    await mkdir(inside, { recursive: true });
    const files = [];
    for (const name of ["model.bin", "config.json", "tokenizer.json", "vocabulary.txt"]) {
      await symlink(join(weights as string, name), join(inside, name)).catch(() => {});
      // Listing looks at sizes only; hashes are what `verify` is for.
      files.push({ name, bytes: (await stat(join(inside, name))).size, sha256: "0".repeat(64), known: false });
    }
    await writeManifest(inside, {
      schema: "callsift.weights/1",
      name: "whisper-base",
      engine: "whisper",
      family: "whisper",
      languages: ["*"],
      licence: null,
      source: "a test",
      addedAt: new Date(0).toISOString(),
      files,
    });
    return path;
  };

  it("screens a call that has no transcript, the same twice, with auto and by name", async () => {
    const env = { XDG_CACHE_HOME: await cache() };
    const { code, results } = await screenJson(["--engine", "whisper", call], { env });
    expect(code).toBe(0);
    const { audio, findings, transcript, timings } = scored(results);
    expect(audio).toMatchObject({ layout: "split", agentChannel: 1, roleSource: "transcript", voices: null });
    expect(transcript).toMatchObject({ engine: "whisper", language: "zh" });
    const heard = transcriptOf(scored(results));
    expect(heard.utterances.map(({ role, text }) => `${role}: ${text}`).join("\n")).toMatch(GREETED);
    expect(findings.filter(({ rule, counts }) => rule === "forbidden-phrase" && counts).map(({ quote }) => quote)).toEqual([
      "不清楚",
      "没办法",
    ]);
    expect(heard.hearings?.filter(({ check, said }) => check === "confirm" && said).length).toBeGreaterThanOrEqual(2);
    expect(timings.transcribeMs).toBeGreaterThan(0);
    const again = await screenJson([call], { env });
    expect({ ...scored(again.results), timings: null }).toEqual({ ...scored(results), timings: null });
  }, 300_000);

  it("tells the voices of a mono call apart, and who the agent is", async () => {
    const mono = join(folder.path, "mono.wav");
    await copyFile(`${CALLS}zh-telecom-dead-air-mono.wav`, mono);
    const { results } = await screenJson(["--engine", "whisper", mono], { env: { XDG_CACHE_HOME: await cache() } });
    const { audio, speech, metrics, notAssessed } = scored(results);
    expect(audio).toMatchObject({ layout: "mixed", agentChannel: null, roleSource: "transcript", voices: { told: true } });
    expect(speech?.agent.length).toBeGreaterThan(0);
    expect(speech?.customer.length).toBeGreaterThan(0);
    expect(metrics.estimated).toBe(true);
    expect(notAssessed.find(({ rule }) => rule === "interruption")?.reason).toBe("sides-mixed");
  }, 300_000);

  it("stops on request", async () => {
    const { code, stdout } = await callsift(["screen", "--engine", "whisper", CALLS], {
      env: { XDG_CACHE_HOME: await cache() },
      started: (child) => {
        // The table's head is there as the first pieces are heard.
        child.stdout?.once("data", () => setTimeout(() => child.kill("SIGINT"), 1_000));
      },
    });
    expect(code).toBe(130);
    expect(stdout).toMatch(/37 not begun or stopped|\d+ screened, 0 failed, \d+ not begun or stopped/);
  }, 300_000);
});

describe("what cannot be heard", () => {
  it("an engine without weights, or unknown weights, is a mistake of the command", async () => {
    for (const args of [
      ["--engine", "whisper"],
      ["--engine", "sherpa"],
      ["--weights", "nothing"],
    ]) {
      const { code, stderr, stdout } = await callsift(["screen", ...args, call]);
      expect([code, stdout]).toEqual([2, ""]);
      expect(stderr).toMatch(/^callsift: (?:asr\/not-available|weights\/unknown): expected [^\n]*models list[^\n]*\n$/);
    }
  });

  it("damaged weights are passed over by auto, which still tells what the sound alone does", async () => {
    const path = join(folder.path, "damaged");
    const inside = join(path, "callsift", "weights", "whisper-base");
    await mkdir(inside, { recursive: true });
    await writeFile(join(inside, "model.bin"), "no weights");
    const env = { XDG_CACHE_HOME: path };
    const auto = scored((await screenJson([call], { env })).results);
    expect(auto.transcript).toMatchObject({ status: "not-available" });
    expect(auto.speech ?? auto.audio.channels.map(({ speech }) => speech)).toBeTruthy();
    const named = await callsift(["screen", "--engine", "whisper", "--weights", "whisper-base", call], { env });
    expect([named.code, named.stderr]).toEqual([2, expect.stringMatching(/^callsift: weights\/damaged: /)]);
  });
});

describe("a speech server", () => {
  it("is used only where an address or a key is set, and the words it gives are as good as any", async () => {
    await using server = await startSpeechServer(({ lengthMs }) => ({ json: verboseJson("您好，请问有什么可以帮您？", lengthMs) }));
    const env = { OPENAI_BASE_URL: server.baseUrl, OPENAI_API_KEY: "sk-not-to-be-seen" };
    const { code, results, stdout, stderr } = await screenJson([call], { env });
    expect(code).toBe(0);
    expect(transcriptOf(scored(results)).engine).toBe("openai");
    expect(server.requests.length).toBeGreaterThan(1);
    expect(stdout + stderr).not.toContain("sk-not-to-be-seen");
    const without = scored((await screenJson([call])).results);
    expect(without.transcript).toMatchObject({ status: "not-available" });
  });

  it("that refuses the key costs the words, not the call", async () => {
    await using server = await startSpeechServer(() => ({ status: 401, json: { error: { message: "wrong key" } } }));
    const { code, results } = await screenJson([call], { env: { OPENAI_BASE_URL: server.baseUrl, OPENAI_API_KEY: "sk-wrong" } });
    expect(code).toBe(0);
    expect(scored(results).transcript).toMatchObject({ status: "not-available", reason: expect.stringMatching(/^asr\/unauthorised: /) });
    expect(scored(results).audio.channels.every(({ speech }) => speech.length > 0)).toBe(true);
    expect(JSON.stringify(results)).not.toContain("sk-wrong");
  });
});
