import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ToTranscribe } from "../../src/pipeline/asr/port.ts";
import type { Recogniser } from "../../src/pipeline/asr/recogniser.ts";
import { createSoundTranscriber } from "../../src/pipeline/asr/sound-transcriber.ts";
import { CallsiftError, type ErrorCode } from "../../src/pipeline/errors.ts";
import type { Layout, NoTranscript, Span, Transcript } from "../../src/pipeline/types.ts";
import { type Script, scriptedRecogniser, spread } from "../support/scripted-recogniser.ts";
import { sound as soundOf } from "../support/transcripts.ts";

const RATE = 8_000;
const DURATION_MS = 60_000;
let folder = "";
let path = "";

/** Two channels, the left one at +0.5 and the right one at -0.5: a piece tells by its sign whose it is. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "callsift-asr-"));
  path = join(folder, "call.pcm");
  const samples = new Int16Array(2 * (DURATION_MS / 1000) * RATE);
  for (let i = 0; i < samples.length; i += 2) {
    samples[i] = 16_384;
    samples[i + 1] = -16_384;
  }
  await writeFile(path, Buffer.from(samples.buffer));
});
afterAll(() => rm(folder, { recursive: true }));

const call = (
  agent: readonly Span[],
  customer: readonly Span[] = [],
  layout: Layout = "split",
  more: Partial<ToTranscribe> = {},
): ToTranscribe => ({
  name: "call",
  pcm: [{ path, encoding: "s16", bigEndian: false, sampleRate: RATE, channels: 2, dataOffset: 0, frames: (DURATION_MS / 1000) * RATE }],
  durationMs: DURATION_MS,
  sound: soundOf(layout, agent, customer),
  metadata: {},
  transcriptPath: null,
  ...more,
});
const OPTIONS = { minConfidence: 0.5, pieceTimeoutMs: 1_000 };
const transcribe = (
  recogniser: Recogniser,
  what: ToTranscribe,
  options: Partial<Parameters<ReturnType<typeof createSoundTranscriber>["transcribe"]>[1]> = {},
) => createSoundTranscriber(recogniser, OPTIONS).transcribe(what, { language: "zh", ...options });
const words = (result: Transcript | NoTranscript): Transcript => {
  if (!("utterances" in result)) throw new Error(result.reason);
  return result;
};
const isLeft = (sound: Float32Array) => (sound[sound.length >> 1] as number) > 0;

describe("createSoundTranscriber", () => {
  it("hears each side alone and puts both in the recording's time", async () => {
    const recogniser = scriptedRecogniser((sound) => ({ text: isLeft(sound) ? "您好，请讲。" : "我想查余额。" }));
    const { utterances, engine, language, doubtful, hearings } = words(
      await transcribe(recogniser, call([[1_000, 3_000]], [[3_500, 6_000]])),
    );
    expect(utterances.map(({ channel, startMs, endMs, text, timing }) => [channel, startMs, endMs, text, timing])).toEqual([
      [0, 1_000, 3_000, "您好，请讲。", "exact"],
      [1, 3_500, 6_000, "我想查余额。", "exact"],
    ]);
    expect([engine, language, doubtful, hearings]).toEqual(["scripted", "zh", undefined, undefined]);
    const [first] = utterances;
    expect(first?.words.map(({ text }) => text)).toEqual(["您", "好", "请", "讲"]);
    let lastMs = 1_000;
    for (const { startMs, endMs } of first?.words ?? []) {
      expect(startMs).toBeGreaterThanOrEqual(lastMs);
      expect(endMs).toBeLessThanOrEqual(3_000);
      lastMs = startMs;
    }
    // 16 kHz, 200 ms before and after.
    expect(recogniser.heard.map(({ length }) => length).sort((a, b) => a - b)).toEqual([2_400 * 16, 2_900 * 16]);
  });

  it("cuts a piece's text where its speaker pauses", async () => {
    // Two turns of a second each, a second apart: the characters lie evenly over the 3.4 s of the piece.
    const recogniser = scriptedRecogniser(() => ({ text: "甲乙丙丁戊己庚辛" }));
    const { utterances } = words(
      await transcribe(
        recogniser,
        call([
          [1_000, 2_000],
          [3_000, 4_000],
        ]),
      ),
    );
    expect(utterances.map(({ startMs, endMs }) => [startMs, endMs])).toEqual([
      [1_000, 2_000],
      [3_000, 4_000],
    ]);
    // No punctuation came from the engine: for people, each ends with a stop.
    expect(utterances.map(({ text }) => text).join("")).toMatch(/^[甲乙丙丁戊己庚辛]+。[甲乙丙丁戊己庚辛]+。$/);
    expect(utterances.flatMap(({ words: spoken }) => spoken.map(({ text }) => text)).join("")).toBe("甲乙丙丁戊己庚辛");
  });

  it("never lets one voice's piece hear the other voice of the same channel", async () => {
    const voices = [
      {
        channel: 0,
        speaker: "voice-1",
        speech: [
          [1_000, 2_000],
          [3_000, 4_000],
        ] as Span[],
      },
      { channel: 0, speaker: "voice-2", speech: [[2_100, 2_900]] as Span[] },
    ];
    const recogniser = scriptedRecogniser((sound) => ({ text: sound.length > 2_000 * 16 ? "您好请讲" : "我要" }));
    const { utterances } = words(await transcribe(recogniser, call([[1_000, 4_000]], [], "mixed", { voices })));
    expect(utterances.map(({ speaker, channel }) => [speaker, channel])).toEqual([
      ["voice-1", null],
      ["voice-2", null],
      ["voice-1", null],
    ]);
    const long = recogniser.heard.find(({ length }) => length > 2_000 * 16) as Float32Array;
    // From 2,100 on the other speaks; the piece begins at 800. The edges of speech are only known to some 80 ms.
    expect(Math.max(...long.subarray((2_200 - 800) * 16, (2_800 - 800) * 16).map(Math.abs))).toBe(0);
    expect(long[(1_500 - 800) * 16]).toBeGreaterThan(0.4);
    expect(long[(3_500 - 800) * 16]).toBeGreaterThan(0.4);
  });

  it("hears a mono or doubled call once, without saying whose the words are", async () => {
    for (const layout of ["mixed", "dual-mono"] as const) {
      const recogniser = scriptedRecogniser(() => ({ text: "您好，请讲。" }));
      const { utterances } = words(
        await transcribe(recogniser, call([[1_000, 3_000]], layout === "mixed" ? [] : [[1_000, 3_000]], layout)),
      );
      expect(utterances.map(({ channel, role, speaker }) => [channel, role, speaker])).toEqual([[null, null, undefined]]);
    }
  });

  it("keeps what is no evidence apart, with the reason", async () => {
    const scripts: Record<string, [Script, string]> = {
      "no-speech": [{ text: "您好请讲", noSpeech: 0.9 }, "您好请讲"],
      loop: [{ text: "退货退货", looped: true }, "退货退货"],
      credits: [{ text: "字幕由社区提供" }, "字幕由社区提供"],
      "low-confidence": [{ tokens: spread("您好请讲。", 2_400, 0.3), text: "您好请讲。" }, "您好请讲。"],
      "too-little-text": [{ text: "" }, ""],
    };
    for (const [doubt, [script, text]] of Object.entries(scripts)) {
      const result = words(
        await transcribe(
          scriptedRecogniser(() => script),
          call([[1_000, 3_000]]),
        ),
      );
      expect(result.utterances).toEqual([]);
      expect(result.doubtful?.map((one) => [one.doubt, one.startMs, one.endMs, one.text, one.channel])).toEqual([
        [doubt, 1_000, 3_000, text, 0],
      ]);
    }
  });

  it("writes commas at pauses and stops at ends where the engine writes none, in Chinese only", async () => {
    const tokens = spread("您好请讲", 2_400);
    const paused = tokens.map((token, i) => (i < 2 ? { ...token, endMs: (token.endMs as number) - 400 * i } : token));
    const text = async (script: Script) =>
      words(
        await transcribe(
          scriptedRecogniser(() => script),
          call([[1_000, 3_000]]),
        ),
      ).utterances[0]?.text;
    expect(await text({ text: "您好请讲", tokens: paused })).toBe("您好，请讲。");
    expect(await text({ text: "您好请讲！" })).toBe("您好请讲！");
    expect(await text({ text: "hello" })).toBe("hello");
  });

  it("tags are data", async () => {
    const tags = { emotion: "angry", event: "Speech" };
    const { utterances } = words(
      await transcribe(
        scriptedRecogniser(() => ({ text: "您好请讲", tags })),
        call([[1_000, 3_000]]),
      ),
    );
    expect(utterances[0]?.tags).toEqual(tags);
    expect(utterances[0]?.text).toBe("您好请讲。");
  });

  it("spreads words over the speech where the engine gives no times, and says so", async () => {
    const tokens = spread("您好请讲", 2_400, null).map((token) => ({ ...token, startMs: null, endMs: null }));
    const { utterances } = words(
      await transcribe(
        scriptedRecogniser(() => ({ text: "您好请讲", tokens, confidence: null })),
        call([[1_000, 3_000]]),
      ),
    );
    expect(utterances.map(({ timing, confidence, words: spoken }) => [timing, confidence, spoken.length])).toEqual([
      ["estimated", null, 4],
    ]);
  });

  it("doubles and loses no word where unbroken speech is cut", async () => {
    const text = Array.from({ length: 160 }, (_, i) => String.fromCharCode(0x4e00 + 11 * i)).join("");
    const speech: Span = [1_000, 41_000];
    // A character each 250 ms of the recording; the scripted ear knows where a piece begins by the ramp of the left channel below.
    const ramp = join(folder, "ramp.pcm");
    const samples = new Int16Array(DURATION_MS * (RATE / 1000));
    for (let i = 0; i < samples.length; i++) samples[i] = Math.round((i / samples.length) * 32_000);
    await writeFile(ramp, Buffer.from(samples.buffer));
    const recogniser = scriptedRecogniser((sound) => {
      const middleMs = ((sound[sound.length >> 1] as number) * 32_768 * DURATION_MS) / 32_000;
      const startMs = middleMs - sound.length / 32;
      const tokens = [...text].flatMap((character, i) => {
        const fromMs = speech[0] + i * 250 - startMs;
        return fromMs >= -20 && fromMs + 250 <= sound.length / 16 + 20
          ? [{ text: character, startMs: Math.max(0, fromMs), endMs: fromMs + 250, confidence: 0.9 }]
          : [];
      });
      return { text: tokens.map((token) => token.text).join(""), tokens };
    });
    const pcm = [
      { path: ramp, encoding: "s16" as const, bigEndian: false, sampleRate: RATE, channels: 1, dataOffset: 0, frames: samples.length },
    ];
    const { utterances } = words(await transcribe(recogniser, call([speech], [], "mixed", { pcm })));
    expect(recogniser.heard.length).toBeGreaterThan(2);
    expect(utterances.map((utterance) => utterance.text.replaceAll(/[，。]/gu, "")).join("")).toBe(text);
  });

  it("decides the language by the first pieces, and hears again what was heard in the other", async () => {
    const asked: string[] = [];
    const recogniser = scriptedRecogniser((sound, { language }) => {
      asked.push(language);
      const english = sound.length > 5_000 * 16;
      return language === "auto"
        ? { text: "x", languages: english ? { zh: -9, en: -0.1 } : { zh: -0.5, en: -0.9 } }
        : { text: "one two three" };
    });
    const result = words(
      await transcribe(
        recogniser,
        call([
          [1_000, 3_000],
          [6_000, 14_000],
        ]),
        { language: "auto" },
      ),
    );
    expect(result.language).toBe("en");
    expect(asked).toEqual(["auto", "auto", "en"]);
    expect(recogniser.held).toBe(0);
  });

  it("answers without words where the engine fails for good, and with a hole where it fails once", async () => {
    const failing = (code: ErrorCode, times: number) => {
      let left = times;
      return scriptedRecogniser(
        () => {
          if (left-- > 0) throw new CallsiftError(code, "of its own");
          return { text: "您好请讲" };
        },
        { lanes: 1 },
      );
    };
    const four: Span[] = [
      [0, 9_000],
      [12_000, 20_000],
      [24_000, 32_000],
      [36_000, 44_000],
    ];
    expect(await transcribe(failing("asr/unauthorised", 1), call(four))).toEqual({
      status: "not-available",
      reason: "asr/unauthorised: of its own",
    });
    expect(await transcribe(failing("asr/failed", 9), call(four))).toEqual({ status: "not-available", reason: "asr/failed: of its own" });
    const holed = words(await transcribe(failing("asr/time-out", 1), call(four)));
    expect(holed.doubtful?.filter(({ doubt }) => doubt === "failed")).toHaveLength(1);
  });

  it("stops on request, and lets everything go", async () => {
    const stop = new AbortController();
    const recogniser = scriptedRecogniser((_sound, { signal }) => {
      stop.abort();
      signal?.throwIfAborted();
      return {};
    });
    await expect(
      transcribe(
        recogniser,
        call([
          [0, 9_000],
          [12_000, 20_000],
        ]),
        { signal: stop.signal },
      ),
    ).rejects.toMatchObject({ name: "AbortError" });
    expect(recogniser.held).toBe(0);
    await expect(transcribe(recogniser, call([[0, 9_000]]), { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
  });

  it("has nothing to hear where nobody speaks", async () => {
    const recogniser = scriptedRecogniser(() => ({ text: "您好" }));
    expect(await transcribe(recogniser, call([], [], "silent"))).toEqual({
      status: "not-available",
      reason: "nobody speaks in the recording",
    });
    expect(recogniser.heard).toEqual([]);
  });

  it("hears a millisecond of speech", async () => {
    const { utterances } = words(
      await transcribe(
        scriptedRecogniser(() => ({ text: "嗯" })),
        call([[1_000, 1_001]]),
      ),
    );
    expect(utterances).toMatchObject([{ startMs: 1_000, endMs: 1_001, text: "嗯。" }]);
  });

  it("tells how far it is", async () => {
    const shares: number[] = [];
    await transcribe(
      scriptedRecogniser(() => ({ text: "您好请讲" })),
      call([
        [0, 9_000],
        [12_000, 20_000],
      ]),
      { onProgress: (share) => shares.push(share) },
    );
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(shares.at(-1)).toBe(1);
  });
});
