import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findTranscript, importEngine } from "../../src/pipeline/asr/import.ts";
import type { ToTranscribe } from "../../src/pipeline/asr/port.ts";
import type { Span } from "../../src/pipeline/types.ts";
import { AGENT_ZH, CUSTOMER_ZH, failure, read, sound } from "../support/transcripts.ts";

const silent = sound("silent", [], []);
const callsift = (...utterances: readonly object[]) => JSON.stringify({ utterances });
const said = (role: string | null, startMs: number, endMs: number, text = "您好您好您好") => ({ role, startMs, endMs, text });

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "callsift-transcripts-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("finding the transcript beside a recording", () => {
  const valid = callsift(said("agent", 0, 900));
  const inFolder = async (name: string, files: Record<string, string>) => {
    const path = join(folder, name);
    await mkdir(path);
    for (const [file, content] of Object.entries(files)) await writeFile(join(path, file), content);
    return path;
  };
  const cases: [name: string, files: Record<string, string>, found: string | null][] = [
    ["the transcript's own name first", { "call.transcript.json": valid, "call.vtt": "", "call.json": valid }, "call.transcript.json"],
    ["then WebVTT", { "call.vtt": "", "call.srt": "", "call.json": valid }, "call.vtt"],
    ["then SRT", { "call.srt": "", "call.json": valid }, "call.srt"],
    ["then a JSON file that holds a transcript", { "call.json": valid }, "call.json"],
    [
      "never a JSON file that holds something else",
      { "call.json": '{"segments":[{"start":0,"end":1,"text":"a","channel":"agent"}]}' },
      null,
    ],
    ["never broken JSON without the transcript's name", { "call.json": "{" }, null],
    ["never the metadata", { "call.meta.json": "{}" }, null],
    ["never another call's", { "call2.transcript.json": valid, "cal.transcript.json": valid }, null],
  ];
  for (const [name, files, found] of cases) {
    it(name, async () => {
      const path = await inFolder(name, files);
      expect(await findTranscript(join(path, "call.wav"))).toBe(found && join(path, found));
    });
  }

  it("works for names that are not UTF-8, without an ending, with dots, and for a call of two files", async () => {
    const path = await inFolder("names", { "a.b.transcript.json": valid, "bare.transcript.json": valid, "legs.transcript.json": valid });
    expect(await findTranscript(join(path, "a.b.wav"))).toBe(join(path, "a.b.transcript.json"));
    expect(await findTranscript(join(path, "bare"))).toBe(join(path, "bare.transcript.json"));
    expect(await findTranscript(join(path, "legs.meta.json"))).toBe(join(path, "legs.transcript.json"));
    const bytes = (ending: string) => Buffer.concat([Buffer.from(`${path}/`), Buffer.from([0xb5, 0xe7]), Buffer.from(ending)]);
    await writeFile(bytes(".transcript.json"), valid);
    expect(await findTranscript(bytes(".wav"))).toEqual(bytes(".transcript.json"));
  });

  it("names what is wrong with a pipe, a dead link, a directory and a missing file, without waiting", async () => {
    const path = await inFolder("odd", {});
    execFileSync("mkfifo", [join(path, "pipe.transcript.json")]);
    await symlink("nowhere", join(path, "dead.transcript.json"));
    await mkdir(join(path, "dir.transcript.json"));
    await using transcriber = await importEngine.open({});
    const call = (transcriptPath: string): ToTranscribe => ({
      name: "x",
      pcm: [],
      durationMs: 1000,
      sound: silent,
      metadata: {},
      transcriptPath,
    });
    expect(await findTranscript(join(path, "pipe.wav"))).toBe(join(path, "pipe.transcript.json"));
    for (const name of ["pipe", "dead", "dir", "gone"])
      await expect(transcriber.transcribe(call(join(path, `${name}.transcript.json`)), { language: "auto" }), name).rejects.toMatchObject({
        code: "transcript/unreadable",
        message: expect.stringMatching(/^\w+\.transcript\.json: /),
      });
  });
});

describe("words for every utterance", () => {
  it("are spread over the utterance by character and word", () => {
    const [zh] = read(callsift(said("agent", 1000, 2000, "您好，王先生")), silent).utterances;
    expect(zh?.words).toEqual([
      { text: "您", startMs: 1000, endMs: 1200 },
      { text: "好", startMs: 1200, endMs: 1400 },
      { text: "王", startMs: 1400, endMs: 1600 },
      { text: "先", startMs: 1600, endMs: 1800 },
      { text: "生", startMs: 1800, endMs: 2000 },
    ]);
    const [en] = read(callsift(said("agent", 0, 1000, "I don't know")), silent).utterances;
    expect(en?.words.map(({ text }) => text)).toEqual(["I", "don't", "know"]);
    expect(en?.timing).toBe("estimated");
  });

  it("lie on the speech heard on the utterance's own channel, and skip its pauses", () => {
    const heard = sound(
      "split",
      [
        [1000, 2000],
        [4000, 5000],
        [10_000, 12_000],
      ],
      [
        [2500, 3500],
        [13_000, 15_000],
      ],
    );
    const utterances = [said("agent", 1000, 5000, "一二三四五六七八"), said("customer", 13_000, 15_000)];
    const [first] = read(callsift(...utterances), heard).utterances;
    expect(first?.words.map(({ startMs, endMs }) => [startMs, endMs])).toEqual([
      [1000, 1250],
      [1250, 1500],
      [1500, 1750],
      [1750, 2000],
      [4000, 4250],
      [4250, 4500],
      [4500, 4750],
      [4750, 5000],
    ]);
  });

  it("ignore speech that is too little to hold them", () => {
    const heard = sound("split", [[1000, 1100]], []);
    expect(read(callsift(said("agent", 1000, 3000, "一二三四")), heard).utterances[0]?.words.at(-1)?.endMs).toBe(3000);
  });

  it("given with times are kept, a little overhang cut", () => {
    const words = [
      { text: "您", startMs: 900, endMs: 1200, confidence: 0.5 },
      { text: "好", startMs: 1200, endMs: 2100 },
    ];
    const [utterance] = read(callsift({ ...said("agent", 1000, 2000, "您好。"), words }), silent).utterances;
    expect(utterance).toMatchObject({
      timing: "exact",
      words: [
        { text: "您", startMs: 1000, endMs: 1200, confidence: 0.5 },
        { text: "好", startMs: 1200, endMs: 2000 },
      ],
    });
  });

  it("given without what the text says are kept as they were given", () => {
    const words = [{ text: "一百元", startMs: 0, endMs: 900 }];
    expect(read(callsift({ ...said("agent", 0, 900, "100元"), words }), silent).utterances[0]).toMatchObject({
      timing: "exact",
      words: [{ text: "一" }, { text: "百" }, { text: "元" }],
    });
  });

  it("property: whole ms, in order, inside the utterance, one per token", () => {
    const spans = fc.array(fc.tuple(fc.nat(20_000), fc.nat(3_000)), { maxLength: 12 });
    fc.assert(
      fc.property(fc.nat(10_000), fc.nat(9_000), fc.stringMatching(/^[您好a-z ,。]{1,40}$/), spans, (startMs, lengthMs, text, pairs) => {
        const heard = sound(
          "split",
          pairs.map(([from, length]): Span => [from, from + length]),
          [],
        );
        fc.pre(/[您好a-z]/.test(text));
        const [utterance] = read(callsift(said("agent", startMs, startMs + lengthMs, text)), heard, 60_000).utterances;
        let latest = startMs;
        for (const word of utterance?.words ?? []) {
          expect(Number.isInteger(word.startMs) && Number.isInteger(word.endMs)).toBe(true);
          expect(word.startMs).toBeGreaterThanOrEqual(latest);
          expect(word.endMs).toBeGreaterThanOrEqual(word.startMs);
          expect(word.endMs).toBeLessThanOrEqual(startMs + lengthMs);
          latest = word.startMs;
        }
        expect(utterance?.words.length).toBe(text.match(/[您好]|[a-z]+/g)?.length);
      }),
      { numRuns: 300 },
    );
  });
});

describe("a transcript held against its recording", () => {
  it("is sorted, and cut where it ends at most a second late", () => {
    const { utterances } = read(callsift(said("agent", 5000, 10_900), said("customer", 200, 900)), silent, 10_000);
    expect(utterances.map(({ role, startMs, endMs }) => [role, startMs, endMs])).toEqual([
      ["customer", 200, 900],
      ["agent", 5000, 10_000],
    ]);
    for (const word of utterances[1]?.words ?? []) expect(word.endMs).toBeLessThanOrEqual(10_000);
  });

  it("is refused where it ends later", () => {
    expect(failure(() => read(callsift(said("agent", 5000, 11_001)), silent, 10_000))).toMatchObject({
      code: "transcript/mismatch",
      message: "utterances[0]: expected times within the recording of 10000 ms, got an end at 11001 ms",
    });
  });

  const overlaps: [name: string, a: Span, b: Span, fine: boolean][] = [
    ["touching", [0, 1000], [1000, 2000], true],
    ["half a second shared", [0, 3000], [2500, 6000], true],
    ["a short one inside a long one", [0, 5000], [2000, 2900], true],
    ["two seconds of ten shared", [0, 10_000], [8000, 18_000], true],
    ["two seconds of three shared", [0, 3000], [1000, 9000], false],
    ["one inside the other", [0, 9000], [3000, 5000], false],
    ["the same twice", [0, 3000], [0, 3000], false],
  ];
  for (const [name, a, b, fine] of overlaps) {
    it(`utterances of one side, ${name}: ${fine ? "read" : "refused"}`, () => {
      const text = (role: string | null, other: string | null) => callsift(said(role, ...a), said(other, ...b));
      if (fine) expect(read(text("agent", "agent"), silent).utterances.length).toBe(2);
      else
        expect(failure(() => read(text("agent", "agent"), silent))).toMatchObject({
          code: "transcript/invalid",
          message: expect.stringMatching(/^utterances\[1\]: .*\(agent\) .*utterances\[0\]$/),
        });
      expect(read(text("agent", "customer"), silent).utterances.length).toBe(2);
      expect(read(text(null, null), silent).utterances.length).toBe(2);
    });
  }
});

describe("the transcript of another call", () => {
  /** A call of turns that alternate, with a pause in each; the seed moves every turn. */
  function conversation(seed: number, turns: number): { agent: Span[]; customer: Span[]; lines: ReturnType<typeof said>[]; endMs: number } {
    let state = seed;
    const next = (from: number, to: number) => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.round(from + (state / 2_147_483_648) * (to - from));
    };
    const sides: Span[][] = [[], []];
    const lines: ReturnType<typeof said>[] = [];
    let at = next(300, 2000);
    for (let i = 0; i < turns; i++) {
      const lengthMs = i % 3 === 0 ? next(600, 1500) : next(2000, 8000);
      const middle = at + Math.round(lengthMs * 0.6);
      sides[i % 2]?.push([at + 60, middle], [Math.min(middle + 300, at + lengthMs - 10), at + lengthMs]);
      lines.push(said(i % 2 ? "customer" : "agent", at, at + lengthMs));
      at += lengthMs + next(150, 1200);
    }
    return { agent: sides[0] as Span[], customer: sides[1] as Span[], lines, endMs: at };
  }
  const DURATION = 600_000;
  const hear = (call: ReturnType<typeof conversation>) => sound("split", call.agent, call.customer);
  const wrote = (call: ReturnType<typeof conversation>, change: (line: ReturnType<typeof said>) => object = (line) => line) =>
    callsift(...call.lines.map(change));

  it("is refused although it covers the speech as well as any, and the right one is read", () => {
    const calls = Array.from({ length: 12 }, (_, i) => conversation(i * 7919 + 17, 40));
    for (const [i, call] of calls.entries()) {
      expect(read(wrote(call), hear(call), DURATION).utterances.length).toBe(40);
      const other = calls[(i + 1) % calls.length] as (typeof calls)[0];
      expect(failure(() => read(wrote(other), hear(call), DURATION)).code).toBe("transcript/mismatch");
    }
  });

  it("is not suspected for a late clock, cues that swallow pauses, wrong labels, a lost side or a noisy detector", () => {
    const call = conversation(4711, 30);
    const late = ({ startMs, endMs, ...rest }: ReturnType<typeof said>) => ({ ...rest, startMs: startMs + 400, endMs: endMs + 400 });
    expect(read(wrote(call, late), hear(call), DURATION).utterances.length).toBe(30);
    const wide = ({ startMs, endMs, ...rest }: ReturnType<typeof said>) => ({
      ...rest,
      startMs: Math.max(0, startMs - 300),
      endMs: endMs + 500,
    });
    expect(read(wrote(call, wide), hear(call), DURATION).utterances.length).toBe(30);
    const unlabelled = (line: ReturnType<typeof said>) => ({ ...line, role: null });
    expect(read(wrote(call, unlabelled), hear(call), DURATION).utterances.length).toBe(30);
    expect(read(wrote(call, unlabelled), sound("mixed", [...call.agent, ...call.customer]), DURATION).utterances.length).toBe(30);
    const agentOnly = callsift(...call.lines.filter(({ role }) => role === "agent"));
    expect(read(agentOnly, hear(call), DURATION).utterances.length).toBe(15);
    const noisy = sound("split", [[0, call.endMs]], call.customer);
    expect(read(wrote(call), noisy, DURATION).utterances.length).toBe(30);
    const music = sound("split", [...call.agent, [call.endMs + 5000, call.endMs + 20_000]], call.customer);
    expect(read(wrote(call), music, DURATION).utterances.length).toBe(30);
  });

  it("is not looked for with fewer than three utterances, or in a recording without speech", () => {
    expect(read(callsift(said("agent", 0, 500), said("agent", 600, 900))).utterances.length).toBe(2);
    expect(read(wrote(conversation(1, 20)), silent, DURATION).utterances.length).toBe(20);
  });

  it("is refused when its words lie where nobody speaks, or cover hardly any speech", () => {
    const heard = sound("split", AGENT_ZH, CUSTOMER_ZH);
    const beside = [10_000, 11_000, 12_000, 13_000].map((startMs) => said("agent", startMs, startMs + 800));
    expect(failure(() => read(callsift(...beside), heard))).toMatchObject({
      code: "transcript/mismatch",
      message: expect.stringMatching(/0 % of the 4 utterances/),
    });
    const call = conversation(99, 40);
    const few = callsift(...call.lines.slice(0, 4));
    expect(failure(() => read(few, hear(call), DURATION))).toMatchObject({
      code: "transcript/mismatch",
      message: expect.stringMatching(/cover the speech heard/),
    });
  });
});
