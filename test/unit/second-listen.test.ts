import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { assemble } from "../../src/pipeline/asr/assemble.ts";
import type { ListenedPhrase } from "../../src/pipeline/asr/port.ts";
import type { HeardToken, Recogniser } from "../../src/pipeline/asr/recogniser.ts";
import type { PlacedPiece, SecondListenOptions } from "../../src/pipeline/asr/second-listen/placed-piece.ts";
import { listenAgain } from "../../src/pipeline/asr/second-listen.ts";
import { CallsiftError } from "../../src/pipeline/errors.ts";
import { compilePhrase, type PhraseOptions } from "../../src/pipeline/text/phrase.ts";
import type { Hearing } from "../../src/pipeline/types.ts";
import { type Script, scriptedRecogniser, spread } from "../support/scripted-recogniser.ts";

const START_MS = 10_000;
const RATE_PER_MS = 16;

/** A steady tone of that many ms, so that level and cut can be seen. */
const tone = (ms: number, amplitude = 0.1) => Float32Array.from({ length: ms * RATE_PER_MS }, (_, i) => amplitude * Math.sin(i / 5));

type Weigh = (texts: readonly string[]) => Promise<readonly number[]>;

/** A weigh that knows how much likelier some texts are than the first, which is the one that was written. */
function knowing(margins: Readonly<Record<string, number>>): { weigh: Weigh; asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    weigh: async (texts) => {
      asked.push(...texts);
      return texts.map((text, i) => (i === 0 ? -20 : -20 + (margins[text] ?? -100)));
    },
  };
}

function placed(
  text: string,
  options: { ms?: number; weigh?: Weigh | null; tokens?: HeardToken[]; confidence?: number } = {},
): PlacedPiece {
  const { ms = 8_000, weigh = null, confidence = 0.3 } = options;
  const tokens = options.tokens ?? spread(text, ms, confidence);
  const heard = {
    text,
    tokens,
    confidence,
    noSpeech: null,
    capped: false,
    looped: false,
    prompted: false,
    languages: null,
    tags: {},
  };
  const piece = { startMs: START_MS, endMs: START_MS + ms, speech: [[START_MS, START_MS + ms] as const], continues: false };
  const { utterances } = assemble(
    { piece, heard, doubt: null },
    { channel: 0, soundChannel: 0, speaker: null, speech: piece.speech, mute: [] },
    { minConfidence: 0 },
  );
  return { sound: tone(ms), startMs: START_MS, heard: { ...heard, weigh, release() {} }, utterances };
}

const listened = (source: string, what: Partial<ListenedPhrase> & { options?: PhraseOptions } = {}): ListenedPhrase => {
  const { options, ...rest } = what;
  return { phrase: compilePhrase(source, options), confirm: false, search: true, ...rest };
};

const deaf = () =>
  scriptedRecogniser(() => {
    throw new Error("nothing is heard again here");
  });

async function listen(piece: PlacedPiece, phrases: readonly ListenedPhrase[], options: Partial<SecondListenOptions> = {}) {
  return listenAgain(piece, { recogniser: deaf(), judge: null, phrases, language: "zh", ...options });
}

describe("what is written and costs points", () => {
  const phrases = [listened("不清楚", { confirm: true, search: false })];
  const text = "您好，这个事情我也不清楚，您再打一次电话问问看吧";

  test.each([
    ["as written", "事情我也不清楚，您再打", true],
    ["by sound", "事情我也不请楚您再打", true],
    ["not at all", "事情我也很清楚，您再打", false],
    ["nothing is heard", "", false],
  ])("is heard again: %s", async (_how, again, said) => {
    const recogniser = scriptedRecogniser(() => ({ text: again }));
    const piece = placed(text);
    const judged = await listen(piece, phrases, { recogniser });
    expect(judged).toMatchObject([{ phrase: "不清楚", wording: "不清楚", written: "不清楚", check: "confirm", said, margin: null }]);
    const { startMs, endMs } = judged[0] as Hearing;
    expect(startMs).toBeGreaterThan(START_MS + 2_000);
    expect(endMs).toBeLessThan(START_MS + 6_000);
    expect(recogniser.held).toBe(0);
  });

  test("is cut otherwise and has another level", async () => {
    const recogniser = scriptedRecogniser(() => ({ text: "不清楚" }));
    const piece = placed(text);
    await listen(piece, phrases, { recogniser });
    const [again] = recogniser.heard as [Float32Array];
    expect(again.length).toBeLessThan(piece.sound.length);
    expect(again.length).toBeGreaterThan(3_000 * RATE_PER_MS);
    expect(Math.max(...again)).toBeCloseTo(0.2, 2);
  });

  test("is not made louder than it can be", async () => {
    const recogniser = scriptedRecogniser(() => ({ text: "不清楚" }));
    await listen({ ...placed(text), sound: tone(8_000, 0.9) }, phrases, { recogniser });
    expect(Math.max(...(recogniser.heard[0] as Float32Array))).toBeCloseTo(0.45, 2);
  });

  test("is heard after some silence where the piece is too short to be cut", async () => {
    const recogniser = scriptedRecogniser(() => ({ text: "不清楚" }));
    const piece = placed("我不清楚", { ms: 1_200 });
    await listen(piece, phrases, { recogniser });
    const [again] = recogniser.heard as [Float32Array];
    expect(again.length).toBeGreaterThan(piece.sound.length);
    expect(again.slice(0, 300 * RATE_PER_MS).every((sample) => sample === 0)).toBe(true);
  });

  test("is heard once where two stand side by side, twice where they are apart", async () => {
    const both = [...phrases, listened("没办法", { confirm: true, search: false })];
    const near = scriptedRecogniser(() => ({ text: "不清楚没办法" }));
    expect(await listen(placed("我不清楚，没办法"), both, { recogniser: near })).toHaveLength(2);
    expect(near.heard).toHaveLength(1);
    const far = scriptedRecogniser(() => ({ text: "不清楚" }));
    const judged = await listen(placed("我不清楚，您先等一等我们再来看一看这个事情到底怎么样，没办法", { ms: 16_000 }), both, {
      recogniser: far,
    });
    expect(far.heard).toHaveLength(2);
    expect(judged.map(({ phrase, said }) => [phrase, said])).toEqual([
      ["不清楚", true],
      ["没办法", false],
    ]);
  });

  test("is weighed where the second text has something like it", async () => {
    const again = "我也不清除，您";
    const weigh = knowing({ "我也不清楚，您": 3 }).weigh;
    const homophone = listened("很满意", { confirm: true, search: false });
    const likely = scriptedRecogniser(() => ({
      text: "真的很慢一",
      tokens: spread("真的很慢一", 2_000, 0.5),
      weigh: knowing({ 真的很满意: -2 }).weigh,
    }));
    expect(await listen(placed("我们真的很满意"), [homophone], { recogniser: likely })).toMatchObject([{ said: true }]);
    expect(await listen(placed(text), phrases, { recogniser: scriptedRecogniser(() => ({ text: again, weigh })) })).toMatchObject([
      { said: true },
    ]);
    const other = scriptedRecogniser(() => ({
      text: "我也不轻松，您",
      tokens: spread("我也不轻松，您", 3_000, 0.5),
      weigh: knowing({ "我也不清楚，您": -12 }).weigh,
    }));
    expect(await listen(placed(text), phrases, { recogniser: other })).toMatchObject([{ said: false }]);
  });

  test("English too", async () => {
    const recogniser = scriptedRecogniser(() => ({ text: "i have no idea" }));
    const piece = placed("i have no idea what it is", { ms: 5_000 });
    const judged = await listen(piece, [listened("no idea", { confirm: true, options: { language: "en" } })], {
      recogniser,
      language: "en",
    });
    expect(judged).toMatchObject([{ phrase: "no idea", said: true, check: "confirm" }]);
  });
});

describe("what sounds like a wording", () => {
  test("is said where the sound likes it nearly as much as what was written", async () => {
    const { weigh } = knowing({ 不满意你去投诉吧: -4 });
    const judged = await listen(placed("不满意你去投足吧", { weigh }), [listened("去(投诉|举报)吧")]);
    expect(judged).toMatchObject([
      { phrase: "去(投诉|举报)吧", wording: "去投诉吧", written: "去投足吧", check: "search", said: true, margin: -4 },
    ]);
    const { startMs, endMs } = judged[0] as Hearing;
    expect([startMs, endMs]).toEqual([START_MS + 4_000, START_MS + 8_000]);
  });

  // The farther the written syllables are from the wording's, and the fewer they are, the more the sound must say for it.
  test.each([
    ["去投诉吧", "不满意你去投足吧", -4.9, true],
    ["去投诉吧", "不满意你去投足吧", -5.1, false],
    ["投诉", "不满意你去投素吧", -2.6, true],
    ["投诉", "不满意你去投素吧", -8.1, false],
    ["投诉", "不满意你去投足吧", -0.1, false],
    ["投诉", "不满意你去投素吧", Number.NaN, false],
  ])("%s in %s at %d", async (source, text, margin, said) => {
    const { weigh } = knowing({ 不满意你去投诉吧: margin });
    expect(await listen(placed(text, { weigh }), [listened(source)])).toHaveLength(said ? 1 : 0);
  });

  test("keeps what is written between its pieces, and the punctuation", async () => {
    const { weigh, asked } = knowing({ "您好，有什么可以帮您。": -1 });
    const judged = await listen(placed("您好，有神么可以帮您。", { weigh }), [listened("有什么{0..4}帮")]);
    expect(judged).toMatchObject([{ wording: "有什么可以帮", written: "有神么可以帮" }]);
    expect(asked[0]).toBe("您好，有神么可以帮您。");
  });

  test.each([
    ["the text has it already", "你去投诉吧", [listened("投诉")]],
    ["it would be another word", "一共三百元宝证金退给您", [listened("保证", { options: { except: ["保证金"] } })]],
    ["nothing sounds like it", "今天天气很好", [listened("投诉")]],
    [
      "another of its group is there",
      "您好，有神么可以帮您",
      [listened("您好", { groups: ["a"] }), listened("有什么{0..4}帮", { groups: ["a"] })],
    ],
    ["it is not to be searched for", "不满意你去投足吧", [listened("投诉", { search: false })]],
    ["it must be all that is said", "不满意你去投足吧", [listened("投诉", { options: { wholeUtterance: true } })]],
    ["it is a regular expression", "不满意你去投足吧", [listened("/投诉/")]],
    ["it is one syllable", "魏先生", [listened("喂")]],
  ])("is not weighed where %s", async (_why, text, phrases) => {
    const { weigh, asked } = knowing({});
    expect(await listen(placed(text, { weigh }), phrases)).toEqual([]);
    expect(asked).toEqual([]);
  });

  test("is weighed beside a place where the text has it", async () => {
    const { weigh } = knowing({ 你去投诉吧投诉: -1 });
    const judged = await listen(placed("你去投诉吧投素", { weigh }), [listened("投诉")]);
    expect(judged).toMatchObject([{ written: "投素", startMs: START_MS + Math.round((5 / 7) * 8_000) }]);
  });

  test("is weighed where another group of it has nothing", async () => {
    const { weigh } = knowing({ "您好，有什么可以帮您": -1 });
    const phrases = [listened("您好", { groups: ["a"] }), listened("有什么{0..4}帮", { groups: ["a", "b"] })];
    expect(await listen(placed("您好，有神么可以帮您", { weigh }), phrases)).toHaveLength(1);
  });

  test("is all of an utterance where it must be", async () => {
    const { weigh } = knowing({ 投诉: -1 });
    expect(await listen(placed("投素", { weigh, ms: 900 }), [listened("投诉", { options: { wholeUtterance: true } })])).toHaveLength(1);
  });

  test("is not weighed where the engine was sure of every character that it would change", async () => {
    const { weigh, asked } = knowing({ 不满意你去投诉吧: 5 });
    const tokens = spread("不满意你去投足吧", 8_000, 0.6).map((token) => (token.text === "足" ? { ...token, confidence: 0.999 } : token));
    expect(await listen(placed("不满意你去投足吧", { weigh, tokens }), [listened("投诉")])).toEqual([]);
    expect(asked).toEqual([]);
  });

  describe("with doubtful characters beside it", () => {
    const text = "请对我的服务做出请一下";
    const phrases = [listened("对我的服务做出评价")];
    const doubtful = (...places: number[]) =>
      spread(text, 8_000, 0.3).map((token, i) => (places.includes(i) ? { ...token, confidence: 0.1 } : { ...token, confidence: 0.6 }));

    test("stands for them too", async () => {
      const { weigh, asked } = knowing({ 请对我的服务做出评价: -1 });
      const judged = await listen(placed(text, { weigh, tokens: doubtful(8, 9, 10) }), phrases);
      expect(asked).toEqual([text, "请对我的服务做出评价"]);
      expect(judged).toMatchObject([{ wording: "对我的服务做出评价", written: "对我的服务做出请一下", margin: -1 }]);
      expect(judged[0]?.endMs).toBe(START_MS + 8_000);
    });

    test("leaves what the engine is sure of", async () => {
      const { weigh, asked } = knowing({});
      await listen(placed(text, { weigh, tokens: doubtful(8, 9) }), phrases);
      expect(asked).toEqual([text, "请对我的服务做出评价下"]);
    });
  });

  test("is weighed few times, however many phrases there are", async () => {
    const { weigh, asked } = knowing({});
    const phrases = [..."去来打找问说看走吃写听读"].map((verb) => listened(`你${verb}投诉吧`));
    await listen(placed("不满意你取头素吧", { weigh }), phrases);
    expect(asked.length).toBeLessThanOrEqual(5);
    expect(asked.length).toBeGreaterThan(2);
  });

  test("is judged by the second engine where the first cannot, and that one is let go", async () => {
    const { weigh } = knowing({ 不满意你去投诉吧: -1 });
    const second = scriptedRecogniser(() => ({ text: "不满意你去投诉吧", weigh }));
    const judge = async (): Promise<Recogniser> => second;
    expect(await listen(placed("不满意你去投素吧"), [listened("投诉")], { judge })).toMatchObject([{ said: true, margin: -1 }]);
    expect([second.heard.length, second.held]).toEqual([1, 0]);
    expect(await listen(placed("今天天气很好"), [listened("投诉")], { judge })).toEqual([]);
    expect(second.heard).toHaveLength(1);
    expect(await listen(placed("不满意你去投素吧"), [listened("投诉")], { judge: async () => null })).toEqual([]);
    expect(await listen(placed("不满意你去投素吧"), [listened("投诉")])).toEqual([]);
  });
});

describe("an engine that fails when it listens again", () => {
  const fails = (code: "asr/time-out" | "aborted" | "internal/bug") =>
    scriptedRecogniser((): Script => {
      throw new CallsiftError(code, "as the test wants it");
    });
  const phrases = [listened("不清楚", { confirm: true })];

  test("has confirmed nothing and denied nothing", async () => {
    expect(await listen(placed("我不清楚"), phrases, { recogniser: fails("asr/time-out") })).toEqual([]);
  });

  test("stops when it is told to", async () => {
    await expect(listen(placed("我不清楚"), phrases, { recogniser: fails("aborted") })).rejects.toMatchObject({ code: "aborted" });
    await expect(listen(placed("我不清楚"), phrases, { recogniser: fails("internal/bug") })).rejects.toMatchObject({
      code: "internal/bug",
    });
  });
});

test("whatever is written, hearings lie in the piece and are of the phrases", async () => {
  const characters = [..."投诉足去你您好号有什神么帮不清楚请抱歉保证金，。 Ab1三"];
  const phrases = [
    listened("去投诉", { confirm: true }),
    listened("有什么{0..4}帮"),
    listened("不清楚", { confirm: true, options: { except: ["听不清楚"] } }),
    listened("(抱歉|保证)", { groups: ["a"] }),
    listened("您好", { groups: ["a"], options: { wholeUtterance: true } }),
  ];
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...characters), { maxLength: 40 }), async (parts) => {
      const text = parts.join("").trim();
      const weigh: Weigh = async (texts) => texts.map(() => -1);
      const recogniser = scriptedRecogniser(() => ({ text, weigh }));
      for (const one of await listen(placed(text, { weigh }), phrases, { recogniser })) {
        expect(phrases.map(({ phrase }) => phrase.source)).toContain(one.phrase);
        expect(one.startMs).toBeGreaterThanOrEqual(START_MS);
        expect(one.endMs).toBeLessThanOrEqual(START_MS + 8_001);
        expect(one.endMs).toBeGreaterThan(one.startMs);
        expect(one.said).toBe(true);
      }
      expect(recogniser.held).toBe(0);
    }),
    { numRuns: 80 },
  );
});
