import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Transcript } from "../../src/pipeline/types.ts";
import { failure, read, sound } from "../support/transcripts.ts";

const FOLDER = new URL("../../fixtures/transcripts/", import.meta.url);
const silent = sound("silent", [], []);
const fixture = (name: string) => readFileSync(new URL(name, FOLDER));
const readFixture = (name: string): Transcript => read(fixture(name), silent);

const ZH_TIMES = [
  [800, 3900],
  [4600, 7400],
  [8000, 9600],
  [15200, 18000],
  [18500, 19300],
  [20000, 22600],
];
const EN_TIMES = [
  [440, 4960],
  [5420, 8900],
  [9300, 12780],
  [13300, 15600],
  [16100, 19900],
  [20300, 21200],
];
const ZH_ROLES = ["agent", "customer", "agent", "agent", "customer", "agent"];
const EN_ROLES = ["agent", "customer", "agent", "customer", "agent", "customer"];

/** What each file must say of the call that all of them tell. */
const FIXTURES: Record<string, { voices: "roles" | "channels" | "speakers" | "none"; timing: "exact" | "estimated" | "mixed" }> = {
  "callsift.zh.json": { voices: "roles", timing: "mixed" },
  "callsift-channels.en.json": { voices: "channels", timing: "estimated" },
  "labels.zh.vtt": { voices: "roles", timing: "estimated" },
  "voices.en.vtt": { voices: "roles", timing: "estimated" },
  "cues.zh.srt": { voices: "roles", timing: "estimated" },
  "openai-verbose.en.json": { voices: "none", timing: "exact" },
  "openai-words.zh.json": { voices: "none", timing: "exact" },
  "amazon-call-analytics.en.json": { voices: "roles", timing: "exact" },
  "amazon-channels.en.json": { voices: "channels", timing: "exact" },
  "amazon-speakers.en.json": { voices: "speakers", timing: "exact" },
  "funasr-sentences.zh.json": { voices: "speakers", timing: "exact" },
  "funasr-text.zh.json": { voices: "none", timing: "exact" },
  "funasr-runtime.zh.json": { voices: "none", timing: "exact" },
  "funasr-channels.zh.json": { voices: "channels", timing: "estimated" },
};

describe("formats of transcripts", () => {
  it("has a case for every fixture", () => {
    expect(
      readdirSync(FOLDER)
        .filter((name) => name !== "README.md")
        .sort(),
    ).toEqual(Object.keys(FIXTURES).sort());
  });

  for (const [name, { voices, timing }] of Object.entries(FIXTURES)) {
    it(name, () => {
      const { language, utterances, engine, model } = readFixture(name);
      const zh = name.includes(".zh.");
      expect([engine, model, language]).toEqual(["import", null, zh ? "zh" : "en"]);
      const text = utterances.map((utterance) => utterance.text).join(" ");
      expect(text).toContain(zh ? "有什么可以帮您" : "how can I help you");
      expect(text).not.toMatch(/[<>|{}]|Thanks for watching|: /);
      // Words-only formats are cut at pauses, so one turn may become two; every other one keeps its turns.
      if (name !== "openai-words.zh.json" && name !== "funasr-text.zh.json")
        expect(utterances.map(({ startMs, endMs }) => [startMs, endMs])).toEqual(zh ? ZH_TIMES : EN_TIMES);
      const roles = zh ? ZH_ROLES : EN_ROLES;
      if (voices === "roles") expect(utterances.map(({ role }) => role)).toEqual(roles);
      else expect(utterances.every(({ role }) => role === null)).toBe(true);
      if (voices === "channels")
        expect(utterances.map((utterance) => utterance.channel)).toEqual(roles.map((role) => (role === "agent" ? 0 : 1)));
      if (voices === "speakers") {
        const agent = utterances[0]?.speaker;
        expect(utterances.map(({ speaker }) => (speaker === agent ? "agent" : "customer"))).toEqual(roles);
      }
      const timings = new Set(utterances.map((utterance) => utterance.timing));
      expect([...timings].sort()).toEqual(timing === "mixed" ? ["estimated", "exact"] : [timing]);
      for (const { words, text: written, startMs, endMs } of utterances) {
        expect(words.map((word) => word.text).join("")).toBe(written.replace(/[^\p{L}\p{N}']+/gu, ""));
        for (const word of words) expect(word.startMs >= startMs && word.endMs <= endMs).toBe(true);
      }
    });
  }

  it("reads the confidence each format gives", () => {
    expect(readFixture("callsift.zh.json").utterances.map(({ confidence }) => confidence)).toEqual([0.93, 0.93, null, null, null, null]);
    expect(readFixture("openai-verbose.en.json").utterances[0]?.confidence).toBeCloseTo(Math.exp(-0.21), 10);
    expect(readFixture("amazon-call-analytics.en.json").utterances[0]?.confidence).toBeCloseTo(0.9983, 10);
    expect(readFixture("amazon-call-analytics.en.json").utterances[0]?.words[0]).toEqual({
      text: "Thank",
      startMs: 440,
      endMs: 763,
      confidence: 0.9983,
    });
  });

  it("keeps exact times of words, cut to characters", () => {
    const first = readFixture("funasr-sentences.zh.json").utterances[0];
    expect(first?.words.slice(0, 2)).toEqual([
      { text: "您", startMs: 800, endMs: 972 },
      { text: "好", startMs: 972, endMs: 1144 },
    ]);
    const pair = readFixture("openai-words.zh.json").utterances[0]?.words.slice(0, 3);
    expect(pair?.map(({ text }) => text).join("")).toBe("您好很");
    expect(pair?.[0]?.endMs).toBe(pair?.[1]?.startMs);
  });
});

describe("who speaks, by label", () => {
  const cue = (payload: string) => read(`WEBVTT\n\n00:01.000 --> 00:03.000\n${payload}\n`, silent).utterances;
  const cases: [payload: string, role: string | null, text: string][] = [
    ["agent: hello there", "agent", "hello there"],
    ["Agent 1：您好", "agent", "您好"],
    ["客户: 你好", "customer", "你好"],
    ["坐席（小王）：您好", "agent", "您好"],
    ["[Customer] hello", "customer", "hello"],
    ["- 客服：您好", "agent", "您好"],
    ["<v Agent>hello</v>", "agent", "hello"],
    ["<v.loud Customer>hello", "customer", "hello"],
    ["<v Agent Smith>hello", "agent", "hello"],
    ["注意：这里是客服中心", null, "注意：这里是客服中心"],
    ["he said: hello", null, "he said: hello"],
    ["Customer service: hello", "agent", "hello"],
    ["a &lt; b &amp;&nbsp;c", null, "a < b & c"],
  ];
  for (const [payload, role, text] of cases) {
    it(JSON.stringify(payload), () => {
      expect(cue(payload).map((utterance) => [utterance.role, utterance.text])).toEqual([[role, text]]);
    });
  }

  it("keeps a speaker's name, and a channel's number", () => {
    expect(cue("Speaker 1: hello")[0]).toMatchObject({ role: null, speaker: "Speaker 1" });
    expect(cue("<v Anna>hello")[0]).toMatchObject({ role: null, speaker: "Anna" });
    expect(cue("ch_1: hello")[0]).toMatchObject({ role: null, channel: 1 });
  });

  it("divides a cue of two voices in proportion to their words", () => {
    expect(cue("<v Agent>您好您好您好</v><v Customer>你好</v>").map(({ role, startMs, endMs }) => [role, startMs, endMs])).toEqual([
      ["agent", 1000, 2500],
      ["customer", 2500, 3000],
    ]);
    expect(cue("agent: 您好\ncustomer: 你好\n你好").map(({ role, text }) => [role, text])).toEqual([
      ["agent", "您好"],
      ["customer", "你好 你好"],
    ]);
  });
});

describe("encodings and line ends", () => {
  const vtt = "WEBVTT\n\n00:01.000 --> 00:03.000\nagent: 您好\n";
  const utf16 = (text: string, big: boolean) => {
    const bytes = Buffer.from(`\ufeff${text}`, "utf16le");
    return big ? bytes.swap16() : bytes;
  };
  const cases: [name: string, content: string | Uint8Array][] = [
    ["UTF-8", vtt],
    ["UTF-8 with BOM", `\ufeff${vtt}`],
    ["UTF-16 little-endian with BOM", utf16(vtt, false)],
    ["UTF-16 big-endian with BOM", utf16(vtt, true)],
    ["CRLF", vtt.replaceAll("\n", "\r\n")],
    ["CR", vtt.replaceAll("\n", "\r")],
    ["SRT without numbers", "00:00:01,000 --> 00:00:03,000\nagent: 您好"],
    ["SRT with a point", "1\n0:0:01.0 --> 0:00:03\nagent: 您好".replace("0:0:", "0:00:")],
    ["JSON with BOM", `\ufeff{"utterances":[{"role":"agent","startMs":1000,"endMs":3000,"text":"您好"}]}`],
  ];
  for (const [name, content] of cases) {
    it(name, () => {
      expect(read(content, silent).utterances).toMatchObject([{ role: "agent", startMs: 1000, endMs: 3000, text: "您好" }]);
    });
  }

  it("refuses what is no text", () => {
    for (const bytes of [
      Buffer.from([0xc3, 0x28]),
      Buffer.from(vtt, "utf16le"),
      Buffer.from(vtt.replace("您好", "\0")),
      Buffer.from("RIFF\u0000\u0000"),
      Buffer.alloc(0),
    ])
      expect(failure(() => read(bytes, silent)).code).toBe("transcript/unreadable");
  });
});

describe("language", () => {
  const one = (text: string, language?: string) =>
    read(JSON.stringify({ ...(language && { language }), utterances: [{ startMs: 0, endMs: 1, text }] }), silent).language;
  it("is what the file declares, else what it is written in", () => {
    expect(one("hello")).toBe("en");
    expect(one("您好 OK")).toBe("zh");
    expect(one("我用iPhone")).toBe("zh");
    expect(one("hello", "zh-CN")).toBe("zh");
    expect(one("您好", "english")).toBe("en");
    expect(one("您好", "fr")).toBe("zh");
  });
});
