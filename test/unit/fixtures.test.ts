import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { faultsOf } from "../../fixtures/check.ts";
import { type GeneratedCall, generateCalls } from "../../fixtures/generate.ts";
import { RULES } from "../../fixtures/rules.ts";
import { allLines, loadScenarios } from "../../fixtures/scenarios.ts";
import { loadLines, place, readLineFile } from "../../fixtures/timeline.ts";
import { generateVariants } from "../../fixtures/variants.ts";
import { RATE, readLine, writeWav } from "../../fixtures/wave.ts";

const scenarios = loadScenarios();
const lines = loadLines();
const FIXTURES = new URL("../../fixtures/", import.meta.url);

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "callsift-fixtures-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("scenarios", () => {
  test("there are enough of them in both languages", () => {
    expect(scenarios.filter(({ language }) => language === "zh").length).toBeGreaterThanOrEqual(12);
    expect(scenarios.filter(({ language }) => language === "en").length).toBeGreaterThanOrEqual(4);
  });

  test.each(RULES)("%s fires in two calls and is only just avoided in two", (rule) => {
    expect(scenarios.filter(({ fires }) => fires.some((fired) => fired.rule === rule)).length).toBeGreaterThanOrEqual(2);
    expect(scenarios.filter(({ avoids }) => avoids?.[rule] !== undefined).length).toBeGreaterThanOrEqual(2);
  });

  test("no rule is named that does not exist", () => {
    const named = scenarios.flatMap(({ fires, avoids }) => [...fires.map(({ rule }) => rule), ...Object.keys(avoids ?? {})]);
    expect(named.filter((rule) => !(RULES as readonly string[]).includes(rule))).toEqual([]);
  });

  test.each(scenarios.map((scenario) => [scenario.name, scenario] as const))("%s does what it says", (_, scenario) => {
    expect(faultsOf(place(scenario, lines))).toEqual([]);
  });

  test("a scenario that hides a finding is told", () => {
    const scenario = scenarios.find(({ name }) => name === "zh-bank-forbidden");
    if (scenario === undefined) throw new Error("zh-bank-forbidden is gone");
    expect(faultsOf(place({ ...scenario, fires: [] }, lines))).toEqual(["says [], but has [forbidden-phrase, forbidden-phrase]"]);
    const turns = scenario.turns.map((turn) => (turn.as === "refusal" ? { ...turn, after: 2900 } : turn));
    expect(faultsOf(place({ ...scenario, turns }, lines))).toEqual(["an answer of 2900 ms is too close to 3000 ms"]);
  });
});

describe("spoken lines", () => {
  test("every line is there, in telephone sound, with its speech inside", () => {
    for (const { id } of allLines(scenarios)) {
      const line = lines.get(id);
      const samples = readLine(readLineFile(id));
      expect(line?.durationMs, id).toBe(Math.floor((samples.length * 1000) / RATE));
      expect(line?.speech[0]?.[0], id).toBeGreaterThanOrEqual(0);
      expect(line?.speech.at(-1)?.[1], id).toBeLessThanOrEqual(line?.durationMs ?? 0);
      expect(Math.max(...samples.map(Math.abs)), id).toBeGreaterThan(0.1);
    }
  });

  test("at least four Mandarin voices speak, and no file is left over", () => {
    const spoken = [...lines.values()];
    expect(new Set(spoken.filter(({ voice }) => voice.startsWith("z")).map(({ voice }) => voice)).size).toBeGreaterThanOrEqual(4);
    const files = readdirSync(new URL("lines/", FIXTURES)).filter((file) => file.endsWith(".wav"));
    expect(files.sort()).toEqual(spoken.map(({ id }) => `${id}.wav`).sort());
  });

  test("what is committed stays small", () => {
    const sizes = readdirSync(FIXTURES, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !path.join(entry.parentPath, entry.name).includes(`${path.sep}calls${path.sep}`))
      .map((entry) => statSync(path.join(entry.parentPath, entry.name)).size);
    expect(Math.max(...sizes)).toBeLessThan(1_000_000);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(6_000_000);
  });
});

describe("generated calls", () => {
  const ONLY = ["zh-shop-ring-back-dead-air", "zh-too-short", "zh-telecom-ring-back-legs", "zh-insurance-dual-mono"];
  const read = (dir: string) =>
    Object.fromEntries(
      readdirSync(dir, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => [
          path.relative(dir, path.join(entry.parentPath, entry.name)),
          readFileSync(path.join(entry.parentPath, entry.name)),
        ]),
    );

  test("two runs give the same bytes", async () => {
    await generateCalls(path.join(folder, "a"), { only: ONLY });
    await generateCalls(path.join(folder, "b"), { only: ONLY });
    const [a, b] = [read(path.join(folder, "a")), read(path.join(folder, "b"))];
    expect(Object.keys(a).sort()).toEqual(Object.keys(b).sort());
    expect(Object.keys(a)).toContain(path.join("legs", "zh-telecom-ring-back-legs.agent.wav"));
    for (const [name, bytes] of Object.entries(a)) expect(bytes.equals(b[name] ?? Buffer.alloc(0)), name).toBe(true);
  });

  test("what is up to date is left alone, what is missing or old is made again", async () => {
    const dir = path.join(folder, "again");
    const [call] = await generateCalls(dir, { only: ["zh-too-short"] });
    const file = call?.recording ?? "";
    const made = readFileSync(file);
    const before = statSync(file).ino;
    await generateCalls(dir, { only: ["zh-too-short"] });
    expect(statSync(file).ino).toBe(before);
    rmSync(file);
    await generateCalls(dir, { only: ["zh-too-short"] });
    expect(readFileSync(file).equals(made)).toBe(true);
  });

  test("words and truth lie inside the recording, on the sides and channels that speak", async () => {
    const dir = path.join(folder, "swapped");
    const calls = await generateCalls(dir, { only: ["zh-parcel-interruption"] });
    const { truth } = calls[0] as GeneratedCall;
    expect(truth.agentChannel).toBe(1);
    expect(truth.durationMs).toBe((statSync(path.join(dir, truth.file)).size - 46) / 16);
    const transcript = JSON.parse(readFileSync(path.join(dir, "zh-parcel-interruption.transcript.json"), "utf8"));
    for (const { startMs, endMs, channel } of transcript.utterances) {
      const spans = truth.speech[channel === truth.agentChannel ? "agent" : "customer"];
      expect(spans.some(([start]) => start === startMs)).toBe(true);
      expect(spans.some(([, end]) => end === endMs)).toBe(true);
      expect(endMs).toBeLessThan(truth.durationMs);
    }
    const over = truth.expected.find(({ rule }) => rule === "interruption");
    expect((over?.endMs ?? 0) - (over?.startMs ?? 0)).toBe(1400);
    expect(truth.never).not.toContain("interruption");
    expect(truth.never).toContain("insult");
  });

  test("a scenario that does not exist is an error", async () => {
    await expect(generateCalls(folder, { only: ["nobody"] })).rejects.toThrow('no scenario is called "nobody"');
  });

  test("a call through six lines keeps its truth, on either channel", async () => {
    const calls = await generateVariants(path.join(folder, "lines"), { only: ["zh-bank-volume-jump"] });
    expect(calls.map(({ truth }) => path.extname(truth.file)).sort()).toEqual([".json", ".mp3", ".ogg", ".wav", ".wav", ".wav"]);
    expect(new Set(calls.map(({ truth }) => truth.agentChannel))).toEqual(new Set([0, 1]));
    expect(new Set(calls.map(({ truth }) => JSON.stringify(truth.expected))).size).toBe(1);
    for (const { recording } of calls) expect(statSync(recording).size).toBeGreaterThan(100);
  });
});

describe("wave", () => {
  test("mu-law keeps a sine within its quantisation, A-law has its own bytes", () => {
    const sine = Float64Array.from({ length: 800 }, (_, i) => 0.5 * Math.sin((2 * Math.PI * 440 * i) / RATE));
    const again = readLine(writeWav([sine], "mulaw"));
    expect(Math.max(...again.map((x, i) => Math.abs(x - (sine[i] ?? 0))))).toBeLessThan(0.016);
    // ITU-T G.711: zero is 0xD5, full scale 0xAA and 0x2A.
    expect([...writeWav([Float64Array.of(0, 1, -1)], "alaw").subarray(46, 49)]).toEqual([0xd5, 0xaa, 0x2a]);
    expect([...writeWav([Float64Array.of(0, 1, -1)], "mulaw").subarray(46, 49)]).toEqual([0xff, 0x80, 0x00]);
  });
});
