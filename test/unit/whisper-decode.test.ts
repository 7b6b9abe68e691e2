import { describe, expect, it } from "vitest";
import { type DecodeOptions, decode } from "../../src/pipeline/asr/whisper/decode.ts";
import type { Beams, Following, Reading } from "../../src/pipeline/asr/whisper/reading.ts";
import type { Networks } from "../../src/pipeline/asr/whisper/sessions.ts";
import { WORDLESS, type WordScores } from "../../src/pipeline/asr/whisper/word-scores.ts";

const [START, NO_SPEECH, END] = [20, 21, 22];
const OPENING = [18, START, 19];
const ban = undefined as unknown as ReturnType<Networks["ban"]>;

/** Probabilities of what may follow a text, written with letters: a is token 0; `.` is the end. */
type Language = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Networks that know such a language by heart, and look at the place of each token. */
function networksOf(language: Language): Networks {
  const letter = (token: number) => (token === END ? "." : String.fromCharCode(97 + token));
  const follow = (texts: readonly (readonly number[])[], likeliest: number): Following => {
    const candidates = texts.map((text) => {
      const known = language[text.slice(OPENING.length).map(letter).join("")] ?? { ".": 1 };
      const listed = Object.entries(known).map(([next, probability]) => ({
        token: next === "." ? END : next.charCodeAt(0) - 97,
        logProbability: Math.log(probability),
      }));
      const others = [10, 11, 12, 13].map((token) => ({ token, logProbability: -20 - token }));
      return [...listed, ...others].sort((a, b) => b.logProbability - a.logProbability).slice(0, likeliest);
    });
    const attention = Float32Array.from(texts, (text) => text.length);
    return {
      candidates,
      targetLogProbabilities: [],
      logits: Float32Array.from({ length: 2 * 23 }, (_, i) => (i === NO_SPEECH ? 2 : 0)),
      attention,
    };
  };
  const readingOf = (read: readonly number[]): Reading => {
    let text = [...read];
    return {
      async read(tokens, { likeliest = 1 }) {
        text = [...text, ...tokens];
        const next = follow([text], likeliest);
        return tokens.length > 1
          ? { ...next, candidates: [[], ...next.candidates], attention: Float32Array.from(tokens, (_, i) => read.length + i + 1) }
          : next;
      },
      fork: (length) => readingOf(text.slice(0, length)),
      spread(count): Beams {
        let texts = Array.from({ length: count }, () => text);
        return {
          async read(tokens, parents, { likeliest = 1 }) {
            texts = tokens.map((token, i) => [...(texts[parents[i] as number] as number[]), token]);
            return follow(texts, likeliest);
          },
          reading: (i) => readingOf(texts[i] as number[]),
        };
      },
    };
  };
  return { startReading: () => readingOf([]) } as unknown as Networks;
}

async function decoded(language: Language, options: Partial<DecodeOptions> = {}) {
  const result = await decode(
    networksOf(language),
    { cross: {}, positions: 1 },
    {
      opening: OPENING,
      most: 12,
      beams: 1,
      words: WORDLESS,
      special: { start: START, noSpeech: NO_SPEECH, endOfText: END },
      bans: { first: ban, further: ban },
      isStopped: () => false,
      ...options,
    },
  );
  return result && { ...result, text: result.tokens.map((token) => String.fromCharCode(97 + token)).join("") };
}

/** The likeliest first letter leads nowhere. */
const GARDEN_PATH: Language = {
  "": { a: 0.55, b: 0.45 },
  a: { c: 0.3, d: 0.29, e: 0.28 },
  b: { c: 0.9, d: 0.1 },
  bc: { ".": 1 },
};

describe("decoding", () => {
  it("takes the likeliest token at each place with one beam", async () => {
    const result = await decoded(GARDEN_PATH);
    expect(result?.text).toBe("ac");
    expect(result?.logProbabilities[1]).toBeCloseTo(Math.log(0.3));
    expect(result?.endLogProbability).toBeCloseTo(0);
  });

  it.each([2, 3, 5])("finds the likelier text with %i beams", async (beams) => {
    const result = await decoded(GARDEN_PATH, { beams });
    expect(result?.text).toBe("bc");
    expect(result?.logProbabilities.map(Math.exp)).toEqual([expect.closeTo(0.45), expect.closeTo(0.9)]);
    expect(result?.endLogProbability).toBeCloseTo(0);
  });

  it("takes the text whose words count more, and tells how likely each was heard all the same", async () => {
    // A second letter d is worth three times an e, but the end takes nothing away.
    const words: WordScores = { start: { score: 0 }, next: (before, token) => (token === 3 ? { score: Math.log(3) } : before) };
    const language: Language = { "": { a: 1 }, a: { e: 0.6, d: 0.4 }, ad: { ".": 1 }, ae: { ".": 1 } };
    expect((await decoded(language, { beams: 2 }))?.text).toBe("ae");
    const result = await decoded(language, { beams: 2, words });
    expect(result?.text).toBe("ad");
    expect(result?.logProbabilities[1]).toBeCloseTo(Math.log(0.4));
  });

  it.each([1, 2])("tells what was looked at for each token and the end, and how likely nobody speaks: %i beams", async (beams) => {
    const result = await decoded(GARDEN_PATH, { beams });
    // The fake looks at how much was read: the opening, then one token more each time.
    expect(result?.attention.map(([at]) => at)).toEqual([3, 4, 5]);
    expect(result?.noSpeech).toBeCloseTo(Math.exp(2) / (Math.exp(2) + 22));
  });

  it.each([1, 2])("keeps a reading that has read the text: %i beams", async (beams) => {
    const result = await decoded(GARDEN_PATH, { beams });
    const next = await result?.reading.read([7], { ban });
    expect(next?.attention).toEqual(Float32Array.of(OPENING.length + 2 + 1));
  });

  it.each([1, 2, 3])("stops at the limit where no end comes: %i beams", async (beams) => {
    const endless = new Proxy<Language>({}, { get: () => ({ a: 0.9, b: 0.05 }) });
    const result = await decoded(endless, { beams, most: 5 });
    expect(result?.text).toBe("aaaaa");
    expect(result?.endLogProbability).toBeNull();
    expect(result?.attention).toHaveLength(5);
  });

  it("takes an end that was found over a text that runs into the limit", async () => {
    const loop = Object.fromEntries(Array.from({ length: 12 }, (_, i) => ["a".repeat(i), i === 2 ? { a: 0.6, ".": 0.4 } : { a: 0.99 }]));
    expect((await decoded(loop, { beams: 1, most: 6 }))?.endLogProbability).toBeNull();
    expect((await decoded(loop, { beams: 2, most: 6 }))?.text).toBe("aa");
  });

  it.each([1, 2])("gives back nothing where the end comes first: %i beams", async (beams) => {
    expect(await decoded({ "": { ".": 0.9, a: 0.05 } }, { beams })).toMatchObject({
      text: "",
      tokens: [],
      endLogProbability: Math.log(0.9),
    });
  });

  it("is stopped before the next token", async () => {
    let asked = 0;
    expect(await decoded(GARDEN_PATH, { beams: 2, isStopped: () => ++asked > 1 })).toBeNull();
    expect(asked).toBe(2);
  });

  it("takes no weights that give no numbers", async () => {
    await expect(decoded({ "": { a: Number.NaN } })).rejects.toMatchObject({ code: "weights/damaged" });
  });
});
