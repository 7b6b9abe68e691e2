/**
 * Against a server of the protocol that we did not write. Once, in a folder of its own (about 400 MB, from PyPI only; WEIGHTS is the folder of Whisper base as
 * `callsift models pull whisper-base` keeps it):
 *
 *   python3 -m venv V && V/bin/pip install faster-whisper-server==0.0.3
 *   printf 'models:\n  - name: whisper-1\n    path: WEIGHTS\n    model_options: { device: cpu, compute_type: int8, cpu_threads: 1 }\n    transcribe_options: { beam_size: 1 }\n' > server.yaml
 *   HF_HUB_OFFLINE=1 V/bin/faster-whisper-server --config server.yaml --host 127.0.0.1 --port 18431 &
 *   CALLSIFT_TEST_SPEECH_SERVER=http://127.0.0.1:18431/v1 npx vitest run test/unit/openai-foreign-server.test.ts
 *
 * That server gives segments with probabilities and no words, refuses the format text, and works on one piece at a time.
 */
import { describe, expect, it } from "vitest";
import { characterErrors, rateOf } from "../../bench/asr/error-rate.ts";
import { openOpenai } from "../../src/pipeline/asr/openai/open.ts";
import type { Recogniser } from "../../src/pipeline/asr/recogniser.ts";
import { spokenLines } from "../support/spoken-line.ts";

const baseUrl = process.env.CALLSIFT_TEST_SPEECH_SERVER ?? null;
const open = (): Promise<Recogniser> => openOpenai({ baseUrl, apiKey: null, model: process.env.CALLSIFT_TEST_SPEECH_MODEL ?? "whisper-1" });

describe.skipIf(baseUrl === null)("a speech server that we did not write (CALLSIFT_TEST_SPEECH_SERVER)", { timeout: 300_000 }, () => {
  it("reads Mandarin and English lines, as it does from any other client", async () => {
    await using recogniser = await open();
    for (const language of ["zh", "en"] as const) {
      const lines = spokenLines(language, { leastCharacters: 12 }).filter((_, i) => i % 10 === 0);
      const heard = await Promise.all(lines.slice(0, 5).map(({ sound }) => recogniser.hear(sound, { language, timeoutMs: 250_000 })));
      const errors = heard.map(({ text }, i) => characterErrors(lines[i]?.text ?? "", text));
      expect(rateOf(errors)).toBeLessThan(0.35);
      for (const { text, tokens, confidence, noSpeech } of heard) {
        expect(tokens.map((token) => token.text).join("")).toBe(text.replaceAll(" ", ""));
        for (const { startMs, confidence: odds } of tokens) {
          expect(startMs).toBeNull();
          expect(odds).toBeGreaterThan(0);
        }
        expect(confidence).toBeGreaterThan(0.3);
        expect(noSpeech).toBeLessThan(0.4);
      }
    }
  });

  it("tells the language itself where it is not told", async () => {
    await using recogniser = await open();
    const [line] = spokenLines("en", { leastCharacters: 30 });
    const heard = await recogniser.hear(line?.sound ?? new Float32Array(), { language: "auto", timeoutMs: 250_000 });
    expect(heard.tags.language).toBe("en");
    expect(heard.text).toMatch(/^[\p{Script=Latin}\p{P}\p{N} ]+$/u);
  });

  it("takes one millisecond of sound", async () => {
    await using recogniser = await open();
    const heard = await recogniser.hear(new Float32Array(16), { language: "zh", timeoutMs: 250_000 });
    expect(heard.tokens.map((token) => token.text).join("")).toBe(heard.text.replaceAll(" ", ""));
  });
});
