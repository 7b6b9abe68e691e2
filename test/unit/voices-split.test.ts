import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { totalMs, union } from "../../src/pipeline/timeline.ts";
import type { PcmFile, Sound, Span } from "../../src/pipeline/types.ts";
import { openVoices } from "../../src/pipeline/voices/open.ts";
import type { VoiceSplit, VoiceSplitter } from "../../src/pipeline/voices/port.ts";
import { readVoiceEncoder } from "../../src/pipeline/voices/voice-weights.ts";
import { talk } from "../support/call-sound.ts";
import { scratch } from "../support/callsift.ts";
import { wav } from "../support/sound.ts";
import { spokenBy } from "../support/speech.ts";
import { channel } from "../support/transcripts.ts";

let folder: Awaited<ReturnType<typeof scratch>>;
let voices: VoiceSplitter;

beforeAll(async () => {
  folder = await scratch();
  voices = await openVoices();
});
afterAll(async () => {
  await voices[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

/** A 16-bit recording on disk, as `openRecording` would describe it. */
function saved(name: string, channels: readonly Float32Array[], sampleRate = 8000): PcmFile {
  const path = join(folder.path, name);
  writeFileSync(path, wav(channels, { sampleRate }));
  return {
    path,
    encoding: "s16",
    bigEndian: false,
    sampleRate,
    channels: channels.length,
    dataOffset: 44,
    frames: channels[0]?.length ?? 0,
  };
}

function heard(speech: readonly Span[], index = 0): Sound {
  return { layout: "mixed", channels: [channel(index, speech)], tones: [], problems: [] };
}

const call = talk(80, ["zf_xiaobei", "zm_yunjian"]);
const both = call.sides[0].map((sample, i) => sample + (call.sides[1][i] ?? 0));
const bothSpeech = union(call.truth.flat());

/** Share of the time at which just one side speaks that has that side's voice. */
function shareRight(split: VoiceSplit): number {
  if (split.kind !== "two-voices") return 0;
  const at = (spans: readonly Span[], ms: number) => spans.some(([startMs, endMs]) => startMs <= ms && ms < endMs);
  let [right, judged] = [0, 0];
  for (let ms = 5; ms < call.durationMs; ms += 10) {
    const [first, second] = call.truth.map((spans) => at(spans, ms));
    if (first === second) continue;
    judged++;
    if (at(split.voices[first ? 0 : 1].speech, ms)) right++;
  }
  return right / judged;
}

describe("a channel that carries two people", () => {
  it("is told apart, every millisecond of its speech, who speaks first being voice-1", async () => {
    const split = await voices.split([saved("two.wav", [both])], heard(bothSpeech), { channel: 0 });
    if (split.kind !== "two-voices") throw new Error(`expected two voices, got ${JSON.stringify(split)}`);
    expect(split.voices.map(({ speaker }) => speaker)).toEqual(["voice-1", "voice-2"]);
    expect(shareRight(split)).toBeGreaterThan(0.95);
    const [one, two] = split.voices.map(({ speech }) => speech) as [Span[], Span[]];
    expect(union([...one, ...two])).toEqual(bothSpeech);
    expect(totalMs(one) + totalMs(two)).toBe(totalMs(bothSpeech));
    expect(split.confidence.silhouette).toBeGreaterThanOrEqual(0.27);
    expect(split.confidence.eigengap).toBeGreaterThanOrEqual(0.25);
    // The same again.
    expect(await voices.split([saved("two.wav", [both])], heard(bothSpeech), { channel: 0 })).toEqual(split);
  }, 60_000);
  it("is told apart at other rates, and beside a silent channel", async () => {
    const wide = Float32Array.from({ length: 2 * both.length }, (_, i) => both[i >> 1] ?? 0);
    const second = await voices.split([saved("wide.wav", [new Float32Array(wide.length), wide], 16_000)], heard(bothSpeech, 1), {
      channel: 1,
    });
    expect(second).toMatchObject({ kind: "two-voices", channel: 1, voices: [{ channel: 1 }, { channel: 1 }] });
    expect(shareRight(second)).toBeGreaterThan(0.95);
  }, 60_000);
  it("is not told apart where it carries one", async () => {
    const one = spokenBy("zf-xiaoxiao", 70, 0.5);
    const split = await voices.split([saved("one.wav", [one])], heard([[400, 69_000]]), { channel: 0 });
    expect(split).toMatchObject({ kind: "not-told", channel: 0 });
    expect(split).toHaveProperty("silhouette", expect.any(Number));
  }, 60_000);
  it("is not told apart where one person is heard on two lines, one loud, one soft and noisy", async () => {
    const one = spokenBy("zf-xiaoyi", 70, 0.5);
    // Every six seconds another line: hiss and a quarter of the level.
    const lines = one.map((sample, i) => (Math.floor(i / 48_000) % 2 === 0 ? sample : sample / 4 + 0.01 * Math.sin(i * i * 0.37)));
    const split = await voices.split([saved("lines.wav", [lines])], heard([[400, 69_000]]), { channel: 0 });
    expect(split.kind).toBe("not-told");
  }, 60_000);
});

describe("what gives no voices", () => {
  it.each<[what: string, speech: readonly Span[]]>([
    ["no speech", []],
    ["a second of speech", [[1000, 2000]]],
    ["speech in pieces too short to hear a voice", Array.from({ length: 60 }, (_, i): Span => [1000 * i, 1000 * i + 150])],
    ["speech where the file has ended", [[90_000, 200_000]]],
    ["speech that begins before the file", [[-5000, 300]]],
  ])("%s", async (_, speech) => {
    const split = await voices.split([saved("two.wav", [both])], heard(speech), { channel: 0 });
    expect(split.kind).toBe("not-told");
    if (split.kind === "not-told") expect(split.reason).not.toBe("");
  });
  it("a channel that nobody listened to, or that is not in the file", async () => {
    const file = saved("two.wav", [both]);
    expect(await voices.split([file], heard(bothSpeech), { channel: 1 })).toMatchObject({ kind: "not-told", channel: 1 });
    expect(await voices.split([file], heard(bothSpeech, 3), { channel: 3 })).toMatchObject({ kind: "not-told", channel: 3 });
  });
  it("digital silence, and samples that are no numbers", async () => {
    const silence = saved("silence.wav", [new Float32Array(80 * 8000)]);
    expect(await voices.split([silence], heard([[0, 80_000]]), { channel: 0 })).toMatchObject({ kind: "not-told" });
    const path = join(folder.path, "nan.raw");
    writeFileSync(
      path,
      Buffer.from(Float32Array.from(both, (sample, i) => (i % 3 === 0 ? Number.NaN : i % 5 === 0 ? 1e30 : sample)).buffer),
    );
    const broken: PcmFile = { ...silence, path, encoding: "f32", dataOffset: 0, frames: both.length };
    const split = await voices.split([broken], heard(bothSpeech), { channel: 0 });
    expect(["two-voices", "not-told"]).toContain(split.kind);
    for (const value of Object.values(split.kind === "two-voices" ? split.confidence : { ...split, kind: 0, reason: 0 }))
      expect(Number.isFinite(value)).toBe(true);
  }, 60_000);
  it("a file that became shorter since it was listened to", async () => {
    const cut = saved("cut.wav", [both]);
    truncateSync(join(folder.path, "cut.wav"), 60_000);
    expect(await voices.split([cut], heard(bothSpeech), { channel: 0 })).toMatchObject({ kind: "not-told" });
  });
});

describe("the thread", () => {
  it("stops when asked, and takes the next call", async () => {
    const file = saved("long.wav", [both]);
    const long = heard(Array.from({ length: 200 }, (_, i): Span => [i * 80_000, i * 80_000 + 79_000]));
    const stop = new AbortController();
    const running = voices.split([file], long, { channel: 0, signal: stop.signal });
    const waiting = voices.split([file], long, { channel: 0, signal: stop.signal });
    const next = voices.split([file], heard([]), { channel: 0 });
    stop.abort();
    const ended = await Promise.allSettled([running, waiting]);
    expect(ended.map((result) => result.status === "rejected" && result.reason.code)).toEqual(["aborted", "aborted"]);
    expect(await next).toMatchObject({ kind: "not-told" });
    await expect(voices.split([file], long, { channel: 0, signal: stop.signal })).rejects.toMatchObject({ code: "aborted" });
  }, 60_000);
  it("says that the samples are gone", async () => {
    const gone = { ...saved("gone.wav", [both]), path: join(folder.path, "nowhere.wav") };
    await expect(voices.split([gone], heard(bothSpeech), { channel: 0 })).rejects.toMatchObject({ code: "audio/not-found" });
  });
  it("ends when closed, with what it was doing", async () => {
    const own = await openVoices({ workers: 2 });
    const file = saved("closed.wav", [both]);
    const long = heard(Array.from({ length: 200 }, (_, i): Span => [i * 80_000, i * 80_000 + 79_000]));
    const running = [1, 2, 3].map(() => own.split([file], long, { channel: 0 }));
    const ended = Promise.allSettled(running);
    await own[Symbol.asyncDispose]();
    expect((await ended).map((result) => result.status === "rejected" && result.reason.code)).toEqual(["aborted", "aborted", "aborted"]);
    await expect(own.split([file], long, { channel: 0 })).rejects.toMatchObject({ code: "aborted" });
  }, 60_000);
  it("ends when closed before it was ever used", async () => {
    const own = await openVoices();
    expect(own.recipe).toMatch(/^voices\/\d+@[0-9a-f]{12}$/);
    await own[Symbol.asyncDispose]();
  });
});

describe("the encoder's weights", () => {
  it("are those that the script writes", async () => {
    expect((await readVoiceEncoder()).length).toBe(2_848_330);
  });
  it("are refused when cut, swapped or missing", async () => {
    const path = join(folder.path, "weights.onnx");
    await expect(readVoiceEncoder(path)).rejects.toMatchObject({ code: "weights/missing" });
    for (const bytes of [Buffer.alloc(0), Buffer.from("weights"), (await readVoiceEncoder()).subarray(0, 1_000_000)]) {
      writeFileSync(path, bytes);
      await expect(readVoiceEncoder(path)).rejects.toMatchObject({ code: "weights/damaged" });
    }
  });
});
