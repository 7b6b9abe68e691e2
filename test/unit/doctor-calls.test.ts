import { describe, expect, test } from "vitest";
import type { Span } from "../../src/pipeline/types.ts";
import { addTone, errors, leaking, linesOf, listenTo, problemsOf, talk, withNoise } from "../support/call-sound.ts";

/** Chords of four notes, one every 600 ms, as simple hold music has them. */
function addMusic(samples: Float32Array, startMs: number, endMs: number, db: number): void {
  const chords = [
    [262, 330, 392, 523],
    [220, 262, 330, 440],
    [349, 440, 523, 698],
    [392, 494, 587, 784],
  ];
  for (let at = startMs, i = 0; at < endMs; at += 600, i++) addTone(samples, at, Math.min(600, endMs - at), chords[i % 4] as number[], db);
}

/** One line of a voice at a place, and where it speaks. */
function say(samples: Float32Array, voice: string, which: number, atMs: number): Span {
  const { samples: spoken, line } = linesOf(voice)[which] as ReturnType<typeof linesOf>[number];
  samples.set(spoken, atMs * 8);
  return [atMs + (line.speech[0] as Span)[0], atMs + (line.speech.at(-1) as Span)[1]];
}

describe("a side that says little", () => {
  test.each([-14, -17, -20])("beside the other's leak at %d dB is a side of its own, not a copy", (db) => {
    const agent = new Float32Array(40 * 8000);
    const customer = new Float32Array(40 * 8000);
    const said: Span[] = [];
    for (let turn = 0, atMs = 500; atMs < 34_000; turn++) {
      const span = say(agent, "zf_xiaobei", turn % 8, atMs);
      said.push(span);
      atMs = span[1] + 400;
    }
    const last = (said.at(-1) as Span)[1];
    const answers = [say(customer, "zm_yunxia", 0, last + 300)];
    const channels = [leaking(agent, customer, db, 8), leaking(customer, agent, db, 8)].map((side, i) => withNoise(side, -62, i + 1));
    const sound = listenTo(channels, { speech: [said, [...said, ...answers]] });
    expect(sound.layout).toBe("split");
    expect(errors(answers, sound.channels[1]?.speech ?? [], 40_000)).toMatchObject({ missed: expect.any(Number) });
    expect(errors(answers, sound.channels[1]?.speech ?? [], 40_000).missed).toBeLessThan(0.15);
    expect(errors(answers, sound.channels[1]?.speech ?? [], 40_000).invented).toBeLessThan(0.5);
  });
});

describe("a leak below a loud background", () => {
  test("is not speech of the side that hears it, whatever the detector says", () => {
    const call = talk(40);
    const channels = [leaking(call.sides[0], call.sides[1], -25, 30), leaking(call.sides[1], call.sides[0], -25, 30)].map((side, i) =>
      withNoise(side, -42, i + 3),
    );
    const fooled = [...call.truth[0], ...call.truth[1]].sort((a, b) => a[0] - b[0]);
    const sound = listenTo(channels, { speech: [fooled, fooled] });
    expect(problemsOf(sound, "cross-talk")).toHaveLength(2);
    for (const side of [0, 1] as const) {
      const { missed, invented } = errors(call.truth[side], sound.channels[side]?.speech ?? [], call.durationMs);
      expect(missed).toBeLessThan(0.14);
      expect(invented).toBeLessThan(0.12);
    }
  });
});

describe("hold music", () => {
  test("begins where it begins, though the detector hears speech half a second into it", () => {
    const agent = new Float32Array(40 * 8000);
    const spoken = say(agent, "zf_xiaobei", 1, 1000);
    const startMs = spoken[1] + 120;
    addMusic(agent, startMs, startMs + 20_000, -22);
    const sound = listenTo([withNoise(agent, -65, 1), withNoise(new Float32Array(agent.length), -65, 2)], {
      speech: [[[spoken[0], startMs + 550]], []],
    });
    const music = sound.tones.filter(({ kind }) => kind === "music");
    expect(music).toHaveLength(1);
    expect(Math.abs((music[0]?.startMs ?? 0) - startMs)).toBeLessThan(120);
    const heard = sound.channels[0]?.speech ?? [];
    expect(Math.abs((heard.at(-1)?.[1] ?? 0) - spoken[1])).toBeLessThan(150);
  });

  test("that leaks to the other side is the louder side's, without the other's words before and after", () => {
    const agent = new Float32Array(40 * 8000);
    const customer = new Float32Array(40 * 8000);
    const before = say(agent, "zf_xiaobei", 1, 1000);
    addMusic(agent, before[1] + 300, before[1] + 15_300, -22);
    const after = say(agent, "zf_xiaobei", 2, before[1] + 16_000);
    const answer = say(customer, "zm_yunxia", 1, after[1] + 500);
    const channels = [leaking(customer, agent, -20, 8), leaking(agent, customer, -20, 8)].map((side, i) => withNoise(side, -62, i + 1));
    const music = listenTo(channels, { speech: [[answer], [before, after]] }).tones.filter(({ kind }) => kind === "music");
    expect(music.map(({ channel }) => channel)).toEqual([1]);
    expect(Math.abs((music[0]?.startMs ?? 0) - (before[1] + 300))).toBeLessThan(250);
    expect(Math.abs((music[0]?.endMs ?? 0) - (before[1] + 15_300))).toBeLessThan(350);
  });
});
