import fc from "fast-check";
import { expect, test } from "vitest";
import { createEncoder } from "../../src/pipeline/asr/sherpa/encode.ts";
import { parseTokens, toByteChars } from "../../src/pipeline/asr/sherpa/tokens.ts";
import { joinSymbols, type Recognised } from "../../src/pipeline/asr/sherpa/words.ts";

const heard = (symbols: readonly string[], everyMs = 200): Recognised[] =>
  symbols.map((symbol, i) => ({ symbol, startMs: i * everyMs, logProb: Math.log(0.9) }));
const table = (symbols: readonly string[]) => parseTokens(symbols.map((symbol, id) => `${symbol} ${id}\n`).join(""));
const spelt = (symbols: readonly string[], spelling: "plain" | "bytes" | "bpe-marks" = "plain") => {
  const { text, words } = joinSymbols(heard(symbols), spelling, 60_000);
  return { text, words: words.map((word) => word.text) };
};

test("characters are words of their own, marks belong to the word before, letters join", () => {
  expect(spelt(["您", "好", "，", "▁he", "llo", "世", "。"])).toEqual({ text: "您好，hello世。", words: ["您", "好，", "hello", "世。"] });
  expect(spelt(["▁I", "▁don", "'", "t", "▁know", "."])).toEqual({ text: "I don't know.", words: ["I", "don't", "know."] });
  expect(spelt(["，", "好"])).toEqual({ text: "，好", words: ["，好"] });
  expect(spelt(["1", "2", ".", "5", "%", "的"])).toEqual({ text: "12.5%的", words: ["12.5%", "的"] });
});

test("special symbols are never text", () => {
  expect(spelt(["<unk>", "好", "<|zh|>", "</s>", "<sos/eos>"])).toEqual({ text: "好", words: ["好"] });
});

test("words cut in parts by Paraformer's marks stand apart, as sherpa-onnx writes them", () => {
  expect(spelt(["想", "hel@@", "lo", "ok", "可"], "bpe-marks")).toEqual({ text: "想 hello ok 可", words: ["想", "hello", "ok", "可"] });
});

test("bytes are joined to characters before they become text, and strays spell nothing", () => {
  const bytes = [...Buffer.from("稀")].map((byte) => `<0x${byte.toString(16).toUpperCase()}>`);
  expect(spelt(["好", ...bytes, "少"])).toEqual({ text: "好稀少", words: ["好", "稀", "少"] });
  expect(spelt(["好", bytes[1] as string, "少", bytes[0] as string])).toEqual({ text: "好少", words: ["好", "少"] });
  expect(spelt([`▁${toByteChars("稀")}`, ...toByteChars("少"), `▁${toByteChars("OK")}`], "bytes")).toEqual({
    text: "稀少 OK",
    words: ["稀", "少", "OK"],
  });
});

test("a character of three bytes is as sure as all of them, and lasts to the next one at most", () => {
  const bytes = [...Buffer.from("稀")].map((byte) => `<0x${byte.toString(16).toUpperCase()}>`);
  const { words } = joinSymbols(heard(["好", ...bytes, "少"], 100), "plain", 450);
  expect(words.map(({ startMs, endMs }) => [startMs, endMs])).toEqual([
    [0, 100],
    [100, 400],
    [400, 450],
  ]);
  expect(words[1]?.confidence).toBeCloseTo(0.9 ** 3, 6);
});

test("words without times have none, and a pause is not the word's", () => {
  const timeless = joinSymbols([{ symbol: "好", startMs: null, logProb: null }], "plain", 1000).words[0];
  expect(timeless).toMatchObject({ startMs: null, endMs: null, confidence: null });
  const late = joinSymbols(heard(["好", "的"], 3000), "plain", 9000).words;
  expect(late.map(({ startMs, endMs }) => [startMs, endMs])).toEqual([
    [0, 320],
    [3000, 3320],
  ]);
});

test("any symbols give words that spell the text, in order and inside the piece", () => {
  const symbol = fc.oneof(
    fc.constantFrom("▁", "▁re", "fund", "好", "，", "<unk>", "<0xE4>", "<0xBD>", "<0xA0>", "▁好", "'", "9", " "),
    fc.string({ maxLength: 3 }),
  );
  fc.assert(
    fc.property(
      fc.array(symbol, { maxLength: 12 }),
      fc.constantFrom("plain" as const, "bytes" as const, "bpe-marks" as const),
      (symbols, spelling) => {
        const { text, words } = joinSymbols(heard(symbols, 70), spelling, 500);
        expect(text).toBe(text.trim());
        expect(words.map((word) => word.text).join("")).toBe(text.replace(/\s/gu, ""));
        let before = 0;
        for (const { startMs, endMs, from, to } of words) {
          expect(startMs).toBeGreaterThanOrEqual(before);
          expect(endMs).toBeGreaterThanOrEqual(startMs as number);
          expect(endMs).toBeLessThanOrEqual(500);
          expect(from).toBeLessThan(to);
          before = startMs as number;
        }
      },
    ),
  );
});

test("a list of symbols that is none says which line", () => {
  expect(() => parseTokens("好 0\n的\n")).toThrow("line 2");
  expect(() => parseTokens("好 0\n的 0\n")).toThrow("the number 0 is there twice");
  expect(() => parseTokens("好 0\n的 2\n")).toThrow("the number 1 is missing");
  expect(() => parseTokens("\n")).toThrow("empty");
  expect(parseTokens("<blk> 0\r\n▁ 1\r\n  2\n").symbols).toEqual(["<blk>", "▁", " "]);
});

const plain = table(["<blk>", "▁", "好", "的", "您", "，", "▁re", "fund", "▁refund", "▁r", "e", "f", "u", "n", "d", "▁no"]);

function encodeIn(symbols: readonly string[], text: string, tokens = plain) {
  const ids = symbols.map((symbol) => tokens.symbols.indexOf(symbol));
  const { words } = joinSymbols(heard(symbols), tokens.spelling, 60_000);
  return (
    createEncoder(tokens)
      .encode(text, { ids, words })
      ?.map((id) => tokens.symbols[id]) ?? null
  );
}

test("a text is spelt by what was heard where it is the same, by the fewest symbols elsewhere", () => {
  expect(encodeIn(["您", "▁re", "fund", "好"], "您refund好")).toEqual(["您", "▁re", "fund", "好"]);
  expect(encodeIn(["您", "▁re", "fund", "好"], "您refund的好")).toEqual(["您", "▁re", "fund", "的", "好"]);
  expect(encodeIn(["您", "好"], "您 refund 好")).toEqual(["您", "▁refund", "好"]);
  expect(encodeIn(["您", "的"], "好的")).toEqual(["好", "的"]);
  expect(encodeIn([], "no refund，好")).toEqual(["▁no", "▁refund", "，", "好"]);
  // No symbol for the stop: it is not spoken. No symbol for the character: it cannot be judged.
  expect(encodeIn(["您"], "您好。")).toEqual(["您", "好"]);
  expect(encodeIn(["您"], "您稀")).toBe(null);
});

test("the text that was heard is always spelt by the symbols that were heard, unknown ones among them", () => {
  const symbols = fc.array(fc.constantFrom(...plain.symbols.slice(2)), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(symbols, (own) => {
      const { text } = joinSymbols(heard(own), "plain", 60_000);
      expect(encodeIn(own, text)).toEqual(own);
    }),
  );
});

test("byte symbols spell characters that have none of their own", () => {
  const bytes = table(["<blk>", `▁${toByteChars("好")}`, ...toByteChars("稀"), "▁"]);
  expect(bytes.spelling).toBe("bytes");
  expect(encodeIn([`▁${toByteChars("好")}`], "好稀", bytes)).toEqual([`▁${toByteChars("好")}`, ...toByteChars("稀")]);
});
