import { describe, expect, test } from "vitest";
import type { Layout, ProblemCode, Sound, Span } from "../../src/pipeline/types.ts";
import { seededRandom } from "../support/audio-files.ts";
import { addTone, amplitude, coded, type Hearing, leaking, listenTo, problemsOf, shifted, talk, withNoise } from "../support/call-sound.ts";

const call = talk(30);
const [agent, customer] = call.sides;
const still = () => new Float32Array(agent.length);
const both = agent.map((sample, i) => sample + 0.7 * (customer[i] ?? 0));
const everyone = [...call.truth[0], ...call.truth[1]].sort((a, b) => a[0] - b[0]);
const quiet = (samples: Float32Array, seed: number, db = -62) => withNoise(samples, db, seed);

describe("layout", () => {
  const copies: readonly [name: string, copy: Float32Array][] = [
    ["as it is", both],
    ["6 dB down", shifted(both, 0, 0.5)],
    ["12 dB up, 10 ms later", shifted(both, 10, 4)],
    ["turned over", shifted(both, 3, -1)],
    ["50 ms later", shifted(both, 50, 0.8)],
    ["50 ms earlier", shifted(both, -50, 1)],
    ["A-law of its own", coded(shifted(both, 2, 0.7), "alaw")],
    ["in noise at -38 dBFS", quiet(shifted(both, 8, 1), 9, -38)],
    ["narrowed and in noise, as a codec leaves it", quiet(smoothed(shifted(both, 12, 0.9)), 10, -42)],
  ];
  for (const [name, copy] of copies)
    test(`the same sound on both sides: ${name}`, () => {
      const sound = listenTo([coded(quiet(both, 1), "mulaw"), quiet(copy, 2)], { speech: [everyone, everyone] });
      expect(sound.layout).toBe("dual-mono");
      expect(problemsOf(sound, "cross-talk")).toEqual([]);
      expect(sound.channels[1]?.speech).toEqual(sound.channels[0]?.speech);
    });

  const others: readonly [name: string, layout: Layout, channels: readonly Float32Array[], hearing: Hearing][] = [
    ["two sides", "split", [quiet(agent, 1), quiet(customer, 2)], { speech: call.truth }],
    [
      "two sides with loud cross-talk",
      "split",
      [quiet(leaking(agent, customer, -7, 0), 1), quiet(leaking(customer, agent, -7, 0), 2)],
      { speech: [everyone, everyone] },
    ],
    ["one side in digital silence", "one-sided", [quiet(agent, 1), still()], { speech: [call.truth[0], []] }],
    ["one side in noise", "one-sided", [quiet(still(), 1, -35), quiet(customer, 2)], { speech: [[], call.truth[1]] }],
    ["one channel", "mixed", [quiet(both, 1)], { speech: [everyone] }],
    ["one channel of noise", "silent", [quiet(still(), 1, -45)], {}],
    ["two channels of nothing", "silent", [still(), still()], {}],
    ["two channels of the same noise", "silent", [quiet(still(), 1, -40), quiet(still(), 1, -40)], {}],
  ];
  for (const [name, layout, channels, hearing] of others)
    test(`${name}: ${layout}`, () => {
      expect(listenTo(channels, hearing).layout).toBe(layout);
    });

  test("one side with only a ring-back is one-sided", () => {
    const ringing = quiet(still(), 1);
    for (let i = 0; i < 3; i++) addTone(ringing, 2000 + i * 5000, 1000, [450], -15);
    const sound = listenTo([ringing, quiet(customer, 2)], { speech: [[[2000, 3000]], call.truth[1]] });
    expect(sound.layout).toBe("one-sided");
    expect(sound.tones.map((tone) => [tone.kind, tone.channel, tone.startMs, tone.endMs])).toEqual([["ring-back", 0, 2000, 13000]]);
  });

  test("of more than two channels the two with the most speech are used, by their own numbers", () => {
    const sound = listenTo([still(), quiet(agent, 1), quiet(still(), 2), quiet(customer, 3)], {
      speech: [[], call.truth[0], [[100, 500]], call.truth[1]],
    });
    expect(sound.layout).toBe("split");
    expect(sound.channels.map((side) => side.channel)).toEqual([1, 3]);
    expect(problemsOf(sound, "extra-channels")[0]?.detail).toContain("1 and 3");
  });
});

function smoothed(samples: Float32Array): Float32Array {
  return samples.map((sample, i) => 0.5 * sample + 0.25 * ((samples[i - 1] ?? 0) + (samples[i + 1] ?? 0)));
}

/** Holes of exact zero in the middle of speech. */
function withHoles(samples: Float32Array, spans: readonly Span[], count: number, lengthMs: number): Float32Array {
  const holed = samples.slice();
  const long = spans.filter(([from, to]) => to - from > 700);
  for (let i = 0; i < count; i++) {
    const [from, to] = long[i % long.length] ?? [0, 0];
    const first = loudest(samples, from + 200 + 130 * Math.floor(i / long.length), to - 300);
    holed.fill(0, first * 8, (first + lengthMs) * 8);
  }
  return holed;
}

/** Where in the stretch both the start of a hole of 60 ms and its end would lie in loud sound: a millisecond. */
function loudest(samples: Float32Array, fromMs: number, toMs: number): number {
  const power = (ms: number) => samples.subarray(ms * 8 - 60, ms * 8 + 60).reduce((sum, sample) => sum + sample * sample, 0);
  let best = fromMs;
  const worth = (ms: number) => Math.min(power(ms - 8), power(ms + 68));
  for (let ms = fromMs; ms < Math.min(toMs, fromMs + 130); ms += 5) if (worth(ms) > worth(best)) best = ms;
  return best;
}

describe("problems", () => {
  const split = (own: Float32Array, hearing: Hearing = {}): Sound =>
    listenTo([own, quiet(customer, 2)], { speech: call.truth, ...hearing });
  const has = (sound: Sound, code: ProblemCode) => sound.problems.filter((problem) => problem.code === code && problem.channel === 0);
  const clip = (samples: Float32Array, gain: number, limit: number) =>
    samples.map((sample) => Math.max(-limit, Math.min(limit, sample * gain)));
  const peak = agent.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);

  test("a sound call has none", () => {
    expect(split(quiet(agent, 1)).problems).toEqual([]);
  });

  const pairs: readonly [code: ProblemCode, below: string, over: Float32Array, under: Float32Array][] = [
    ["clipping", "peaks at full scale but not cut", clip(quiet(agent, 1), 8, 1), quiet(agent, 1).map((sample) => (sample / peak) * 0.9)],
    ["clipping", "the same before a gain of a half", clip(quiet(agent, 1), 8, 0.5), quiet(agent, 1).map((sample) => (sample / peak) * 0.5)],
    ["dc-offset", "0.8 %", quiet(agent, 1).map((sample) => sample + 0.012), quiet(agent, 1).map((sample) => sample + 0.008)],
    ["too-low", "-36 dBFS", quiet(shifted(agent, 0, amplitude(-24)), 1, -80), quiet(shifted(agent, 0, amplitude(-14)), 1, -80)],
    ["too-hot", "-13 dBFS", clip(agent, 6, 1), shifted(agent, 0, amplitude(5))],
    ["noise", "18 dB", quiet(agent, 1, -33), quiet(agent, 1, -41)],
    ["hum", "-68 dBFS", withHum(agent, 50, -45), withHum(agent, 50, -68)],
    ["hum", "noise alone", withHum(agent, 60, -45), quiet(agent, 1, -45)],
    ["drop-outs", "one", withHoles(quiet(agent, 1), call.truth[0], 4, 60), withHoles(quiet(agent, 1), call.truth[0], 1, 60)],
    ["drop-outs", "20 ms each", withHoles(quiet(agent, 1), call.truth[0], 4, 60), withHoles(quiet(agent, 1), call.truth[0], 4, 20)],
  ];
  for (const [code, below, over, under] of pairs)
    test(`${code}: told with figures, and not at ${below}`, () => {
      const [found] = has(split(over), code);
      expect(found?.detail).toMatch(/\d/);
      expect(has(split(under), code)).toEqual([]);
    });

  test("hum: the right mains frequency", () => {
    expect(has(split(withHum(agent, 50, -45)), "hum")[0]?.detail).toContain("50 Hz");
    expect(has(split(withHum(agent, 60, -45)), "hum")[0]?.detail).toContain("60 Hz");
  });

  test("noise near the speech itself is unfit, noise well below it is not", () => {
    expect(has(split(quiet(agent, 1, -20)), "noise")[0]?.unfit).toBe(true);
    expect(has(split(quiet(agent, 1, -33)), "noise")[0]?.unfit).toBe(false);
  });

  test("SNR and speech level are those that were mixed", () => {
    const [side] = split(quiet(agent, 1, -42)).channels;
    expect(side?.speechLevelDb).toBeGreaterThan(-24);
    expect(side?.speechLevelDb).toBeLessThan(-18);
    expect(Math.abs((side?.snrDb ?? 0) - ((side?.speechLevelDb ?? 0) + 42))).toBeLessThan(1.5);
    for (const stretch of side?.speechLevels ?? []) expect(stretch.endMs - stretch.startMs).toBeLessThanOrEqual(1300);
  });

  test("many long drop-outs are unfit", () => {
    expect(has(split(withHoles(quiet(agent, 1), call.truth[0], 14, 90)), "drop-outs")[0]?.unfit).toBe(true);
  });

  test("silence suppression between words is no drop-out", () => {
    const gated = quiet(agent, 1, -80).map((sample, i) => {
      const ms = i / 8;
      return call.truth[0].some(([from, to]) => ms >= from - 40 && ms < to + 40) ? sample : 0;
    });
    expect(has(split(gated), "drop-outs")).toEqual([]);
  });

  test("a file that ends early is unfit for what its end should show; said once", () => {
    const found = problemsOf(split(quiet(agent, 1), { truncated: true }), "truncated");
    expect(found.map((problem) => [problem.channel, problem.unfit])).toEqual([[null, true]]);
    const known = { code: "truncated", channel: null, detail: "12 bytes missing", unfit: true } as const;
    expect(problemsOf(split(quiet(agent, 1), { truncated: true, inputProblems: [known] }), "truncated")).toEqual([known]);
  });

  test("upsampled: nothing above the telephone band at 16 kHz, against a true wide band", () => {
    const doubled = (samples: Float32Array) => Float32Array.from({ length: samples.length * 2 }, (_, i) => interpolated(samples, i));
    const random = seededRandom(3);
    const narrow = [agent, customer].map((side) => doubled(quiet(side, 1, -70)));
    const wide = narrow.map((side) => side.map((sample, i) => sample + 0.25 * Math.abs(sample) * (2 * random() - 1) * (i % 2 ? 1 : -1)));
    const hear = (native: readonly Float32Array[]) =>
      listenTo([quiet(agent, 1, -70), quiet(customer, 1, -70)], { speech: call.truth, native, nativeRate: 16000 });
    expect(problemsOf(hear(narrow), "upsampled").map((problem) => problem.channel)).toEqual([0, 1]);
    expect(problemsOf(hear(wide), "upsampled")).toEqual([]);
  });
});

/** The sample at half steps, by a windowed sinc: a clean resampler. */
function interpolated(samples: Float32Array, at: number): number {
  if (at % 2 === 0) return samples[at / 2] ?? 0;
  const left = (at - 1) / 2;
  let sum = 0;
  for (let k = -16; k < 16; k++) {
    const x = k + 0.5;
    const weight = (Math.sin(Math.PI * x) / (Math.PI * x)) * Math.cos((Math.PI * x) / 34) ** 2;
    sum += weight * (samples[left + k + 1] ?? 0);
  }
  return sum;
}

/** Mains hum as a telephone line carries it: harmonics 2 to 8, together of this level. */
function withHum(samples: Float32Array, mainsHz: number, db: number): Float32Array {
  const humming = quiet(samples, 1, -75);
  addTone(
    humming,
    0,
    call.durationMs,
    [2, 3, 5, 7, 8].map((harmonic) => harmonic * mainsHz),
    db,
  );
  return humming;
}
