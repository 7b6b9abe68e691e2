import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PIECE_DEFAULTS, planPieces } from "../../src/pipeline/asr/pieces.ts";
import { lengthOf, totalMs, union } from "../../src/pipeline/timeline.ts";
import type { Span } from "../../src/pipeline/types.ts";

const middle = (fromMs: number, toMs: number) => (fromMs + toMs) / 2;

const speeches = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 4_000 }), fc.integer({ min: 1, max: 70_000 })), { maxLength: 40 })
  .map((steps) => {
    const spans: Span[] = [];
    let at = 0;
    for (const [gapMs, lengthMs] of steps) {
      spans.push([at + gapMs, at + gapMs + lengthMs]);
      at += gapMs + lengthMs;
    }
    return spans;
  });

describe("planPieces", () => {
  it("hears all speech once, in order, and nothing longer than allowed", () => {
    fc.assert(
      fc.property(speeches, fc.double({ min: 0, max: 1, noNaN: true }), (speech, share) => {
        const durationMs = (speech.at(-1)?.[1] ?? 0) + 50;
        const pieces = planPieces(speech, durationMs, (fromMs, toMs) => fromMs + share * (toMs - fromMs));
        const covered = pieces.flatMap((piece) => piece.speech);
        expect(union(covered)).toEqual(union(speech));
        expect(totalMs(covered)).toBe(totalMs(speech));
        let lastMs = 0;
        for (const piece of pieces) {
          expect(piece.endMs - piece.startMs).toBeLessThanOrEqual(PIECE_DEFAULTS.mostMs);
          expect(piece.endMs - piece.startMs).toBeGreaterThan(0);
          expect(piece.startMs).toBeGreaterThanOrEqual(0);
          expect(piece.endMs).toBeLessThanOrEqual(durationMs);
          const [head, tail] = [piece.speech[0] as Span, piece.speech.at(-1) as Span];
          expect(piece.startMs).toBeLessThanOrEqual(head[0]);
          expect(piece.endMs).toBeGreaterThanOrEqual(tail[1]);
          expect(head[0]).toBeGreaterThanOrEqual(lastMs);
          lastMs = tail[1];
          for (let i = 1; i < piece.speech.length; i++) {
            expect((piece.speech[i] as Span)[0] - (piece.speech[i - 1] as Span)[1]).toBeLessThanOrEqual(PIECE_DEFAULTS.gapMs);
          }
        }
      }),
    );
  });

  it("gathers short turns into pieces of 8 to 12 s", () => {
    const speech = Array.from({ length: 30 }, (_, i): Span => [i * 2_000, i * 2_000 + 1_400]);
    const lengths = planPieces(speech, 60_000, middle).map((piece) => lengthOf([piece.startMs, piece.endMs]));
    for (const length of lengths.slice(0, -1)) {
      expect(length).toBeGreaterThanOrEqual(8_000);
      expect(length).toBeLessThanOrEqual(12_400);
    }
  });

  it("does not go on over a long silence", () => {
    const pieces = planPieces(
      [
        [0, 1_000],
        [2_501, 3_000],
      ],
      4_000,
      middle,
    );
    expect(pieces.map(({ speech }) => speech)).toEqual([[[0, 1_000]], [[2_501, 3_000]]]);
    expect(
      planPieces(
        [
          [0, 1_000],
          [2_500, 3_000],
        ],
        4_000,
        middle,
      ),
    ).toHaveLength(1);
  });

  it("cuts three hours of unbroken speech, each cut told and shared by both pieces", () => {
    const pieces = planPieces([[0, 3 * 3_600_000]], 3 * 3_600_000, middle);
    expect(pieces.length).toBeGreaterThan(500);
    expect(pieces[0]?.continues).toBe(false);
    for (let i = 1; i < pieces.length; i++) {
      expect(pieces[i]?.continues).toBe(true);
      expect((pieces[i - 1]?.endMs ?? 0) - (pieces[i]?.startMs ?? 0)).toBe(PIECE_DEFAULTS.overlapMs);
    }
  });

  it("has nothing to plan for silence, and a piece for 1 ms of speech", () => {
    expect(planPieces([], 60_000, middle)).toEqual([]);
    expect(planPieces([[500, 501]], 60_000, middle)).toEqual([{ startMs: 300, endMs: 701, speech: [[500, 501]], continues: false }]);
  });
});
