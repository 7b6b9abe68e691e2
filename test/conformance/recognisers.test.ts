import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { characterErrors, rateOf } from "../../bench/asr/error-rate.ts";
import { openOpenai } from "../../src/pipeline/asr/openai/open.ts";
import type { HeardPiece, HearOptions, Recogniser } from "../../src/pipeline/asr/recogniser.ts";
import { openSherpa } from "../../src/pipeline/asr/sherpa/open.ts";
import { openWhisper } from "../../src/pipeline/asr/whisper/open.ts";
import { CallsiftError } from "../../src/pipeline/errors.ts";
import { seededRandom } from "../support/audio-files.ts";
import { type SpeechServer, startSpeechServer, verboseJson } from "../support/speech-server.ts";
import { spokenLines } from "../support/spoken-line.ts";
import { whisperBase } from "../support/weights.ts";

interface Engine {
  readonly name: string;
  /** What it needs and where that is not; null where it can run. */
  readonly lacks: string | null;
  readonly open: (lanes?: number) => Promise<Recogniser>;
  /** It knows Mandarin; the others write something, or what they are told. */
  readonly reads: boolean;
  /** It hears 10 s in less than a millisecond's timer takes to go off. */
  readonly instant?: true;
}

const TINY = fileURLToPath(new URL("../../fixtures/asr-models/sense-voice/", import.meta.url));
let server: SpeechServer;
beforeAll(async () => {
  // Says a character for every half second, after a moment, so that several pieces are in hand at once.
  server = await startSpeechServer(({ lengthMs }) => ({ json: verboseJson("好".repeat(Math.ceil(lengthMs / 500)), lengthMs), afterMs: 5 }));
});
afterAll(() => server[Symbol.asyncDispose]());

const ENGINES: readonly Engine[] = [
  {
    name: "whisper",
    lacks: whisperBase() === null ? "the weights of Whisper base" : null,
    open: (lanes = 1) => openWhisper({ folder: whisperBase() ?? "", lanes }),
    reads: true,
  },
  {
    name: "sherpa",
    lacks: existsSync(TINY) ? null : "the tiny model of fixtures/asr-models",
    open: (lanes = 2) => openSherpa({ folder: TINY, lanes }),
    reads: false,
    instant: true,
  },
  {
    name: "openai",
    lacks: null,
    open: (lanes = 2) => openOpenai({ baseUrl: server.baseUrl, apiKey: null, model: "whisper-1", lanes }),
    reads: false,
  },
];

const bare = (text: string): string => text.replace(/\s+/g, "");

/** Noise that no engine can mistake for silence. */
function noise(ms: number, seed = 7): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: ms * 16 }, () => 0.2 * (random() - 0.5));
}

/** What recogniser.ts says of every piece, whatever was heard. */
function expectHonest(heard: HeardPiece, lengthMs: number): void {
  expect(heard.text).toBe(heard.text.trim());
  expect(bare(heard.tokens.map(({ text }) => text).join(""))).toBe(bare(heard.text));
  const shares = [heard.confidence, heard.noSpeech, ...heard.tokens.map(({ confidence }) => confidence)];
  for (const share of shares) expect(share === null || (share >= 0 && share <= 1)).toBe(true);
  let lastMs = 0;
  for (const { text, startMs, endMs } of heard.tokens) {
    expect(text.trim()).toMatch(/^\S+$/);
    expect((text.match(/\p{Script=Han}/gu) ?? []).length).toBeLessThanOrEqual(1);
    expect(startMs === null).toBe(endMs === null);
    if (startMs === null || endMs === null) continue;
    expect(startMs).toBeGreaterThanOrEqual(lastMs);
    expect(endMs).toBeGreaterThanOrEqual(startMs);
    expect(endMs).toBeLessThanOrEqual(lengthMs);
    lastMs = startMs;
  }
  if (heard.languages) for (const odds of Object.values(heard.languages)) expect(odds).toBeLessThanOrEqual(0);
  for (const flag of [heard.capped, heard.looped, heard.prompted]) expect(typeof flag).toBe("boolean");
  for (const tag of Object.values(heard.tags)) expect(typeof tag).toBe("string");
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "no failure",
    (error: unknown) => (error instanceof CallsiftError ? error.code : `no coded failure: ${String(error)}`),
  );
}

for (const engine of ENGINES) {
  const title = engine.lacks === null ? `recogniser ${engine.name}` : `recogniser ${engine.name} (skipped: lacks ${engine.lacks})`;
  describe.skipIf(engine.lacks !== null)(title, { timeout: 180_000 }, () => {
    let recogniser: Recogniser;
    beforeAll(async () => {
      recogniser = await engine.open();
    }, 180_000);
    afterAll(() => recogniser?.[Symbol.asyncDispose]());
    const hear = (sound: Float32Array, options: Partial<HearOptions> = {}): Promise<HeardPiece> =>
      recogniser.hear(sound, { language: "zh", ...options });

    it("says what it is", () => {
      expect(recogniser.name).toBe(engine.name);
      expect(recogniser.recipe).toMatch(new RegExp(`^${engine.name}/.`));
      expect(recogniser.model === null || recogniser.model.length > 0).toBe(true);
      expect(recogniser.lanes).toBeGreaterThanOrEqual(1);
      // Pieces are cut up to 20 s long (pieces.ts).
      expect(recogniser.maxPieceMs).toBeGreaterThanOrEqual(20_000);
    });

    it.each([
      ["1 ms of noise", 1, noise(1)],
      ["1 ms of silence", 1, new Float32Array(16)],
      ["one sample more than nothing whole", 1, new Float32Array(17).fill(0.1)],
      ["99 ms", 99, noise(99)],
      ["2 s of silence", 2_000, new Float32Array(32_000)],
      ["2 s of noise", 2_000, noise(2_000)],
      [
        "what is no number",
        1_000,
        noise(1_000).map((sample, i) => (i % 100 === 0 ? Number.NaN : i % 101 === 0 ? Number.POSITIVE_INFINITY : sample)),
      ],
      ["full scale", 1_000, Float32Array.from({ length: 16_000 }, (_, i) => (i % 40 < 20 ? 1 : -1))],
    ])("keeps to the contract on %s", async (_, lengthMs, sound) => {
      for (const language of ["zh", "auto"] as const) {
        const heard = await hear(sound, { language });
        expectHonest(heard, Math.ceil(Math.max(lengthMs, sound.length / 16)));
        heard.release();
        heard.release();
      }
    });

    it("keeps to the contract on the longest piece", async () => {
      expectHonest(await hear(noise(recogniser.maxPieceMs)), recogniser.maxPieceMs);
    });

    it("leaves the sound as it was given", async () => {
      const sound = noise(500);
      const before = sound.slice();
      await hear(sound);
      expect(sound.length).toBe(before.length);
      expect(Buffer.from(sound.buffer, sound.byteOffset, sound.byteLength).equals(Buffer.from(before.buffer))).toBe(true);
    });

    it("answers more pieces than it has lanes, each with its own words", async () => {
      const lengths = [300, 900, 1500, 600, 1200].slice(0, Math.max(3, recogniser.lanes + 2));
      const alone: string[] = [];
      for (const ms of lengths) alone.push((await hear(noise(ms, ms))).text);
      const together = await Promise.all(lengths.map((ms) => hear(noise(ms, ms))));
      expect(together.map(({ text }) => text)).toEqual(alone);
      together.forEach((heard, i) => {
        expectHonest(heard, lengths[i] as number);
      });
    });

    it("stops before, during and after, within 2 s, and hears on", async () => {
      const before = new AbortController();
      before.abort();
      expect(await codeOf(hear(noise(1000), { signal: before.signal }))).toBe("aborted");

      const during = new AbortController();
      const works = Array.from({ length: recogniser.lanes + 2 }, (_, i) => codeOf(hear(noise(10_000, i), { signal: during.signal })));
      let stopped = 0;
      setTimeout(() => {
        stopped = performance.now();
        during.abort();
      }, 3);
      const codes = await Promise.all(works);
      const tookMs = performance.now() - stopped;
      // A piece may have been done before it was told; those that waited for a lane were not.
      expect(codes.every((code) => code === "aborted" || code === "no failure")).toBe(true);
      expect(codes).toContain("aborted");
      expect(tookMs).toBeLessThan(2_000);

      const after = new AbortController();
      const heard = await hear(noise(500), { signal: after.signal, keep: true });
      after.abort();
      expectHonest(heard, 500);
      heard.release();
      expectHonest(await hear(noise(500)), 500);
    });

    it("runs out of time by its own code, counts only its own turn, and hears on", async () => {
      const codes = await Promise.all(Array.from({ length: recogniser.lanes }, () => codeOf(hear(noise(10_000), { timeoutMs: 1 }))));
      for (const code of codes) expect(engine.instant ? ["asr/time-out", "no failure"] : ["asr/time-out"]).toContain(code);
      expectHonest(await hear(noise(500), { timeoutMs: 120_000 }), 500);
    });

    it("weighs texts while the piece is held, or says that it cannot", async () => {
      const [line] = spokenLines("zh", { leastCharacters: 10 });
      const heard = await hear(engine.reads && line ? line.sound : noise(1_500), { keep: true });
      expectHonest(heard, 60_000);
      if (heard.weigh === null) {
        heard.release();
        return;
      }
      const shuffled = [...heard.text].reverse().join("");
      const texts = [heard.text, shuffled, "再见", ""];
      const odds = await heard.weigh(texts);
      expect(odds.length).toBe(texts.length);
      for (const odd of odds) {
        expect(Number.isNaN(odd)).toBe(false);
        expect(odd).toBeLessThanOrEqual(0);
      }
      if (engine.reads) {
        expect(odds.every(Number.isFinite)).toBe(true);
        expect(odds[0]).toBeGreaterThan(odds[1] as number);
        expect(odds[0]).toBeGreaterThan(odds[2] as number);
      }
      expect(await heard.weigh([])).toEqual([]);
      expect((await heard.weigh([heard.text]))[0]).toBeCloseTo(odds[0] as number, 3);
      heard.release();
      heard.release();
      expect(await codeOf(heard.weigh([heard.text]))).toMatch(/^(asr\/|internal\/)/);
    });

    it("closes while it is busy: every piece comes to an end, and so does the engine", async () => {
      const busy = await engine.open(1);
      const works = Array.from({ length: 3 }, (_, i) => codeOf(busy.hear(noise(3_000, i), { language: "zh" })));
      await busy[Symbol.asyncDispose]();
      for (const code of await Promise.all(works)) expect(code).toMatch(/^(no failure|aborted|asr\/.*)$/);
      await busy[Symbol.asyncDispose]();
      expect(await codeOf(busy.hear(noise(100), { language: "zh" }))).toMatch(/^(aborted|asr\/.*)$/);
    });

    it.runIf(engine.reads)("reads what people say, with times where they say it and no doubt that they do", async () => {
      const lines = spokenLines("zh", { leastCharacters: 12 })
        .filter((_, i) => i % 7 === 0)
        .slice(0, 12);
      const heard: HeardPiece[] = [];
      for (const { sound } of lines) heard.push(await hear(sound));
      // Whisper base, 0.14 on single sentences (docs/benchmarks.md), give or take what a dozen of them can.
      expect(rateOf(heard.map(({ text }, i) => characterErrors(lines[i]?.text ?? "", text)))).toBeLessThan(0.25);
      heard.forEach((piece, i) => {
        const { sound, speech = [] } = lines[i] ?? { sound: new Float32Array() };
        expectHonest(piece, sound.length / 16);
        expect(piece.noSpeech ?? 0).toBeLessThan(0.4);
        const startMs = piece.tokens[0]?.startMs ?? null;
        if (startMs !== null) expect(Math.abs(startMs - (speech[0]?.[0] ?? 0))).toBeLessThan(400);
      });
    });
  });
}
