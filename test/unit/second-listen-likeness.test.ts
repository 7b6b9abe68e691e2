import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { foldUnspaced, type Likeness, searchLikeness, type Wording, wordingsOf } from "../../src/pipeline/text/likeness.ts";
import { compilePhrase } from "../../src/pipeline/text/phrase.ts";
import { readingsOf } from "../../src/pipeline/text/pinyin.ts";

const CHARACTERS = [..."投诉足偷素你去死走神经病警令保证金不清楚很您好号帮什么有可以为一二两都了吗"];
const text = (maxLength: number) => fc.array(fc.constantFrom(...CHARACTERS, "A", "，"), { maxLength }).map((parts) => parts.join(""));

/** Written from the definition, not from the code: halves, the nearest of the readings. */
function apart(a: string, b: string): number {
  let least = 1;
  for (const x of readingsOf(a)) {
    for (const y of readingsOf(b)) {
      const initial = (s: string) => s.match(/^(zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw])/)?.[0];
      const alike =
        (initial(x) !== undefined && initial(x) === initial(y)) || (x.length > 1 && y.length > 1 && x.slice(-2) === y.slice(-2));
      least = Math.min(least, x === y ? 0 : alike ? 0.5 : 1);
    }
  }
  return least;
}

function edits(wanted: readonly string[], written: readonly string[]): number {
  if (wanted.length === 0) return written.length;
  if (written.length === 0) return wanted.length;
  const [a, ...restA] = wanted as [string, ...string[]];
  const [b, ...restB] = written as [string, ...string[]];
  return Math.min(apart(a, b) + edits(restA, restB), 1 + edits(restA, written), 1 + edits(wanted, restB));
}

const plain = (units: Uint16Array) => Array.from(units, (unit) => String.fromCharCode(unit));

/** Every way to lay the pieces over the text. */
function brute({ pieces, gaps }: Wording, written: readonly string[], piece = 0, from = 0): number {
  const own = pieces[piece];
  if (!own) return 0;
  const gap = gaps[piece - 1];
  let least = Number.POSITIVE_INFINITY;
  for (let start = gap ? from + gap.min : 0; start <= (gap ? Math.min(from + gap.max, written.length) : written.length); start++) {
    for (let end = start; end <= Math.min(written.length, start + own.units.length * 2); end++) {
      const cost = edits(plain(own.units), written.slice(start, end));
      if (cost < least) least = Math.min(least, cost + brute({ pieces, gaps, syllables: 0 }, written, piece + 1, end));
    }
  }
  return least;
}

function costOf(likeness: Likeness, { pieces }: Wording, written: readonly string[]): number {
  return pieces.reduce((sum, { units }, i) => sum + edits(plain(units), written.slice(...(likeness.parts[i] as [number, number]))), 0);
}

const WORDINGS = ["投诉", "神经病", "你{0..2}去死", "有什么{1..3}帮", "保证", "一定", "你去{1}投诉"].flatMap((source) =>
  wordingsOf(compilePhrase(source)),
);

describe("what sounds like a wording", () => {
  test("is found where trying every place finds it", () => {
    fc.assert(
      fc.property(text(9), fc.constantFrom(...WORDINGS), fc.constantFrom(0, 0.5, 0.62, 1), (line, wording, most) => {
        const { units } = foldUnspaced(line);
        const written = plain(units);
        const found = searchLikeness(units).nearest(wording, most);
        const least = brute(wording, written) / wording.syllables;
        if (written.length === 0 || least > most) {
          expect(found).toBeNull();
          return;
        }
        expect(found?.distance).toBeCloseTo(least, 9);
        expect(costOf(found as Likeness, wording, written) / wording.syllables).toBeCloseTo(least, 9);
        for (const [i, gap] of wording.gaps.entries()) {
          const between = ((found as Likeness).parts[i + 1]?.[0] as number) - ((found as Likeness).parts[i]?.[1] as number);
          expect(between).toBeGreaterThanOrEqual(gap.min);
          expect(between).toBeLessThanOrEqual(gap.max);
        }
      }),
      { numRuns: 400 },
    );
  });

  test("is not looked for where something is taken", () => {
    const { units } = foldUnspaced("我要投诉你们投足");
    const [wording] = wordingsOf(compilePhrase("投诉")) as [Wording];
    expect(searchLikeness(units).nearest(wording, 0.62)?.parts).toEqual([[2, 4]]);
    const taken = Uint8Array.from(units, (_, i) => (i === 2 || i === 3 ? 1 : 0));
    expect(searchLikeness(units).nearest(wording, 0.62, taken)?.parts).toEqual([[6, 8]]);
  });

  test("knows near from far", () => {
    const search = (line: string, source: string) =>
      searchLikeness(foldUnspaced(line).units).nearest(wordingsOf(compilePhrase(source))[0] as Wording, 0.62)?.distance ?? null;
    expect(search("我要投足你们", "投诉")).toBe(0.5);
    expect(search("你真是神警令", "神经病")).toBeCloseTo(1 / 6);
    expect(search("今天天气很好", "投诉")).toBeNull();
    expect(search("", "投诉")).toBeNull();
    expect(search("hello", "投诉")).toBeNull();
  });
});

describe("the ways to say a phrase", () => {
  const shown = (source: string) => wordingsOf(compilePhrase(source)).map(({ pieces }) => pieces.map((piece) => piece.text).join("…"));

  test("are its branches as written, gaps kept apart", () => {
    expect(shown("(您|你)好")).toEqual(["您好", "你好"]);
    expect(shown("有什么{0..4}帮")).toEqual(["有什么…帮"]);
    expect(shown("百分之[一]百")).toEqual(["百分之一百", "百分之百"]);
    expect(shown("喂[喂[喂]]")).toEqual(["喂喂喂", "喂喂"]);
  });

  test("leave out what cannot be heard", () => {
    expect(shown("您")).toEqual([]);
    expect(shown("thank you")).toEqual([]);
    expect(shown("加V信")).toEqual([]);
    expect(shown("/投诉\\d/")).toEqual([]);
  });
});
