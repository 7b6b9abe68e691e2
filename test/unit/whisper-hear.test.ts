import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readLine } from "../../fixtures/wave.ts";
import type { Recogniser } from "../../src/pipeline/asr/recogniser.ts";
import { openWhisper } from "../../src/pipeline/asr/whisper/open.ts";
import { createResampler } from "../../src/pipeline/audio/resample.ts";
import { whisperBase } from "../support/weights.ts";

const folder = whisperBase();

/** A spoken line of the fixtures at 16 kHz. */
function line(id: string): Float32Array {
  const resampler = createResampler(8000, 16_000);
  const samples = Float32Array.from(readLine(readFileSync(new URL(`../../fixtures/lines/${id}.wav`, import.meta.url))));
  return Float32Array.from([...resampler.push(samples), ...resampler.flush()]);
}

describe.skipIf(folder === null)("whisper hears (needs the weights of whisper-base)", () => {
  let recogniser: Recogniser;
  beforeAll(async () => {
    recogniser = await openWhisper({ folder: folder ?? "", lanes: 1 });
  });
  afterAll(() => recogniser[Symbol.asyncDispose]());

  it("reads a Chinese line, each character with its time and confidence", async () => {
    const heard = await recogniser.hear(line("zf-xiaobei-036c23d1"), { language: "zh" });
    expect(heard.text).not.toBe("");
    expect(heard.tokens.map(({ text }) => text).join("")).toBe(heard.text.replace(/ /g, ""));
    let beforeMs = 0;
    for (const { startMs, endMs, confidence } of heard.tokens) {
      expect(startMs).toBeGreaterThanOrEqual(beforeMs);
      expect(endMs).toBeGreaterThanOrEqual(startMs ?? 0);
      beforeMs = startMs ?? 0;
      expect(confidence).toBeGreaterThan(0);
      expect(confidence).toBeLessThanOrEqual(1);
    }
    expect(heard).toMatchObject({ languages: null, capped: false, looped: false, prompted: false, weigh: null });
    expect(heard.noSpeech).toBeLessThan(0.4);
  });

  it("reads an English line as words", async () => {
    const heard = await recogniser.hear(line("am-michael-d6f29473"), { language: "en" });
    expect(heard.text.toLowerCase()).toContain("thank you for calling");
    expect(heard.tokens.map(({ text }) => text).join(" ")).toBe(heard.text);
  });

  it("tells the languages apart where it is not told", async () => {
    const zh = await recogniser.hear(line("zf-xiaobei-036c23d1"), { language: "auto" });
    const en = await recogniser.hear(line("am-michael-d6f29473"), { language: "auto" });
    expect(zh.languages?.zh).toBeGreaterThan(zh.languages?.en ?? 0);
    expect(en.languages?.en).toBeGreaterThan(en.languages?.zh ?? 0);
    expect(en.text.toLowerCase()).toContain("thank you");
  });
});
