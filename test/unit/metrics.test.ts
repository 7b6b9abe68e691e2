import { expect, test } from "vitest";
import { measure } from "../../src/pipeline/metrics.ts";
import { heardCall } from "../support/heard-call.ts";

test("figures of a call of two sides", () => {
  const call = heardCall({
    utterances: [
      { role: "agent", startMs: 1000, endMs: 5000, text: "您好，请问有什么可以帮您" },
      { role: "customer", startMs: 6000, endMs: 12_000, text: "我的订单到哪里了" },
      { role: "agent", startMs: 8000, endMs: 8400, text: "嗯" },
      { role: "agent", startMs: 11_500, endMs: 13_000, text: "我看一下" },
      { role: "agent", startMs: 22_000, endMs: 24_000, text: "明天到" },
      { role: "customer", startMs: 24_500, endMs: 25_000, text: "好" },
    ],
  });
  expect(measure(call)).toEqual({
    agentTalkMs: 7900,
    customerTalkMs: 6500,
    overlapMs: 900,
    silenceMs: 1000 + 9000 + 500,
    longestSilenceMs: 9000,
    firstAgentSpeechMs: 1000,
    // 11 + 1 + 4 + 3 characters in 7.9 s.
    agentCharsPerMinute: Math.round((19 * 60_000) / 7900),
    // Agent, customer (the agent's 嗯 and early start within), agent, customer.
    turns: 4,
  });
});

test("words a minute in English", () => {
  const call = heardCall({
    language: "en",
    utterances: [{ role: "agent", startMs: 0, endMs: 3000, text: "Good morning, how may I help you?" }],
  });
  expect(measure(call).agentCharsPerMinute).toBe(140);
});

test("sides that can't be told apart leave silence to be measured", () => {
  const call = heardCall({
    layout: "mixed",
    channels: [
      {
        speech: [
          [1000, 2000],
          [5000, 9000],
        ],
      },
    ],
  });
  expect(measure(call)).toEqual({
    agentTalkMs: null,
    customerTalkMs: null,
    overlapMs: null,
    silenceMs: 3000,
    longestSilenceMs: 3000,
    firstAgentSpeechMs: null,
    agentCharsPerMinute: null,
    turns: null,
  });
});

test("a mixed recording with a transcript that names the speakers has turns and pace", () => {
  const call = heardCall({
    layout: "mixed",
    utterances: [
      { role: "customer", startMs: 0, endMs: 2000, text: "喂" },
      { role: "agent", startMs: 3000, endMs: 6000, text: "您好请问有什么" },
    ],
  });
  expect(measure(call)).toMatchObject({ agentTalkMs: null, firstAgentSpeechMs: 3000, turns: 2, agentCharsPerMinute: 140 });
});

test("a recording without speech", () => {
  const call = heardCall({ layout: "silent", durationMs: 60_000, channels: [{}, {}] });
  expect(measure(call)).toMatchObject({ silenceMs: 0, longestSilenceMs: 0, firstAgentSpeechMs: null, turns: null });
});

test("an agent who never speaks", () => {
  const call = heardCall({ speech: { agent: [], customer: [[0, 2000]] } });
  expect(measure(call)).toMatchObject({ agentTalkMs: 0, customerTalkMs: 2000, overlapMs: 0, firstAgentSpeechMs: null, turns: 1 });
});
