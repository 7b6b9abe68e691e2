import Value from "typebox/value";
import { expect, test } from "vitest";
import { isUnjudged, type Operator, type OperatorCall } from "../../src/pipeline/operators/define.ts";
import { OPERATORS, type OperatorId } from "../../src/pipeline/operators/index.ts";
import type { Detection, DoubtfulStretch } from "../../src/pipeline/types.ts";
import { operatorCall, type ShortCall } from "../support/heard-call.ts";

/** What operators make of words that a recogniser wrote, and of voices that were told apart. */
function detect(id: OperatorId, call: OperatorCall, options: Record<string, unknown> = {}): Detection[] | string {
  const operator: Operator = OPERATORS[id];
  const answer = operator.prepare(Value.Default(operator.options, structuredClone(options)) as never)(call);
  return isUnjudged(answer) ? answer.notAssessed : answer;
}

test("few fillers say nothing where the recogniser leaves them out; many do", () => {
  const call = (text: string): OperatorCall => {
    const heard = operatorCall({ utterances: [{ role: "agent", startMs: 0, endMs: 20_000, text }] });
    return { ...heard, transcript: { ...heard.transcript, dropsHesitations: true } as OperatorCall["transcript"] };
  };
  expect(detect("rate", call("您好请讲"))).toBe("hesitations-dropped");
  expect(detect("rate", call("嗯您好嗯请讲嗯那个嗯然后嗯"))).toMatchObject([{ role: "agent" }]);
  expect(detect("rate", call("您好请讲"), { phrases: ["这边"] })).toEqual([]);
});

test("a recognised pace just beyond the limit is weak, a clear one is not, a person's transcript is taken at its word", () => {
  const call = (characters: number, confidence: number | null): OperatorCall =>
    operatorCall({ utterances: [{ role: "agent", startMs: 0, endMs: 12_000, text: "好".repeat(characters), confidence }] });
  // 61 characters in 12 s are 305 a minute, 70 are 350; the limit is 300.
  expect(detect("speech-rate", call(61, 0.9))).toMatchObject([{ weak: true }]);
  expect((detect("speech-rate", call(70, 0.9)) as Detection[])[0]).not.toHaveProperty("weak");
  expect((detect("speech-rate", call(61, null)) as Detection[])[0]).not.toHaveProperty("weak");
  // 34 in 12 s are 170: just below 180; 20 are 100.
  expect(detect("speech-rate", call(35, 0.9))).toMatchObject([{ weak: true, data: { kind: "too-slow" } }]);
  expect((detect("speech-rate", call(20, 0.9)) as Detection[])[0]).not.toHaveProperty("weak");
});

test("the pace of recognised words is that of the speech they were heard in, where their own times are tighter", () => {
  const text = "好".repeat(60);
  // A fifth of a second a character: 12 s of speech, but the words' times leave a sixth of it out.
  const words = Array.from({ length: 60 }, (_, i) => ({
    text: "好",
    startMs: 1_000 + Math.round((10_000 / 60) * i),
    endMs: 1_000 + Math.round((10_000 / 60) * (i + 1)),
  }));
  const utterance = { role: "agent", startMs: 0, endMs: 12_000, text, words } as const;
  const speech = { agent: [[0, 12_000]], customer: [] } as const;
  expect(detect("speech-rate", operatorCall({ utterances: [{ ...utterance, confidence: 0.9 }], speech }))).toEqual([]);
  expect(detect("speech-rate", operatorCall({ utterances: [{ ...utterance, confidence: null }], speech }))).toMatchObject([
    { data: { perMinute: 360 } },
  ]);
});

test("nobody is heard to interrupt in one channel", () => {
  const speech = { agent: [[4_000, 8_000]], customer: [[0, 6_000]] } as const;
  expect(detect("interruption", operatorCall({ layout: "split", speech }))).toHaveLength(1);
  expect(detect("interruption", operatorCall({ layout: "mixed", speech }))).toBe("sides-mixed");
});

test("a closing is hidden by doubtful words at the end, not by those at the start of a short call", () => {
  const doubtful = (startMs: number): DoubtfulStretch => ({
    role: "agent",
    channel: 0,
    startMs,
    endMs: startMs + 2_000,
    text: "相成授后",
    confidence: 0.3,
    doubt: "low-confidence",
  });
  const call = (at: number): OperatorCall => {
    const starts = [0, 5_000, 10_000, 15_000].filter((startMs) => startMs !== at);
    const short: ShortCall = {
      utterances: starts.map((startMs) => ({ role: "agent", startMs, endMs: startMs + 2_000, text: "查一下" })),
      speech: { agent: [0, 5_000, 10_000, 15_000].map((startMs) => [startMs, startMs + 2_000] as const), customer: [[3_000, 4_000]] },
      doubtful: [doubtful(at)],
    };
    return operatorCall(short);
  };
  const absent = (at: "first" | "last") => ({ mode: "absent", phrases: ["再见"], window: { at, seconds: 20 } });
  expect(detect("phrase", call(0), absent("last"))).toHaveLength(1);
  expect(detect("phrase", call(15_000), absent("last"))).toBe("words-doubtful");
  expect(detect("phrase", call(15_000), absent("first"))).toHaveLength(1);
  expect(detect("phrase", call(0), absent("first"))).toBe("words-doubtful");
});

test("a question that a recogniser wrote three ways was asked three times", () => {
  const texts = ["英雅格请问您的订单号是多少?", "因此然后,纳格请问你的订单号是多少。", "阿纳格请问您的定单号是多少?"];
  const call = (confidence: number | null): OperatorCall =>
    operatorCall({
      utterances: texts.map((text, i) => ({ role: "agent", startMs: i * 10_000, endMs: i * 10_000 + 3_000, text, confidence })),
    });
  expect(detect("repetition", call(0.8))).toMatchObject([{ data: { times: 3 } }]);
  // A person would not have written so; what was written is compared as it is.
  expect(detect("repetition", call(null))).toEqual([]);
});
