import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { renderTables, TABLES_PATH } from "../../scripts/build-text-tables.ts";
import { foldReadable, normalise, originalRange } from "../../src/pipeline/text/normalise.ts";

/** Text as it comes: han of both scripts, digits of all kinds, words, marks, emoji, halves of surrogate pairs, right-to-left. */
const piece = fc.constantFrom(
  ..."一二三八九零〇幺两十百千万点您好保证保證麼後國投诉嗯啊那个%％，。！？、…—（）“”‘’'- .\u3000\t\n",
  ..."１３８ＡｂＣ0123456789abcXYZéÅßŁı",
  ...[
    "😀",
    "👨‍👩‍👧",
    "1️⃣",
    "𠮷",
    "\ud800",
    "\udc00",
    "e\u0301",
    "が",
    "か\u3099",
    "ﬁ",
    "㍿",
    "½",
    "①",
    "שלום",
    "مرحبا",
    "\u202e",
    "\u200d",
    "한국",
    "नी",
    "I'm",
    "don’t",
  ],
);
const text = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(""));

describe("normalise", () => {
  it.each([
    ["一三八", "138"],
    ["幺三八", "138"],
    ["１３８", "138"],
    ["1 3-8", "138"],
    ["一二三一五", "12315"],
    ["两百", "2百"],
    ["兩百", "2百"],
    ["１００％", "100%"],
    ["三点五", "3点5"],
    ["３．５", "3点5"],
    ["您好，请问——有 什么？", "您好请问有什么"],
    ["這個後臺麼", "这个后台么"],
    ["什麼 什么", "什么什么"],
    ["I don't  KNOW, sir", "i dont know sir"],
    ["I don’t know", "i dont know"],
    ["mm-hmm", "mm hmm"],
    ["我的VIP卡", "我的vip卡"],
    ["Straße ＦＩＮＥ ﬁne", "strasse fine fine"],
    ["cafe\u0301 Å", "café å"],
    ["好😀的👨‍👩‍👧吧", "好的吧"],
    ["好\ud800的\udc00", "好的"],
    ["1️⃣", "1"],
    ["保\u200b证", "保证"],
    ["𠮷野家", "𠮷野家"],
    ["", ""],
    ["，。！", ""],
  ])("%j becomes %j", (given, expected) => {
    expect(normalise(given).text).toBe(expected);
  });

  it("maps every unit back to a range of the original, in order", () => {
    fc.assert(
      fc.property(text, (given) => {
        const { text: folded, starts, ends } = normalise(given);
        expect(starts.length).toBe(folded.length);
        for (let i = 0; i < folded.length; i++) {
          const start = starts[i] as number;
          expect(start).toBeGreaterThanOrEqual(i === 0 ? 0 : (starts[i - 1] as number));
          expect(ends[i]).toBeGreaterThan(start);
          expect(ends[i]).toBeLessThanOrEqual(given.length);
        }
      }),
    );
  });

  it("gives for any part of it a piece of the original that folds to a text holding that part", () => {
    fc.assert(
      fc.property(text, fc.nat(), fc.nat(), (given, a, b) => {
        const normalised = normalise(given);
        const { length } = normalised.text;
        fc.pre(length > 0);
        const start = a % length;
        const end = start + 1 + (b % (length - start));
        const [from, to] = originalRange(normalised, start, end);
        const part = normalised.text.slice(start, end).trim();
        expect(normalise(given.slice(from, to)).text).toContain(part);
      }),
    );
  });

  it("folds what is folded to itself", () => {
    fc.assert(
      fc.property(text, (given) => {
        const once = normalise(given).text;
        expect(normalise(once).text).toBe(once);
      }),
    );
  });

  it("is linear in hostile text", () => {
    for (const given of [
      `e${"\u0301".repeat(100_000)}`,
      "\u0316\u0301".repeat(50_000),
      "👨‍".repeat(30_000),
      "'".repeat(100_000),
      "\ud800".repeat(100_000),
      "1.".repeat(50_000),
    ]) {
      expect(normalise(given).starts.length).toBeLessThanOrEqual(given.length * 2);
    }
  });
});

describe("foldReadable", () => {
  it("keeps punctuation, spaces and digits, and maps back", () => {
    const given = "您保證，１３８ ABC！\u3000ﬁ";
    const folded = foldReadable(given);
    expect(folded.text).toBe("您保证,138 abc! fi");
    expect(folded.starts.at(-1)).toBe(given.length - 1);
    expect(folded.ends.at(-1)).toBe(given.length);
  });
});

describe("tables", () => {
  it("are what the build script writes", () => {
    expect(readFileSync(TABLES_PATH, "utf8")).toBe(renderTables());
  });

  it("are small", () => {
    expect(readFileSync(TABLES_PATH).byteLength).toBeLessThan(300_000);
  });
});
