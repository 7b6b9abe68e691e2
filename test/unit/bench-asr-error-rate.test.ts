import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { characterErrors, charactersOf, comparable, editDistance, rateOf, syllableErrors } from "../../bench/asr/error-rate.ts";

describe("comparable", () => {
  it.each([
    ["三百六十八块", "368块"],
    ["一万两千四百元", "12400元"],
    ["两万四", "24000"],
    ["三百二", "320"],
    ["百分之八十", "80%"],
    ["一点五个G", "1.5个g"],
    ["十五分钟", "15分钟"],
    ["五万块", "50000块"],
    ["一三九五五六七八二一零", "13955678210"],
    ["七零二五", "7025"],
    ["《電話費》，扣了 兩百多。", "电话费扣了200多"],
  ])("%s and %s are the same", (a, b) => {
    expect(comparable(a)).toBe(comparable(b));
  });

  it("keeps apart what differs", () => {
    expect(comparable("三百六十八")).not.toBe(comparable("三百六十九"));
    expect(comparable("十分")).not.toBe(comparable("一分"));
    expect(comparable("万一")).toBe("万1");
  });
});

describe("charactersOf", () => {
  it("counts Chinese by character and Latin by word", () => {
    expect(charactersOf("打开 APP，WiFi connected 了")).toEqual(["打", "开", "app", "wifi", "connected", "了"]);
  });

  it("joins no words over Chinese or digits", () => {
    expect(charactersOf("FB50开头K")).toEqual(["fb", "5", "0", "开", "头", "k"]);
  });
});

describe("editDistance", () => {
  const letters = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 12 });

  it("is 0 only for the same, the length against nothing, and symmetric", () => {
    fc.assert(
      fc.property(letters, letters, (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, b) === 0).toBe(a.join() === b.join());
        expect(editDistance(a, [])).toBe(a.length);
        expect(editDistance(a, b)).toBeGreaterThanOrEqual(Math.abs(a.length - b.length));
        expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
    );
  });

  it("is never longer over a third text", () => {
    fc.assert(
      fc.property(letters, letters, letters, (a, b, c) => {
        expect(editDistance(a, c)).toBeLessThanOrEqual(editDistance(a, b) + editDistance(b, c));
      }),
    );
  });

  it("counts insertions, deletions and substitutions", () => {
    expect(editDistance([..."kitten"], [..."sitting"])).toBe(3);
  });
});

describe("error counts", () => {
  it("count characters against what was said", () => {
    expect(characterErrors("您好，请问有什么可以帮您？", "你好请问有什么可以帮您的")).toEqual({ edits: 2, units: 11 });
  });

  it("by sound, homophones are no errors, whatever their tone", () => {
    expect(characterErrors("我要投诉你们", "我要投苏你门").edits).toBe(2);
    expect(syllableErrors("我要投诉你们", "我要投苏你门").edits).toBe(0);
    expect(syllableErrors("我要投诉你们", "我要投足你们").edits).toBe(1);
  });

  it("are added up before they are divided", () => {
    expect(
      rateOf([
        { edits: 1, units: 10 },
        { edits: 0, units: 30 },
      ]),
    ).toBe(0.025);
    expect(rateOf([])).toBeNaN();
  });
});
