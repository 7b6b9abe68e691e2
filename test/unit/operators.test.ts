import fc from "fast-check";
import Value from "typebox/value";
import { describe, expect, test } from "vitest";
import type { CallsiftError } from "../../src/pipeline/errors.ts";
import { type Detect, isUnjudged, type Operator, type OperatorCall } from "../../src/pipeline/operators/define.ts";
import { OPERATOR_IDS, OPERATORS, type OperatorId } from "../../src/pipeline/operators/index.ts";
import { overlap, totalMs, union } from "../../src/pipeline/timeline.ts";
import type { Detection, Span, Tone } from "../../src/pipeline/types.ts";
import { operatorCall, type ShortCall, type ShortUtterance } from "../support/heard-call.ts";

const PREPARED = new Map<string, Detect>();

function prepared(id: OperatorId, options: Record<string, unknown> = {}): Detect {
  const key = JSON.stringify([id, options]);
  const detect = PREPARED.get(key) ?? prepare(id, options);
  PREPARED.set(key, detect);
  return detect;
}

function prepare(id: OperatorId, options: Record<string, unknown>): Detect {
  const operator: Operator = OPERATORS[id];
  const filled = Value.Default(operator.options, structuredClone(options));
  expect([...Value.Errors(operator.options, filled)]).toEqual([]);
  return operator.prepare(filled as never);
}

function detections(id: OperatorId, call: OperatorCall, options?: Record<string, unknown>): Detection[] {
  const answer = prepared(id, options)(call);
  return isUnjudged(answer) ? [] : answer;
}

/** What each operator needs at least; the rest by default. */
const OPTIONS = {
  phrase: { phrases: ["不清楚", "保证"], sound: true },
  sequence: { trigger: { phrases: ["投诉"] }, wait: {}, reply: { phrases: ["抱歉"] } },
  rate: {},
  repetition: {},
  silence: {},
  "response-time": {},
  hold: { check: "without-notice" },
  interruption: {},
  "speech-rate": {},
  level: {},
  metadata: { in: ["agent"] },
  "call-class": {},
} satisfies Record<OperatorId, Record<string, unknown>>;

const LINES = [
  "您好，请问有什么可以帮您",
  "我不清楚",
  "我要投诉你们",
  "请稍等",
  "嗯",
  "好的好的",
  "您的手机号是多少？",
  "保证没问题",
  "实在抱歉",
  "让您久等了",
];

/** Calls of two sides that pause, overlap and wait. */
const calls: fc.Arbitrary<ShortCall> = fc
  .record({
    turns: fc.array(
      fc.record({
        role: fc.constantFrom("agent" as const, "customer" as const),
        afterMs: fc.oneof(fc.integer({ min: -1500, max: 2500 }), fc.integer({ min: 2500, max: 30_000 })),
        lengthMs: fc.integer({ min: 200, max: 6000 }),
        text: fc.constantFrom(...LINES),
      }),
      { minLength: 1, maxLength: 12 },
    ),
    tones: fc.array(
      fc.record({
        kind: fc.constantFrom("music" as const, "ring-back" as const, "beep" as const, "dtmf" as const),
        channel: fc.constantFrom(0, 1),
        startMs: fc.integer({ min: 0, max: 60_000 }),
        lengthMs: fc.integer({ min: 100, max: 20_000 }),
      }),
      { maxLength: 3 },
    ),
  })
  .map(({ turns, tones }) => {
    let cursorMs = 1000;
    const utterances = turns
      .map(({ role, afterMs, lengthMs, text }): ShortUtterance => {
        const startMs = Math.max(0, cursorMs + afterMs);
        cursorMs = startMs + lengthMs;
        return { role, startMs, endMs: cursorMs, text };
      })
      .sort((a, b) => a.startMs - b.startMs);
    const durationMs = Math.max(...utterances.map(({ endMs }) => endMs)) + 1000;
    return {
      utterances,
      durationMs,
      tones: tones
        .map(({ lengthMs, ...tone }): Tone => ({ ...tone, endMs: tone.startMs + lengthMs }))
        .filter(({ endMs }) => endMs <= durationMs),
      metadata: { hangupParty: "agent" },
      channels: [0, 1].map((channel) => ({
        speechLevels: utterances
          .filter(({ role }) => role === (channel === 0 ? "agent" : "customer"))
          .map(({ startMs, endMs, text }) => ({ startMs, endMs, levelDb: -40 + text.length * 2 })),
      })),
    };
  });

function shifted(call: ShortCall, byMs: number): ShortCall {
  const move = <T extends { startMs: number; endMs: number }>(one: T): T => ({
    ...one,
    startMs: one.startMs + byMs,
    endMs: one.endMs + byMs,
  });
  return {
    ...call,
    utterances: call.utterances?.map(move) ?? [],
    tones: call.tones?.map(move) ?? [],
    channels: call.channels?.map((channel) => ({ ...channel, speechLevels: channel.speechLevels?.map(move) ?? [] })) ?? [],
    durationMs: (call.durationMs ?? 0) + byMs,
  };
}

describe.each(OPERATOR_IDS)("%s", (id) => {
  test("describes every option, and gives every default and limit in a named unit", () => {
    const operator: Operator = OPERATORS[id];
    expect(operator.id).toBe(id);
    expect(operator.options).toHaveProperty("additionalProperties", false);
    for (const [name, option] of Object.entries(operator.options.properties) as [string, Record<string, unknown>][]) {
      if (!("properties" in option) || "description" in option) expect(option.description, name).toMatch(/^.{8,}$/);
      // Of metadata, whose fields have what unit they have.
      if (name === "min" || name === "max") continue;
      if (option.type === "number" || option.type === "integer") expect(option, name).toHaveProperty("minimum");
      if (option.type === "number") expect(name).toMatch(/Seconds|Db|PerMinute|Similarity|Confidence/);
    }
    for (const { zh, en } of [...Object.values(operator.messages), operator.description]) {
      expect(zh).toMatch(/\p{Script=Han}/u);
      expect(en).not.toMatch(/\p{Script=Han}/u);
    }
  });

  test("messages name only what the findings of that kind have", () => {
    const found = fc.sample(calls, { numRuns: 60, seed: 7 }).flatMap((call) => detections(id, operatorCall(call), OPTIONS[id]));
    const operator: Operator = OPERATORS[id];
    for (const { data } of found) {
      const message = operator.messages[String(data.kind ?? "found")];
      for (const text of [message?.zh, message?.en]) {
        // A quote needs no datum; the finding has it.
        for (const [, name = ""] of text?.matchAll(/\{(\w+)\}/g) ?? []) if (name !== "quote") expect(data).toHaveProperty(name);
      }
      expect(message).toBeDefined();
    }
  });

  test("finds the same things later in a call that starts later", () => {
    fc.assert(
      fc.property(calls, fc.integer({ min: 0, max: 5000 }), (call, byMs) => {
        const strip = (found: Detection[], backMs: number) =>
          found.map(({ role, startMs, endMs, quote, confidence }) => ({
            role,
            startMs: startMs - backMs,
            endMs: endMs - backMs,
            quote,
            confidence,
          }));
        // The whole recording, from its start, is what these two report on.
        fc.pre(id !== "call-class" && id !== "metadata");
        const before = detections(id, operatorCall(call), OPTIONS[id]);
        const after = detections(id, operatorCall(shifted(call, byMs)), OPTIONS[id]);
        expect(strip(after, byMs)).toEqual(strip(before, 0));
      }),
      { numRuns: 100, ...(id === "call-class" || id === "metadata" ? { numRuns: 0 } : {}) },
    );
  });

  test("keeps findings inside the call, in order, with confidences of 0 to 1", () => {
    fc.assert(
      fc.property(calls, (call) => {
        const found = detections(id, operatorCall(call), OPTIONS[id]);
        for (const [i, { startMs, endMs, confidence }] of found.entries()) {
          expect(startMs).toBeGreaterThanOrEqual(found[i - 1]?.startMs ?? 0);
          expect(endMs).toBeGreaterThan(startMs);
          expect(endMs).toBeLessThanOrEqual(call.durationMs ?? 0);
          expect(Number.isInteger(startMs) && Number.isInteger(endMs)).toBe(true);
          expect(confidence).toBeGreaterThan(0);
          expect(confidence).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 100 },
    );
  });

  test("stands a call of which nothing is known", () => {
    const nothing = operatorCall({ durationMs: 0, layout: "silent", channels: [] });
    const answer = prepared(id, OPTIONS[id])(nothing);
    if (id === "call-class") expect(answer).toMatchObject([{ data: { class: "no-speech" } }]);
    else expect(answer).toHaveProperty("notAssessed");
  });
});

const spansOf = (found: readonly Detection[]): Span[] => found.map(({ startMs, endMs }): Span => [startMs, endMs]);

describe("silence", () => {
  test("is never reported where somebody speaks, rings or plays music", () => {
    fc.assert(
      fc.property(calls, (call) => {
        const heard = operatorCall(call);
        const found = spansOf(detections("silence", heard));
        const sounds = heard.channels.flatMap(({ speech }) => speech);
        const tones = heard.tones.filter(({ kind }) => kind !== "beep").map(({ startMs, endMs }): Span => [startMs, endMs]);
        expect(overlap(found, [...sounds, ...tones])).toEqual([]);
      }),
    );
  });

  test("more speech never makes more silence", () => {
    fc.assert(
      fc.property(calls, fc.integer({ min: 0, max: 60_000 }), fc.integer({ min: 1, max: 5000 }), (call, startMs, lengthMs) => {
        const heard = operatorCall(call);
        const first = heard.channels[0];
        if (!first) return;
        const all = union(heard.channels.flatMap(({ speech }) => speech));
        // Speech outside the conversation makes it longer, and so may make silence.
        fc.pre(startMs >= (all[0]?.[0] ?? 0) && startMs + lengthMs <= (all.at(-1)?.[1] ?? 0));
        const more = {
          ...heard,
          channels: [{ ...first, speech: union([...first.speech, [startMs, startMs + lengthMs]]) }, ...heard.channels.slice(1)],
        };
        expect(totalMs(spansOf(detections("silence", more)))).toBeLessThanOrEqual(totalMs(spansOf(detections("silence", heard))));
      }),
    );
  });
});

describe("interruption", () => {
  test("a back-channel never adds one", () => {
    fc.assert(
      fc.property(
        calls,
        fc.constantFrom("嗯", "对对", "好的好的", "是的，嗯"),
        fc.integer({ min: 0, max: 60_000 }),
        fc.integer({ min: 200, max: 2000 }),
        (call, text, startMs, lengthMs) => {
          const before = spansOf(detections("interruption", operatorCall(call)));
          const own = (call.utterances ?? []).filter(({ role }) => role === "agent");
          // Far from the agent's own turns; next to one it would be a part of it.
          fc.pre(own.every((one) => one.startMs > startMs + lengthMs + 700 || one.endMs < startMs - 700));
          const backChannel: ShortUtterance = { role: "agent", startMs, endMs: startMs + lengthMs, text };
          const utterances = [...(call.utterances ?? []), backChannel].sort((a, b) => a.startMs - b.startMs);
          expect(spansOf(detections("interruption", operatorCall({ ...call, utterances })))).toEqual(before);
        },
      ),
    );
  });

  test("words only take away; what they leave is surer", () => {
    fc.assert(
      fc.property(calls, (call) => {
        const heard = operatorCall(call);
        const bySound = detections("interruption", { ...heard, text: null });
        const byWords = detections("interruption", heard);
        for (const found of byWords) {
          const same = bySound.find(({ startMs }) => startMs === found.startMs);
          expect(same?.confidence).toBeLessThan(found.confidence);
        }
      }),
    );
  });
});

describe("response-time", () => {
  test("reports only waits in which nobody speaks, between a customer and an agent", () => {
    fc.assert(
      fc.property(calls, (call) => {
        const heard = operatorCall(call);
        for (const { startMs, endMs } of detections("response-time", heard)) {
          expect(endMs - startMs).toBeGreaterThan(3000);
          expect(heard.speech?.customer.some(([, end]) => end === startMs)).toBe(true);
          expect(heard.speech?.agent.some(([start]) => start === endMs)).toBe(true);
          expect(
            overlap(
              [[startMs, endMs]],
              heard.channels.flatMap(({ speech }) => speech),
            ),
          ).toEqual([]);
        }
      }),
    );
  });
});

describe("options that don't fit together are refused", () => {
  test.each<[string, OperatorId, Record<string, unknown>]>([
    ["a count without a limit", "phrase", { mode: "count", phrases: ["a"] }],
    ["a window without a length", "phrase", { phrases: ["好"], window: { at: "first" } }],
    ["a window after nothing", "phrase", { phrases: ["好"], window: { at: "after", seconds: 5 } }],
    ["an anchor of the first part", "phrase", { phrases: ["好"], window: { at: "first", seconds: 5, anchor: { phrases: ["好"] } } }],
    ["a phrase without a letter", "phrase", { phrases: ["？！"] }],
    ["a reply to nothing", "sequence", { reply: { phrases: ["好"] } }],
    ["a trigger without a reply", "sequence", { trigger: { phrases: ["好"] } }],
    ["no steps", "sequence", { mode: "steps" }],
    ["a field without a condition", "metadata", { field: "queue" }],
  ])("%s", (_, id, options) => {
    expect(() => prepared(id, options)).toThrow(expect.objectContaining({ code: "rules/invalid" }) as CallsiftError);
  });
});

test("anchored windows: before, after, around, each, first, last", () => {
  const call = operatorCall({
    utterances: ["甲丙", "乙丙", "甲丙", "乙丙", "甲丙"].map((text, i) => ({
      role: "agent",
      startMs: i * 10_000,
      endMs: i * 10_000 + 2000,
      text,
    })),
  });
  const starts = (window: Record<string, unknown>) => detections("phrase", call, { phrases: ["丙"], window }).map(({ startMs }) => startMs);
  const anchor = { phrases: ["乙"] };
  expect(starts({ at: "after", seconds: 5, anchor })).toEqual([11_000, 31_000]);
  expect(starts({ at: "after", seconds: 5, anchor: { ...anchor, hit: 2 } })).toEqual([31_000]);
  expect(starts({ at: "after", seconds: 5, anchor: { ...anchor, hit: -1 } })).toEqual([31_000]);
  expect(starts({ at: "after", seconds: 5, anchor: { ...anchor, hit: 3 } })).toEqual([]);
  expect(starts({ at: "before", seconds: 10, anchor: { ...anchor, hit: 1 } })).toEqual([1000]);
  expect(starts({ at: "around", seconds: 15, anchor })).toEqual([1000, 11_000, 21_000, 31_000, 41_000]);
  expect(starts({ at: "first", turns: 1, seconds: 2 })).toEqual([1000]);
  expect(starts({ at: "last", of: "call", seconds: 5 })).toEqual([41_000]);
});
