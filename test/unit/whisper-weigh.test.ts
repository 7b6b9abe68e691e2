import fc from "fast-check";
import { expect, test } from "vitest";
import type { Reading } from "../../src/pipeline/asr/whisper/reading.ts";
import type { Networks } from "../../src/pipeline/asr/whisper/sessions.ts";
import { type Baseline, weighAgainst } from "../../src/pipeline/asr/whisper/weigh.ts";

const END = 99;
const OPENING = [90, 91, 92];
const ban = undefined as unknown as ReturnType<Networks["ban"]>;

/** A decoder to which a token's worth depends on the few tokens before it, and on nothing further back. */
function worthOf(token: number, before: readonly number[]): number {
  return -((token * 7 + before.slice(-2).reduce((sum, one, i) => sum + one * (i + 3), 0)) % 11) / 4;
}

function readingOf(read: number[], counts: { tokens: number }): Reading {
  return {
    async read(tokens, { targets = [] }) {
      const targetLogProbabilities = tokens.map((token, i) => {
        read.push(token);
        return worthOf(targets[i] as number, read);
      });
      counts.tokens += tokens.length;
      return { candidates: [], targetLogProbabilities, logits: null, attention: new Float32Array() };
    },
    fork: (length) => readingOf(read.slice(0, length), counts),
    spread() {
      throw new Error("not asked for");
    },
  };
}

function baselineOf(tokens: readonly number[], capped: boolean, counts: { tokens: number }): Baseline {
  const all = [...OPENING, ...tokens];
  return {
    reading: readingOf(capped ? all.slice(0, -1) : all, counts),
    opening: OPENING,
    tokens,
    logProbabilities: tokens.map((token, i) => worthOf(token, all.slice(0, OPENING.length + i))),
    endLogProbability: capped ? null : worthOf(END, all),
  };
}

const whole = (text: readonly number[]) =>
  [...text, END].reduce((sum, token, i) => sum + worthOf(token, [...OPENING, ...text].slice(0, OPENING.length + i)), 0);

const text = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 24 });

test("a text is worth as much as if all of it were read, where tokens know only their neighbours", async () => {
  await fc.assert(
    fc.asyncProperty(text, text, fc.boolean(), async (known, other, capped) => {
      const baseline = baselineOf(known, capped && known.length > 0, { tokens: 0 });
      for (const asked of [known, other, [...known.slice(0, 3), ...other, ...known.slice(5)]])
        expect(await weighAgainst(baseline, asked, { ban, end: END })).toBeCloseTo(whole(asked), 6);
    }),
  );
});

test("what is found to be too little is given up, and what is not is as it was", async () => {
  await fc.assert(
    fc.asyncProperty(text, text, fc.double({ min: -60, max: 0, noNaN: true }), async (known, other, least) => {
      const baseline = baselineOf(known, false, { tokens: 0 });
      const worth = await weighAgainst(baseline, other, { ban, end: END });
      const found = await weighAgainst(baseline, other, { ban, end: END, least });
      if (found !== Number.NEGATIVE_INFINITY) expect(found).toBeCloseTo(worth, 6);
      else expect(worth).toBeLessThan(least + 1e-6);
    }),
  );
  const counts = { tokens: 0 };
  const known = Array.from({ length: 60 }, (_, i) => i % 6);
  const other = [...known.slice(0, 20), ...known.slice(0, 20).reverse(), ...known.slice(40)];
  await weighAgainst(baselineOf(known, false, counts), other, { ban, end: END, least: -1 });
  expect(counts.tokens).toBe(0);
});

test("only what differs is read, and a little after it", async () => {
  const known = Array.from({ length: 60 }, (_, i) => i % 6);
  const counts = { tokens: 0 };
  const baseline = baselineOf(known, false, counts);
  await weighAgainst(baseline, known, { ban, end: END });
  expect(counts.tokens).toBe(0);
  await weighAgainst(baseline, [...known.slice(0, 30), 50, 51, ...known.slice(32)], { ban, end: END });
  expect(counts.tokens).toBe(6);
});
