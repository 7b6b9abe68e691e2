import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createWordScores } from "../../src/pipeline/asr/whisper/word-scores.ts";
import { createWordModel, LONGEST_WORD, readWordList, type WordModel } from "../../src/pipeline/asr/word-model.ts";

const MODEL = createWordModel(readWordList());
const LIST = "2.0 订\n3.0 订单 单\n5.0 但 定\n7.0 定单子\n";
const UNKNOWN = -16;
const MEAN = 5.5;

function worded(text: string, model: WordModel = MODEL) {
  return [...text].reduce((before, character) => model.next(before, character), model.start);
}

/** The best of all partings, tried one by one. */
function best(text: string, costs: ReadonlyMap<string, number>): number {
  if (text === "") return 0;
  const found = [UNKNOWN + MEAN + best(text.slice(1), costs)];
  for (let length = 1; length <= Math.min(text.length, LONGEST_WORD); length++) {
    const cost = costs.get(text.slice(0, length));
    if (cost !== undefined) found.push(length * MEAN - cost + best(text.slice(length), costs));
  }
  return Math.max(...found);
}

describe("the list of words", () => {
  const lines = readWordList().trimEnd().split("\n");
  const words = lines.flatMap((line) => line.split(" ").slice(1));

  it("has costs that ascend, and each word once, of Chinese characters only", () => {
    const costs = lines.map((line) => Number(line.split(" ")[0]));
    expect(costs).toEqual([...new Set(costs)].sort((a, b) => a - b));
    expect(new Set(words).size).toBe(words.length);
    expect(words.length).toBeGreaterThan(50_000);
    expect(words.filter((word) => !new RegExp(`^\\p{Script=Han}{1,${LONGEST_WORD}}$`, "u").test(word))).toEqual([]);
  });

  it.each([
    ["请问您的订单号是多少", "请问您的订但号是多少"],
    ["帮您查一下账单", "帮您茶一下账担"],
    ["我要投诉你们的快递", "我要头宿你们的快地"],
  ])("finds %s likelier than %s", (right, wrong) => {
    expect(worded(right).score).toBeGreaterThan(worded(wrong).score);
  });
});

describe("a model of words", () => {
  it("finds the best of all partings into words", () => {
    const costs = new Map([
      ["订", 2],
      ["订单", 3],
      ["单", 3],
      ["但", 5],
      ["定", 5],
      ["定单子", 7],
    ]);
    const model = createWordModel(LIST);
    fc.assert(
      fc.property(fc.array(fc.constantFrom(..."订单但定子丂"), { maxLength: 12 }), (characters) => {
        const text = characters.join("");
        expect(worded(text, model).score).toBeCloseTo(best(text, costs), 9);
      }),
    );
  });

  it("takes a word that has only begun for the most common that begins so", () => {
    const model = createWordModel(LIST);
    const begun = worded("定单", model);
    expect(begun.openScore).toBeCloseTo(2 * MEAN - 7);
    expect(begun.score).toBeCloseTo(2 * MEAN - 5 - 3);
    expect(worded("定单子", model).score).toBeCloseTo(3 * MEAN - 7);
  });

  it("counts nothing for digits, letters and punctuation, and begins anew after them", () => {
    const model = createWordModel(LIST);
    expect(worded("A1，?", model)).toEqual({ tail: "", ends: [0], score: 0, openScore: 0 });
    expect(worded("订，单", model).score).toBeCloseTo(worded("订", model).score + worded("单", model).score);
  });
});

describe("words of tokens", () => {
  const utf8 = (text: string) => new TextEncoder().encode(text);
  const written = [utf8("订"), utf8("單").subarray(0, 1), utf8("單").subarray(1), utf8("订单"), Uint8Array.of(0xff)];
  const bytes = (token: number) => written[token] ?? new Uint8Array();
  const END = 9;
  const scores = createWordScores(createWordModel(LIST), { bytes, end: END });
  const of = (tokens: readonly number[]) => tokens.reduce(scores.next, scores.start);

  it("joins a character that lies in two tokens, and reads traditional as simplified", () => {
    expect(of([0, 1]).score).toBe(of([0]).score);
    expect(of([0, 1, 2]).score).toBe(of([3]).score);
    expect(of([0, 1, 2]).score).toBeGreaterThan(0);
  });

  it("takes a word that has only begun as it stands once the text ends", () => {
    const model = createWordModel("3.0 订单\n9.0 订\n");
    const { start, next } = createWordScores(model, { bytes, end: END });
    const begun = next(start, 0);
    expect(next(begun, END).score).toBeLessThan(begun.score);
  });

  it("passes over bytes that are no text, and tokens that it does not know", () => {
    expect(of([4, 3]).score).toBe(of([3]).score);
    expect(of([77, 3, END]).score).toBe(of([3, END]).score);
  });
});
