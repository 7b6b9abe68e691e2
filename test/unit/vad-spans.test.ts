import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type SpanOptions, speechSpans } from "../../src/pipeline/vad/spans.ts";

const HOP_MS = 32;
const FRAME_MS = 10;
const NOISE_DB = -60;

/** Probabilities and levels of a recording in which somebody speaks at these times; the detector lags by the milliseconds given. */
function track(spoken: readonly (readonly [number, number])[], durationMs: number, { lateMs = 0, longMs = 0, levelDb = -20 } = {}) {
  const heard = spoken.map(([startMs, endMs]) => [startMs + lateMs, endMs + longMs] as const);
  const covers = (spans: readonly (readonly [number, number])[], ms: number) =>
    spans.some(([startMs, endMs]) => startMs <= ms && ms < endMs);
  return {
    probability: Float32Array.from({ length: Math.ceil(durationMs / HOP_MS) }, (_, hop) =>
      covers(heard, (hop + 0.5) * HOP_MS) ? 0.95 : 0.01,
    ),
    hopMs: HOP_MS,
    levelsDb: Float32Array.from({ length: Math.ceil(durationMs / FRAME_MS) }, (_, at) =>
      covers(spoken, (at + 0.5) * FRAME_MS) ? levelDb : NOISE_DB,
    ),
    frameMs: FRAME_MS,
    durationMs,
  };
}

describe("speechSpans", () => {
  test("finds where the sound starts and ends, though the detector is late at both", () => {
    const spoken = [
      [1000, 3000],
      [9500, 12_340],
    ] as const;
    const spans = speechSpans(track(spoken, 15_000, { lateMs: 120, longMs: 90 }));
    expect(spans).toHaveLength(2);
    for (const [at, [startMs, endMs]] of spans.entries()) {
      expect(Math.abs(startMs - (spoken[at]?.[0] ?? 0))).toBeLessThanOrEqual(20);
      expect(Math.abs(endMs - (spoken[at]?.[1] ?? 0))).toBeLessThanOrEqual(20);
    }
  });

  test("an end on which the detector hangs is brought in to the sound, where the sound is clear", () => {
    const clear = track([[1000, 3000]], 5000, { longMs: 330 });
    expect(Math.abs((speechSpans(clear)[0]?.[1] ?? 0) - 3000)).toBeLessThanOrEqual(20);
    const noisy = track([[1000, 3000]], 5000, { longMs: 330, levelDb: NOISE_DB + 12 });
    expect(speechSpans(noisy)[0]?.[1]).toBeGreaterThan(3250);
  });

  test("a start moves out by reachMs at most", () => {
    const found = track([[1000, 3000]], 5000, { lateMs: 400 });
    const [[startMs] = [0, 0]] = speechSpans(found, { reachMs: 100 });
    expect(startMs).toBeGreaterThanOrEqual(1000 + 400 - HOP_MS - 100);
    expect(speechSpans(found)[0]?.[0]).toBeLessThan(startMs);
  });

  test("a pause of 300 ms ends an utterance, a closure of 120 ms does not", () => {
    const spans = speechSpans(
      track(
        [
          [500, 1500],
          [1620, 2500],
          [2800, 4000],
        ],
        5000,
      ),
    );
    expect(spans.map(([startMs, endMs]) => [Math.round(startMs / 50) * 50, Math.round(endMs / 50) * 50])).toEqual([
      [500, 2500],
      [2800, 4000],
    ]);
  });

  test("a pause that the detector bridges still ends the utterance, if the level is clear", () => {
    const found = track(
      [
        [500, 1500],
        [1900, 3000],
      ],
      4000,
    );
    const bridged = { ...found, probability: found.probability.map((value, hop) => (hop > 14 && hop < 94 ? 0.9 : value)) };
    expect(speechSpans(bridged)).toHaveLength(2);
    expect(speechSpans(bridged, { splitMs: 500 })).toHaveLength(1);
    // Noise close below the speech: the level is no witness.
    const noisy = { ...bridged, levelsDb: bridged.levelsDb.map((level) => (level === NOISE_DB ? -32 : level)) };
    expect(speechSpans(noisy)).toHaveLength(1);
  });

  test("hysteresis: starts at the threshold, goes on above the release", () => {
    const levelsDb = new Float32Array(100).fill(-20);
    const shape = (values: readonly number[]) =>
      speechSpans({ probability: Float32Array.from(values), hopMs: 32, levelsDb, frameMs: 10, durationMs: 1000 });
    const quiet = new Array(10).fill(0.01);
    expect(shape([...quiet, 0.4, 0.49, 0.45, 0.4, 0.48, ...quiet])).toEqual([]);
    expect(shape([...quiet, 0.6, 0.4, 0.4, 0.4, 0.4, ...quiet])).toHaveLength(1);
  });

  test("what is too short is no speech", () => {
    expect(speechSpans(track([[1000, 1060]], 2000))).toEqual([]);
    expect(speechSpans(track([[1000, 1060]], 2000), { minSpeechMs: 30 })).toHaveLength(1);
  });

  test("padding stays inside the recording and out of the neighbour", () => {
    const found = track(
      [
        [100, 1000],
        [1300, 1990],
      ],
      2000,
    );
    const spans = speechSpans(found, { padMs: 400 });
    expect(spans[0]?.[0]).toBe(0);
    expect(spans[1]?.[1]).toBe(2000);
    expect(spans[0]?.[1]).toBeLessThanOrEqual(spans[1]?.[0] ?? 0);
  });

  test("an empty recording has no speech", () => {
    const nothing = { probability: new Float32Array(), hopMs: 32, levelsDb: new Float32Array(), frameMs: 10, durationMs: 0 };
    expect(speechSpans(nothing)).toEqual([]);
  });

  test("whatever the probabilities and levels: whole milliseconds, disjoint, ascending, inside the recording, long enough", () => {
    const anyTrack = fc.record({
      probability: fc.array(fc.float({ min: 0, max: 1, noNaN: true }), { maxLength: 120 }),
      levels: fc.array(fc.float({ min: -127, max: 0, noNaN: true }), { maxLength: 400 }),
      shortMs: fc.integer({ min: 0, max: 31 }),
      options: fc.record({
        minSpeechMs: fc.integer({ min: 0, max: 300 }),
        minSilenceMs: fc.integer({ min: 0, max: 400 }),
        padMs: fc.integer({ min: 0, max: 200 }),
      }),
    });
    fc.assert(
      fc.property(anyTrack, ({ probability, levels, shortMs, options }) => {
        const durationMs = Math.max(0, probability.length * HOP_MS - shortMs);
        const settings: Partial<SpanOptions> = options;
        const spans = speechSpans(
          {
            probability: Float32Array.from(probability),
            hopMs: HOP_MS,
            levelsDb: Float32Array.from(levels),
            frameMs: FRAME_MS,
            durationMs,
          },
          settings,
        );
        let beforeMs = 0;
        for (const [startMs, endMs] of spans) {
          expect(Number.isInteger(startMs) && Number.isInteger(endMs)).toBe(true);
          expect(startMs).toBeGreaterThanOrEqual(beforeMs);
          expect(endMs).toBeGreaterThan(startMs);
          expect(endMs).toBeLessThanOrEqual(durationMs);
          beforeMs = endMs;
        }
      }),
      { numRuns: 300 },
    );
  });
});
