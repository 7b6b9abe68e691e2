import { expect, it } from "vitest";
import { withStretchRoles } from "../../src/pipeline/stretch-roles.ts";
import type { DoubtfulStretch, Hearing, Transcript } from "../../src/pipeline/types.ts";

const doubtful = (more: Partial<DoubtfulStretch>): DoubtfulStretch => ({
  role: null,
  channel: null,
  startMs: 0,
  endMs: 1,
  text: "",
  confidence: null,
  doubt: "loop",
  ...more,
});
const hearing = (more: Partial<Hearing>): Hearing => ({
  role: null,
  channel: null,
  startMs: 0,
  endMs: 1,
  phrase: "投诉",
  wording: "投诉",
  written: "投足",
  check: "search",
  said: true,
  margin: -3,
  ...more,
});
const transcript = (more: Partial<Transcript>): Transcript => ({
  engine: "whisper",
  model: "base",
  language: "zh",
  utterances: [],
  ...more,
});

it("a stretch has the role of its channel, else of its voice, else none", () => {
  const given = transcript({
    doubtful: [doubtful({ channel: 0 }), doubtful({ channel: 1 }), doubtful({})],
    hearings: [hearing({ channel: 1 }), hearing({ speaker: "voice-2" })],
  });
  const roles = (agent: Parameters<typeof withStretchRoles>[1]) => {
    const named = withStretchRoles(given, agent) as Transcript;
    return [...(named.doubtful ?? []), ...(named.hearings ?? [])].map(({ role }) => role);
  };
  expect(roles({ agentChannel: 1, agentSpeaker: null })).toEqual(["customer", "agent", null, "agent", null]);
  expect(roles({ agentChannel: null, agentSpeaker: "voice-2" })).toEqual([null, null, null, null, "agent"]);
  expect(roles({ agentChannel: null, agentSpeaker: "voice-1" })).toEqual([null, null, null, null, "customer"]);
  expect(roles({ agentChannel: null, agentSpeaker: null })).toEqual([null, null, null, null, null]);
});

it("adds nothing to a transcript that has none, nor to a missing one", () => {
  expect(withStretchRoles(transcript({}), { agentChannel: 0, agentSpeaker: null })).toEqual(transcript({}));
  const none = { status: "not-available", reason: "no words" } as const;
  expect(withStretchRoles(none, { agentChannel: 0, agentSpeaker: null })).toBe(none);
});
