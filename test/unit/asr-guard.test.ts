import { describe, expect, it } from "vitest";
import { doubtOf } from "../../src/pipeline/asr/guard.ts";
import type { Language } from "../../src/pipeline/types.ts";

const PIECE = { tokens: [], confidence: 0.9, noSpeech: 0.01, capped: false, looped: false, prompted: false, languages: null, tags: {} };
const doubt = (text: string, seconds: number, more: Partial<typeof PIECE> = {}, language: Language = "zh") =>
  doubtOf({ ...PIECE, text, ...more }, { speech: [[0, seconds * 1000]], language });

describe("doubtOf", () => {
  it.each([
    ["您好，请问有什么可以帮您？", 3],
    ["号码是一三八八八八八八八八八", 4],
    ["88888888", 3],
    ["好好好好好", 2],
    ["对对对对，是的是的", 3],
    ["谢谢。", 1],
    ["谢谢您的来电，再见", 3],
    ["iPhone 和 iPad 都可以", 3],
    ["嗯", 0.3],
    ["", 5],
  ])("trusts %s in %d s", (text, seconds) => {
    expect(doubt(text, seconds)).toBeNull();
  });

  it.each([
    ["字幕由 Amara.org 社区提供", 5, "credits"],
    ["请不吝点赞 订阅 转发 打赏支持明镜与点点栏目", 6, "credits"],
    ["謝謝大家收看", 3, "credits"],
    ["中文字幕志愿者 李宗盛", 4, "credits"],
    ["作词：李宗盛", 3, "credits"],
    ["我要退货我要退货我要退货我要退货我要退货", 6, "loop"],
    ["嗯嗯嗯嗯嗯嗯嗯嗯嗯嗯", 4, "loop"],
    ["ご視聴ありがとうございました", 3, "foreign-script"],
    ["시청해 주셔서 감사합니다", 3, "foreign-script"],
    ["您好请问有什么可以帮您我们这里是客户服务中心", 1, "too-much-text"],
    ["好", 4, "too-little-text"],
  ] as const)("doubts %s in %d s: %s", (text, seconds, why) => {
    expect(doubt(text, seconds)).toBe(why);
  });

  it("believes the engine where it says that nobody speaks, that it looped or wrote its prompt", () => {
    expect(doubt("您好请讲", 2, { noSpeech: 0.41 })).toBe("no-speech");
    expect(doubt("您好请讲", 2, { noSpeech: 0.4 })).toBeNull();
    expect(doubt("您好请讲", 2, { looped: true })).toBe("loop");
    expect(doubt("您好请讲", 2, { prompted: true })).toBe("prompt");
  });

  it("holds English to English", () => {
    expect(doubt("Thank you for calling, how may I help you?", 3, {}, "en")).toBeNull();
    expect(doubt("Thanks for watching!", 2, {}, "en")).toBe("credits");
    expect(doubt("您好，请问有什么可以帮您", 3, {}, "en")).toBe("foreign-script");
    expect(doubt("one two three four five six seven eight nine", 1, {}, "en")).toBe("too-much-text");
    expect(doubt("the the the the the the the the the", 4, {}, "en")).toBe("loop");
  });

  it("is not slow with a hostile text", () => {
    expect(doubt("ab".repeat(50_000), 5)).toBe("too-little-text");
    expect(doubt(`${"甲乙".repeat(5_000)}丙`, 5)).toBe("loop");
  });
});
