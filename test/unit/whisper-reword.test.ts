import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSoundAlikes } from "../../src/pipeline/asr/sound-alikes.ts";
import type { Decoded } from "../../src/pipeline/asr/whisper/decode.ts";
import type { Reading } from "../../src/pipeline/asr/whisper/reading.ts";
import { asHeard, exchange, exchangesOf, reword } from "../../src/pipeline/asr/whisper/reword.ts";
import type { Networks } from "../../src/pipeline/asr/whisper/sessions.ts";
import type { Tokenizer } from "../../src/pipeline/asr/whisper/tokenizer.ts";
import { createWordModel } from "../../src/pipeline/asr/word-model.ts";

const LIST = "3.0 把 卡 了\n4.0 冻结 订单\n6.0 的\n9.0 洞 结 冻 定 单 在\n9.5 再\n";
const vocabulary = { model: createWordModel(LIST), alikes: createSoundAlikes(LIST) };
const CHARACTERS = [..."把卡了的冻洞结定订单在再，好"];
const [END, OPENING] = [90, [80, 81]];
const ban = undefined as unknown as ReturnType<Networks["ban"]>;

/** A token for each character, and one for 冻结. */
const bytes = (token: number) => new Uint8Array(Buffer.from([...CHARACTERS, "冻结"][token] ?? ""));
const idOf = (character: string): number => CHARACTERS.indexOf(character);
const encode = (text: string): number[] => [...text.replaceAll("冻结", "*")].map((c) => (c === "*" ? CHARACTERS.length : idOf(c)));
const tokenizer = { bytes, encode, special: { endOfText: END } } as unknown as Tokenizer;

/** A recogniser to which each token is as likely as it sounds, wherever it stands. */
function heard(text: string, sounds: Readonly<Record<string, number>>) {
  const worth = (token: number): number => Math.log(token === END ? 0.9 : (sounds[[...CHARACTERS, "冻结"][token] as string] ?? 0.9));
  const asked: number[][] = [];
  const reading: Reading = {
    async read(tokens, { targets = [] }) {
      asked.push([...tokens]);
      return {
        candidates: [],
        targetLogProbabilities: targets.map(worth),
        logits: null,
        attention: new Float32Array(),
      };
    },
    fork: () => reading,
    spread() {
      throw new Error("not asked for");
    },
  };
  const tokens = [...text].map(idOf);
  const logProbabilities = tokens.map(worth);
  const decoded: Decoded = {
    tokens,
    logProbabilities,
    offered: [...tokens, END].map(() =>
      [...CHARACTERS.keys(), CHARACTERS.length, END].map((token) => ({ token, logProbability: worth(token) })),
    ),
    endLogProbability: Math.log(0.9),
    attention: [...tokens, END].map((_, i) => Float32Array.of(i)),
    noSpeech: 0,
    reading,
  };
  const options = { ...vocabulary, opening: OPENING, tokenizer, ban, isStopped: () => false };
  return { decoded, options, asked };
}

const textsOf = (parts: readonly Uint8Array[] | null): string[] | undefined => parts?.map((part) => Buffer.from(part).toString());

describe("a text is reworded", () => {
  it("where a more common word sounds alike and was heard nearly as well", async () => {
    const { decoded, options } = heard("把卡洞结了", { 洞: 0.4, 结: 0.6, 冻结: 0.15 });
    expect(textsOf(await reword(decoded, options))).toEqual([..."把卡冻结了"]);
  });

  it("within the tokens that were heard, wherever these part", async () => {
    const { decoded, options } = heard("把卡洞结了", { 洞: 0.4, 结: 0.6, 冻结: 0.15 });
    const hole = Buffer.from("洞");
    const parts = [Buffer.from("把卡"), hole.subarray(0, 2), Buffer.concat([hole.subarray(2), Buffer.from("结")]), Buffer.from("了")];
    const cut = {
      ...decoded,
      tokens: [200, 201, 202, 203],
      logProbabilities: [0.9, 0.4, 0.6, 0.9].map(Math.log),
      offered: [0, 1, 2, 3, 4].map(() => decoded.offered[0] as Decoded["offered"][number]),
    };
    const cutTokenizer = { ...tokenizer, bytes: (token: number) => new Uint8Array(parts[token - 200] as Buffer) };
    const better = await reword(cut, { ...options, tokenizer: cutTokenizer });
    expect(better?.map(({ length }) => length)).toEqual([6, 2, 4, 3]);
    expect(Buffer.concat(better ?? []).toString()).toBe("把卡冻结了");
  });

  it("in several places at once, each by its own", async () => {
    const { decoded, options } = heard("把卡洞结了的定单，好好好好好好好好好", { 洞: 0.4, 结: 0.6, 冻结: 0.15, 定: 0.5, 订: 0.4 });
    expect(textsOf(await reword(decoded, options))?.join("")).toBe("把卡冻结了的订单，好好好好好好好好好");
  });

  it("not where the recogniser was sure, and asks nothing", async () => {
    const { decoded, options, asked } = heard("把卡洞结了", { 洞: 0.95, 结: 0.95, 冻结: 0.04 });
    expect(textsOf(await reword(decoded, options))).toEqual([..."把卡洞结了"]);
    expect(asked).toEqual([]);
  });

  it("not where the other word was hardly heard, and asks nothing, since its first token says so", async () => {
    const { decoded, options, asked } = heard("把卡洞结了", { 洞: 0.4, 结: 0.6, 冻结: 1e-9 });
    expect(textsOf(await reword(decoded, options))).toEqual([..."把卡洞结了"]);
    expect(asked).toEqual([]);
  });

  it("not where it ran into its limit, or is no text", async () => {
    const capped = heard("把卡洞结了", { 洞: 0.4, 结: 0.6, 冻结: 0.15 });
    const decoded = { ...capped.decoded, endLogProbability: null };
    expect(textsOf(await reword(decoded, capped.options))).toEqual([..."把卡洞结了"]);
    const broken = { ...tokenizer, bytes: (token: number) => bytes(token).subarray(1) };
    expect(await reword(capped.decoded, { ...capped.options, tokenizer: broken })).toEqual(capped.decoded.tokens.map(broken.bytes));
  });

  it("unless it was stopped", async () => {
    const { decoded, options } = heard("把卡洞结了", { 洞: 0.4, 结: 0.6, 冻结: 0.15 });
    expect(await reword(decoded, { ...options, isStopped: () => true })).toBeNull();
  });
});

describe("exchanges", () => {
  it.each([
    ["把卡冻结了", "把卡洞结了", "where nothing else differs"],
    ["把卡冻结在", "把卡洞结在", "before"],
    ["单卡冻结了", "单卡洞结了", "behind"],
    ["把卡的结了", "把卡的结了", "but not where another wording stands"],
    ["把卡冻结了，好", "把卡洞结了，好", "where the wording is longer"],
    ["把冻结了", "把洞结了", "where it is shorter"],
  ])("are undone in %s: %s, %s", (text, plain) => {
    expect(asHeard(text, { shown: "把卡冻结了", heard: "把卡洞结了" })).toBe(plain);
    expect(asHeard(text, { shown: "把卡冻结了", heard: "把卡冻结了" })).toBe(text);
  });

  const text = fc.array(fc.constantFrom(...CHARACTERS), { maxLength: 12 }).map((characters) => characters.join(""));
  const worth = (whole: string): number =>
    [...whole].reduce((state, one) => vocabulary.model.next(state, one), vocabulary.model.start).score;

  it("gain what the whole text gains, change something at both ends, and come most gain first", () => {
    fc.assert(
      fc.property(text, (whole) => {
        const exchanges = exchangesOf(whole, () => true, vocabulary);
        for (const one of exchanges) {
          const changed = exchange(whole, [one]);
          expect(one.gain).toBeCloseTo(worth(changed) - worth(whole), 9);
          const before = [...whole].slice(one.from, one.to);
          expect([...one.by]).toHaveLength(before.length);
          expect([one.by[0] !== before[0], one.by.at(-1) !== before.at(-1)]).toEqual([true, true]);
        }
        expect(exchanges.map(({ gain }) => gain)).toEqual(exchanges.map(({ gain }) => gain).sort((a, b) => b - a));
        expect(new Set(exchanges.map(({ from, by }) => `${from} ${by}`)).size).toBe(exchanges.length);
      }),
    );
  });

  it("touch only what is doubted", () => {
    fc.assert(
      fc.property(text, fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), (whole, doubts) => {
        const all = exchangesOf(whole, () => true, vocabulary);
        const some = exchangesOf(whole, (place) => doubts[place] as boolean, vocabulary);
        expect(some).toEqual(all.filter(({ from, to }) => doubts.slice(from, to).includes(true)));
      }),
    );
  });

  it("that would change the same characters yield to the first", () => {
    const one = (from: number, by: string) => ({ from, to: from + by.length, by, gain: 1 });
    expect(exchange("把卡洞结了", [one(2, "冻"), one(2, "动"), one(1, "卡动"), one(4, "的")])).toBe("把卡冻结的");
    expect(exchange("😀洞", [one(1, "冻")])).toBe("😀冻");
  });
});
