import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Worker } from "node:worker_threads";
import { beforeAll, describe, expect, test } from "vitest";
import { createListener } from "../../src/pipeline/audio/listen.ts";
import { hear } from "../../src/pipeline/audio/pass.ts";
import type { PcmFile, Span } from "../../src/pipeline/types.ts";
import { energy } from "../../src/pipeline/vad/energy.ts";
import { silero } from "../../src/pipeline/vad/silero.ts";
import { scratch } from "../support/callsift.ts";
import { wav } from "../support/sound.ts";
import { ensureWeights, spokenBy } from "../support/speech.ts";

beforeAll(ensureWeights);

/** A 16-bit recording on disk, as `openRecording` would describe it. */
function saved(folder: string, name: string, channels: readonly Float32Array[], sampleRate = 8000): PcmFile {
  const path = join(folder, name);
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

/** The same sound at a multiple of its rate, by straight lines between the samples. */
function raised(samples: Float32Array, times: number): Float32Array {
  return Float32Array.from({ length: samples.length * times }, (_, i) => {
    const at = Math.floor(i / times);
    const from = samples[at] as number;
    return from + ((samples[at + 1] ?? from) - from) * ((i % times) / times);
  });
}

function expectNear(found: readonly Span[] | undefined, wanted: readonly Span[] | undefined, withinMs: number): void {
  expect(found).toHaveLength(wanted?.length ?? Number.NaN);
  for (const [at, [startMs, endMs]] of (found ?? []).entries()) {
    expect(Math.abs(startMs - (wanted?.[at]?.[0] ?? Number.NaN))).toBeLessThanOrEqual(withinMs);
    expect(Math.abs(endMs - (wanted?.[at]?.[1] ?? Number.NaN))).toBeLessThanOrEqual(withinMs);
  }
}

const agent = spokenBy("zf-xiaobei", 30, 2);
const customer = spokenBy("am-fenrir", 30, 3.1);

describe("hear", () => {
  test("answers the speech of both sides, in order and inside the recording", async () => {
    await using folder = await scratch();
    await using detector = await silero.open();
    const { sound } = await hear({ pcm: [saved(folder.path, "a.wav", [agent, customer])], truncated: false, problems: [] }, detector);
    expect(sound.layout).toBe("split");
    expect(sound.channels.map(({ channel }) => channel)).toEqual([0, 1]);
    for (const { speech } of sound.channels) {
      expect(speech.length).toBeGreaterThan(2);
      let beforeMs = 0;
      for (const [startMs, endMs] of speech) {
        expect(startMs).toBeGreaterThanOrEqual(beforeMs);
        expect(endMs).toBeGreaterThan(startMs);
        expect(endMs).toBeLessThanOrEqual(30_000);
        beforeMs = endMs;
      }
    }
    // The pauses before the first words are as long as they were made, but for the little silence that a line begins with.
    expect(Math.abs((sound.channels[0]?.speech[0]?.[0] ?? 0) - 2000)).toBeLessThan(300);
    expect(Math.abs((sound.channels[1]?.speech[0]?.[0] ?? 0) - 3100)).toBeLessThan(300);
  });

  test("two legs are channels 0 and 1, whatever their rates and lengths", async () => {
    await using folder = await scratch();
    await using detector = await silero.open();
    const together = await hear({ pcm: [saved(folder.path, "a.wav", [agent, customer])], truncated: false, problems: [] }, detector);
    const short = customer.subarray(0, 29 * 8000);
    const legs = [saved(folder.path, "agent.wav", [raised(agent, 2)], 16_000), saved(folder.path, "customer.wav", [short])];
    const apart = await hear({ pcm: legs, truncated: false, problems: [] }, detector);
    for (const channel of [0, 1]) expectNear(apart.sound.channels[channel]?.speech, together.sound.channels[channel]?.speech, 60);
  });

  test.each([16_000, 48_000])("at %i Hz speech is where it is at 8,000 Hz", async (sampleRate) => {
    await using folder = await scratch();
    await using detector = await silero.open();
    const narrow = await hear({ pcm: [saved(folder.path, "a.wav", [agent])], truncated: false, problems: [] }, detector);
    const wide = saved(folder.path, "b.wav", [raised(agent, sampleRate / 8000)], sampleRate);
    const heard = await hear({ pcm: [wide], truncated: false, problems: [] }, detector);
    expectNear(heard.sound.channels[0]?.speech, narrow.sound.channels[0]?.speech, 60);
  });

  test.each([0, 1, 255, 256, 8191, 8192, 8193, 65_536, 65_537])("a recording of %i samples", async (frames) => {
    await using folder = await scratch();
    await using detector = await energy.open();
    const { sound } = await hear(
      { pcm: [saved(folder.path, "a.wav", [new Float32Array(frames)])], truncated: false, problems: [] },
      detector,
    );
    expect(sound.layout).toBe("silent");
    expect(sound.channels.flatMap(({ speech }) => speech)).toEqual([]);
  });

  test("the same recording gives the same answer, also after another one", async () => {
    await using folder = await scratch();
    await using detector = await silero.open();
    const call = { pcm: [saved(folder.path, "a.wav", [agent, customer])], truncated: false, problems: [] };
    const first = await hear(call, detector);
    await hear({ ...call, pcm: [saved(folder.path, "b.wav", [customer])] }, detector);
    expect((await hear(call, detector)).sound).toEqual(first.sound);
  });

  test("says how far it is, and stops when asked to", async () => {
    await using folder = await scratch();
    await using detector = await silero.open();
    const pcm = [saved(folder.path, "a.wav", [agent])];
    const told: number[] = [];
    await hear({ pcm, truncated: false, problems: [] }, detector, { onProgress: (doneMs) => told.push(doneMs) });
    expect(told).toEqual([...told].sort((a, b) => a - b));
    expect(told.at(-1)).toBe(30_000);
    const stopped = hear({ pcm, truncated: false, problems: [] }, detector, { isAborted: () => told.length > 0 });
    await expect(stopped).rejects.toMatchObject({ code: "aborted" });
  });
});

describe("a listener", () => {
  test("hears as the pass does, several recordings side by side, in any order of ends", async () => {
    await using folder = await scratch();
    const files = [[agent, customer], [customer], [agent]].map((channels, i) => saved(folder.path, `${i}.wav`, channels));
    await using detector = await silero.open();
    const expected = [];
    for (const file of files) expected.push((await hear({ pcm: [file], truncated: false, problems: [] }, detector)).sound);
    await using listener = createListener({ workers: 2 });
    const heard = await Promise.all([...files, ...files].map((file) => listener.listen([file])));
    expect(heard.map(({ sound }) => sound)).toEqual([...expected, ...expected]);
    for (const { vadMs, listenMs } of heard) expect(vadMs).toBeLessThanOrEqual(listenMs);
  });

  test("paths that are no text work", async () => {
    await using folder = await scratch();
    const { path, ...rest } = saved(folder.path, "a.wav", [agent]);
    await using listener = createListener({ workers: 1, vad: "energy" });
    const heard = await listener.listen([{ ...rest, path: new TextEncoder().encode(String(path)) }]);
    expect(heard.sound.channels[0]?.speech.length).toBeGreaterThan(0);
  });

  test("a failure is the recording's own and has its code; the next one is heard", async () => {
    await using folder = await scratch();
    const file = saved(folder.path, "a.wav", [agent]);
    await using listener = createListener({ workers: 1, vad: "energy" });
    const failed = listener.listen([{ ...file, path: join(folder.path, "gone.wav") }]);
    await expect(failed).rejects.toMatchObject({ name: "CallsiftError", code: "audio/not-found" });
    expect((await listener.listen([file])).sound.channels).toHaveLength(1);
  });

  test("a thread that breaks down fails its recording, and another takes its place", async () => {
    await using folder = await scratch();
    const file = saved(folder.path, "a.wav", [agent]);
    await using listener = createListener({ workers: 1, vad: "energy" });
    const started = new Promise<Worker>((resolve) => process.once("worker", resolve));
    const broken = expect(listener.listen([file])).rejects.toMatchObject({ name: "CallsiftError", code: "internal/bug" });
    const following = listener.listen([file]);
    await (await started).terminate();
    await broken;
    expect((await following).sound.channels).toHaveLength(1);
  });

  test("an abort ends what runs, and what waits at once; the rest goes on", async () => {
    await using folder = await scratch();
    const long = saved(folder.path, "long.wav", [spokenBy("zf-xiaobei", 300)]);
    const short = saved(folder.path, "short.wav", [agent]);
    await using listener = createListener({ workers: 1 });
    await listener.listen([short]);
    const running = new AbortController();
    const waiting = new AbortController();
    const first = listener.listen([long], { signal: running.signal });
    const second = listener.listen([short], { signal: waiting.signal });
    const third = listener.listen([short]);
    const refusedSecond = expect(second).rejects.toMatchObject({ code: "aborted" });
    waiting.abort();
    await refusedSecond;
    const refusedFirst = expect(first).rejects.toMatchObject({ code: "aborted" });
    running.abort();
    await refusedFirst;
    expect((await third).sound.channels).toHaveLength(1);
    await expect(listener.listen([short], { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
  });

  test("closing it aborts what runs and waits, and leaves no thread", async () => {
    await using folder = await scratch();
    const long = saved(folder.path, "long.wav", [spokenBy("zf-xiaobei", 300)]);
    const listener = createListener({ workers: 1 });
    const refused = [1, 2].map(() => expect(listener.listen([long])).rejects.toMatchObject({ code: "aborted" }));
    await listener[Symbol.asyncDispose]();
    await Promise.all(refused);
    await expect(listener.listen([long])).rejects.toMatchObject({ code: "aborted" });
  });

  test("its recipe names the engine and the settings that change spans", () => {
    const recipes = (["silero", "energy"] as const).map((vad) => createListener({ workers: 1, vad }).recipe);
    expect(recipes[0]).toMatch(/^silero-v5-8k@[0-9a-f]{12} \{.*"threshold":0.5/);
    expect(new Set(recipes).size).toBe(2);
  });

  test("the detector's native library leaves nothing in the user's folders", async () => {
    await using home = await scratch();
    await using folder = await scratch();
    const file = saved(folder.path, "a.wav", [agent.subarray(0, 8000)]);
    const script = `
      import { createListener } from "./src/pipeline/audio/listen.ts";
      const listener = createListener({ workers: 1 });
      const { sound } = await listener.listen([JSON.parse(process.argv[1])]);
      process.stdout.write(sound.layout);
      await listener[Symbol.asyncDispose]();`;
    const root = fileURLToPath(new URL("../..", import.meta.url));
    const { ORT_DISABLE_TELEMETRY: _, XDG_CACHE_HOME: __, ...env } = process.env;
    const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script, JSON.stringify(file)], {
      cwd: root,
      env: { ...env, HOME: home.path },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    for await (const part of child.stdout) said += part;
    expect(said).not.toBe("");
    expect(await readdir(home.path)).toEqual([]);
  });
});
