import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BACK_CHANNELS, isBackChannel } from "../../src/pipeline/text/fillers.ts";
import { countUnits } from "../../src/pipeline/text/index-text.ts";
import { findPersonalData } from "../../src/pipeline/text/pii.ts";
import type { Language } from "../../src/pipeline/types.ts";

describe("isBackChannel", () => {
  it.each<[string, Language]>([
    ["嗯", "zh"],
    ["嗯嗯嗯。", "zh"],
    ["对对对", "zh"],
    ["好的，好的！", "zh"],
    ["嗯，是的", "zh"],
    ["哦哦好的好的", "zh"],
    ["OK ok", "zh"],
    ["對，沒錯", "zh"],
    ["Uh-huh.", "en"],
    ["Mm-hmm, yeah", "en"],
    ["Right, right, I see", "en"],
    ["okay", "en"],
    ["……", "zh"],
  ])("%j is one (%s)", (text, language) => {
    expect(isBackChannel(text, language)).toBe(true);
  });

  it.each<[string, Language]>([
    ["好的我查一下", "zh"],
    ["不对", "zh"],
    ["是吗", "zh"],
    ["对不起", "zh"],
    ["行李", "zh"],
    ["right away", "en"],
    ["yesterday", "en"],
    ["no", "en"],
    ["嗯 yeah what", "en"],
  ])("%j is none (%s)", (text, language) => {
    expect(isBackChannel(text, language)).toBe(false);
  });

  it("holds for any row of them, and is linear", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...BACK_CHANNELS.zh), { minLength: 1 }), (words) => {
        expect(isBackChannel(words.join("，"), "zh")).toBe(true);
        expect(isBackChannel(`${words.join("")}投诉`, "zh")).toBe(false);
      }),
    );
    expect(isBackChannel("嗯".repeat(100_000), "zh")).toBe(true);
  });
});

describe("countUnits", () => {
  it.each<[string, Language, number]>([
    ["您好，请问有什么可以帮您？", "zh", 11],
    ["号码是138一二三", "zh", 9],
    ["我的VIP卡", "zh", 3],
    ["", "zh", 0],
    ["I don't know, mm-hmm.", "en", 4],
    ["It costs 1,200.50 dollars", "en", 4],
    ["Ｏ．Ｋ", "en", 2],
    ["…", "en", 0],
  ])("%j (%s) has %i", (text, language, expected) => {
    expect(countUnits(text, language)).toBe(expected);
  });

  it("counts in Chinese what Unicode calls an ideograph or a digit", () => {
    const character = fc.oneof(
      fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
      fc.integer({ min: 0x2e80, max: 0xffff }).map((code) => String.fromCharCode(code)),
      fc.constantFrom("您", "9", "９", "٣", "𠮷", "〇", "々", "，", "。", "\ud842"),
    );
    fc.assert(
      fc.property(fc.array(character, { maxLength: 30 }), (characters) => {
        const text = characters.join("");
        expect(countUnits(text, "zh")).toBe(text.match(/[\p{Script=Han}\p{Nd}]/gu)?.length ?? 0);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("personal data", () => {
  const show = (text: string): string[] => findPersonalData(text).map(({ kind, start, end }) => `${kind} ${text.slice(start, end)}`);
  it.each<[string, string[]]>([
    ["我的电话是13800138000，谢谢", ["mobile 13800138000"]],
    ["一三八零零一三八零零零", ["mobile 一三八零零一三八零零零"]],
    ["幺三八 〇〇一三 八〇〇〇", ["mobile 幺三八 〇〇一三 八〇〇〇"]],
    ["+86 138-0013-8000", ["mobile 86 138-0013-8000"]],
    ["１３８００１３８０００", ["mobile １３８００１３８０００"]],
    ["13800138000一直打不通", ["mobile 13800138000"]],
    ["一三八零零一三八零零零一直打不通", ["mobile 一三八零零一三八零零零"]],
    ["13800138000，13900139000", ["mobile 13800138000", "mobile 13900139000"]],
    ["身份证11010519491231002X。", ["id-card 11010519491231002X"]],
    ["一一零一零五一九四九一二三一零零二叉", ["id-card 一一零一零五一九四九一二三一零零二叉"]],
    ["卡号4111 1111 1111 1111吧", ["bank-card 4111 1111 1111 1111"]],
    ["邮箱zhang.san@example.com，对", ["email zhang.san@example.com"]],
    ["一二三四五六艾特QQ点com", ["email 一二三四五六艾特QQ点com"]],
    ["卡4111111111111111手机13800138000", ["bank-card 4111111111111111", "mobile 13800138000"]],
    // Near misses.
    ["身份证110105194912310021", []],
    ["卡号4111 1111 1111 1112", []],
    ["拨打12315", []],
    ["12800138000", []],
    ["订单号1380013800012345678901", []],
    ["下午三点@小王", []],
    ["0000000000000000", []],
  ])("in %j: %j", (text, expected) => {
    expect(show(text)).toEqual(expected);
  });

  it("is found in bounded time, disjoint and in order, in any text", () => {
    const part = fc.constantFrom(..."0123456789一二三幺两x叉@.点 -，a", "13800138000", "艾特", "4111111111111111", "\ud800", "😀");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 60 }), (parts) => {
        const text = parts.join("");
        let end = 0;
        for (const span of findPersonalData(text)) {
          expect(span.start).toBeGreaterThanOrEqual(end);
          expect(span.end).toBeGreaterThan(span.start);
          end = span.end;
        }
        expect(end).toBeLessThanOrEqual(text.length);
      }),
    );
    for (const unit of ["1", "1 ", "a@", "a.", "一", "x", "艾特"])
      expect(findPersonalData(unit.repeat(50_000)).length).toBeLessThan(60_000);
  });
});
