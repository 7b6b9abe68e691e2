import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { editDistance } from "../../bench/asr/error-rate.ts";
import { align, quantile, startErrors } from "../../bench/asr/times.ts";

const token = (text: string, startMs: number) => ({ text, startMs, endMs: startMs + 100, confidence: 1 });

function piece(...sentences: { text: string; startMs: number }[]) {
  return {
    id: "x",
    half: "a" as const,
    samples: new Float64Array(),
    speech: [],
    noise: null,
    sentences: sentences.map((sentence) => ({ ...sentence, endMs: sentence.startMs + 1000 })),
  };
}

describe("startErrors", () => {
  const said = piece({ text: "您好，请讲。", startMs: 200 }, { text: "我要查账单", startMs: 2000 });

  it("holds the first character of each sentence against its counterpart", () => {
    const tokens = [..."您好请讲"]
      .map((text, i) => token(text, 230 + 200 * i))
      .concat([..."我要查账单"].map((text, i) => token(text, 1950 + 200 * i)));
    const { errorsMs, unheard } = startErrors(said, { tokens });
    expect(errorsMs.map(({ errorMs }) => errorMs)).toEqual([30, -50]);
    expect(unheard).toBe(0);
  });

  it("takes the misheard character in its place, and counts a beginning that was left out", () => {
    const tokens = [
      token("你", 300),
      token("好", 400),
      token("请", 500),
      token("讲", 600),
      token("要", 2300),
      token("查", 2500),
      token("账单", 2700),
    ];
    const { errorsMs, unheard } = startErrors(said, { tokens });
    expect(errorsMs.map(({ errorMs }) => errorMs)).toEqual([100]);
    expect(unheard).toBe(1);
  });
});

describe("align", () => {
  const text = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 10 });

  it("ascends, and costs what the edit distance says", () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        const places = align(a, b);
        const taken = places.filter((place) => place !== null);
        expect(taken).toEqual([...new Set(taken)].sort((x, y) => x - y));
        const same = places.filter((place, i) => place !== null && b[place] === a[i]).length;
        const edits = a.length - same + (b.length - taken.length);
        expect(edits).toBe(editDistance(a, b));
      }),
    );
  });
});

describe("quantile", () => {
  it("is one of the values", () => {
    expect(quantile([3, 1, 2], 0.5)).toBe(2);
    expect(quantile([3, 1, 2], 0.95)).toBe(3);
    expect(quantile([5], 0)).toBe(5);
  });
});
