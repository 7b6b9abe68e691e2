import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { totalMs } from "../../src/pipeline/timeline.ts";
import type { Span } from "../../src/pipeline/types.ts";
import { jacobi, largestEigenPairs, type Matrix } from "../../src/pipeline/voices/algebra.ts";
import { type Look, looksOf, printLooks } from "../../src/pipeline/voices/looks.ts";
import { createMelWriter, MEL_BANDS, samplesOfFrames } from "../../src/pipeline/voices/mel.ts";
import { eigengap, innerSplits, silhouette } from "../../src/pipeline/voices/separation.ts";
import { tellApart } from "../../src/pipeline/voices/tell-apart.ts";
import { scoresOfTicks, spansOfVoice, ticksOf, voicesOfTicks } from "../../src/pipeline/voices/turns.ts";
import { components, twoMeans } from "../../src/pipeline/voices/two-means.ts";
import { seededRandom } from "../support/audio-files.ts";

const HOUR_MS = 3_600_000;

/** Disjoint, ascending, whole milliseconds. */
const anySpeech = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 4000 })), { maxLength: 40 })
  .map((steps) => {
    let atMs = 0;
    return steps.map(([pauseMs, lengthMs]): Span => {
      const startMs = atMs + pauseMs;
      atMs = startMs + lengthMs;
      return [startMs, atMs];
    });
  });

/** Every millisecond of the speech is of one of the two, of no other time, and of one only. */
function expectPartition(speech: readonly Span[], voices: readonly (readonly Span[])[]): void {
  for (const spans of voices) {
    spans.forEach(([startMs, endMs], i) => {
      expect(Number.isInteger(startMs) && Number.isInteger(endMs) && endMs > startMs).toBe(true);
      expect(startMs).toBeGreaterThanOrEqual(spans[i - 1]?.[1] ?? 0);
    });
  }
  const all = voices.flat().sort((a, b) => a[0] - b[0]);
  all.forEach(([startMs], i) => {
    expect(startMs).toBeGreaterThanOrEqual(all[i - 1]?.[1] ?? 0);
  });
  expect(totalMs(all)).toBe(totalMs(speech));
  for (const [startMs, endMs] of all) expect(speech.some(([from, to]) => from <= startMs && endMs <= to)).toBe(true);
}

/** Unit vectors around one of some directions, which are as far from one another as voices are. */
function prints(directions: readonly number[], spread: number, seed = 1, columns = 256): Matrix & { readonly values: Float32Array } {
  const random = seededRandom(seed);
  const axis = Array.from({ length: Math.max(...directions, 0) + 1 }, () => Float64Array.from({ length: columns }, random));
  const values = new Float32Array(directions.length * columns);
  directions.forEach((direction, row) => {
    const vector = Float64Array.from({ length: columns }, (_, i) => Math.max(0, (axis[direction]?.[i] ?? 0) + spread * (random() - 0.5)));
    const length = Math.hypot(...vector);
    values.set(
      vector.map((value) => value / length),
      row * columns,
    );
  });
  return { rows: directions.length, columns, values };
}

describe("mel", () => {
  it("is librosa's, of the same sound at 16 kHz", () => {
    // Written by librosa 0.10.2: melspectrogram(sr=16000, n_fft=400, hop_length=160, n_mels=40), frame 50 of six sines.
    const reference = [
      0.0003569, 0.4682, 1.398, 0.1722, 1.055, 6.538, 0.5636, 8.076e-5, 3.384e-6, 9.237e-7, 6.18e-6, 0.0005355, 0.2755, 0.2136, 0.003665,
      2.894e-6, 1.853e-7, 5.887e-7, 1.74e-5, 0.2479, 0.8803, 0.01469, 1.458e-6, 7.514e-8, 0.0001851, 0.09458, 0.02644, 1.388e-6, 0.01765,
      0.006392, 1.185e-8, 1.983e-10, 2.043e-11, 4.235e-12, 1.228e-12, 4.171e-13, 1.547e-13, 5.964e-14, 2.285e-14, 8.688e-15,
    ];
    const tones = [
      [210, 0.1],
      [437, 0.2],
      [991, 0.05],
      [1730, 0.1],
      [2610, 0.04],
      [3290, 0.02],
    ] as const;
    // The middle of frame 50 is at 0.5 s.
    const samples = Float32Array.from({ length: samplesOfFrames(1) }, (_, n) =>
      tones.reduce((sum, [hertz, level], i) => sum + level * Math.sin(2 * Math.PI * hertz * (0.5 + (n - 100) / 8000) + i), 0),
    );
    const frame = new Float32Array(MEL_BANDS);
    createMelWriter()(samples, 1, frame, 0);
    reference.forEach((value, band) => {
      expect(Math.abs((frame[band] ?? 0) - value)).toBeLessThan(1e-4 * 6.538 + 0.01 * value);
    });
  });
  it("of silence is nothing", () => {
    const frames = new Float32Array(3 * MEL_BANDS).fill(7);
    createMelWriter()(new Float32Array(samplesOfFrames(3)), 3, frames, 0);
    expect(frames.every((value) => value === 0)).toBe(true);
  });
});

describe("looks", () => {
  it("lie in the speech, cover all of it that lasts, and are at most 0.8 s long", () => {
    fc.assert(
      fc.property(anySpeech, (speech) => {
        const looks = looksOf(speech);
        for (const { startMs, endMs } of looks) {
          expect(endMs - startMs).toBeLessThanOrEqual(800);
          expect(speech.some(([from, to]) => from <= startMs && endMs <= to)).toBe(true);
        }
        for (const [from, to] of speech) {
          const own = looks.filter(({ startMs, endMs }) => startMs >= from && endMs <= to);
          if (to - from < 200) expect(own).toEqual([]);
          else expect([own[0]?.startMs, own.at(-1)?.endMs]).toEqual([from, to]);
          own.forEach(({ startMs }, i) => {
            if (i > 0) expect(startMs).toBeLessThanOrEqual(own[i - 1]?.endMs ?? 0);
          });
        }
      }),
    );
  });
  it("of an hour without a pause hold seven seconds of sound at a time", async () => {
    let longestMs = 0;
    let largest = 0;
    const { looks, values } = await printLooks(
      {
        async print(_, count) {
          largest = Math.max(largest, count);
          return new Float32Array(count * 256).fill(1 / 16);
        },
        async [Symbol.asyncDispose]() {},
      },
      {
        speech: [[0, HOUR_MS]],
        window(_, lengthMs) {
          longestMs = Math.max(longestMs, lengthMs);
          return new Float32Array(lengthMs * 8);
        },
      },
    );
    expect(looks).toHaveLength(8_999);
    expect(values).toHaveLength(8_999 * 256);
    expect(values.at(-1)).toBe(1 / 16);
    expect(longestMs).toBeLessThan(7000);
    expect(largest).toBe(16);
  }, 60_000);
  it("are the same at any level, and never no number", async () => {
    const random = seededRandom(3);
    const sound = Float32Array.from({ length: 80_000 }, (_, i) => Math.sin(i / 9) * random());
    const mels = async (gain: number) => {
      const seen: number[] = [];
      await printLooks(
        {
          async print(batch, count) {
            seen.push(...batch.subarray(0, count * 80 * MEL_BANDS));
            return new Float32Array(count * 256);
          },
          async [Symbol.asyncDispose]() {},
        },
        {
          speech: [
            [500, 1750],
            [2000, 2350],
          ],
          window: (startMs, lengthMs) => sound.subarray(startMs * 8, (startMs + lengthMs) * 8).map((sample) => gain * sample),
        },
      );
      return seen;
    };
    const [loud, soft, nothing] = [await mels(1), await mels(0.01), await mels(0)];
    expect(loud).toHaveLength(4 * 80 * MEL_BANDS);
    loud.forEach((value, i) => {
      expect(soft[i]).toBeCloseTo(value, 5);
    });
    expect(nothing.every((value) => Number.isFinite(value) && value >= 0)).toBe(true);
  });
});

describe("algebra", () => {
  const symmetric = (size: number, seed: number): number[][] => {
    const random = seededRandom(seed);
    const roots = Array.from({ length: size }, () => Array.from({ length: size }, () => random() - 0.5));
    return roots.map((a) => roots.map((b) => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0)));
  };
  it("Jacobi's vectors are orthogonal and give the matrix back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.nat(), (size, seed) => {
        const matrix = symmetric(size, seed);
        const { values, vectors } = jacobi(matrix);
        for (let i = 0; i < size; i++) {
          for (let k = 0; k < size; k++) {
            const again = values.reduce((sum, value, v) => sum + value * (vectors[v]?.[i] ?? 0) * (vectors[v]?.[k] ?? 0), 0);
            expect(again).toBeCloseTo(matrix[i]?.[k] ?? 0, 9);
            const product = (vectors[i] ?? []).reduce((sum, value, n) => sum + value * (vectors[k]?.[n] ?? 0), 0);
            expect(product).toBeCloseTo(i === k ? 1 : 0, 9);
          }
        }
        values.forEach((value, i) => {
          if (i > 0) expect(value).toBeLessThanOrEqual((values[i - 1] ?? 0) + 1e-12);
        });
      }),
    );
  });
  it("the largest eigenvalues are Jacobi's", () => {
    for (let seed = 0; seed < 10; seed++) {
      const matrix = symmetric(30, seed);
      const { values } = largestEigenPairs(
        30,
        (vector, into) => {
          matrix.forEach((row, i) => {
            into[i] = row.reduce((sum, value, k) => sum + value * (vector[k] ?? 0), 0);
          });
        },
        4,
      );
      values.forEach((value, i) => {
        expect(value).toBeCloseTo(jacobi(matrix).values[i] ?? 0, 2);
      });
    }
  });
});

describe("grouping", () => {
  it("finds two voices whatever their order and share", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0, 1), { minLength: 12, maxLength: 60 }), fc.nat(), (voices, seed) => {
        fc.pre(voices.filter((voice) => voice === 0).length > 2 && voices.filter((voice) => voice === 1).length > 2);
        const groups = twoMeans(components(prints(voices, 0.5, seed)));
        const first = groups[voices.indexOf(0)];
        voices.forEach((voice, i) => {
          expect(groups[i] === first).toBe(voice === 0);
        });
      }),
      { numRuns: 30 },
    );
  });
  it("of equal points, of one and of none is no grouping and no number that is none", () => {
    for (const count of [0, 1, 2, 12]) {
      const same: Matrix = { rows: count, columns: 256, values: new Float32Array(count * 256).fill(1 / 16) };
      const groups = twoMeans(components(same));
      expect([...groups]).toEqual(Array.from({ length: count }, () => 0));
      expect(silhouette(same, groups)).toBe(0);
      expect(Number.isFinite(eigengap(same))).toBe(true);
    }
  });
  it("the silhouette is that of the distances pair by pair", () => {
    const points = prints([0, 1, 1, 0, 0, 1, 0], 1.2, 5);
    const groups = Uint8Array.from([0, 1, 1, 0, 1, 1, 0]);
    const distance = (a: number, b: number) =>
      1 -
      Array.from({ length: 256 }, (_, i) => i).reduce(
        (sum, i) => sum + (points.values[a * 256 + i] ?? 0) * (points.values[b * 256 + i] ?? 0),
        0,
      );
    const rows = [...groups.keys()];
    const mean = (row: number, group: number) => {
      const others = rows.filter((other) => other !== row && groups[other] === group);
      return others.reduce((sum, other) => sum + distance(row, other), 0) / others.length;
    };
    const values = rows.map((row) => {
      const [within, between] = [mean(row, groups[row] ?? 0), mean(row, 1 - (groups[row] ?? 0))];
      return (between - within) / Math.max(within, between);
    });
    expect(silhouette(points, groups)).toBeCloseTo(values.reduce((sum, value) => sum + value, 0) / rows.length, 6);
  });
  it("one voice, two and three are known by the gap, and by how a voice falls apart", () => {
    const turns = (voices: number) => Array.from({ length: 90 }, (_, i) => Math.floor(i / 5) % voices);
    const [one, two, three] = [1, 2, 3].map((voices) => prints(turns(voices), 0.8, 9)) as [Matrix, Matrix, Matrix];
    expect(eigengap(two)).toBeGreaterThan(0.5);
    expect(eigengap(one)).toBeLessThan(0.25);
    expect(eigengap(three)).toBeLessThan(0.25);
    const inner = (points: Matrix, groups: Uint8Array) => innerSplits(points, groups).map((split) => split.share);
    expect(Math.max(...inner(two, twoMeans(components(two))))).toBeLessThan(0.25);
    expect(Math.max(...inner(three, twoMeans(components(three))))).toBeGreaterThan(0.5);
  });
});

describe("turns", () => {
  it("part the speech between the voices, whatever the scores", () => {
    fc.assert(
      fc.property(anySpeech, fc.nat(), (speech, seed) => {
        const random = seededRandom(seed);
        const ticks = ticksOf(speech);
        const looks = looksOf(speech);
        const scores = scoresOfTicks(
          ticks,
          looks,
          Float64Array.from(looks, () => 2 * random() - 1),
        );
        const voices = voicesOfTicks(ticks, scores);
        expectPartition(speech, [spansOfVoice(ticks, voices, 0), spansOfVoice(ticks, voices, 1)]);
        // The other way round when the scores are.
        expect(
          [
            ...voicesOfTicks(
              ticks,
              scores.map((score) => -score),
            ),
          ].filter((voice, i) => voice === voices[i] && scores[i] !== 0),
        ).toEqual([]);
      }),
    );
  });
  it("change where the scores do, and not for a moment's doubt", () => {
    const ticks = ticksOf([[0, 3000]]);
    const scores = Float64Array.from({ length: 60 }, (_, tick) => (tick < 30 ? 0.5 : -0.5));
    scores[10] = -0.04;
    expect(spansOfVoice(ticks, voicesOfTicks(ticks, scores), 0)).toEqual([[0, 1500]]);
  });
});

describe("telling apart", () => {
  /** Looks of turns of some seconds, each with a print of its voice. */
  function call(turns: readonly (readonly [voice: number, seconds: number])[], spread: number, seed = 2) {
    let atMs = 0;
    const spans = turns.map(([voice, seconds]) => {
      const span: Span = [atMs + 300, atMs + 300 + seconds * 1000];
      atMs = span[1];
      return { voice, span };
    });
    const speech = spans.map(({ span }) => span);
    const looks: Look[] = looksOf(speech);
    const owners = looks.map(({ startMs }) => spans.find(({ span: [from, to] }) => from <= startMs && startMs < to)?.voice ?? 0);
    const ofVoice = (wanted: number) => spans.filter(({ voice }) => voice === wanted).map(({ span }) => span);
    return { speech, prints: { looks, values: prints(owners, spread, seed).values }, ofVoice };
  }
  it("gives each its turns, the first voice first, whichever it is", () => {
    const turns = [3, 4, 2, 5, 3, 6, 2, 4].map((seconds, i) => [i % 2, seconds] as const);
    for (const flipped of [false, true]) {
      const {
        speech,
        prints: heard,
        ofVoice,
      } = call(
        turns.map(([voice, seconds]) => [flipped ? 1 - voice : voice, seconds] as const),
        0.8,
      );
      const apart = tellApart(speech, heard);
      expect(apart?.speech).toEqual([ofVoice(flipped ? 1 : 0), ofVoice(flipped ? 0 : 1)]);
      expect(apart?.separation.silhouette).toBeGreaterThan(0.3);
    }
  });
  it("parts any speech, however its prints lie", () => {
    fc.assert(
      fc.property(anySpeech, fc.nat(), fc.double({ min: 0, max: 2, noNaN: true }), (speech, seed, spread) => {
        const random = seededRandom(seed);
        const looks = looksOf(speech);
        const apart = tellApart(speech, {
          looks,
          values: prints(
            looks.map(() => Math.floor(3 * random())),
            spread,
            seed,
          ).values,
        });
        if (!apart) return;
        expectPartition(speech, apart.speech);
        for (const value of Object.values(apart.separation)) expect(Number.isFinite(value)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
  it("has nothing to say of a second of speech, or of none", () => {
    for (const speech of [[], [[0, 1000]]] satisfies Span[][]) {
      const looks = looksOf(speech);
      expect(
        tellApart(speech, {
          looks,
          values: prints(
            looks.map(() => 0),
            1,
          ).values,
        }),
      ).toBeNull();
    }
  });
  it("takes an hour in turns as it takes a minute", () => {
    const turns = Array.from({ length: 900 }, (_, i) => [i % 2, 2 + (i % 5)] as const);
    const { speech, prints: heard, ofVoice } = call(turns, 0.8);
    expect(tellApart(speech, heard)?.speech).toEqual([ofVoice(0), ofVoice(1)]);
  }, 60_000);
});
