import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clip, first, gaps, last, overlap, subtract, totalMs, union } from "../../src/pipeline/timeline.ts";
import type { Span } from "../../src/pipeline/types.ts";

const SIZE = 60;
const span = fc.tuple(fc.nat(SIZE), fc.nat(SIZE)).map(([a, b]): Span => [Math.min(a, b), Math.max(a, b)]);
const spans = fc.array(span, { maxLength: 12 });

/** The obvious model: which milliseconds are covered. */
const covered = (list: readonly Span[]): boolean[] =>
  Array.from({ length: SIZE }, (_, ms) => list.some(([startMs, endMs]) => startMs <= ms && ms < endMs));
const isCanonical = (list: readonly Span[]): boolean =>
  list.every(([startMs, endMs], i) => startMs < endMs && (i === 0 || (list[i - 1] as Span)[1] <= startMs));

describe("span algebra against a millisecond-by-millisecond model", () => {
  const cases: [string, (a: Span[], b: Span[]) => Span[], (a: boolean, b: boolean) => boolean][] = [
    ["union", (a, b) => union([...a, ...b]), (a, b) => a || b],
    ["overlap", overlap, (a, b) => a && b],
    ["subtract", subtract, (a, b) => a && !b],
    ["gaps", (a) => gaps(a, [0, SIZE]), (a) => !a],
  ];
  it.each(cases)("%s", (_name, operate, truth) => {
    fc.assert(
      fc.property(spans, spans, (a, b) => {
        const result = operate(a, b);
        const inA = covered(a);
        const inB = covered(b);
        expect(isCanonical(result)).toBe(true);
        expect(covered(result)).toEqual(inA.map((x, ms) => truth(x, inB[ms] as boolean)));
      }),
    );
  });

  it("clip keeps what lies in the window", () => {
    fc.assert(
      fc.property(spans, span, (a, window) => {
        expect(covered(clip(a, window))).toEqual(covered(a).map((x, ms) => x && window[0] <= ms && ms < window[1]));
      }),
    );
  });

  it("first and last take the asked amount, from the right end, out of the spans only", () => {
    fc.assert(
      fc.property(spans, fc.nat(SIZE), (a, ms) => {
        const want = Math.min(ms, totalMs(union(a)));
        for (const taken of [first(a, ms), last(a, ms)]) {
          expect(totalMs(taken)).toBe(want);
          expect(subtract(taken, a)).toEqual([]);
        }
        expect(union([...first(a, ms), ...last(a, totalMs(union(a)) - want)])).toEqual(union(a));
      }),
    );
  });

  it("union joins spans at most joinMs apart", () => {
    expect(
      union(
        [
          [0, 10],
          [15, 20],
          [21, 22],
        ],
        5,
      ),
    ).toEqual([[0, 22]]);
    expect(
      union(
        [
          [0, 10],
          [16, 20],
        ],
        5,
      ),
    ).toEqual([
      [0, 10],
      [16, 20],
    ]);
  });
});
