import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { alignLetters } from "../../src/pipeline/asr/openai/align-letters.ts";
import { readAnswer } from "../../src/pipeline/asr/openai/answer.ts";
import { splitText } from "../../src/pipeline/asr/openai/split-text.ts";
import { verboseJson } from "../support/speech-server.ts";
import { failure } from "../support/transcripts.ts";

const bare = (text: string): string => text.replace(/\s+/g, "");

describe("splitText", () => {
  it.each([
    ["您好，请讲。", ["您", "好，", "请", "讲。"]],
    ["Hello, I don't know.", ["Hello,", "I", "don't", "know."]],
    ["“您好”他说", ["“您", "好”", "他", "说"]],
    ["请拨打400-1234转IT部。", ["请", "拨", "打", "400-1234", "转", "IT", "部。"]],
    ["共1,200.5元 ok", ["共", "1,200.5", "元", "ok"]],
    ["ABC公司", ["ABC", "公", "司"]],
    ["第3.", ["第", "3."]],
    ["- hello - world -", ["-hello-", "world-"]],
    ["café 好é", ["café", "好", "é"]],
    ["……", []],
    ["", []],
  ])("cuts %j", (text, tokens) => {
    expect(splitText(text)).toEqual(tokens);
  });

  it("loses and doubles nothing but spaces, one Chinese character a token", () => {
    const text = fc.string({ unit: fc.constantFrom(..."您好ab1 .,，。'’-“”《》é\u0301𠀀😀\n"), maxLength: 40 });
    fc.assert(
      fc.property(text, (written) => {
        const tokens = splitText(written);
        if (/[\p{L}\p{M}\p{N}]/u.test(written)) expect(tokens.join("")).toBe(bare(written));
        else expect(tokens).toEqual([]);
        for (const token of tokens) {
          expect(token).toMatch(/^\S+$/);
          expect([...token].filter((char) => /\p{Script=Han}/u.test(char)).length).toBeLessThanOrEqual(1);
        }
      }),
    );
  });
});

describe("alignLetters", () => {
  it("finds the letters that both have, in order", () => {
    expect([...alignLetters([..."abcd"], [..."abcd"])]).toEqual([0, 1, 2, 3]);
    expect([...alignLetters([..."axcd"], [..."abcd"])]).toEqual([0, -1, 2, 3]);
    expect([...alignLetters([..."abcd"], [..."acd"])]).toEqual([0, -1, 1, 2]);
    expect([...alignLetters([], [..."ab"])]).toEqual([]);
    expect([...alignLetters([..."ab"], [])]).toEqual([-1, -1]);
  });

  it("is ascending, true, and finds all of a text that had letters put in", () => {
    const letters = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 30 });
    fc.assert(
      fc.property(letters, letters, (text, other) => {
        let last = -1;
        for (const [i, place] of alignLetters(text, other).entries()) {
          if (place < 0) continue;
          expect(place).toBeGreaterThan(last);
          expect(other[place]).toBe(text[i]);
          last = place;
        }
        const more = text.flatMap((letter) => [letter, "x"]);
        expect([...alignLetters(text, more)].every((place) => place >= 0)).toBe(true);
      }),
    );
  });

  it("gives up on two texts that are too long to be compared", () => {
    const places = alignLetters(new Array(3_000).fill("a"), new Array(3_000).fill("b"));
    expect(places.length).toBe(3_000);
    expect(places.every((place) => place === -1)).toBe(true);
  });
});

describe("readAnswer", () => {
  it("takes words with times, and the odds of their segment", () => {
    const heard = readAnswer(verboseJson("您好，请讲。", 4_000), 4_000);
    expect(heard.text).toBe("您好，请讲。");
    expect(heard.tokens.map(({ text, startMs, endMs }) => [text, startMs, endMs])).toEqual([
      ["您", 0, 1000],
      ["好，", 1000, 2000],
      ["请", 2000, 3000],
      ["讲。", 3000, 4000],
    ]);
    for (const { confidence } of heard.tokens) expect(confidence).toBeCloseTo(Math.exp(-0.2), 10);
    expect(heard.confidence).toBeCloseTo(Math.exp(-0.2), 10);
    expect(heard).toMatchObject({
      noSpeech: 0.02,
      looped: false,
      capped: false,
      prompted: false,
      languages: null,
      tags: { language: "chinese" },
    });
  });

  it("gives each character of a word its share of the word's time", () => {
    const words = [
      { word: "您好", start: 0.2, end: 0.6 },
      { word: " hello", start: 1, end: 1.5 },
    ];
    expect(readAnswer({ text: "您好 Hello!", words }, 2_000).tokens).toEqual([
      { text: "您", startMs: 200, endMs: 400, confidence: null },
      { text: "好", startMs: 400, endMs: 600, confidence: null },
      { text: "Hello!", startMs: 1000, endMs: 1500, confidence: null },
    ]);
  });

  it("takes the words of segments, and their own probabilities before the segment's", () => {
    const segments = [
      { text: "您好", avg_logprob: -1, no_speech_prob: 0.7, words: [{ word: "您好", start: 0, end: 1, probability: 0.5 }] },
      { text: "再见", avg_logprob: -1, no_speech_prob: 0.1, words: [{ word: "再见", start: 1, end: 2, probability: 1 }] },
    ];
    const plain = [
      { word: "您好", start: 0, end: 1 },
      { word: "再见", start: 1, end: 2 },
    ];
    for (const words of [undefined, null, [], plain]) {
      const heard = readAnswer({ text: "您好再见", segments, words }, 2_000);
      expect(heard.tokens.map(({ startMs, confidence }) => [startMs, confidence])).toEqual([
        [0, 0.5],
        [500, 0.5],
        [1000, 1],
        [1500, 1],
      ]);
      expect(heard.confidence).toBeCloseTo(Math.SQRT1_2, 10);
      expect(heard.noSpeech).toBe(0.1);
    }
  });

  it("gives no times where only segments have them, but each segment's odds", () => {
    const segments = [
      { start: 0, end: 1, text: "您好，", avg_logprob: -0.1 },
      { start: 1, end: 2, text: "再见。", avg_logprob: -2 },
    ];
    const heard = readAnswer({ text: "您好，再见。", segments }, 2_000);
    expect(heard.tokens.map(({ text, startMs, endMs }) => [text, startMs, endMs])).toEqual([
      ["您", null, null],
      ["好，", null, null],
      ["再", null, null],
      ["见。", null, null],
    ]);
    expect(heard.tokens[0]?.confidence).toBeCloseTo(Math.exp(-0.1), 10);
    expect(heard.tokens[3]?.confidence).toBeCloseTo(Math.exp(-2), 10);
  });

  it("puts the segments' texts together where there is none of the whole", () => {
    expect(readAnswer({ segments: [{ text: " Good" }, { text: " day." }] }, 1_000).text).toBe("Good day.");
  });

  it("takes plain JSON and a text as they are, without times or odds", () => {
    for (const answer of [{ text: "您好。" }, " 您好。\n"]) {
      expect(readAnswer(answer, 1_000)).toMatchObject({ text: "您好。", confidence: null, noSpeech: null, tags: {} });
      expect(readAnswer(answer, 1_000).tokens).toEqual([
        { text: "您", startMs: null, endMs: null, confidence: null },
        { text: "好。", startMs: null, endMs: null, confidence: null },
      ]);
    }
  });

  it("takes the mean of token log-probabilities where they come with plain JSON", () => {
    const heard = readAnswer({ text: "您好", logprobs: [{ logprob: -0.2 }, { logprob: -0.4 }, { token: "x" }] }, 1_000);
    expect(heard.confidence).toBeCloseTo(Math.exp(-0.3), 10);
  });

  it("is empty where nothing was heard", () => {
    for (const text of ["", "  ", "……", "。"])
      expect(readAnswer(verboseJson(text, 1_000), 1_000)).toMatchObject({ text: "", tokens: [], confidence: null });
  });

  it("tells a loop by how well the text packs", () => {
    expect(readAnswer({ text: "好的", segments: [{ text: "好的", compression_ratio: 2.5 }] }, 1_000).looped).toBe(true);
    expect(readAnswer({ text: "好的", segments: [{ text: "好的", compression_ratio: 2.4 }] }, 1_000).looped).toBe(false);
  });

  it("takes the tags of SenseVoice out of the text", () => {
    const heard = readAnswer({ text: "<|zh|><|ANGRY|><|Speech|><|withitn|>我要投诉" }, 2_000);
    expect(heard.text).toBe("我要投诉");
    expect(heard.tags).toEqual({ language: "zh", emotion: "ANGRY", event: "Speech" });
  });

  describe("times that cannot be", () => {
    const word = (word: string, start: unknown, end: unknown) => ({ word, start, end });
    const times = (words: unknown[], lengthMs = 2_000) =>
      readAnswer({ text: "您好", words }, lengthMs).tokens.map(({ startMs, endMs }) => [startMs, endMs]);
    const NONE = [
      [null, null],
      [null, null],
    ];

    it("are cut where they hang over a little", () => {
      expect(times([word("您", -0.5, 0.5), word("好", 1.8, 2.9)])).toEqual([
        [0, 500],
        [1800, 2000],
      ]);
    });

    it("are put in order where they overlap a little", () => {
      expect(times([word("您", 0.5, 1), word("好", 0.4, 1.2)])).toEqual([
        [500, 1000],
        [500, 1200],
      ]);
    });

    it.each([
      ["far behind", [word("您", 0, 1), word("好", 1, 30)]],
      ["far before", [word("您", -5, 1), word("好", 1, 2)]],
      ["in milliseconds", [word("您", 0, 900), word("好", 900, 2000)]],
      ["backwards", [word("您", 1.9, 2), word("好", 0, 1)]],
      ["ends before they begin", [word("您", 1, 0), word("好", 1, 0)]],
      ["all at one place", [word("您", 0, 0), word("好", 0, 0)]],
      ["of another text", [word("再", 0, 1), word("见", 1, 2)]],
      ["texts", [word("您", "0", "1"), word("好", "1", "2")]],
      ["no numbers", [word("您", null, null), word("好", null, null)]],
      ["beyond numbers", [word("您", Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY), word("好", Number.NaN, 1)]],
      ["of too few words", [word("您", 0, 1)]],
      ["no words at all", [null, 3, "您", []]],
    ])("are dropped: %s", (_, words) => {
      expect(times(words)).toEqual(NONE);
    });

    it("puts the one character that was written otherwise between its neighbours", () => {
      const words = [..."一二三四五"].map((char, i) => word(char === "三" ? "叁" : char, i, i + 1));
      const heard = readAnswer({ text: "一二三四五", words }, 5_000);
      expect(heard.tokens.map(({ startMs }) => startMs)).toEqual([0, 1000, 2000, 3000, 4000]);
    });
  });

  it("never gives what the contract does not allow, whatever the server says", () => {
    const number = fc.oneof(fc.double(), fc.double({ min: -1, max: 3 }), fc.constantFrom(null, "1", undefined));
    const text = fc.oneof(fc.string({ unit: fc.constantFrom(..."您好ab ，.<|zh|>") }), fc.string(), fc.constant(undefined));
    const word = fc.record({ word: text, start: number, end: number, probability: number }, { requiredKeys: [] });
    const segment = fc.record(
      { text, avg_logprob: number, compression_ratio: number, no_speech_prob: number, words: fc.array(word, { maxLength: 4 }) },
      { requiredKeys: [] },
    );
    const answer = fc.record(
      {
        text,
        language: fc.oneof(text, fc.anything()),
        segments: fc.oneof(fc.array(segment, { maxLength: 4 }), fc.anything()),
        words: fc.oneof(fc.array(word, { maxLength: 6 }), fc.anything()),
        logprobs: fc.oneof(fc.array(fc.record({ logprob: number }), { maxLength: 3 }), fc.anything()),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(answer, fc.integer({ min: 1, max: 3_000 }), (given, lengthMs) => {
        const isPart = (one: unknown): boolean => typeof one === "object" && one !== null && !Array.isArray(one);
        fc.pre(typeof given.text === "string" || (Array.isArray(given.segments) && given.segments.some(isPart)));
        const heard = readAnswer(given, lengthMs);
        expect(bare(heard.tokens.map((token) => token.text).join(""))).toBe(bare(heard.text));
        for (const share of [heard.confidence, heard.noSpeech, ...heard.tokens.map(({ confidence }) => confidence)])
          expect(share === null || (share >= 0 && share <= 1)).toBe(true);
        let lastMs = 0;
        for (const { startMs, endMs } of heard.tokens) {
          expect(startMs === null).toBe(endMs === null);
          if (startMs === null || endMs === null) continue;
          expect(startMs).toBeGreaterThanOrEqual(lastMs);
          expect(endMs).toBeGreaterThanOrEqual(startMs);
          expect(endMs).toBeLessThanOrEqual(lengthMs);
          lastMs = startMs;
        }
      }),
    );
  });

  it.each([[null], [{}], [[]], [3], [{ error: "no" }], [{ text: 3 }], [{ text: "好".repeat(10_001) }]])("refuses %j", (answer) => {
    expect(failure(() => readAnswer(answer, 1_000)).code).toBe("asr/bad-answer");
  });
});
