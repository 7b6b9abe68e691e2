import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { flagsHaveDotProducts } from "../../src/pipeline/asr/onnx/cpu.ts";
import { alignTokens, medianFilter } from "../../src/pipeline/asr/whisper/align.ts";
import { startOfUnwritten } from "../../src/pipeline/asr/whisper/cut-short.ts";
import { findPauses, withoutPauses } from "../../src/pipeline/asr/whisper/pauses.ts";
import { endOfFirstCopy } from "../../src/pipeline/asr/whisper/repeats.ts";
import { type TimedToken, writeOut } from "../../src/pipeline/asr/whisper/written.ts";

/** Tokens of 100 ms each with these bytes; text stands for its UTF-8. */
function tokens(parts: readonly (string | readonly number[])[], probability = 0.5): TimedToken[] {
  return parts.map((part, i) => ({
    bytes: typeof part === "string" ? new TextEncoder().encode(part) : Uint8Array.from(part),
    startMs: i * 100,
    endMs: (i + 1) * 100,
    logProbability: Math.log(probability),
  }));
}

describe("what tokens write", () => {
  it("joins the bytes of a character that lies in two tokens, which is as probable as both", () => {
    const [first, second, third] = new TextEncoder().encode("骗") as unknown as [number, number, number];
    expect(writeOut(tokens(["被", [first, second], [third]]), { simplified: true })).toEqual({
      text: "被骗",
      tokens: [
        { text: "被", startMs: 0, endMs: 100, confidence: 0.5 },
        { text: "骗", startMs: 100, endMs: 300, confidence: 0.25 },
      ],
    });
  });

  it("shares the time of a token among its characters, punctuation apart", () => {
    const { text, tokens: words } = writeOut(tokens(["您好,", "请问"]), { simplified: true });
    expect(text).toBe("您好,请问");
    expect(words.map((word) => [word.text, word.startMs, word.endMs])).toEqual([
      ["您", 0, 50],
      ["好,", 50, 100],
      ["请", 100, 150],
      ["问", 150, 200],
    ]);
  });

  it("shows each traditional character simplified where asked", () => {
    expect(writeOut(tokens(["請問", "資料"]), { simplified: true }).text).toBe("请问资料");
    expect(writeOut(tokens(["請問", "資料"]), { simplified: false }).text).toBe("請問資料");
  });

  it("makes words of spaced scripts, with what joins them", () => {
    const { text, tokens: words } = writeOut(tokens([" I", " don", "'t", " pay", " 3", ".5", "%", ".", " OK", "?"]), { simplified: false });
    expect(text).toBe("I don't pay 3.5%. OK?");
    expect(words.map((word) => word.text)).toEqual(["I", "don't", "pay", "3.5%.", "OK?"]);
    expect(words[1]).toMatchObject({ startMs: 100, endMs: 300, confidence: 0.25 });
  });

  it("keeps scripts apart, and punctuation that comes first with what follows", () => {
    expect(writeOut(tokens(["“我用", "iPhone", "15打", "的”"]), { simplified: true }).tokens.map((word) => word.text)).toEqual([
      "“我",
      "用",
      "iPhone15",
      "打",
      "的”",
    ]);
  });

  it("leaves out what is no whole character", () => {
    expect(writeOut(tokens([[0xe8, 0xaf], "好", [0xff], [0xe4, 0xb8]]), { simplified: true }).text).toBe("好");
    expect(writeOut([], { simplified: true })).toEqual({ text: "", tokens: [] });
  });

  it("gives back any text, its spaces squeezed, however its bytes are cut into tokens", () => {
    const anyText = fc.string({ unit: fc.constantFrom("你", "好", "骗", "a", "B", "7", " ", ",", "。", "'", "é", "𠮷", "ก") });
    fc.assert(
      fc.property(anyText, fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }), (text, sizes) => {
        const bytes = [...new TextEncoder().encode(text)];
        const parts: number[][] = [];
        for (let i = 0; bytes.length > 0; i++) parts.push(bytes.splice(0, sizes[i % sizes.length]));
        const written = writeOut(tokens(parts), { simplified: false });
        const squeezed = (one: string) => one.replaceAll(" ", "");
        // Punctuation alone is no text.
        const isSpoken = /[\p{L}\p{N}]/u.test(text);
        expect(written.text).toBe(isSpoken ? text.replace(/ +/g, " ").trim() : "");
        expect(squeezed(written.tokens.map((word) => word.text).join(""))).toBe(isSpoken ? squeezed(text) : "");
        for (const { startMs, endMs, confidence } of written.tokens) {
          expect(endMs).toBeGreaterThanOrEqual(startMs ?? 0);
          expect(confidence).toBeGreaterThan(0);
        }
      }),
    );
  });
});

describe("alignment", () => {
  it("smooths by the median of seven values, the first and last mirrored", () => {
    const values = fc.array(fc.integer({ min: -9, max: 9 }), { maxLength: 30 });
    fc.assert(
      fc.property(values, (line) => {
        const at = (place: number): number => {
          const inside = Math.abs(place) < line.length ? Math.abs(place) : Math.max(0, 2 * (line.length - 1) - Math.abs(place));
          return line[inside] as number;
        };
        const smooth = new Float64Array(line.length);
        medianFilter(Float64Array.from(line), smooth);
        expect([...smooth]).toEqual(line.map((_, place) => [-3, -2, -1, 0, 1, 2, 3].map((by) => at(place + by)).sort((a, b) => a - b)[3]));
      }),
    );
  });

  /** Two heads, each of which looks at a token's place, one more sharply than the other. */
  function looking(places: readonly number[], stride: number): Float32Array[] {
    return places.map((place) => {
      const row = new Float32Array(2 * stride);
      for (let at = 0; at < stride; at++) {
        row[at] = Math.exp(-((at - place) ** 2) / 8);
        row[stride + at] = Math.exp(-((at - place) ** 2) / 30);
      }
      return row;
    });
  }

  it("finds where each token begins, between the places that were looked at", () => {
    const places = [5, 15, 30, 31, 60, 90];
    const starts = alignTokens(looking(places, 120), { stride: 120, positions: 100 });
    expect(starts[0]).toBe(0);
    places.slice(1).forEach((place, i) => {
      expect(starts[i + 1]).toBeGreaterThan(places[i] as number);
      expect(starts[i + 1]).toBeLessThanOrEqual(place);
    });
  });

  it("gives ascending starts within the sound whatever was looked at", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(59), { minLength: 1, maxLength: 12 }), fc.integer({ min: 1, max: 60 }), (places, positions) => {
        const starts = alignTokens(looking(places, 60), { stride: 60, positions });
        expect(starts).toHaveLength(places.length);
        expect([...starts].sort((a, b) => a - b)).toEqual(starts);
        for (const start of starts) expect(start).toBeLessThan(positions);
      }),
    );
  });

  it("bears heads that looked at nothing, and no sound", () => {
    expect(alignTokens([new Float32Array(40), new Float32Array(40)], { stride: 20, positions: 20 })).toHaveLength(2);
    expect(alignTokens([new Float32Array(40)], { stride: 20, positions: 0 })).toEqual([0]);
    expect(alignTokens([], { stride: 20, positions: 20 })).toEqual([]);
  });
});

describe("pauses", () => {
  /** Noise of these stretches: ms, loudness. */
  function sound(...stretches: readonly (readonly [number, number])[]): Float32Array {
    let seed = 5;
    return Float32Array.from(
      stretches.flatMap(([ms, loudness]) =>
        Array.from({ length: ms * 16 }, () => {
          seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
          return (seed / 2_147_483_648 - 0.5) * loudness;
        }),
      ),
    );
  }

  it("of 150 ms and longer are found, over a quiet line too", () => {
    const pauses = findPauses(sound([300, 0.004], [800, 0.4], [100, 0.004], [700, 0.3], [400, 0.004], [600, 0.4]));
    expect(pauses).toHaveLength(2);
    expect(pauses[0]?.[0]).toBe(0);
    expect(Math.abs((pauses[0]?.[1] ?? 0) - 300)).toBeLessThanOrEqual(20);
    expect(Math.abs((pauses[1]?.[0] ?? 0) - 1900)).toBeLessThanOrEqual(20);
    expect(Math.abs((pauses[1]?.[1] ?? 0) - 2300)).toBeLessThanOrEqual(20);
  });

  it("are none where all is about as loud, or shorter than a tenth of a second", () => {
    expect(findPauses(sound([2_000, 0.3]))).toEqual([]);
    expect(findPauses(new Float32Array(16_000))).toEqual([]);
    expect(findPauses(sound([50, 0.3]))).toEqual([]);
  });

  it("are given to no token", () => {
    const pauses = [[100, 300]] as const;
    expect(withoutPauses([0, 90], pauses)).toEqual([0, 90]);
    expect(withoutPauses([120, 420], pauses)).toEqual([300, 420]);
    expect(withoutPauses([20, 250], pauses)).toEqual([20, 100]);
    expect(withoutPauses([70, 600], pauses)).toEqual([300, 600]);
    expect(withoutPauses([40, 310], pauses)).toEqual([40, 100]);
    expect(withoutPauses([110, 150], pauses)).toEqual([100, 100]);
    expect(withoutPauses([210, 290], pauses)).toEqual([300, 300]);
  });
});

describe("loops", () => {
  it.each([
    ["nothing that is said again", [1, 2, 3, 4, 5, 6], null],
    ["one token five times", [7, 8, 8, 8, 8, 8], 2],
    ["one token four times is none", [7, 8, 8, 8, 8, 9], null],
    ["three tokens three times", [5, 1, 2, 3, 1, 2, 3, 1, 2, 3], 4],
    ["three tokens twice are none", [5, 1, 2, 3, 1, 2, 3], null],
    ["four tokens twice", [1, 2, 3, 4, 1, 2, 3, 4, 9], 4],
    ["the earliest of two", [6, 6, 6, 6, 6, 1, 2, 3, 4, 1, 2, 3, 4], 1],
    ["no tokens", [], null],
  ])("%s", (_, list, end) => {
    expect(endOfFirstCopy(list)).toBe(end);
  });
});

describe("a text that was cut short", () => {
  const looking = (place: number) => {
    const row = new Float32Array(400);
    row[place] = 1;
    row[200 + place] = 0.5;
    return row;
  };
  const at = { stride: 200, positions: 200 };

  it("is one after whose last tokens speech goes on for more than 1.5 s; its rest begins at the next pause", () => {
    expect(startOfUnwritten([looking(40), looking(60)], { ...at, pauses: [[1_400, 1_900]] })).toBe(1_800);
    expect(startOfUnwritten([looking(40), looking(60)], { ...at, pauses: [] })).toBe(1_400);
  });

  it("is none where the last tokens lie near the end, or only silence follows", () => {
    expect(startOfUnwritten([looking(40), looking(150)], { ...at, pauses: [] })).toBeNull();
    expect(startOfUnwritten([looking(40), looking(60)], { ...at, pauses: [[1_400, 4_000]] })).toBeNull();
    // The last token may look back: the latest of four counts.
    expect(startOfUnwritten([looking(180), looking(60)], { ...at, pauses: [] })).toBeNull();
  });
});

describe("a CPU", () => {
  it.each([
    ["fpu sse avx2 avx512f avx512_vnni", true],
    ["fpu avx2 avx_vnni", true],
    ["fpu amx_tile amx_int8", true],
    ["fpu sse avx2 fma", false],
    ["fpu xavx_vnnix", false],
  ])("of flags %s has dot products: %s", (flags, has) => {
    expect(flagsHaveDotProducts(`processor\t: 0\nflags\t\t: ${flags}\nbugs\t\t: none\n`)).toBe(has);
  });

  it("that tells nothing has none", () => {
    expect(flagsHaveDotProducts("")).toBe(false);
  });
});
