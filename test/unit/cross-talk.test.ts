import { describe, expect, test } from "vitest";
import { union } from "../../src/pipeline/timeline.ts";
import type { Span } from "../../src/pipeline/types.ts";
import { coded, errors, leaking, listenTo, problemsOf, talk, withNoise } from "../support/call-sound.ts";

const call = talk(40);
const [agent, customer] = call.sides;

/** A detector that also fires on every leak: both sides' speech on each channel, with its usual lag. */
const fooled = (delayMs: number): Span[][] =>
  ([0, 1] as const).map((side) =>
    union([...call.truth[side], ...call.truth[(1 - side) as 0 | 1].map(([from, to]): Span => [from + delayMs, to + delayMs + 60])], 200),
  );

describe("cross-talk", () => {
  for (const db of [-30, -24, -18, -12, -9])
    for (const delayMs of [0, 12, 50, 100])
      test(`both ways at ${db} dB, ${delayMs} ms later: level, delay and each side's own speech`, () => {
        const channels = [leaking(agent, customer, db, delayMs), leaking(customer, agent, db, delayMs)].map((side, i) =>
          withNoise(side, -65, i + 1),
        );
        const sound = listenTo(channels, { speech: fooled(delayMs) });
        expect(sound.layout).toBe("split");
        const found = problemsOf(sound, "cross-talk");
        expect(found.map((problem) => problem.channel)).toEqual([1, 0]);
        for (const problem of found) {
          const [, level, delay] = /(-?[\d.]+) dB, (\d+) ms/.exec(problem.detail) ?? [];
          expect(Math.abs(Number(level) - db)).toBeLessThan(2);
          expect(Math.abs(Number(delay) - delayMs)).toBeLessThanOrEqual(1);
          expect(problem.unfit).toBe(false);
        }
        for (const side of [0, 1] as const) {
          const { missed, invented } = errors(call.truth[side], sound.channels[side]?.speech ?? [], call.durationMs);
          expect(missed).toBeLessThan(db > -12 ? 0.14 : 0.09);
          expect(invented).toBeLessThan(0.04);
        }
      });

  test("one way only, whichever side it is, through noise and mu-law", () => {
    for (const source of [0, 1] as const) {
      const channels = [agent, customer].map((side, i) =>
        coded(withNoise(i === source ? side : leaking(side, call.sides[source], -20, 25), -48, i + 5), "mulaw"),
      );
      const sound = listenTo(channels, { speech: fooled(25).map((spans, i) => (i === source ? call.truth[source] : spans)) });
      expect(problemsOf(sound, "cross-talk").map((problem) => problem.channel)).toEqual([1 - source]);
      const { missed, invented } = errors(call.truth[(1 - source) as 0 | 1], sound.channels[1 - source]?.speech ?? [], call.durationMs);
      expect(missed).toBeLessThan(0.1);
      expect(invented).toBeLessThan(0.06);
    }
  });

  test("a leak too loud to attribute is unfit", () => {
    const channels = [leaking(agent, customer, -4.5, 8), leaking(customer, agent, -4.5, 8)].map((side, i) => withNoise(side, -65, i));
    const found = problemsOf(listenTo(channels, { speech: fooled(8) }), "cross-talk");
    expect(found.map((problem) => problem.unfit)).toEqual([true, true]);
  });

  test("a side that never speaks but hears the other is one-sided", () => {
    const silent = new Float32Array(agent.length);
    const channels = [withNoise(agent, -65, 1), withNoise(leaking(silent, agent, -24, 10), -65, 2)];
    const sound = listenTo(channels, { speech: [call.truth[0], call.truth[0].map(([from, to]): Span => [from + 10, to + 70])] });
    expect(sound.layout).toBe("one-sided");
    expect(sound.channels[1]?.speech).toEqual([]);
  });

  test("two clean sides have none, and keep the detector's spans as they are", () => {
    const sound = listenTo(
      [agent, customer].map((side, i) => withNoise(side, -60, i)),
      { speech: call.truth },
    );
    expect(problemsOf(sound, "cross-talk")).toEqual([]);
    expect(sound.channels.map((side) => side.speech)).toEqual(call.truth);
  });
});
