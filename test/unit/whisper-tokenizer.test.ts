import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readTokenizer } from "../../src/pipeline/asr/whisper/tokenizer.ts";
import { whisperBase } from "../support/weights.ts";

const folder = whisperBase();

/** Texts and their tokens by the package `tokenizers` 0.23.3 (3,481 more were compared once, all alike). */
const CASES = JSON.parse(readFileSync(new URL("../support/whisper-tokens.json", import.meta.url), "utf8")) as readonly [string, number[]][];

describe.skipIf(folder === null)("Whisper's tokens (needs the tokenizer of whisper-base)", () => {
  const tokenizer = folder === null ? null : readTokenizer(readFileSync(join(folder, "tokenizer.json"), "utf8"), "tokenizer.json");

  it.each(CASES)("of %j are those of the package tokenizers", (text, ids) => {
    expect(tokenizer?.encode(text)).toEqual(ids);
  });

  it.each(CASES)("are %j again, byte for byte", (text, ids) => {
    const bytes = ids.flatMap((id) => [...(tokenizer?.bytes(id) ?? [])]);
    expect(new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes))).toBe(text);
  });

  it("steer where the published ids say", () => {
    expect(tokenizer?.special).toEqual({
      endOfText: 50257,
      start: 50258,
      english: 50259,
      chinese: 50260,
      translate: 50358,
      transcribe: 50359,
      startOfPrevious: 50361,
      noSpeech: 50362,
      noTimestamps: 50363,
    });
  });
});

describe("a tokenizer.json that is none of Whisper's", () => {
  const added = ["endoftext", "startoftranscript", "transcribe", "translate", "startofprev", "nospeech", "notimestamps", "zh", "en"].map(
    (name, i) => ({ content: `<|${name}|>`, id: 300 + i }),
  );
  const sound = { model: { type: "BPE", vocab: { a: 0, b: 1, ab: 2 }, merges: [["a", "b"]] }, added_tokens: added };

  it("is read where it is sound", () => {
    expect(readTokenizer(JSON.stringify(sound), "t").encode("abba")).toEqual([2, 1, 0]);
  });

  it.each([
    ["no JSON", "weights all the way", "weights/damaged"],
    ["cut", JSON.stringify(sound).slice(0, -9), "weights/damaged"],
    ["a list", "[]", "weights/foreign"],
    ["nothing", "null", "weights/foreign"],
    ["another model", JSON.stringify({ ...sound, model: { type: "Unigram", vocab: [["a", -1]] } }), "weights/foreign"],
    ["without merges", JSON.stringify({ ...sound, model: { ...sound.model, merges: [] } }), "weights/foreign"],
    ["of odd merges", JSON.stringify({ ...sound, model: { ...sound.model, merges: [1] } }), "weights/foreign"],
    ["of odd ids", JSON.stringify({ ...sound, model: { ...sound.model, vocab: { a: "x" } } }), "weights/foreign"],
    ["of English only", JSON.stringify({ ...sound, added_tokens: added.slice(0, 7) }), "weights/foreign"],
  ])("is refused: %s", (_, json, code) => {
    expect(() => readTokenizer(json, "tokenizer.json")).toThrow(expect.objectContaining({ code }));
  });
});
