import fc from "fast-check";
import { expect, test } from "vitest";
import { createJudge, decodeGreedily, logSum, type Scores } from "../../src/pipeline/asr/sherpa/ctc.ts";

const SYMBOLS = 3;

const scoresOf = fc
  .integer({ min: 1, max: 6 })
  .chain((frames) =>
    fc
      .array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: frames * SYMBOLS, maxLength: frames * SYMBOLS })
      .map((values): Scores => ({ data: Float32Array.from(values), frames, symbols: SYMBOLS })),
  );
const idsOf = fc.array(fc.integer({ min: 1, max: SYMBOLS - 1 }), { maxLength: 4 });

function row({ data, symbols }: Scores, frame: number): number[] {
  const values = [...data.subarray(frame * symbols, (frame + 1) * symbols)];
  const sum = Math.log(values.reduce((total, value) => total + Math.exp(value), 0));
  return values.map((value) => value - sum);
}

/** Every path through the frames, its repeats and blanks taken out, and how likely it is. */
function* paths(scores: Scores, frame = 0): Generator<{ path: number[]; logProb: number }> {
  if (frame === scores.frames) {
    yield { path: [], logProb: 0 };
    return;
  }
  const here = row(scores, frame);
  for (const { path, logProb } of paths(scores, frame + 1)) {
    for (const [id, own] of here.entries()) yield { path: [id, ...path], logProb: logProb + own };
  }
}

function collapse(path: readonly number[]): string {
  return path.filter((id, i) => id !== 0 && id !== path[i - 1]).join();
}

test("a text's probability is the sum over all its paths", () => {
  fc.assert(
    fc.property(scoresOf, idsOf, (scores, ids) => {
      let expected = 0;
      for (const { path, logProb } of paths(scores)) if (collapse(path) === ids.join()) expected += Math.exp(logProb);
      const got = createJudge(scores, 0).weigh(ids);
      if (expected === 0) expect(got).toBe(Number.NEGATIVE_INFINITY);
      else expect(got).toBeCloseTo(Math.log(expected), 1);
    }),
    { numRuns: 150 },
  );
});

test("greedy decoding takes each frame's best, and its text is never likelier than certain", () => {
  fc.assert(
    fc.property(scoresOf, (scores) => {
      const tokens = decodeGreedily(scores, 0);
      const best = Array.from({ length: scores.frames }, (_, frame) => {
        const here = scores.data.subarray(frame * SYMBOLS, (frame + 1) * SYMBOLS);
        return here.indexOf(Math.max(...here));
      });
      const ids = tokens.map(({ id }) => id);
      expect(ids.join()).toBe(collapse(best));
      for (const { frame, logProb } of tokens) {
        expect(logProb).toBeLessThanOrEqual(0);
        expect(frame).toBeGreaterThanOrEqual(0);
      }
      expect(createJudge(scores, 0).weigh(ids)).toBeLessThan(0.05);
    }),
    { numRuns: 150 },
  );
});

test("the sum of a row is right to 0.002, however far apart its scores are", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: -300, max: 300, noNaN: true }), { minLength: 1, maxLength: 40 }), (values) => {
      const data = Float32Array.from(values);
      const most = Math.max(...data);
      const exact = most + Math.log(data.reduce((sum, value) => sum + Math.exp(value - most), 0));
      expect(Math.abs(logSum({ data, frames: 1, symbols: data.length }, 0) - exact)).toBeLessThan(0.002);
    }),
  );
});

test("symbols that are not known, or have no room, are impossible", () => {
  const scores: Scores = { data: new Float32Array(2 * SYMBOLS), frames: 2, symbols: SYMBOLS };
  const { weigh } = createJudge(scores, 0);
  for (const ids of [[7], [-1], [1, 1], [1, 2, 1]]) expect(weigh(ids)).toBe(Number.NEGATIVE_INFINITY);
  expect(weigh([1, 2])).toBeCloseTo(Math.log(1 / 9), 2);
  expect(createJudge(scores, 0, 2).weigh([])).toBe(0);
});
