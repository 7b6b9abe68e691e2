import { describe, expect, it } from "vitest";
import { assignRoles, type RoleInput } from "../../src/pipeline/roles.ts";
import type { Role, Span, Transcript, Utterance } from "../../src/pipeline/types.ts";
import { channel } from "../support/transcripts.ts";

type Line = readonly [who: Role | 0 | 1 | string | null, startMs: number, endMs: number, text: string];

/** A line's first field is a role, a channel, or a speaker's label. */
function transcript(...lines: readonly Line[]): Transcript {
  const utterances = lines.map(([who, startMs, endMs, text]): Utterance => {
    const role = who === "agent" || who === "customer" ? who : null;
    const speaker = typeof who === "string" && role === null ? { speaker: who } : {};
    return {
      role,
      channel: typeof who === "number" ? who : null,
      ...speaker,
      startMs,
      endMs,
      text,
      confidence: null,
      words: [],
      timing: "estimated",
    };
  });
  return { engine: "import", model: null, language: "zh", utterances };
}

const NONE = { status: "not-available", reason: "no words" } as const;
/** Channel 1 greets, channel 0 answers: the agent is on the second channel. */
const CUSTOMER_SPEECH: Span[] = [
  [4200, 7000],
  [11_000, 13_000],
];
const AGENT_SPEECH: Span[] = [
  [900, 3900],
  [7500, 10_500],
  [13_500, 15_000],
];

function assign(input: Partial<RoleInput>) {
  return assignRoles({
    layout: "split",
    channels: [channel(0, CUSTOMER_SPEECH), channel(1, AGENT_SPEECH)],
    transcript: NONE,
    metadata: {},
    option: "auto",
    language: "zh",
    ...input,
  });
}
const rolesOf = ({ transcript: result }: ReturnType<typeof assign>) =>
  "utterances" in result ? result.utterances.map(({ role }) => role) : [];
const channelsOf = ({ transcript: result }: ReturnType<typeof assign>) =>
  "utterances" in result ? result.utterances.map((utterance) => utterance.channel) : [];

const byRole = transcript(
  ["agent", 800, 4000, "您好，请问有什么可以帮您？"],
  ["customer", 4100, 7100, "我想查一下我的订单。"],
  ["agent", 7400, 10_600, "好的，请稍等，帮您查询一下。"],
  ["customer", 10_900, 13_100, "好的。"],
  ["agent", 13_400, 15_100, "祝您生活愉快。"],
);
const withWho = (...who: readonly (0 | 1 | string | null)[]) =>
  transcript(...byRole.utterances.map(({ startMs, endMs, text }, i): Line => [who[i] ?? null, startMs, endMs, text]));

describe("the order of sources", () => {
  it("option before everything", () => {
    expect(assign({ option: 1, metadata: { agentChannel: 0 } })).toMatchObject({
      agentChannel: 1,
      roleSource: "option",
      roleConfidence: 1,
    });
  });
  it("metadata before the transcript", () => {
    expect(assign({ metadata: { agentChannel: 1 }, transcript: byRole })).toMatchObject({
      agentChannel: 1,
      roleSource: "metadata",
      roleConfidence: 1,
    });
  });
  it("legs put the agent on channel 0", () => {
    expect(assign({ metadata: { legs: { agent: "a.wav", customer: "b.wav" }, agentChannel: 1 } })).toMatchObject({
      agentChannel: 0,
      roleSource: "metadata",
    });
  });
  it("the transcript before who speaks first", () => {
    const result = assign({ channels: [channel(0, [[100, 700], ...CUSTOMER_SPEECH]), channel(1, AGENT_SPEECH)], transcript: byRole });
    expect(result).toMatchObject({ agentChannel: 1, roleSource: "transcript" });
    expect(result.roleConfidence).toBeGreaterThan(0.9);
  });
  it("who speaks first where nothing else tells", () => {
    expect(assign({})).toMatchObject({ agentChannel: 1, roleSource: "speech", roleConfidence: 0.6 });
  });
  it("none where nothing tells", () => {
    expect(assign({ channels: [channel(0, [[900, 2000]]), channel(1, [[1000, 3000]])] })).toEqual({
      agentChannel: null,
      agentSpeaker: null,
      roleSource: "none",
      roleConfidence: 0,
      transcript: NONE,
    });
  });
});

describe("a transcript with roles and no channels", () => {
  it("finds its channels by time", () => {
    const result = assign({ transcript: byRole });
    expect(result.agentChannel).toBe(1);
    expect(channelsOf(result)).toEqual([1, 0, 1, 0, 1]);
    expect(rolesOf(result)).toEqual(byRole.utterances.map(({ role }) => role));
  });
  it("does so through cross-talk, overlap and a missed turn", () => {
    const leaky = [
      channel(0, [...CUSTOMER_SPEECH, [1000, 1800], [8000, 9000]]),
      channel(1, [
        [900, 3900],
        [6500, 10_500],
        [12_000, 12_800],
      ]),
    ];
    expect(assign({ channels: leaky, transcript: byRole }).agentChannel).toBe(1);
  });
  it("falls back where times fit neither way", () => {
    const both: Span[] = [[500, 15_000]];
    const plain = transcript(["agent", 800, 4000, "嗯"], ["customer", 4100, 7100, "嗯"]);
    const result = assign({ channels: [channel(0, both), channel(1, both)], transcript: plain });
    expect(result).toMatchObject({ agentChannel: null, roleSource: "none" });
    expect(rolesOf(result)).toEqual(["agent", "customer"]);
  });
  it("keeps its roles against an option, which decides the sound, and the confidence says so", () => {
    const result = assign({ option: 0, transcript: byRole });
    expect(result).toMatchObject({ agentChannel: 0, roleSource: "option", roleConfidence: 0.5 });
    expect(rolesOf(result)).toEqual(byRole.utterances.map(({ role }) => role));
    expect(channelsOf(result)).toEqual([1, 0, 1, 0, 1]);
  });
});

describe("a transcript with roles and channels", () => {
  const both: Transcript = {
    ...byRole,
    utterances: byRole.utterances.map((line) => ({ ...line, channel: line.role === "agent" ? 1 : 0 })),
  };
  it("is believed", () => {
    expect(assign({ transcript: both })).toMatchObject({ agentChannel: 1, roleSource: "transcript", roleConfidence: 1 });
  });
  it("yields to an option, words and all, since its channels say which sound they are", () => {
    const result = assign({ transcript: both, option: 0 });
    expect(result).toMatchObject({ agentChannel: 0, roleConfidence: 0.5 });
    expect(rolesOf(result)).toEqual(["customer", "agent", "customer", "agent", "customer"]);
  });
});

describe("wording", () => {
  it("tells the agent's channel in Chinese", () => {
    const result = assign({ transcript: withWho(1, 0, 1, 0, 1) });
    expect(result).toMatchObject({ agentChannel: 1, roleSource: "transcript" });
    expect(result.roleConfidence).toBeGreaterThan(0.85);
    expect(rolesOf(result)).toEqual(["agent", "customer", "agent", "customer", "agent"]);
    expect(assign({ transcript: withWho(0, 1, 0, 1, 0) }).agentChannel).toBe(0);
  });
  it("tells it in English, and although the customer speaks first", () => {
    const english = transcript(
      [0, 100, 700, "Hello?"],
      [1, 900, 3900, "Thank you for calling Example, this is Anna, how may I help you?"],
      [0, 4200, 7000, "Hi, I'd like to ask about my order."],
      [1, 7500, 10_500, "One moment, please. May I have your order number?"],
    );
    expect(assign({ transcript: english, language: "en" })).toMatchObject({ agentChannel: 1, roleSource: "transcript" });
  });
  it("tells it in traditional characters and with fillers of punctuation", () => {
    expect(assign({ transcript: transcript([1, 900, 3900, "您好，很高興為您服務！"], [0, 4200, 7000, "我想問一下。"]) })).toMatchObject({
      agentChannel: 1,
      roleSource: "transcript",
    });
  });
  it("needs a margin: a customer's 请稍等 alone is none", () => {
    const vague = transcript([0, 4200, 7000, "请稍等"], [1, 900, 3900, "喂"]);
    expect(assign({ transcript: vague })).toMatchObject({ agentChannel: 1, roleSource: "speech" });
  });
  it("gives utterances without any label their channel, then their role", () => {
    const result = assign({ transcript: withWho(null, null, null, null, null) });
    expect(channelsOf(result)).toEqual([1, 0, 1, 0, 1]);
    expect(result).toMatchObject({ agentChannel: 1, roleSource: "transcript" });
  });
  it("gives two speakers their channels, then their roles", () => {
    const result = assign({ transcript: withWho("spk1", "spk0", "spk1", "spk0", "spk1") });
    expect(channelsOf(result)).toEqual([1, 0, 1, 0, 1]);
    expect(rolesOf(result)).toEqual(["agent", "customer", "agent", "customer", "agent"]);
  });
  it("lowers the confidence of an option it clearly contradicts", () => {
    expect(assign({ option: 0, transcript: withWho(1, 0, 1, 0, 1) })).toMatchObject({ agentChannel: 0, roleConfidence: 0.5 });
    expect(assign({ option: 1, transcript: withWho(1, 0, 1, 0, 1) })).toMatchObject({ agentChannel: 1, roleConfidence: 1 });
  });
});

describe("who speaks first", () => {
  it("counts from the answer on: an announcement before it is nobody's", () => {
    const channels = [
      channel(0, [
        [500, 3000],
        [14_000, 16_000],
      ]),
      channel(1, [[10_500, 13_000]]),
    ];
    expect(assign({ channels, answeredAtMs: 10_000 })).toMatchObject({ agentChannel: 1, roleSource: "speech" });
    expect(assign({ channels })).toMatchObject({ agentChannel: 0, roleSource: "speech" });
  });
  it("is the customer when the centre called", () => {
    for (const direction of ["outbound", "OUT", "呼出", "外呼"]) expect(assign({ metadata: { direction } }).agentChannel).toBe(0);
    for (const direction of ["inbound", "呼入", ""]) expect(assign({ metadata: { direction } }).agentChannel).toBe(1);
  });
  it("takes no notice of a click", () => {
    expect(assign({ channels: [channel(0, [[100, 300], ...CUSTOMER_SPEECH]), channel(1, AGENT_SPEECH)] }).agentChannel).toBe(1);
  });
});

describe("other layouts", () => {
  const mono = [
    channel(
      0,
      [...AGENT_SPEECH, ...CUSTOMER_SPEECH].sort((a, b) => a[0] - b[0]),
    ),
  ];
  for (const layout of ["mixed", "dual-mono", "silent"] as const) {
    it(`${layout}: roles of the words only, no agent's channel, whatever the option`, () => {
      const channels = layout === "mixed" ? mono : [...mono, ...mono];
      const result = assign({ layout, channels, transcript: byRole, option: 0 });
      expect(result).toMatchObject({ agentChannel: null, roleSource: "transcript", roleConfidence: 1 });
      expect(rolesOf(result)).toEqual(byRole.utterances.map(({ role }) => role));
      expect(assign({ layout, channels, option: 0 })).toMatchObject({ agentChannel: null, roleSource: "none", roleConfidence: 0 });
    });
  }
  it("mixed: two speakers are told apart by wording", () => {
    const result = assign({ layout: "mixed", channels: mono, transcript: withWho("spk0", "spk1", "spk0", "spk1", "spk0") });
    expect(result).toMatchObject({ agentChannel: null, roleSource: "transcript" });
    expect(rolesOf(result)).toEqual(["agent", "customer", "agent", "customer", "agent"]);
    expect(assign({ layout: "mixed", channels: mono, transcript: withWho("a", "b", "c", "b", "a") }).roleSource).toBe("none");
    expect(assign({ layout: "mixed", channels: mono, transcript: withWho(null, null, null) }).roleSource).toBe("none");
  });
  it("mixed: who speaks first tells two voices apart where wording does not", () => {
    const vague = (...who: readonly string[]) =>
      transcript(
        [who[0] ?? null, 800, 4000, "您好，我找张先生。"],
        [who[1] ?? null, 4100, 7100, "我就是，什么事？"],
        [who[0] ?? null, 7400, 10_600, "有个包裹要送。"],
      );
    const told = (input: Partial<RoleInput>) => assign({ layout: "mixed", channels: mono, ...input });
    expect(told({ transcript: vague("voice-1", "voice-2") })).toMatchObject({
      agentChannel: null,
      agentSpeaker: "voice-1",
      roleSource: "speech",
      roleConfidence: 0.6,
    });
    expect(told({ transcript: vague("voice-2", "voice-1") }).agentSpeaker).toBe("voice-2");
    expect(rolesOf(told({ transcript: vague("voice-1", "voice-2"), metadata: { direction: "呼出" } }))).toEqual([
      "customer",
      "agent",
      "customer",
    ]);
    // Another program's speakers may be anything.
    expect(told({ transcript: vague("spk0", "spk1") })).toMatchObject({ agentSpeaker: null, roleSource: "none" });
  });
  it("mixed: the sound of the voices says who speaks first, short turns apart", () => {
    const voices = [
      {
        channel: 0,
        speaker: "voice-1",
        speech: [
          [100, 700],
          [4100, 7000],
        ],
      },
      {
        channel: 0,
        speaker: "voice-2",
        speech: [
          [900, 3900],
          [7500, 9000],
        ],
      },
    ] satisfies RoleInput["voices"];
    const onlyOne = transcript(["voice-1", 4100, 7000, "什么事？"]);
    const input = { layout: "mixed", channels: mono, transcript: onlyOne, voices } as const;
    expect(assign(input)).toMatchObject({ agentSpeaker: "voice-2", roleSource: "speech" });
    expect(rolesOf(assign(input))).toEqual(["customer"]);
    expect(assign({ ...input, answeredAtMs: 3500 })).toMatchObject({ agentSpeaker: "voice-1" });
  });
  it("mixed: the wording of one voice alone must show more", () => {
    const voices = ["voice-1", "voice-2"].map((speaker, i) => ({
      channel: 0,
      speaker,
      speech: [[4000 * i, 4000 * i + 3000]] satisfies Span[],
    }));
    const input = { layout: "mixed", channels: mono, voices } as const;
    expect(
      assign({ ...input, transcript: transcript(["voice-2", 4000, 7000, "您好，请问有什么可以帮您？请稍等，帮您查询。"]) }),
    ).toMatchObject({
      agentSpeaker: "voice-2",
      roleSource: "transcript",
    });
    expect(assign({ ...input, transcript: transcript(["voice-2", 4000, 7000, "请稍等。"]) })).toMatchObject({
      agentSpeaker: "voice-1",
      roleSource: "speech",
    });
  });
  it("mixed: two voices of whom none speaks for a second have no roles", () => {
    const voices = ["voice-1", "voice-2"].map((speaker, i) => ({
      channel: 0,
      speaker,
      speech: [[4000 * i, 4000 * i + 800]] satisfies Span[],
    }));
    const input = { layout: "mixed", channels: mono, voices, transcript: transcript(["voice-1", 0, 800, "喂"]) } as const;
    expect(assign(input)).toMatchObject({ agentSpeaker: null, roleSource: "none", roleConfidence: 0 });
  });
  it("one-sided: wording still says whose side it is", () => {
    const channels = [channel(0, AGENT_SPEECH), channel(1, [])];
    const agent = transcript([0, 900, 3900, "您好，请问有什么可以帮您？"], [0, 7500, 10_500, "请稍等，帮您查询。"]);
    expect(assign({ layout: "one-sided", channels, transcript: agent })).toMatchObject({ agentChannel: 0, roleSource: "transcript" });
    const customer = transcript([0, 900, 3900, "喂，我想查我的订单。"], [0, 7500, 10_500, "你们怎么回事，我要投诉。"]);
    expect(assign({ layout: "one-sided", channels, transcript: customer })).toMatchObject({ agentChannel: 1, roleSource: "transcript" });
    expect(assign({ layout: "one-sided", channels })).toMatchObject({ agentChannel: null, roleSource: "none" });
    expect(assign({ layout: "one-sided", channels, option: 1 })).toMatchObject({ agentChannel: 1, roleSource: "option" });
  });
});
