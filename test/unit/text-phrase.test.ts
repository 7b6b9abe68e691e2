import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CallsiftError } from "../../src/pipeline/errors.ts";
import { indexTranscript } from "../../src/pipeline/text/index-text.ts";
import { normalise } from "../../src/pipeline/text/normalise.ts";
import { numberVariants, parseNumber, speakNumber } from "../../src/pipeline/text/numbers.ts";
import { compilePhrase, type PhraseOptions } from "../../src/pipeline/text/phrase.ts";
import { spoken } from "../support/utterances.ts";

/** What is found in one utterance: quotes in order, `~` before what only sounds so. */
function found(text: string, pattern: string, options: PhraseOptions = {}): string[] {
  return indexTranscript([spoken(text)])
    .find(compilePhrase(pattern, options))
    .map(({ quote, by }) => (by === "sound" ? `~${quote}` : quote));
}

describe("what a phrase finds", () => {
  const noFillers: PhraseOptions = { ignoreFillers: false };
  it.each<[text: string, pattern: string, expected: string[], options?: PhraseOptions]>([
    // Writing.
    ["您好，请问有什么可以帮您？", "请问有什么可以帮您", ["请问有什么可以帮您"]],
    ["您好，请问有什么可以帮您", "请问有什么可以帮您?", ["请问有什么可以帮您"]],
    ["請問有什麼可以幫您", "请问有什么可以帮您", ["請問有什麼可以幫您"]],
    ["请问有什么可以帮您", "請問有甚麼可以幫您", ["请问有什么可以帮您"]],
    ["不，知。道", "不知道", ["不，知。道"]],
    ["我😀保\u200b证", "我保证", ["我😀保\u200b证"]],
    ["办ＶＩＰ卡", "vip卡", ["ＶＩＰ卡"]],
    // Digits.
    ["打一二三一五", "12315", ["一二三一五"]],
    ["打12315", "一二三一五", ["12315"]],
    ["打１２３１５吧", "12315", ["１２３１５"]],
    ["号码一三八零零", "138", ["一三八"]],
    ["号码幺三八零零", "138", ["幺三八"]],
    ["号码13800", "一三八", ["138"]],
    ["一共一百二十元", "120元", ["一百二十元"]],
    ["一共120元", "一百二十元", ["120元"]],
    ["一共一百二十五元", "120", []],
    ["二十四小时内", "24小时", ["二十四小时"]],
    ["二十四小时内", "20", []],
    ["保证百分之百收益", "保证100%收益", ["保证百分之百收益"]],
    ["保证１００％收益", "百分之百", ["１００％"]],
    ["百分之五十", "50%", ["百分之五十"]],
    ["赔您1000万", "一千万", ["1000万"]],
    ["等两天", "2天", ["两天"]],
    ["三点五个点", "3.5个点", ["三点五个点"]],
    // Words that hold a digit.
    ["一定给您办好", "一定", ["一定"]],
    ["这都一样", "一样", ["一样"]],
    ["万一不行", "万一", ["万一"]],
    ["千万别急", "千万", ["千万"]],
    ["三心二意", "三心二意", ["三心二意"]],
    ["统一处理", "统一", ["统一"]],
    ["一万一千元", "万一", ["万一"]],
    // Hesitations.
    ["不嗯知那个道", "不知道", ["不嗯知那个道"]],
    ["不嗯知那个道", "不知道", [], noFillers],
    ["那个投诉", "那个投诉", ["那个投诉"]],
    ["那个嗯投诉", "那个投诉", ["那个嗯投诉"]],
    ["那个那个投诉", "那个投诉", ["那个投诉"]],
    ["我那个那边", "我那边", ["我那个那边"]],
    ["我那个嗯呃啊诶投诉", "我投诉", []],
    ["我嗯呃啊诶投诉", "我投诉", ["我嗯呃啊诶投诉"]],
    ["I um don't uh know", "i don't know", ["I um don't uh know"]],
    ["summer", "sumer", []],
    // Words of spaced scripts.
    ["I know", "no", []],
    ["no, I do not know", "no", ["no"]],
    ["I don’t know", "don't know", ["don’t know"]],
    ["press 12 now", "press 1", []],
    ["press 1 now", "press 1", ["press 1"]],
    ["说no不行", "no", ["no"]],
    ["How may I help you today?", "how (can|may) i help you?", ["How may I help you"]],
    ["colour color", "colo[u]r", ["colour", "color"]],
    // Gaps and wildcards.
    ["你去投诉吧", "你{0..4}投诉", ["你去投诉"]],
    ["你投诉你投诉", "你{0..4}投诉", ["你投诉", "你投诉"]],
    ["你你投诉", "你{0..4}投诉", ["你投诉"]],
    ["你一二三四五投诉", "你{0..4}投诉", []],
    ["你，一二三四！投诉", "你{0..4}投诉", ["你，一二三四！投诉"]],
    ["你嗯一二三四投诉", "你{0..4}投诉", ["你嗯一二三四投诉"]],
    ["你投诉", "你{1..4}投诉", []],
    ["你去投诉", "你{1}投诉", ["你去投诉"]],
    ["你一二三四五六七八九十百千投诉", "你*投诉", ["你一二三四五六七八九十百千投诉"]],
    ["你一二三四五六七八九十百千万投诉", "你*投诉", []],
    ["不太清楚", "不?清楚", ["不太清楚"]],
    ["不清楚", "不?清楚", []],
    ["you really should go and complain", "you{0..4}complain", ["you really should go and complain"]],
    ["you really should go on and complain", "you{0..4}complain", []],
    ["你去投诉你别投诉", "你{0..2}投诉{0..3}别", ["你去投诉你别"]],
    // Alternatives.
    ["投诉你们举报你们", "(投诉|举报)你们", ["投诉你们", "举报你们"]],
    ["我的名字我名字", "我[的]名字", ["我的名字", "我名字"]],
    ["清楚了清楚", "清楚|清楚了", ["清楚了", "清楚"]],
    ["我要去投诉", "(我|你)[要](去|来){0..2}(投诉|举报)", ["我要去投诉"]],
    ["a*b", "a\\*b", ["a*b"]],
    // Longer phrases that do not count.
    ["交保证金，我保证", "保证", ["保证"], { except: ["保证金"] }],
    ["交保证金", "保证", [], { except: ["保证金"] }],
    ["我不清楚您清楚吗", "清楚", ["清楚"], { except: ["不清楚"] }],
    ["不太清楚", "清楚", [], { except: ["不{0..1}清楚"] }],
    ["喂养宝宝", "喂", [], { except: ["喂养"] }],
    ["喂养，喂", "喂", ["喂"], { except: ["/喂[养食]/"] }],
    // All that was said.
    ["喂？", "喂", ["喂"], { wholeUtterance: true }],
    ["嗯，喂，那个", "喂", ["喂"], { wholeUtterance: true }],
    ["嗯，喂", "喂", [], { wholeUtterance: true, ignoreFillers: false }],
    ["喂您好", "喂", [], { wholeUtterance: true }],
    ["喂您好", "喂*", ["喂"], { wholeUtterance: true }],
    ["What?", "what", ["What"], { wholeUtterance: true }],
    ["What now", "what", [], { wholeUtterance: true }],
    // Regular expressions.
    ["我保證，有收益", "/保证.{0,3}收益/", ["保證，有收益"]],
    ["拨打13800138000。", "/\\d{11}/", ["13800138000"]],
    ["ABC abc", "/[a-c]+/", ["ABC", "abc"]],
    ["我知道", "/^知道/", []],
    ["为什么？", "/什么？$/", []],
    ["为什么？", "/什么[?？]$/", ["什么？"]],
    ["保证书和證書", "/[证]书/", ["证书", "證書"]],
    ["喂。", "/喂/", ["喂"], { wholeUtterance: true }],
    ["喂您", "/喂/", [], { wholeUtterance: true }],
  ])("%j holds %j: %j", (text, pattern, expected, options) => {
    expect(found(text, pattern, options)).toEqual(expected);
  });
});

describe("find", () => {
  const han = fc.constantFrom(..."不知道清楚一保证金二");
  const joined = (alphabet: fc.Arbitrary<string>, maxLength: number): fc.Arbitrary<string> =>
    fc.array(alphabet, { minLength: 1, maxLength }).map((characters) => characters.join(""));

  it("finds exactly what a search from left to right over the folded text finds", () => {
    fc.assert(
      fc.property(joined(han, 60), joined(han, 4), (text, phrase) => {
        const folded = normalise(text).text;
        const wanted = normalise(phrase).text;
        const expected: number[] = [];
        for (let at = folded.indexOf(wanted); at >= 0; at = folded.indexOf(wanted, at + wanted.length)) expected.push(at);
        const matches = indexTranscript([spoken(text)]).find(compilePhrase(phrase, { ignoreFillers: false }));
        expect(matches.map(({ start }) => start)).toEqual(expected);
        for (const match of matches) expect(text.slice(match.start, match.end)).toBe(match.quote);
      }),
      { numRuns: 500 },
    );
  });

  it("finds with gaps what a regular expression over the folded text finds", () => {
    fc.assert(
      fc.property(
        joined(fc.constantFrom(..."甲乙丙"), 30),
        joined(fc.constantFrom(..."甲乙"), 2),
        joined(fc.constantFrom(..."乙丙"), 2),
        fc.nat(3),
        (text, a, b, max) => {
          const is = new RegExp(`${a}.{0,${max}}${b}`).test(text);
          const matches = indexTranscript([spoken(text)]).find(compilePhrase(`${a}{0..${max}}${b}`));
          expect(matches.length > 0).toBe(is);
          for (const { quote } of matches) expect(quote).toMatch(new RegExp(`^${a}.{0,${max}}${b}$`));
          for (let i = 1; i < matches.length; i++) expect(matches[i]?.start).toBeGreaterThanOrEqual(matches[i - 1]?.end as number);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("passes over hesitations wherever they stand", () => {
    const filler = fc.constantFrom("嗯", "那个", "，啊，", "呃", "");
    fc.assert(
      fc.property(
        joined(fc.constantFrom(..."不知道清楚保证金"), 6),
        fc.array(filler, { minLength: 6, maxLength: 6 }),
        (phrase, fillers) => {
          const said = [...phrase].map((character, i) => (i === 0 ? character : `${fillers[i]}${character}`)).join("");
          expect(found(`您${said}了`, phrase)).toEqual([said]);
        },
      ),
    );
  });
});

describe("numbers", () => {
  it("speaks and reads back every whole number below ten thousand million", () => {
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 9_999_999_999 }), (value) => {
        expect(parseNumber(speakNumber(value))).toBe(value);
      }),
    );
  });

  it.each([["千万"], ["万1"], ["1百2"], ["百"], ["1定"], ["十2百"], [""]])("%j is no number", (text) => {
    expect(parseNumber(text)).toBeNull();
  });

  it("keeps a phrase of many numbers as it is", () => {
    expect(numberVariants("20和30和40和50和60")).toEqual(["20和30和40和50和60"]);
  });
});

describe("a bad pattern", () => {
  it.each([
    ["", /character 1: expected text/],
    ["，。", /expected at least one letter/],
    ["你(投诉", /character 5: expected "\)"/],
    ["投诉)", /character 3: expected "\("/],
    ["投诉]", /character 3: expected "\["/],
    ["投诉}", /character 3: expected "\{"/],
    ["(投诉]", /expected "\)"/],
    ["(投诉|)", /character 5: expected text/],
    ["()", /character 2: expected text/],
    ["你{0,4}投诉", /character 2: expected a gap such as \{0\.\.4\}/],
    ["你{4..0}投诉", /character 2: expected a gap from less to more/],
    ["你{0..999}投诉", /at most 60/],
    ["*", /expected at least one letter/],
    ["投诉\\", /character 4: expected a character after/],
    ["(((((((((投诉)))))))))", /at most 8 brackets/],
    [`${"(a|b)".repeat(30)}`, /at most 256 ways/],
    [`${"[a]".repeat(200)}`, /at most 256 ways/],
    [`(${"a|".repeat(400)}a)`, /at most 256 ways/],
    ["保".repeat(1_000_000), /at most 1000 characters, got 1000000/],
    [`/${"a".repeat(1_000_000)}/`, /at most 1000 characters/],
    ["/(投诉/", /character 2: expected a regular expression of RE2.*missing closing/],
    ["/(a)\\1/", /character 5: expected a regular expression of RE2, got: invalid escape/],
    ["/a(?=b)/", /expected a regular expression of RE2/],
    ["/(((a{100}){100}){100})/", /expected a regular expression of RE2/],
  ])("number %# is refused with its place", (pattern, message) => {
    let error: unknown;
    try {
      compilePhrase(pattern);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(CallsiftError);
    expect(error).toMatchObject({ code: "rules/invalid", message: expect.stringMatching(message) });
    expect((error as CallsiftError).message).toContain(`"${pattern.slice(0, 60)}`);
    expect((error as CallsiftError).message.length).toBeLessThan(300);
  });

  it("never does anything but compile or refuse", () => {
    const part = fc.constantFrom(..."()[]{}|*?\\/.0123投诉a ", "{0..2}", "\ud800", "😀");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 20 }), (parts) => {
        try {
          indexTranscript([spoken("投诉a投诉 0123")]).find(compilePhrase(parts.join("")));
        } catch (error) {
          expect(error).toMatchObject({ code: "rules/invalid" });
        }
      }),
      { numRuns: 1000 },
    );
  });
});
