import { describe, expect, test } from "vitest";
import { isKey } from "../../src/pipeline/audio/dtmf.ts";
import type { Span, ToneKind } from "../../src/pipeline/types.ts";
import { addTone, coded, listenTo, shifted, talk, withNoise } from "../support/call-sound.ts";

const call = talk(12);

type Sounding = (samples: Float32Array, atMs: number, db: number) => Span[];

const repeated =
  (count: number, everyMs: number, lengthMs: number, hertz: readonly number[]): Sounding =>
  (samples, atMs, db) => {
    for (let i = 0; i < count; i++) addTone(samples, atMs + i * everyMs, lengthMs, hertz, db);
    return [[atMs, atMs + (count - 1) * everyMs + lengthMs]];
  };

const keys =
  (lengthMs: number, everyMs: number): Sounding =>
  (samples, atMs, db) =>
    [
      [697, 1209],
      [770, 1336],
      [852, 1477],
      [941, 1336],
      [697, 1633],
    ].map((hertz, i): Span => {
      addTone(samples, atMs + i * everyMs, lengthMs, hertz, db);
      return [atMs + i * everyMs, atMs + i * everyMs + lengthMs];
    });

const cases: readonly [name: string, kind: ToneKind, make: Sounding][] = [
  ["Chinese ring-back, three rings", "ring-back", repeated(3, 5000, 1000, [450])],
  ["one ring", "ring-back", repeated(1, 0, 1000, [450])],
  ["American ring-back", "ring-back", repeated(2, 6000, 2000, [440, 480])],
  [
    "British ring-back, double rings",
    "ring-back",
    (samples, atMs, db) => {
      repeated(3, 3000, 400, [400, 450])(samples, atMs, db);
      repeated(3, 3000, 400, [400, 450])(samples, atMs + 600, db);
      return [[atMs, atMs + 7000]];
    },
  ],
  ["Chinese busy", "busy", repeated(6, 700, 350, [450])],
  ["American busy", "busy", repeated(5, 1000, 500, [480, 620])],
  ["keys of 45 ms", "dtmf", keys(45, 95)],
  ["keys of 100 ms", "dtmf", keys(100, 200)],
  ["fax calling", "fax", repeated(2, 3500, 500, [1100])],
  ["fax answering", "fax", repeated(1, 0, 3000, [2100])],
  ["beep of 1 kHz", "beep", repeated(1, 0, 400, [1000])],
  ["short beep of 1.4 kHz", "beep", repeated(1, 0, 150, [1400])],
  ["long low beep", "beep", repeated(1, 0, 1000, [620])],
];

/** A stretch of speech, the tone 1 s later, speech again 13 s after. */
function between(
  make: Sounding,
  db: number,
  noiseDb: number,
  law?: "mulaw" | "alaw",
): { channels: Float32Array[]; speech: Span[][]; truth: Span[] } {
  const samples = new Float32Array(40 * 8000);
  const other = new Float32Array(40 * 8000);
  samples.set(call.sides[0]);
  other.set(call.sides[1]);
  samples.set(call.sides[0], 28 * 8000);
  const truth = make(samples, 13017, db);
  const channels = [samples, other].map((side, i) => withNoise(side, noiseDb, i + 3)).map((side) => (law ? coded(side, law) : side));
  const again = call.truth[0].map(([from, to]): Span => [from + 28000, to + 28000]);
  return { channels, truth, speech: [[...call.truth[0], ...again], [...call.truth[1]]] };
}

describe("tones", () => {
  for (const [name, kind, make] of cases)
    for (const [db, noiseDb, law] of [
      [-10, -70, undefined],
      [-20, -55, "mulaw"],
      [-25, -42, "alaw"],
      [-35, -60, undefined],
    ] as const)
      test(`${name} at ${db} dBFS, noise at ${noiseDb} dBFS${law ? `, ${law}` : ""}`, () => {
        const { channels, speech, truth } = between(make, db, noiseDb, law);
        // The detector hears every tone as speech: that is taken out again.
        const sound = listenTo(channels, {
          speech: [[...(speech[0] ?? []), ...truth].sort((a, b) => a[0] - b[0]), speech[1] ?? []],
          probable: [0.02, 0.45],
        });
        expect(sound.tones.map((tone) => [tone.kind, tone.channel])).toEqual(truth.map(() => [kind, 0]));
        for (const [i, tone] of sound.tones.entries()) {
          expect(Math.abs(tone.startMs - (truth[i]?.[0] ?? 0))).toBeLessThanOrEqual(30);
          expect(Math.abs(tone.endMs - (truth[i]?.[1] ?? 0))).toBeLessThanOrEqual(30);
        }
        if (kind !== "ring-back" && kind !== "busy" && kind !== "fax") expect(sound.channels[0]?.speech).toEqual(speech[0]);
        expect(sound.layout).toBe("split");
      });

  test("a tone that leaks to the other side is told once", () => {
    const { channels } = between(repeated(3, 5000, 1000, [450]), -12, -70);
    const [own, other] = channels as [Float32Array, Float32Array];
    const leaked = shifted(own, 8, 0.1).map((sample, i) => sample + (other[i] ?? 0));
    const speech = [call.truth[0], call.truth[1]];
    expect(listenTo([own, leaked], { speech }).tones.map((tone) => tone.channel)).toEqual([0]);
  });

  test("speech holds none", () => {
    const sound = listenTo(
      call.sides.map((side, i) => withNoise(side, -60, i)),
      { speech: call.truth },
    );
    expect(sound.tones).toEqual([]);
  });

  test("one frequency of a key, or two of one row, is no key", () => {
    const sine = (...hertz: number[]) => {
      const samples = new Float32Array(800);
      addTone(samples, 0, 100, hertz, -20);
      return isKey(samples);
    };
    expect([sine(697, 1209), sine(697), sine(1209), sine(697, 770), sine(600, 1209)]).toEqual([true, false, false, false, false]);
  });
});
