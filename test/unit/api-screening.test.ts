import { readdirSync, readFileSync } from "node:fs";
import fastify from "fastify";
import { expect, it } from "vitest";
import { Screening } from "../../src/api/schemas/screening.ts";
import { BUILTIN_FORMS, openPolicies } from "../../src/pipeline/policies.ts";
import type { Screening as WholeScreening } from "../../src/pipeline/screening.ts";
import { score, type Transcribed } from "../../src/pipeline/stages.ts";
import { type DoubtfulStretch, type Hearing, PROBLEM_CODES, type ProblemCode } from "../../src/pipeline/types.ts";
import { heardCall, type ShortCall } from "../support/heard-call.ts";

/** Calls with everything that a call can have. */
const FULL: ShortCall = {
  problems: PROBLEM_CODES.map((code: ProblemCode, i) => ({
    code,
    channel: i % 2 === 0 ? i % 3 : null,
    detail: `${code}, -3.5 dB`,
    unfit: i % 2 === 0,
  })),
  tones: [{ kind: "dtmf", channel: 1, startMs: 10, endMs: 90 }],
  metadata: {
    callId: "1",
    agentId: "7",
    hangupParty: "agent",
    satisfaction: 2,
    agentChannel: 0,
    tags: ["a"],
    legs: { agent: "a", customer: "b" },
  },
  utterances: [
    { role: "agent", startMs: 0, endMs: 2000, text: "您好，我不清楚", confidence: 0.5, tags: { emotion: "angry" }, timing: "exact" },
    { role: null, channel: null, speaker: "spk1", startMs: 2000, endMs: 2500, text: "嗯" },
  ],
  doubtful: [
    { role: "agent", channel: 0, startMs: 3000, endMs: 4000, text: "谢谢谢谢", confidence: 0.1, doubt: "loop" } satisfies DoubtfulStretch,
  ],
  hearings: [
    {
      ...{
        role: "agent",
        channel: 0,
        startMs: 0,
        endMs: 2000,
        phrase: "不清楚",
        wording: "不清楚",
        written: "不清楚",
        check: "confirm",
        said: true,
      },
      margin: -0.25,
    } satisfies Hearing,
  ],
};

function callsOfCases(): ShortCall[] {
  const cases = new URL("../../fixtures/cases/", import.meta.url);
  return readdirSync(cases).flatMap((operator) =>
    readdirSync(new URL(`${operator}/`, cases)).map((name) => {
      const text = readFileSync(new URL(`${operator}/${name}/call.json`, cases), "utf8");
      return (JSON.parse(text) as { call: ShortCall }).call;
    }),
  );
}

it("nothing of a screening is lost or changed on its way out", { timeout: 60_000 }, async () => {
  const app = fastify();
  let current: WholeScreening | null = null;
  app.get("/", { schema: { response: { 200: Screening } } }, async () => current);
  const forms = await Promise.all(BUILTIN_FORMS.map(async (form) => await openPolicies({ ruleFiles: [], form })));
  const calls = [FULL, ...callsOfCases()];
  expect(calls.length).toBeGreaterThan(100);
  for (const [i, short] of calls.entries()) {
    const call = heardCall(short);
    const transcribed: Transcribed = {
      recording: {
        name: "录音.wav",
        sha256: "0".repeat(64),
        bytes: 1,
        codec: "pcm_mulaw",
        sampleRate: 8000,
        channels: 2,
        durationMs: call.durationMs,
      },
      recipe: "r",
      call,
      roleConfidence: 0.75,
      voices: i % 2 === 0 ? null : { told: true, silhouette: 0.5, eigengap: null, reason: null },
      timings: { probeMs: 1, transcodeMs: 2, vadMs: 3, transcribeMs: 4 },
    };
    current = score(transcribed, forms[i % forms.length] as (typeof forms)[number]);
    const answer = await app.inject("/");
    expect(answer.json()).toEqual(JSON.parse(JSON.stringify(current)));
  }
  await app.close();
});
