import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSoundAlikes } from "../../src/pipeline/asr/sound-alikes.ts";
import { LONGEST_WORD, readWordList } from "../../src/pipeline/asr/word-model.ts";
import { readingsOf, soundKey } from "../../src/pipeline/text/pinyin.ts";

const LIST = "2.0 订单 再\n3.0 定单 在 冻结\n4.0 洞结 银行 行 南方\n5.0 兰房 栽\n";
const alikes = createSoundAlikes(LIST);

describe("words by how they sound", () => {
  it("are those of the same syllables, tones apart, most common first", () => {
    expect(alikes.of("定单")).toEqual(["订单", "定单"]);
    expect(alikes.of("动节")).toEqual(["冻结", "洞结"]);
    expect(alikes.of("载")).toEqual(["再", "在", "栽"]);
  });

  it("count as one what speakers mix up, and every reading of a character", () => {
    expect(alikes.of("蓝方")).toEqual(["南方", "兰房"]);
    expect(alikes.of("航")).toEqual(["行"]);
    expect(alikes.of("形")).toEqual(["行"]);
  });

  it("are none for what is in no word, is not Chinese, or too long", () => {
    for (const text of ["", "狗", "ab", "订a", "订单订单订单订", "😀"]) expect(alikes.of(text)).toEqual([]);
  });

  it("are found among all words of the list as if each were compared", () => {
    const list = readWordList();
    const all = createSoundAlikes(list);
    const words = list.split("\n").flatMap((line) => line.split(" ").slice(1));
    const options = { nasal: true, retroflex: true, lateral: true, labial: true, liquid: true };
    const keys = (character: string): string[] => readingsOf(character).map((syllable) => soundKey(syllable, options));
    const sounds = new Map([...new Set(words.join(""))].map((character) => [character, new Set(keys(character))]));
    const soundsAlike = (a: string, b: string): boolean => [...(sounds.get(a) ?? [])].some((key) => sounds.get(b)?.has(key));
    fc.assert(
      fc.property(fc.constantFrom(...words.filter((word) => word.length <= 3)), (word) => {
        const found = new Set(all.of(word));
        for (const other of words)
          if (other.length === word.length) expect(found.has(other)).toBe([...word].every((c, i) => soundsAlike(c, other[i] as string)));
      }),
      { numRuns: 8 },
    );
    expect(words.every((word) => word.length <= LONGEST_WORD)).toBe(true);
  });
});
