import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { Screening } from "../../src/pipeline/screening.ts";
import { callsift, scratch, screenJson } from "../support/callsift.ts";
import { sine, wav } from "../support/sound.ts";

const calls = fileURLToPath(new URL("../../fixtures/calls/", import.meta.url));
const withoutTimes = (text: string): string => text.replace(/"timings":\{[^}]*\}/g, "");
const short = wav([sine(440, 2), sine(550, 2)]);

/** Every field of contracts.md §2, with what it must be. */
const SHAPE = {
  schema: "callsift.screening/1",
  recording: {
    name: expect.any(String),
    sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    bytes: expect.any(Number),
    codec: expect.any(String),
    sampleRate: expect.any(Number),
    channels: expect.any(Number),
    durationMs: expect.any(Number),
  },
  status: "scored",
  error: null,
  audio: { layout: "split", agentChannel: expect.any(Number), roleSource: "transcript", problems: expect.any(Array) },
  speech: { agent: expect.any(Array), customer: expect.any(Array) },
  transcript: { engine: "import", model: null, language: "zh", utterances: expect.any(Array) },
  metrics: {
    agentTalkMs: expect.any(Number),
    customerTalkMs: expect.any(Number),
    overlapMs: expect.any(Number),
    silenceMs: expect.any(Number),
    longestSilenceMs: expect.any(Number),
    firstAgentSpeechMs: expect.any(Number),
    agentCharsPerMinute: expect.any(Number),
    turns: expect.any(Number),
  },
  findings: expect.any(Array),
  notAssessed: expect.any(Array),
  score: {
    form: "deduction-20",
    version: 1,
    total: expect.any(Number),
    max: 20,
    band: expect.any(String),
    fatal: false,
    complete: expect.any(Boolean),
  },
  triage: { queue: "review", priority: expect.any(Number), reasons: expect.any(Array) },
  timings: {
    probeMs: expect.any(Number),
    transcodeMs: expect.any(Number),
    vadMs: expect.any(Number),
    transcribeMs: expect.any(Number),
    scoreMs: expect.any(Number),
    totalMs: expect.any(Number),
  },
};

describe("callsift screen", () => {
  it("gives contracts.md §2, and every deduction leads to its evidence", async () => {
    const { code, results } = await screenJson([join(calls, "zh-bank-forbidden.wav")]);
    expect(code).toBe(0);
    const [result] = results as [Screening];
    expect(result).toMatchObject(SHAPE);
    const ids = new Set(result.findings.map(({ id }) => id));
    for (const { points, findings } of result.score.items) {
      if (points !== null && points < 0) expect(findings.length).toBeGreaterThan(0);
      for (const id of findings) expect(ids).toContain(id);
    }
    for (const { startMs, endMs, confidence, rule, ruleVersion, operator } of result.findings) {
      expect(Number.isInteger(startMs) && Number.isInteger(endMs) && startMs < endMs && endMs <= result.recording.durationMs).toBe(true);
      expect(confidence).toBeGreaterThan(0);
      expect(confidence).toBeLessThanOrEqual(1);
      expect([typeof rule, typeof operator, ruleVersion]).toEqual(["string", "string", 1]);
    }
    const said = result.findings.filter(({ rule }) => rule === "forbidden-phrase");
    expect(said.length).toBeGreaterThan(0);
    for (const { quote, role } of said) expect([role, typeof quote]).toEqual(["agent", "string"]);
  });

  it("gives the same bytes twice, timings aside, at any concurrency, in input order", async () => {
    await using folder = await scratch();
    const names = (await readdir(calls)).filter((name) => /^(zh-(bank|telecom)|legs$)/.test(name));
    for (const name of names) await cp(join(calls, name), join(folder.path, name), { recursive: true });
    const one = await screenJson(["--concurrency", "1", folder.path]);
    const four = await screenJson(["--concurrency", "4", folder.path]);
    expect(one.code).toBe(0);
    expect(withoutTimes(four.stdout)).toBe(withoutTimes(one.stdout));
    const order = one.results.map(({ recording }) => recording.name);
    expect(order).toEqual([...order].sort());
  });

  it("judges sound without words, and says what it could not judge", async () => {
    const { results } = await screenJson(["--engine", "none", join(calls, "zh-bank-forbidden.wav")]);
    const [{ transcript, notAssessed, findings, score }] = results as [Screening];
    expect(transcript).toMatchObject({ status: "not-available" });
    expect(notAssessed).toContainEqual(expect.objectContaining({ rule: "forbidden-phrase", reason: "no-transcript" }));
    expect(findings.filter(({ rule }) => rule === "forbidden-phrase")).toEqual([]);
    expect(score.complete).toBe(false);
  });

  it.each(["deduction-20", "weighted-100", "levels", "checklist-15"])("scores on the form %s", async (form) => {
    const { code, results } = await screenJson(["--form", form, join(calls, "zh-telecom-insult.mp3")]);
    expect(code).toBe(0);
    const [{ score, findings }] = results as [Screening];
    expect(score).toMatchObject({ form, fatal: true });
    expect(findings).toContainEqual(expect.objectContaining({ rule: "insult", severity: "fatal", counts: true }));
    expect(score.total).toBeLessThan(score.max);
  });

  it("takes the agent's channel from an option, then metadata, then the words", async () => {
    await using folder = await scratch();
    const path = join(folder.path, "call.wav");
    await cp(join(calls, "zh-bank-clean.wav"), path);
    await cp(join(calls, "zh-bank-clean.transcript.json"), join(folder.path, "call.transcript.json"));
    const words = await screenJson([path]);
    expect(words.results[0]).toMatchObject({ audio: { agentChannel: 0, roleSource: "transcript" } });
    await writeFile(join(folder.path, "table.csv"), "file,agentId,agentChannel\ncall.wav,7,0\n");
    const table = await screenJson(["--meta", join(folder.path, "table.csv"), path]);
    expect(table.results[0]).toMatchObject({ audio: { agentChannel: 0, roleSource: "metadata" } });
    const option = await screenJson(["--agent-channel", "1", "--engine", "none", path]);
    expect(option.results[0]).toMatchObject({ audio: { agentChannel: 1, roleSource: "option" } });
  });

  it("screens two one-channel files as one call, named by its metadata, and not a second time apart", async () => {
    await using folder = await scratch();
    await writeFile(join(folder.path, "call.agent.wav"), wav([sine(440, 2)]));
    await writeFile(join(folder.path, "b.wav"), wav([sine(550, 3)]));
    await writeFile(join(folder.path, "call.meta.json"), JSON.stringify({ legs: { agent: "call.agent.wav", customer: "b.wav" } }));
    const { code, results } = await screenJson([folder.path]);
    expect(code).toBe(0);
    expect(results).toHaveLength(1);
    expect(results[0]).toMatchObject({ recording: { name: "call", channels: 2, durationMs: 3000 } });
  });

  it("blames nobody for what was not said in a call that is none", async () => {
    const { results } = await screenJson([join(calls, "zh-too-short.wav")]);
    const [{ findings, notAssessed, score, triage }] = results as [Screening];
    expect(findings.map(({ rule }) => rule)).toEqual(["unusable-call"]);
    expect(notAssessed).toContainEqual({ rule: "missing-closing", reason: "unusable-call" });
    expect(score.total).toBe(20);
    expect(triage.queue).toBe("unusable");
  });

  it("reads headerless samples when told how", async () => {
    await using folder = await scratch();
    await writeFile(join(folder.path, "dump.bin"), Buffer.alloc(16_000, 0xff));
    const { code, results } = await screenJson(["--raw", "mulaw:8000:1", join(folder.path, "dump.bin")]);
    expect(code).toBe(0);
    expect(results[0]).toMatchObject({ recording: { codec: "pcm_mulaw", channels: 1, durationMs: 2000 }, audio: { layout: "silent" } });
  });

  it("prints a table that fits 80 columns, without colour where it is no terminal", async () => {
    const { code, stdout } = await callsift(["screen", calls]);
    expect(code).toBe(0);
    const { default: width } = await import("string-width");
    for (const line of stdout.split("\n")) expect(width(line), line).toBeLessThanOrEqual(80);
    expect(stdout).not.toContain("\u001B");
    expect(stdout).toMatch(/^recording +length +score +queue +prio +findings$/m);
    expect(stdout).toMatch(/\d+ screened, 0 failed/);
  });

  it("writes one file per recording, whole or not at all, and replaces it when the call is screened again", async () => {
    await using folder = await scratch();
    await mkdir(join(folder.path, "in/sub"), { recursive: true });
    await writeFile(join(folder.path, "in/a.wav"), short);
    await writeFile(join(folder.path, "in/sub/a.wav"), short);
    await writeFile(join(folder.path, "in/broken.wav"), "no sound");
    const out = join(folder.path, "out");
    for (const time of ["first", "second"]) {
      const { code } = await callsift(["screen", "--out", out, join(folder.path, "in")]);
      expect(code, time).toBe(3);
    }
    expect((await readdir(out, { recursive: true })).sort()).toEqual(["a.wav.json", "broken.wav.json", "sub", "sub/a.wav.json"]);
    expect(JSON.parse(await readFile(join(out, "a.wav.json"), "utf8"))).toMatchObject({ status: "scored", recording: { name: "a.wav" } });
    expect(JSON.parse(await readFile(join(out, "broken.wav.json"), "utf8"))).toMatchObject({ status: "failed" });
    const unwritable = await callsift(["screen", "--out", join(out, "a.wav.json"), join(folder.path, "in/a.wav")]);
    expect(unwritable.code).toBe(2);
    expect(unwritable.stderr).toMatch(/output\/unwritable/);
  });

  it("keeps what is finished when interrupted, and leaves nothing half-written", async () => {
    await using folder = await scratch();
    await using temporary = await scratch();
    const minutes = wav([sine(440, 1800), sine(550, 1800)]);
    await writeFile(join(folder.path, "0.wav"), short);
    for (const name of ["1", "2", "3", "4"]) await writeFile(join(folder.path, `${name}.wav`), minutes);
    const out = join(folder.path, "out");
    const ran = await callsift(["screen", "--json", "--concurrency", "1", "--out", out, folder.path], {
      env: { CALLSIFT_TEMP_DIR: temporary.path },
      started: (child) => child.stdout?.once("data", () => child.kill("SIGINT")),
    });
    expect(ran.code).toBe(130);
    const printed = ran.stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Screening);
    expect(printed[0]).toMatchObject({ status: "scored", recording: { name: "0.wav" } });
    expect(printed.length).toBeLessThan(5);
    expect((await readdir(out)).sort()).toEqual(printed.map(({ recording }) => `${recording.name}.json`));
    expect(await readdir(temporary.path)).toEqual([]);
  });
});

describe("other commands", () => {
  it("rules check runs the examples of the built-in rules", async () => {
    const files = ["zh", "en"].map((language) =>
      fileURLToPath(new URL(`../../src/pipeline/rules/builtin/${language}.yaml`, import.meta.url)),
    );
    const { code, stdout, stderr } = await callsift(["rules", "check", ...files]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const line of stdout.trim().split("\n")) expect(line).toMatch(/21 rules, (\d+) of \1 examples right$/);
  });

  it("doctor says what is there and what each setting is", async () => {
    const { code, stdout } = await callsift(["doctor", "--json"], { env: { XDG_CACHE_HOME: "/nowhere" } });
    expect(code).toBe(0);
    const { checks, settings } = JSON.parse(stdout) as { checks: { name: string; state: string }[]; settings: { name: string }[] };
    expect(checks.map(({ name }) => name)).toEqual([
      "Node",
      "ffmpeg",
      "speech detector",
      "rules",
      "recognition",
      "database",
      "queue",
      "recordings",
      "space",
      "settings",
    ]);
    expect(settings.map(({ name }) => name)).toContain("CALLSIFT_VAD");
    const wrong = await callsift(["doctor"], { env: { CALLSIFT_FORM: "nowhere.yaml", CALLSIFT_TYPO: "1" } });
    expect(wrong.code).toBe(3);
    expect(wrong.stdout).toMatch(/FAIL rules: .*nowhere\.yaml/);
    expect(wrong.stdout).toMatch(/warn settings: not known: CALLSIFT_TYPO/);
  });

  it.each([["--help"], ["screen", "--help"], ["rules", "check", "--help"], ["doctor", "--help"]])(
    "%s %s gives help with examples",
    async (...args) => {
      const { code, stdout } = await callsift(args);
      expect(code).toBe(0);
      expect(stdout).toContain("Usage: callsift");
      if (args.length > 1) expect(stdout).toMatch(/Examples?:/);
    },
  );
});
