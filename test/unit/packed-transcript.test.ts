import fc from "fast-check";
import { expect, it } from "vitest";
import { pack } from "../../src/models/packed.ts";
import { packTranscribed, unpackTranscribed, unpackTranscribedSync } from "../../src/models/packed-transcript.ts";
import type { Utterance, Word } from "../../src/pipeline/types.ts";
import { transcribedOf } from "../support/workers.ts";

const whole = transcribedOf("a".repeat(64));

function withUtterances(utterances: readonly Utterance[]): typeof whole {
  return { ...whole, call: { ...whole.call, transcript: { engine: "test", model: null, language: "zh", utterances } } };
}

const text = fc.oneof(fc.constantFrom("您", "好", "𠮷", "hello", "", "é"), fc.string({ unit: "grapheme", maxLength: 4 }));
const ms = fc.oneof(fc.integer({ min: -5000, max: 90_000_000 }), fc.double({ noNaN: true, noDefaultInfinity: true }));
const word = fc.record(
  { text, startMs: ms, endMs: ms, confidence: fc.double({ min: 0, max: 1, noNaN: true }), more: fc.constantFrom("x", undefined) },
  { requiredKeys: ["text", "startMs", "endMs"] },
) as fc.Arbitrary<Word>;
const plainWord = fc.record({ text, startMs: fc.nat(10_000), endMs: fc.nat(10_000), confidence: fc.constant(0.5) });
const utterance: fc.Arbitrary<Utterance> = fc.record({
  role: fc.constantFrom("agent", "customer", null),
  channel: fc.constantFrom(0, null),
  startMs: ms,
  endMs: ms,
  text,
  confidence: fc.constantFrom(0.5, null),
  words: fc.oneof(fc.array(word, { maxLength: 6 }), fc.array(plainWord, { maxLength: 6 })),
  timing: fc.constantFrom("exact", "estimated"),
});

it("gives back what was heard to the last digit, whatever the words are like", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(utterance, { maxLength: 4 }), async (utterances) => {
      const transcribed = withUtterances(utterances);
      const packed = await packTranscribed(transcribed);
      const json = JSON.stringify(transcribed);
      expect(JSON.stringify(await unpackTranscribed(packed))).toBe(json);
      expect(JSON.stringify(unpackTranscribedSync(packed))).toBe(json);
    }),
  );
});

it("reads transcripts that were stored word by word, and calls without words", async () => {
  expect(await unpackTranscribed(await pack(whole))).toEqual(whole);
  const silent = { ...whole, call: { ...whole.call, transcript: { status: "not-available", reason: "none" } as const } };
  expect(await unpackTranscribed(await packTranscribed(silent))).toEqual(silent);
});

it("takes less than half the bytes of the same as JSON", async () => {
  const words = Array.from({ length: 1200 }, (_, i) => ({
    text: "很",
    startMs: i * 200 + (i % 7),
    endMs: i * 200 + 180,
    confidence: (i % 90) / 100,
  }));
  const long = withUtterances([
    { role: "agent", channel: 0, startMs: 0, endMs: 240_000, text: "很".repeat(1200), confidence: 0.9, words, timing: "exact" },
  ]);
  expect((await packTranscribed(long)).length).toBeLessThan((await pack(long)).length / 2);
});
