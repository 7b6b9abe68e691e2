import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { displayText } from "../../src/pipeline/text/display.ts";
import { normalise } from "../../src/pipeline/text/normalise.ts";
import { numberVariants, speakNumber } from "../../src/pipeline/text/numbers.ts";

describe("displayText", () => {
  it.each([
    ["您的余额是三百二十元。", "您的余额是320元。"],
    ["一共一百二十块", "一共120块"],
    ["号码是幺三八零零零零一二三四", "号码是13800001234"],
    ["利率是百分之五点二", "利率是5.2%"],
    ["百分之百没问题", "100%没问题"],
    ["三点五折", "3.5折"],
    ["额度三万，两千万以上另议", "额度3万，2000万以上另议"],
    ["一千零一夜", "1001夜"],
    ["二十四小时", "24小时"],
  ])("%s → %s", (spoken, shown) => {
    expect(displayText(spoken)).toBe(shown);
  });

  it.each(["我一定帮您", "十分抱歉", "万一不行", "千万别急", "三四十块", "一百二", "三三两两", "等一下", "两个人", "没有数字。", ""])(
    "leaves %s as it is",
    (text) => {
      expect(displayText(text)).toBe(text);
    },
  );

  it("shows any spoken number as one that the matcher takes for the same", () => {
    fc.assert(
      fc.property(fc.integer({ min: 11, max: 99_999_999 }), (value) => {
        const spoken = [...speakNumber(value)].map((character) => "零一二三四五六七八九"[Number(character)] ?? character).join("");
        const shown = displayText(`共${spoken}元`);
        expect([`共${value}元`, `共${value / 1e4}万元`]).toContain(shown);
        expect(numberVariants(normalise(`共${spoken}元`).text)).toContain(normalise(shown).text);
      }),
    );
  });
});
