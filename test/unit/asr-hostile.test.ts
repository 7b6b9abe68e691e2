import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../src/pipeline/errors.ts";
import { failure, read, sound } from "../support/transcripts.ts";

const silent = sound("silent", [], []);
const line = { role: "agent", startMs: 100, endMs: 900, text: "您好" };
const callsift = (...utterances: readonly unknown[]) => JSON.stringify({ utterances });
const vtt = (...cues: readonly string[]) => `WEBVTT\n\n${cues.join("\n\n")}\n`;
const openai = (...segments: readonly unknown[]) => JSON.stringify({ text: "", segments });
const amazonTurn = { BeginOffsetMillis: 100, EndOffsetMillis: 900, ParticipantRole: "AGENT", Content: "hello" };
const amazonItem = (item: object) =>
  JSON.stringify({ results: { items: [{ type: "pronunciation", alternatives: [{ content: "a" }], ...item }] } });
const funasr = (sentence: object) => JSON.stringify([{ sentence_info: [{ text: "您好", start: 100, end: 900, ...sentence }] }]);

const BAD: [name: string, content: string, code: ErrorCode, message: RegExp][] = [
  [
    "reversed",
    callsift({ ...line, startMs: 1200, endMs: 900 }),
    "transcript/invalid",
    /^utterances\[0\]\.endMs: expected ≥ startMs 1200, got 900$/,
  ],
  ["negative", callsift({ ...line, startMs: -1 }), "transcript/invalid", /^utterances\[0\]\.startMs: expected a time ≥ 0, got -1$/],
  ["infinite", `{"utterances":[{"startMs":0,"endMs":1e999,"text":"a"}]}`, "transcript/invalid", /utterances\[0\]\.endMs: .* got Infinity/],
  ["missing time", callsift({ text: "a", startMs: 1 }), "transcript/invalid", /utterances\[0\]\.endMs: .* got nothing/],
  ["null time", callsift({ ...line, endMs: null }), "transcript/invalid", /utterances\[0\]\.endMs: .* got null/],
  ["time as text", callsift({ ...line, endMs: "900" }), "transcript/invalid", /utterances\[0\]\.endMs: .* got "900"/],
  ["text as number", callsift({ ...line, text: 5 }), "transcript/invalid", /utterances\[0\]\.text: expected a string, got 5/],
  [
    "unknown role",
    callsift({ ...line, role: "boss" }),
    "transcript/invalid",
    /utterances\[0\]\.role: expected "agent" or "customer", got "boss"/,
  ],
  ["channel 2", callsift({ ...line, channel: 2 }), "transcript/invalid", /utterances\[0\]\.channel: expected channel 0 or 1, got 2/],
  ["utterance as text", callsift(line, "hello"), "transcript/invalid", /utterances\[1\]: expected an object, got "hello"/],
  ["utterances as object", JSON.stringify({ utterances: {} }), "transcript/invalid", /utterances: expected an array, got an object/],
  ["confidence 2", callsift({ ...line, confidence: 2 }), "transcript/invalid", /utterances\[0\]\.confidence: expected a confidence/],
  [
    "word reversed",
    callsift({ ...line, words: [{ text: "您", startMs: 500, endMs: 400 }] }),
    "transcript/invalid",
    /utterances\[0\]\.words\[0\]\.endMs/,
  ],
  [
    "word far outside",
    callsift({ ...line, words: [{ text: "您", startMs: 5000, endMs: 5100 }] }),
    "transcript/invalid",
    /^utterances\[0\]: .*"您" at 5000–5100 ms/,
  ],
  [
    "words going back",
    callsift({
      ...line,
      endMs: 9000,
      words: [
        { text: "您", startMs: 5000, endMs: 5100 },
        { text: "好", startMs: 200, endMs: 300 },
      ],
    }),
    "transcript/invalid",
    /in order/,
  ],
  [
    "cue reversed",
    vtt("00:03.000 --> 00:01.000\na"),
    "transcript/invalid",
    /^cue 1 \(line 3\): expected an end ≥ the start 3000 ms, got "1000 ms"$/,
  ],
  [
    "cue time broken",
    vtt("00:01.000 --> 00:02.000\na", "00:0x.000 --> 00:02.000\na"),
    "transcript/invalid",
    /^cue 2 \(line 6\): expected a time hh:mm:ss\.mmm, got "00:0x\.000"$/,
  ],
  ["cue negative", "1\n-00:00:01,000 --> 00:00:02,000\na", "transcript/invalid", /cue 1 \(line 2\)/],
  ["cue of 75 seconds", vtt("00:75.000 --> 00:80.000\na"), "transcript/invalid", /cue 1/],
  ["words before the first cue", "WEBVTT\n\nhello\n", "transcript/invalid", /line 3: expected a time line/],
  ["segment reversed", openai({ start: 2, end: 1, text: "a" }), "transcript/invalid", /segments\[0\]\.end: expected ≥ start 2, got 1/],
  ["logprob as text", openai({ start: 1, end: 2, text: "a", avg_logprob: "high" }), "transcript/invalid", /segments\[0\]\.avg_logprob/],
  [
    "turn without end",
    JSON.stringify({ Transcript: [{ ...amazonTurn, EndOffsetMillis: undefined }] }),
    "transcript/invalid",
    /Transcript\[0\]\.EndOffsetMillis/,
  ],
  [
    "confidence not a number",
    amazonItem({ start_time: "1", end_time: "2", alternatives: [{ content: "a", confidence: "NaN" }] }),
    "transcript/invalid",
    /confidence/,
  ],
  ["item time not a number", amazonItem({ start_time: "NaN", end_time: "2" }), "transcript/invalid", /results\.items\[0\]\.start_time/],
  [
    "item without alternatives",
    amazonItem({ start_time: "1", end_time: "2", alternatives: [] }),
    "transcript/invalid",
    /alternatives\[0\]: expected an object, got nothing/,
  ],
  ["sentence negative", funasr({ start: -100 }), "transcript/invalid", /\[0\]\.sentence_info\[0\]\.start: expected a time ≥ 0/],
  [
    "timestamp pair reversed",
    funasr({
      timestamp: [
        [100, 200],
        [400, 300],
      ],
    }),
    "transcript/invalid",
    /sentence_info\[0\]\.timestamp\[1\]\[1\]/,
  ],
  [
    "timestamp broken text",
    JSON.stringify([{ text: "您好", timestamp: "[[1,2" }]),
    "transcript/invalid",
    /\[0\]\.timestamp: expected pairs of times/,
  ],
  ["text without times", JSON.stringify([{ text: "您好", timestamp: [] }]), "transcript/invalid", /timestamp: expected times of the words/],
  [
    "two recordings",
    JSON.stringify([
      { text: "您", timestamp: [[1, 2]] },
      { text: "好", timestamp: [[1, 2]] },
    ]),
    "transcript/invalid",
    /one result/,
  ],
  ["other JSON", JSON.stringify({ segments: [{ start: 0, end: 1, text: "a" }] }), "transcript/unreadable", /JSON of no such shape/],
  ["prose", "Dear all,\n\nplease find attached", "transcript/unreadable", /text of no such shape/],
  ["cut JSON", callsift(line).slice(0, -5), "transcript/unreadable", /expected JSON/],
  ["nested arrays", "[".repeat(200_000) + "]".repeat(200_000), "transcript/invalid", /nested at most 64/],
  ["nested objects", `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`, "transcript/invalid", /nested at most 64/],
  ["unclosed nesting", "[".repeat(5_000_000), "transcript/invalid", /nested at most 64/],
  ["a million fields", `{${Array.from({ length: 1_000_000 }, (_, i) => `"k${i}":0`).join(",")}}`, "transcript/too-large", /fields/],
  ["millions of objects", `[${"{},".repeat(3_000_000)}{}]`, "transcript/too-large", /objects/],
  ["millions of numbers", `[${"0,".repeat(7_000_000)}0]`, "transcript/too-large", /values/],
  [
    "300,000 utterances",
    `{"utterances":[${Array(300_000).fill('{"startMs":1,"endMs":2,"text":"a"}').join(",")}]}`,
    "transcript/too-large",
    /at most 200000 utterances, got 300000/,
  ],
  ["a million cues", `WEBVTT\n\n${"00:01.000 --> 00:02.000\na\n\n".repeat(1_000_000)}`, "transcript/too-large", /got 1000000/],
  [
    "10 MB in one utterance",
    callsift({ ...line, text: "啊".repeat(3_500_000) }),
    "transcript/too-large",
    /utterances\[0\]: .* got 3500000/,
  ],
  ["10 MB in one cue", vtt(`00:01.000 --> 00:02.000\n${"<".repeat(10_000_000)}`), "transcript/too-large", /cue 1/],
  [
    "two million words",
    callsift(...Array(11).fill({ ...line, role: undefined, text: "啊".repeat(190_000) })),
    "transcript/too-large",
    /1000000 words/,
  ],
];

describe("hostile transcripts", () => {
  for (const [name, content, code, message] of BAD) {
    it(name, () => {
      const failed = failure(() => read(content, silent));
      expect(failed.code).toBe(code);
      expect(failed.message).toMatch(message);
      expect(failed.message).toMatch(/^[^\n]{10,400}$/);
    });
  }

  it("control characters and halves of characters do not get through", () => {
    const { text } = read(`{"utterances":[{"startMs":0,"endMs":1,"text":" a\\u0007\\u001b[31m\\n\\ud800b "}]}`, silent).utterances[0] ?? {
      text: "",
    };
    expect(text).toBe("a [31m \ufffdb");
  });

  it("utterances without anything spoken are left out", () => {
    expect(read(callsift({ ...line, text: "……" }, { ...line, text: "" }, line), silent).utterances.map(({ text }) => text)).toEqual([
      "您好",
    ]);
  });
});
