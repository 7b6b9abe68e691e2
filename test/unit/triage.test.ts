import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type TriageInput, triage } from "../../src/pipeline/triage.ts";
import type { Finding, Score, Severity } from "../../src/pipeline/types.ts";

function found(rule: string, severity: Severity, over: Partial<Finding> = {}): Finding {
  return {
    id: "f1",
    rule,
    ruleVersion: 1,
    operator: "x",
    severity,
    role: null,
    startMs: 0,
    endMs: 1,
    quote: null,
    confidence: 1,
    counts: true,
    data: {},
    ...over,
  };
}

const full: Score = {
  form: "deduction-20",
  version: 1,
  total: 20,
  max: 20,
  band: "excellent",
  fatal: false,
  complete: true,
  items: [{ item: "dead-air", points: 0, max: 0, by: "machine", status: "assessed", findings: [] }],
};
const call = (over: Partial<TriageInput> = {}): TriageInput => ({
  findings: [],
  notAssessed: [],
  score: full,
  layout: "split",
  problems: [],
  metadata: {},
  rules: [{ id: "customer-escalation", priority: 35 }, { id: "unusable-call", priority: 15 }, { id: "dead-air" }],
  ...over,
});
const of = (...findings: Finding[]) => triage(call({ findings }));

describe("the queue", () => {
  it.each<[string, Partial<TriageInput>, string]>([
    ["nothing found", {}, "pass"],
    ["a general fault", { findings: [found("dead-air", "general")] }, "review"],
    ["one that waits for a person", { findings: [found("forbidden-phrase", "serious", { counts: false, confidence: 0.3 })] }, "review"],
    ["a forgotten survey", { findings: [found("missing-survey-invite", "notice")] }, "pass"],
    ["an escalating customer", { findings: [found("customer-escalation", "notice")] }, "review"],
    ["a dissatisfied customer", { metadata: { satisfaction: 2 } }, "review"],
    ["a content customer", { metadata: { satisfaction: 4 } }, "pass"],
    ["a call without a conversation", { findings: [found("unusable-call", "notice")] }, "unusable"],
    ["silence", { layout: "silent" }, "unusable"],
    [
      "a general fault in a call without a conversation",
      { findings: [found("unusable-call", "notice"), found("missing-greeting", "general")] },
      "unusable",
    ],
    ["an insult in a short call", { findings: [found("unusable-call", "notice"), found("insult", "fatal")] }, "review"],
    [
      "an insult that nobody is sure of in a voicemail",
      { findings: [found("unusable-call", "notice"), found("insult", "fatal", { counts: false })] },
      "unusable",
    ],
    ["damage to the whole", { problems: [{ code: "drop-outs", channel: null, detail: "", unfit: true }] }, "unusable"],
    ["damage to both sides", { problems: [0, 1].map((channel) => ({ code: "noise", channel, detail: "", unfit: true })) }, "unusable"],
    ["damage to one side", { problems: [{ code: "noise", channel: 0, detail: "", unfit: true }] }, "pass"],
    ["damage worth a note", { problems: [{ code: "clipping", channel: null, detail: "", unfit: false }] }, "pass"],
    ["a leak, which spoils sides but no words", { problems: [{ code: "cross-talk", channel: null, detail: "", unfit: true }] }, "pass"],
    ["a fatal mark by a person", { score: { ...full, fatal: true, total: 0 } }, "review"],
  ])("%s", (_what, over, queue) => {
    expect(triage(call(over)).queue).toBe(queue);
  });

  it("has a call of which nothing could be judged looked at", () => {
    const blind = {
      ...full,
      complete: false,
      items: full.items.map((item) => ({ ...item, points: null, status: "not-assessed" as const })),
    };
    expect(triage(call({ score: blind, notAssessed: [{ rule: "dead-air", reason: "audio-unfit" }] }))).toMatchObject({
      queue: "review",
      reasons: ["nothing-assessed"],
    });
  });
});

describe("the priority", () => {
  it("is that of the contract's example for one general fault", () => {
    expect(of(found("dead-air", "general"))).toEqual({ queue: "review", priority: 40, reasons: ["dead-air"] });
  });

  it("puts fatal first however unsure, then severity times confidence", () => {
    const order = [
      of(found("insult", "fatal")),
      of(found("insult", "fatal", { confidence: 0.2, counts: false })),
      of(...Array.from({ length: 50 }, () => found("forbidden-phrase", "serious"))),
      of(found("forbidden-phrase", "serious")),
      of(found("dead-air", "general")),
      of(found("customer-escalation", "notice")),
      of(found("forbidden-phrase", "serious", { confidence: 0.5 })),
      of(found("missing-survey-invite", "notice")),
      of(),
    ].map(({ priority }) => priority);
    expect(order).toEqual([...order].sort((a, b) => b - a));
    expect(new Set(order).size).toBe(order.length);
    expect(order[1]).toBeGreaterThanOrEqual(80);
    expect(order[2]).toBeLessThan(80);
  });

  it("rises with an escalating and with a dissatisfied customer", () => {
    const one = found("dead-air", "general");
    const plain = of(one).priority;
    expect(of(one, found("customer-escalation", "notice")).priority).toBeGreaterThan(plain);
    const satisfied = [5, 2, 1].map((satisfaction) => triage(call({ findings: [one], metadata: { satisfaction } })).priority);
    expect(satisfied).toEqual([plain, plain + 15, plain + 25]);
  });

  it("takes a rule's own worth", () => {
    const input = call({ findings: [found("vip", "notice")], rules: [{ id: "vip", priority: 70 }] });
    expect(triage(input)).toEqual({ queue: "review", priority: 70, reasons: ["vip"] });
  });

  it("names the weightiest reason first, each once", () => {
    const { reasons } = triage(
      call({
        findings: [
          found("slow-response", "general", { confidence: 0.8 }),
          found("dead-air", "general"),
          found("insult", "fatal"),
          found("dead-air", "general"),
        ],
        metadata: { satisfaction: 1 },
      }),
    );
    expect(reasons).toEqual(["insult", "dead-air", "slow-response", "low-satisfaction"]);
  });
});

const anyFinding = fc
  .record({
    severity: fc.constantFrom<Severity>("notice", "general", "serious", "fatal"),
    rule: fc.constantFrom("a", "b", "customer-escalation", "unusable-call"),
    confidence: fc.double({ min: 0, max: 1, noNaN: true }),
    counts: fc.boolean(),
  })
  .map(({ rule, severity, ...rest }) => found(rule, severity, rest));
const anyCall = fc.record({
  findings: fc.array(anyFinding, { maxLength: 20 }),
  satisfaction: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
});

describe("whatever is found", () => {
  it("another finding never lowers the priority, nor lets a call pass", () => {
    fc.assert(
      fc.property(anyCall, anyFinding, ({ findings, satisfaction }, more) => {
        const metadata = satisfaction === undefined ? {} : { satisfaction };
        const before = triage(call({ findings, metadata }));
        const after = triage(call({ findings: [...findings, more], metadata }));
        expect(after.priority).toBeGreaterThanOrEqual(before.priority);
        expect(after.queue === "pass" && before.queue !== "pass").toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  it("the priority is a whole number from 0 to 100, the same in any order of findings", () => {
    fc.assert(
      fc.property(anyCall, ({ findings }) => {
        const placed = triage(call({ findings }));
        expect(Number.isInteger(placed.priority) && placed.priority >= 0 && placed.priority <= 100).toBe(true);
        expect(triage(call({ findings: [...findings].reverse() }))).toEqual(placed);
      }),
    );
  });
});
