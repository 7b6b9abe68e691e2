import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { indexTranscript, type TextMatch } from "../../src/pipeline/text/index-text.ts";
import { compilePhrase, type PhraseOptions } from "../../src/pipeline/text/phrase.ts";
import type { Span, Utterance, Word } from "../../src/pipeline/types.ts";
import { spoken } from "../support/utterances.ts";

const find = (utterances: readonly Utterance[], pattern: string, options: PhraseOptions = {}): TextMatch[] =>
  indexTranscript(utterances).find(compilePhrase(pattern, options));

const word = (text: string, startMs: number, endMs: number, confidence?: number): Word => ({
  text,
  startMs,
  endMs,
  ...(confidence === undefined ? {} : { confidence }),
});

describe("the time of a match", () => {
  const timed = (text: string, words: readonly Word[], confidence: number | null = null): Utterance => ({
    ...spoken(text),
    startMs: 1000,
    endMs: 3000,
    words,
    confidence,
  });
  it.each<[what: string, utterance: Utterance, pattern: string, expected: Span]>([
    [
      "is that of its words",
      timed("我要投诉", [word("我", 1000, 1100), word("要", 1100, 1200), word("投", 1500, 1700), word("诉", 1800, 2000)]),
      "投诉",
      [1500, 2000],
    ],
    [
      "is found past punctuation",
      timed("我，要投诉！", [word("我", 1000, 1100), word("要", 1100, 1200), word("投", 1500, 1700), word("诉", 1800, 2000)]),
      "投诉",
      [1500, 2000],
    ],
    [
      "is found where words carry punctuation",
      timed("我，要投诉！", [word("我，", 1000, 1200), word("要", 1200, 1300), word("投诉！", 1500, 1900)]),
      "投诉",
      [1500, 1900],
    ],
    ["is a part of a longer word", timed("我要投诉", [word("我要", 1000, 1400), word("投诉", 1600, 2000)]), "诉", [1800, 2000]],
    [
      "covers spoken words",
      timed("I don't know, sir", [word("I", 1000, 1100), word("don't", 1200, 1400), word("know,", 1500, 1700), word("sir", 2000, 2400)]),
      "don't know",
      [1200, 1700],
    ],
    [
      "survives other case, width and script",
      timed("ＯＫ我們投訴", [word("ok", 1000, 1200), word("我们", 1200, 1600), word("投诉", 1600, 2000)]),
      "投诉",
      [1600, 2000],
    ],
    [
      "is exact behind words that differ",
      timed("他说投诉", [word("她", 1000, 1200), word("投", 1400, 1600), word("诉", 1600, 2000)]),
      "投诉",
      [1400, 2000],
    ],
    ["is spread where the words differ", timed("甲乙丙丁", [word("子", 1000, 2000), word("丑", 2000, 3000)]), "乙丙", [1000, 3000]],
    ["is spread over the utterance without words", timed("一二三四", []), "三四", [2000, 3000]],
    ["is spread where words hold no text", timed("一二三四", [word("。", 1000, 1100)]), "三四", [2000, 3000]],
    [
      "counts marks and wide characters once",
      timed("😀e\u0301投诉", [word("😀", 1000, 1100), word("é", 1100, 1200), word("投诉", 1200, 1600)]),
      "投诉",
      [1200, 1600],
    ],
  ])("%s", (_what, utterance, pattern, expected) => {
    const [match] = find([utterance], pattern);
    expect([match?.startMs, match?.endMs]).toEqual(expected);
  });

  it("has the words' mean confidence, else the utterance's, else 1", () => {
    const words = [word("我", 1000, 1100, 0.1), word("投", 1100, 1200, 0.8), word("诉", 1200, 1300, 0.6)];
    expect(find([timed("我投诉", words, 0.3)], "投诉")[0]?.confidence).toBeCloseTo(0.7);
    const bare = words.map(({ text, startMs, endMs }) => word(text, startMs, endMs));
    expect(find([timed("我投诉", bare, 0.3)], "投诉")[0]?.confidence).toBe(0.3);
    expect(find([timed("我投诉", bare)], "投诉")[0]?.confidence).toBe(1);
  });

  it("is whole, inside the words' time and forward, whatever the words are", () => {
    const part = fc.constantFrom("投诉", "投", "诉", "。", "don't", "😀", "１", "\ud800", "嗯");
    const words = fc.array(fc.tuple(part, fc.nat(300), fc.nat(300)), { maxLength: 8 });
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), words, (text, parts) => {
        let at = 1000;
        const made = parts.map(([written, pause, length]) => {
          const startMs = at + pause;
          at = startMs + length;
          return word(written, startMs, at);
        });
        for (const match of find([{ ...spoken(text.join("")), startMs: 1000, endMs: Math.max(at, 1500), words: made }], "投诉")) {
          expect(Number.isInteger(match.startMs) && Number.isInteger(match.endMs)).toBe(true);
          expect(match.startMs).toBeGreaterThanOrEqual(1000);
          expect(match.endMs).toBeGreaterThanOrEqual(match.startMs);
          expect(match.endMs).toBeLessThanOrEqual(Math.max(at, 1500));
        }
      }),
    );
  });
});

describe("utterances that a recogniser cut", () => {
  const cut = (
    first: string,
    second: string,
    pauseMs: number,
    roles: Partial<Record<"first" | "second", Utterance["role"]>> = {},
  ): Utterance[] => {
    const { first: a = "agent", second: b = "agent" } = roles;
    const one = spoken(first, { role: a, startMs: 1000 });
    return [one, spoken(second, { role: b, startMs: one.endMs + pauseMs })];
  };

  it("hold a phrase together up to 800 ms", () => {
    expect(find(cut("我不知", "道，先生", 800), "不知道")).toEqual([
      {
        phrase: "不知道",
        utterance: 0,
        role: "agent",
        start: 1,
        end: 3,
        startMs: 1200,
        endMs: 2600,
        quote: "不知道",
        by: "exact",
        confidence: 1,
      },
    ]);
    expect(find(cut("我不知", "道，先生", 801), "不知道")).toEqual([]);
  });

  it("do so past what the other side says meanwhile, and over several pieces", () => {
    const pieces = [
      spoken("不", { startMs: 1000 }),
      spoken("嗯", { role: "customer", startMs: 1300 }),
      spoken("知", { startMs: 1600 }),
      spoken("道", { startMs: 2000 }),
    ];
    expect(find(pieces, "不知道").map(({ utterance, startMs, endMs, quote }) => [utterance, startMs, endMs, quote])).toEqual([
      [0, 1000, 2200, "不知道"],
    ]);
  });

  it("do not across roles, nor where the role is unknown", () => {
    expect(find(cut("我不知", "道", 100, { second: "customer" }), "不知道")).toEqual([]);
    expect(find(cut("我不知", "道", 100, { first: null, second: null }), "不知道")).toEqual([]);
  });

  it("keep words of spaced scripts apart", () => {
    expect(find(cut("I don't", "know that", 100), "don't know").map(({ quote }) => quote)).toEqual(["don't know"]);
    expect(find(cut("I do not k", "now that", 100), "know")).toEqual([]);
  });

  it("are one for a phrase that must be all that was said, together or alone", () => {
    expect(find(cut("不知", "道", 100), "不知道", { wholeUtterance: true })).toHaveLength(1);
    expect(find(cut("喂", "您好", 100), "喂", { wholeUtterance: true })).toHaveLength(1);
    expect(find(cut("我不知", "道", 100), "不知道", { wholeUtterance: true })).toEqual([]);
  });

  it("stay apart for regular expressions", () => {
    expect(find(cut("不知", "道", 100), "/不知道/")).toEqual([]);
  });
});

describe("find", () => {
  const call = [
    spoken("我要投诉", { role: "customer", startMs: 0 }),
    spoken("请不要投诉，不要投诉", { role: "agent", startMs: 2000 }),
    spoken("投诉", { role: null, startMs: 10_000 }),
  ];
  const index = indexTranscript(call);
  const phrase = compilePhrase("投诉");
  const starts = (options?: Parameters<typeof index.find>[1]): number[] => index.find(phrase, options).map(({ startMs }) => startMs);

  it("gives all in order of time, or one role's", () => {
    expect(starts()).toEqual([400, 2600, 3600, 10_000]);
    expect(starts({ role: "agent" })).toEqual([2600, 3600]);
    expect(starts({ role: "customer" })).toEqual([400]);
    expect(starts({ role: null })).toEqual([400, 2600, 3600, 10_000]);
  });

  it("keeps those whose middle lies within", () => {
    expect(starts({ within: [[2000, 2801]] })).toEqual([2600]);
    expect(starts({ within: [[2000, 2800]] })).toEqual([]);
    expect(starts({ within: [[2800, 2801]] })).toEqual([2600]);
    expect(starts({ within: [] })).toEqual([]);
    expect(
      starts({
        within: [
          [9000, 12_000],
          [0, 700],
        ],
      }),
    ).toEqual([400, 10_000]);
  });

  it("needs no order of utterances, and no utterances", () => {
    const turned = indexTranscript([...call].reverse()).find(phrase);
    expect(turned.map(({ startMs }) => startMs)).toEqual(starts());
    expect(turned.map(({ utterance }) => utterance)).toEqual([2, 1, 1, 0]);
    expect(indexTranscript([]).find(phrase)).toEqual([]);
    expect(indexTranscript([spoken("")]).find(compilePhrase("/a*/"))).toEqual([]);
  });
});

describe("hostile text", () => {
  const long = 100_000;
  const patterns = [
    "投诉",
    "嗯*嗯",
    "嗯{0..60}a{0..60}嗯",
    "/(嗯+)+$/",
    "/(a+)+$/",
    "/嗯*a|嗯/",
    "嗯嗯嗯嗯嗯嗯a",
    "?a?",
    "😀a",
    `${"嗯".repeat(400)}a`,
  ];
  it.each<[string, string]>([
    ["hesitations", "嗯".repeat(long)],
    ["letters", "a".repeat(long)],
    ["hesitations with a letter", "嗯嗯嗯嗯a".repeat(long / 5)],
    ["words", "嗯 a ".repeat(long / 4)],
    ["emoji", "😀".repeat(long / 2)],
    ["lone surrogates", "\ud800嗯".repeat(long / 2)],
    ["combining marks", `a${"\u0301".repeat(long)}`],
    ["right to left", "שלום ".repeat(long / 5)],
    ["digits", "一1１".repeat(long / 3)],
  ])("of %s is searched in bounded time, every match quoting itself", (_what, text) => {
    const index = indexTranscript([{ ...spoken(""), text, endMs: 60_000 }]);
    for (const pattern of patterns) {
      const matches = index.find(compilePhrase(pattern, { sound: { nasal: true } }));
      for (const { start, end, quote } of matches.slice(0, 50)) expect(text.slice(start, end)).toBe(quote);
    }
  });

  it("of a hundred thousand utterances is indexed", () => {
    const utterances = Array.from({ length: 100_000 }, (_, i) => spoken(i % 1000 === 0 ? "投诉" : "好", { startMs: i * 300 }));
    expect(find(utterances, "投诉")).toHaveLength(100);
  });
});
