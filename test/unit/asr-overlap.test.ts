import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { textOf } from "../../src/pipeline/asr/assemble.ts";
import { partOverlap } from "../../src/pipeline/asr/overlap.ts";
import type { HeardToken } from "../../src/pipeline/asr/recogniser.ts";

const CUT = 10_000;
const NOTHING = { confidence: null, noSpeech: null, capped: false, looped: false, prompted: false, languages: null, tags: {} };
const part = (startMs: number, endMs: number, tokens: readonly HeardToken[], continues: boolean) => ({
  piece: { startMs, endMs, speech: [continues ? ([CUT, endMs] as const) : ([startMs, CUT] as const)], continues },
  heard: { ...NOTHING, text: textOf(tokens), tokens },
  doubt: null,
});

/** 250 ms a character from `fromMs` of the recording on, seen from a piece that starts at `pieceMs`. */
const said = (text: string, fromMs: number, pieceMs: number, shiftMs = 0): HeardToken[] =>
  [...text].map((character, i) => ({
    text: character,
    startMs: fromMs + i * 250 - pieceMs + shiftMs,
    endMs: fromMs + (i + 1) * 250 - pieceMs + shiftMs,
    confidence: 0.9,
  }));

const joined = (left: readonly HeardToken[], right: readonly HeardToken[]): string => {
  const [a, b] = partOverlap(part(0, CUT + 300, left, false), part(CUT - 300, 20_000, right, true));
  return textOf(a.heard.tokens) + textOf(b.heard.tokens);
};

describe("partOverlap", () => {
  it("says each word once where both pieces heard the same about the cut, whatever their times are off", () => {
    // The sentence lies over the cut: four characters before it are 9,000 to 10,000.
    const sentence = "这个月的话费一共是三百元";
    for (const shiftMs of [-200, 0, 150]) {
      expect(joined(said(sentence.slice(0, 9), 8_250, 0), said(sentence.slice(6), 9_750, CUT - 300, shiftMs))).toBe(sentence);
    }
  });

  it("parts by time where the pieces heard different words", () => {
    expect(joined(said("甲乙丙", 9_500, 0), said("丁戊己", 9_750, CUT - 300))).toBe("甲乙戊己");
  });

  it("loses and doubles no word of any text that both heard alike", () => {
    // All characters differ, so a doubled or lost one shows.
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 40 }), fc.integer({ min: -120, max: 120 }), (count, shiftMs) => {
        const text = Array.from({ length: count }, (_, i) => String.fromCharCode(0x4e00 + 7 * i)).join("");
        const startMs = CUT - Math.round(count / 2) * 250;
        const all = said(text, startMs, 0);
        const left = all.filter(({ endMs }) => (endMs as number) <= CUT + 300);
        const right = said(text, startMs, CUT - 300, shiftMs).filter(({ startMs: from }) => (from as number) - shiftMs >= 0);
        expect(joined(left, right)).toBe(text);
      }),
    );
  });

  it("works without times, by the words alone", () => {
    const untimed = (text: string) => [...text].map((character) => ({ text: character, startMs: null, endMs: null, confidence: null }));
    expect(joined(untimed("您的余额是三百"), untimed("三百二十元"))).toBe("您的余额是三百二十元");
    expect(joined(untimed("您好"), untimed("请讲"))).toBe("您好请讲");
  });

  it("leaves a piece without words as it is", () => {
    expect(joined([], said("请讲", 10_500, CUT - 300))).toBe("请讲");
    expect(joined(said("您好", 9_000, 0), [])).toBe("您好");
  });
});
