import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { indexTranscript } from "../../src/pipeline/text/index-text.ts";
import { compilePhrase, type PhraseOptions } from "../../src/pipeline/text/phrase.ts";
import { readingsOf, type SoundOptions, soundKey } from "../../src/pipeline/text/pinyin.ts";
import { spoken } from "../support/utterances.ts";

const found = (text: string, pattern: string, options: PhraseOptions): string[] =>
  indexTranscript([spoken(text)])
    .find(compilePhrase(pattern, options))
    .map(({ quote, by }) => (by === "sound" ? `~${quote}` : quote));

describe("readings", () => {
  it.each([
    ["保", ["bao"]],
    ["行", ["xing", "hang", "heng"]],
    ["女", ["nv", "ru"]],
    ["嗯", ["en"]],
    ["證", ["zheng"]],
    ["a", []],
    ["😀", []],
    ["。", []],
  ])("of %j are %j", (character, expected) => {
    expect(readingsOf(character)).toEqual(expected);
  });
});

describe("what counts as one sound", () => {
  it.each<[string, string, SoundOptions]>([
    ["zhang", "zang", { retroflex: true }],
    ["chi", "ci", { retroflex: true }],
    ["shen", "sen", { retroflex: true }],
    ["jing", "jin", { nasal: true }],
    ["fang", "fan", { nasal: true }],
    ["deng", "den", { nasal: true }],
    ["nan", "lan", { lateral: true }],
    ["nv", "lv", { lateral: true }],
    ["hui", "fei", { labial: true }],
    ["hu", "fu", { labial: true }],
    ["huang", "fang", { labial: true }],
    ["ri", "li", { liquid: true }],
    ["zhang", "zan", { retroflex: true, nasal: true }],
  ])("%s and %s do under %j, and not without", (a, b, options) => {
    expect(soundKey(a, options)).toBe(soundKey(b, options));
    expect(soundKey(a, {})).not.toBe(soundKey(b, {}));
  });

  it.each<[string, string]>([
    ["dong", "don"],
    ["hai", "fai"],
    ["ng", "n"],
    ["su", "zu"],
    ["er", "el"],
  ])("%s and %s never do", (a, b) => {
    const all = { nasal: true, retroflex: true, lateral: true, labial: true, liquid: true };
    expect(soundKey(a, all)).not.toBe(soundKey(b, all));
  });
});

describe("a match by sound", () => {
  const on: PhraseOptions = { sound: true };
  it.each<[text: string, pattern: string, expected: string[], options?: PhraseOptions]>([
    ["我们包本的", "保本", ["~包本"]],
    ["我们包本的", "保本", [], {}],
    ["我们包本的", "保本", [], { sound: true, language: "en" }],
    ["我要投足", "投诉", []],
    ["我要头诉", "投诉", ["~头诉"]],
    ["你神警病", "神经病", ["~神警病"]],
    ["你神金病", "神经病", []],
    ["你神金病", "神经病", ["~神金病"], { sound: { nasal: true } }],
    ["你森经病", "神经病", ["~森经病"], { sound: { retroflex: true } }],
    ["南天了", "蓝天啦", [], { sound: { lateral: true } }],
    ["看那南天吧", "看那蓝天吧", ["~看那南天吧"], { sound: { lateral: true } }],
    // Two syllables have too little evidence for the options; one has none at all.
    ["我要包奔的", "保本", ["~包奔"], { sound: { nasal: true } }],
    ["我要包崩的", "保本", [], { sound: { nasal: true } }],
    ["位，您好", "喂", []],
    ["他行了", "行", ["行"]],
    // Readings: any common one will do.
    ["银航卡", "银行卡", ["~银航卡"]],
    ["虫新来", "重新来", ["~虫新来"]],
    ["一律处理", "一率处理", ["~一律处理"]],
    // Written beats sounding.
    ["保本和包本", "保本", ["保本", "~包本"]],
    ["保本保本", "保本", ["保本", "保本"]],
    // Digits.
    ["拨打要三八", "138", ["~要三八"]],
    ["我已定办好", "我一定办好", ["~我已定办好"]],
    ["我要定办好", "我一定办好", []],
    // Gaps: a single character must be written as it is.
    ["你去头诉吧", "你{0..3}投诉", ["~你去头诉"]],
    ["泥去头诉吧", "你{0..3}投诉", []],
    // Hesitations.
    ["神嗯警那个病", "神经病", ["~神嗯警那个病"]],
    // Longer phrases.
    ["交包证金", "保证", [], { sound: true, except: ["保证金"] }],
    ["交包证今", "保证", [], { sound: true, except: ["保证金"] }],
    ["我保证今天好", "保证", ["保证"], { sound: true, except: ["保证金"] }],
    ["我包证好", "保证", ["~包证"], { sound: true, except: ["保证金"] }],
    // What is not Chinese is found as written only.
    ["call me", "call me", ["call me"]],
    ["knight", "night", []],
    // Whole utterances.
    ["头诉。", "投诉", ["~头诉"], { sound: true, wholeUtterance: true }],
    ["去头诉。", "投诉", [], { sound: true, wholeUtterance: true }],
  ])("in %j of %j: %j", (text, pattern, expected, options = on) => {
    expect(found(text, pattern, options)).toEqual(expected);
  });

  it("is believed less, the shorter the less", () => {
    const confidence = (text: string, pattern: string): number | undefined =>
      indexTranscript([{ ...spoken(text), confidence: 0.9 }]).find(compilePhrase(pattern, on))[0]?.confidence;
    expect(confidence("保本", "保本")).toBeCloseTo(0.9);
    expect(confidence("百分包本收益", "百分保本收益")).toBeCloseTo(0.54);
    expect(confidence("神警病", "神经病")).toBeCloseTo(0.45);
    expect(confidence("包本", "保本")).toBeCloseTo(0.36);
  });

  it("finds what a comparison of readings finds, character by character", () => {
    const han = fc.constantFrom(..."保包宝本奔证正政投头诉素神深经警行航银重从新长常");
    const text = fc.array(han, { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(text, fc.array(han, { minLength: 2, maxLength: 4 }), (said, phrase) => {
        const same = (a: string, b: string): boolean => readingsOf(a).some((reading) => readingsOf(b).includes(reading));
        const is = said.some(
          (_, at) => at + phrase.length <= said.length && phrase.every((character, i) => same(character, said[at + i] as string)),
        );
        expect(found(said.join(""), phrase.join(""), on).length > 0).toBe(is);
      }),
      { numRuns: 500 },
    );
  });
});
