import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Recogniser } from "../../src/pipeline/asr/recogniser.ts";
import { openWhisper } from "../../src/pipeline/asr/whisper/open.ts";
import { writeTinyWhisper } from "../support/tiny-whisper.ts";

/** Noise, loud and quiet by turns. */
function sound(ms: number): Float32Array {
  let seed = 3;
  return Float32Array.from({ length: ms * 16 }, (_, i) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return (seed / 2_147_483_648 - 0.5) * (i % 16_000 < 9_000 ? 0.4 : 0.001);
  });
}

describe("a Whisper whose weights are chance", () => {
  const folder = mkdtempSync(join(tmpdir(), "callsift-tiny-"));
  let recogniser: Recogniser;
  beforeAll(async () => {
    recogniser = await openWhisper({ folder: writeTinyWhisper(folder), lanes: 1 });
  });
  afterAll(async () => {
    await recogniser[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([1, 20, 700, 9_000, 28_000])("hears %i ms of it", async (ms) => {
    const heard = await recogniser.hear(sound(ms), { language: "zh" });
    expect(heard.noSpeech).toBeGreaterThanOrEqual(0);
    for (const { startMs, endMs, confidence } of heard.tokens) {
      expect(startMs).toBeGreaterThanOrEqual(0);
      expect(endMs).toBeLessThanOrEqual(ms);
      expect(confidence).toBeGreaterThanOrEqual(0);
    }
  });

  it("hears the same again, in one lane or two", async () => {
    const two = await openWhisper({ folder, lanes: 2 });
    const pieces = [sound(900), sound(2_000), sound(900), sound(3_100)];
    const plain = async (by: Recogniser) =>
      (await Promise.all(pieces.map((piece) => by.hear(piece, { language: "auto" })))).map(({ weigh: _, release: __, ...rest }) => rest);
    expect(await plain(two)).toEqual(await plain(recogniser));
    await two[Symbol.asyncDispose]();
  });

  it("weighs texts, each alike whichever are weighed with it", async () => {
    const heard = await recogniser.hear(sound(1_500), { language: "zh", keep: true });
    const [empty, one, two] = (await heard.weigh?.(["", "ab", "ab cd"])) ?? [];
    expect(await heard.weigh?.(["ab cd"])).toEqual([two]);
    for (const weight of [empty, one, two]) expect(weight).toBeLessThan(0);
    // Longer than the model can read.
    expect((await heard.weigh?.(["x".repeat(2_000)]))?.[0]).toBeLessThan(0);
    heard.release();
  });

  it.each([
    ["nothing", new Float32Array()],
    ["more than it takes", new Float32Array(28_001 * 16)],
  ])("refuses %s", async (_, samples) => {
    await expect(recogniser.hear(samples, { language: "zh" })).rejects.toMatchObject({ code: "asr/failed" });
  });

  it("is stopped and told so, and goes on with the next", async () => {
    const controller = new AbortController();
    const stopped = recogniser.hear(sound(28_000), { language: "zh", signal: controller.signal });
    const next = recogniser.hear(sound(300), { language: "zh" });
    setTimeout(() => controller.abort(), 30);
    await expect(stopped).rejects.toMatchObject({ code: "aborted" });
    expect((await next).noSpeech).toBeGreaterThanOrEqual(0);
  });

  it("is not opened where that is no longer wanted", async () => {
    await expect(openWhisper({ folder, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
    const controller = new AbortController();
    const opening = openWhisper({ folder, signal: controller.signal });
    setTimeout(() => controller.abort(), 5);
    await expect(opening).rejects.toMatchObject({ code: "aborted" });
  });
});
