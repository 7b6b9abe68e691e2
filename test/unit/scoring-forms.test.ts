import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CallsiftError } from "../../src/pipeline/errors.ts";
import { checkForm, parseForm } from "../../src/pipeline/scoring/parse.ts";
import { score } from "../../src/pipeline/scoring/score.ts";
import type { Finding, Severity } from "../../src/pipeline/types.ts";

const RULES: Record<string, Severity> = {
  "missing-greeting": "general",
  "missing-closing": "general",
  "missing-survey-invite": "notice",
  "forbidden-phrase": "serious",
  insult: "fatal",
  "steering-away": "fatal",
  "over-promise": "serious",
  "missing-apology": "general",
  "impolite-call": "general",
  fillers: "general",
  "repeated-question": "general",
  "dead-air": "general",
  "slow-response": "general",
  "hold-without-notice": "general",
  "long-hold": "general",
  interruption: "general",
  "speech-rate": "general",
  volume: "general",
  "agent-hangup": "serious",
  "customer-escalation": "notice",
  "unusable-call": "notice",
};
const rules = Object.entries(RULES).map(([id, severity]) => ({ id, severity }));
const builtin = (id: string) =>
  parseForm(readFileSync(new URL(`../../src/pipeline/scoring/builtin/${id}.yaml`, import.meta.url), "utf8"), `${id}.yaml`, {
    ruleIds: Object.keys(RULES),
  });

let next = 0;
function found(rule: string, over: Partial<Finding> = {}): Finding {
  next++;
  return {
    id: `f${next}`,
    rule,
    ruleVersion: 1,
    operator: "phrase",
    severity: RULES[rule] ?? "general",
    role: "agent",
    startMs: next * 1000,
    endMs: next * 1000 + 500,
    quote: null,
    confidence: 1,
    counts: true,
    data: {},
    ...over,
  };
}

const input = (findings: readonly Finding[] = []) => ({ findings, notAssessed: [], rules });
const itemOf = (result: ReturnType<typeof score>, id: string) => result.items.find(({ item }) => item === id);

describe("deduction-20", () => {
  const form = builtin("deduction-20");

  it("scores a call without findings in full, complete, excellent", () => {
    expect(score(form, input())).toMatchObject({
      form: "deduction-20",
      version: 1,
      total: 20,
      max: 20,
      band: "excellent",
      fatal: false,
      complete: true,
    });
  });

  it("takes 1 for general and 3 for serious, a line per rule, as the contract shows it", () => {
    const air = found("dead-air");
    const bad = found("forbidden-phrase");
    const result = score(form, input([air, bad]));
    expect(result.total).toBe(16);
    expect(result.band).toBe("good");
    expect(itemOf(result, "dead-air")).toEqual({
      item: "dead-air",
      points: -1,
      max: 0,
      by: "machine",
      status: "assessed",
      findings: [air.id],
      group: "service",
    });
    expect(itemOf(result, "forbidden-phrase")?.points).toBe(-3);
    expect(itemOf(result, "interruption")).toMatchObject({ points: 0, findings: [] });
    expect(Object.is(itemOf(result, "interruption")?.points, 0)).toBe(true);
  });

  it("has no line for rules without points", () => {
    expect(itemOf(score(form, input([found("customer-escalation")])), "customer-escalation")).toBeUndefined();
  });

  it("zeroes a fatal call, never goes below 0", () => {
    expect(score(form, input([found("insult"), found("insult")]))).toMatchObject({ total: 0, fatal: true, band: "fail" });
    expect(score(form, input(Array.from({ length: 30 }, () => found("dead-air")))).total).toBe(0);
  });

  it("deducts nothing for what doesn't count until a person confirms it", () => {
    const weak = found("forbidden-phrase", { counts: false });
    expect(score(form, input([weak])).total).toBe(20);
    expect(score(form, { ...input([weak]), decisions: { [weak.id]: "confirmed" } }).total).toBe(17);
    expect(score(form, { ...input([weak]), decisions: { [weak.id]: "unsure" } }).total).toBe(20);
  });

  it("deducts nothing for what a person rejected", () => {
    const insult = found("insult");
    expect(score(form, { ...input([insult]), decisions: { [insult.id]: "rejected" } })).toMatchObject({ total: 20, fatal: false });
  });

  it("shows a rule that could not be judged, takes nothing, and is not complete", () => {
    const result = score(form, { ...input(), notAssessed: [{ rule: "forbidden-phrase", reason: "no-transcript" }] });
    expect(result).toMatchObject({ total: 20, complete: false });
    expect(itemOf(result, "forbidden-phrase")).toMatchObject({
      points: null,
      status: "not-assessed",
      reason: "no-transcript",
      findings: [],
    });
  });

  it("stays complete where only a rule without points could not be judged", () => {
    expect(score(form, { ...input(), notAssessed: [{ rule: "missing-survey-invite", reason: "no-transcript" }] }).complete).toBe(true);
  });

  it("takes a person's points instead of the machine's", () => {
    const result = score(form, {
      ...input([found("dead-air"), found("dead-air")]),
      marks: [{ item: "dead-air", points: -1, reason: "the second is the customer's" }],
    });
    expect(result.total).toBe(19);
    expect(itemOf(result, "dead-air")).toMatchObject({ by: "person", points: -1, reason: "the second is the customer's" });
  });
});

describe("weighted-100", () => {
  const form = builtin("weighted-100");
  const persons = form.groups.flatMap(({ items }) => items).filter(({ by }) => by === "person");
  const best = persons.filter(({ kind }) => kind !== "bonus").map(({ id }) => ({ item: id, result: "pass" as const }));

  it("adds up to 100 when a person has given all the rest", () => {
    expect(score(form, { ...input(), marks: [...best, { item: "outstanding", result: "fail" }] })).toMatchObject({
      total: 100,
      complete: true,
    });
  });

  it("is not complete while a person has to fill items", () => {
    const result = score(form, input());
    expect(result).toMatchObject({ total: 100, complete: false });
    expect(itemOf(result, "warm")).toMatchObject({ status: "awaiting-person", points: null, by: "person" });
  });

  it("takes 2 for each forbidden word, never below the group's 0", () => {
    const total = (n: number) => score(form, { ...input(Array.from({ length: n }, () => found("forbidden-phrase"))), marks: best }).total;
    expect([total(1), total(5), total(50)]).toEqual([98, 90, 90]);
  });

  it("gives half for a wrong statement corrected at once", () => {
    const marks = best.map((mark) => (mark.item === "accurate" ? { item: "accurate", credit: "corrected-at-once" } : mark));
    expect(score(form, { ...input(), marks }).total).toBe(96);
  });

  it("leaves out what doesn't apply and weighs the rest anew", () => {
    const marks = best.map((mark) => (mark.item === "identity" ? { item: "identity", result: "not-applicable" as const } : mark));
    const findings = [found("interruption")];
    expect(score(form, { ...input(findings), marks }).total).toBe(97.89); // 93 of 95
    expect(itemOf(score(form, { ...input(), marks }), "identity")).toMatchObject({ status: "not-applicable", points: null });
  });

  it("holds a bonus at the maximum, as the form doesn't say otherwise", () => {
    expect(score(form, { ...input(), marks: [...best, { item: "outstanding", result: "pass" }] }).total).toBe(100);
  });

  it("waits for a person's word where the machine's findings are to be confirmed", () => {
    const promise = found("over-promise");
    const open = score(form, { ...input([promise]), marks: [...best, { item: "outstanding", result: "fail" }] });
    expect(itemOf(open, "no-exaggeration")).toMatchObject({ status: "awaiting-person", points: 0, findings: [promise.id] });
    expect(open).toMatchObject({ total: 97, complete: false });
    const decided = score(form, {
      ...input([promise]),
      marks: [...best, { item: "outstanding", result: "fail" }],
      decisions: { [promise.id]: "confirmed" },
    });
    expect(decided).toMatchObject({ total: 97, complete: true });
  });
});

describe("levels", () => {
  const form = builtin("levels");
  const marks = [
    { item: "record-errors", count: 0 },
    { item: "answer-errors", level: "right" },
    { item: "attitude", level: "excellent" },
    { item: "skill", level: "excellent" },
  ];
  const total = (findings: readonly Finding[], over: typeof marks = marks) => score(form, { ...input(findings), marks: over }).total;

  it("goes down a level with each error", () => {
    const errors = ["missing-greeting", "missing-closing", "fillers", "impolite-call", "missing-apology", "forbidden-phrase"];
    expect(errors.map((_, n) => total(errors.slice(0, n + 1).map((rule) => found(rule))))).toEqual([97, 94, 91, 88, 85, 80]);
  });

  it("goes to the last level when a single rule has more than five", () => {
    expect(total(Array.from({ length: 5 }, () => found("dead-air")))).toBe(85);
    expect(total(Array.from({ length: 6 }, () => found("dead-air")))).toBe(80);
  });

  it("takes named grades and counts from a person", () => {
    expect(
      total(
        [],
        marks.map((mark) => (mark.item === "attitude" ? { item: "attitude", level: "poor" } : mark)),
      ),
    ).toBe(91);
    expect(
      total(
        [],
        marks.map((mark) => (mark.item === "record-errors" ? { item: "record-errors", count: 2 } : mark)),
      ),
    ).toBe(94);
  });

  it("gives full marks for what doesn't apply", () => {
    const na = score(form, {
      ...input(),
      marks: marks.map((mark) => (mark.item === "skill" ? { item: "skill", result: "not-applicable" as const } : mark)),
    });
    expect(na).toMatchObject({ total: 100, complete: true });
  });
});

describe("checklist-15", () => {
  const form = builtin("checklist-15");
  const persons = ["through-at-first-dial", "answer-right", "answered-in-time", "need-understood"];
  const pass = persons.map((item) => ({ item, result: "pass" as "pass" | "fail" | "not-applicable" }));
  const fail = (...items: string[]) => pass.map((mark) => (items.includes(mark.item) ? { ...mark, result: "fail" as const } : mark));

  it("has 15 indicators, 6 of them key", () => {
    const items = form.groups.flatMap((group) => group.items);
    expect(items).toHaveLength(15);
    expect(items.filter((item) => item.kind === "check" && item.key)).toHaveLength(6);
  });

  it("passes a call with one non-key failure, fails it with two or one key failure", () => {
    const outcome = (findings: readonly Finding[], marks = pass) => score(form, { ...input(findings), marks });
    expect(outcome([found("missing-greeting")])).toMatchObject({
      total: 14,
      band: "excellent",
      outcomes: { call: "pass", hotline: "excellent" },
    });
    expect(outcome([found("missing-greeting"), found("dead-air")])).toMatchObject({
      band: "fail",
      outcomes: { call: "fail", hotline: "excellent" },
    });
    expect(outcome([], fail("answer-right"))).toMatchObject({ band: "fail", outcomes: { call: "fail", hotline: "ordinary" } });
  });

  it("fails a call of which four indicators don't apply", () => {
    const marks = [...pass, ...["greeting", "closing", "holds", "politeness"].map((item) => ({ item, result: "not-applicable" as const }))];
    expect(score(form, { ...input(), marks }).outcomes?.call).toBe("fail");
    expect(score(form, { ...input(), marks: marks.slice(0, -1) }).outcomes?.call).toBe("pass");
  });

  it("calls a hot line dead after three dials, cold under ten passes", () => {
    const dials = (count: number) =>
      score(form, { ...input(), marks: [...pass.slice(1), { item: "through-at-first-dial", count }] }).outcomes?.hotline;
    expect([dials(0), dials(2), dials(3)]).toEqual(["excellent", "ordinary", "dead"]);
    const bad = ["missing-greeting", "missing-closing", "dead-air", "interruption", "long-hold", "volume"].map((rule) => found(rule));
    expect(score(form, { ...input(bad), marks: pass }).outcomes?.hotline).toBe("cold");
  });
});

describe("the other shapes of domain.md §4", () => {
  const name = { zh: "甲", en: "a" };
  const bands = [{ id: "any", name, from: -1000 }];
  const base = { schema: "callsift.form/1", id: "own", version: 1, name, max: 10, bands };
  const group = { id: "g", name, max: 10 };

  it("a leader's sheet takes a tenth, by one factor or by its own points", () => {
    const items = [
      {
        id: "faults",
        name,
        by: "machine",
        kind: "deduct",
        severities: ["general", "serious", "fatal"],
        points: { general: 1, serious: 3, fatal: 20 },
      },
    ];
    const sheet = checkForm({ ...base, deductionFactor: 0.1, groups: [{ ...group, base: 10, items }] }, "leader");
    expect(score(sheet, input([found("dead-air"), found("forbidden-phrase"), found("insult")])).total).toBe(7.6);
    const own = [{ ...items[0], points: { general: 0.1, serious: 1, fatal: 10 } }];
    expect(
      score(
        checkForm({ ...base, groups: [{ ...group, base: 10, items: own }] }, "leader"),
        input([found("dead-air"), found("forbidden-phrase")]),
      ).total,
    ).toBe(8.9);
  });

  it("a fatal error zeroes only its group where the form says so", () => {
    const sheet = checkForm(
      {
        ...base,
        fatal: { zeroes: "group", rules: ["steering-away"] },
        groups: [
          { ...group, max: 4, items: [{ id: "a", name, by: "machine", kind: "check", max: 4, rules: ["steering-away", "insult"] }] },
          { ...group, id: "h", max: 6, items: [{ id: "b", name, by: "machine", kind: "check", max: 6, rules: ["dead-air"] }] },
        ],
      },
      "own",
    );
    expect(score(sheet, input([found("steering-away")]))).toMatchObject({ total: 6, fatal: true });
  });

  it("a group that a fatal error zeroed was judged, though nothing else on the form was", () => {
    const items = [
      { id: "faults", name, by: "machine", kind: "deduct", severities: ["serious", "fatal"], points: 1 },
      { id: "tone", name, by: "person", kind: "points", max: 10 },
    ];
    const sheet = checkForm(
      { ...base, awaitingPerson: "full", fatal: { zeroes: "group", severities: ["fatal"] }, groups: [{ ...group, floor: -10, items }] },
      "own",
    );
    expect(score(sheet, input([found("forbidden-phrase")])).total).toBe(9);
    expect(score(sheet, input([found("forbidden-phrase"), found("insult")]))).toMatchObject({ total: 0, fatal: true, complete: false });
  });

  it("a person's fail on a fatal item zeroes the call", () => {
    const items = [
      { id: "ticket", name, by: "person", kind: "check", max: 1, fatal: "form" },
      { id: "rest", name, by: "person", kind: "points", max: 9 },
    ];
    const sheet = checkForm({ ...base, groups: [{ ...group, items }] }, "own");
    const marks = (result: "pass" | "fail") => [
      { item: "ticket", result },
      { item: "rest", points: 9 },
    ];
    expect(score(sheet, { ...input(), marks: marks("fail") })).toMatchObject({ total: 0, fatal: true });
    expect(score(sheet, { ...input(), marks: marks("pass") })).toMatchObject({ total: 10, fatal: false });
  });

  it("a bonus exceeds the maximum only where both the group and the form say so", () => {
    const items = [
      { id: "air", name, by: "machine", kind: "deduct", max: 10, points: 1, rules: ["dead-air"] },
      { id: "star", name, by: "person", kind: "bonus", points: 1, cap: 2 },
    ];
    const total = (over: object, overGroup: object, findings: readonly Finding[] = []) =>
      score(checkForm({ ...base, ...over, groups: [{ ...group, ...overGroup, items }] }, "own"), {
        ...input(findings),
        marks: [{ item: "star", count: 2 }],
      }).total;
    expect(total({ bonusOverMax: true }, { bonusOverMax: true })).toBe(12);
    expect(total({}, { bonusOverMax: true })).toBe(10);
    expect(total({ bonusOverMax: true }, {})).toBe(10);
    expect(total({}, {}, [found("dead-air")])).toBe(10);
  });

  it("half credit by the machine where another rule shows the correction", () => {
    const items = [
      {
        id: "right",
        name,
        by: "machine",
        kind: "check",
        max: 10,
        rules: ["over-promise"],
        credits: [{ id: "half", name, points: 5, rules: ["missing-apology"] }],
      },
    ];
    const sheet = checkForm({ ...base, groups: [{ ...group, items }] }, "own");
    expect(score(sheet, input([found("over-promise")])).total).toBe(0);
    expect(score(sheet, input([found("over-promise"), found("missing-apology")])).total).toBe(5);
  });

  it("an item is partly judged where only some of its rules could be", () => {
    const items = [{ id: "both", name, by: "machine", kind: "check", max: 10, rules: ["dead-air", "insult"] }];
    const sheet = checkForm({ ...base, groups: [{ ...group, items }] }, "own");
    const result = score(sheet, { ...input(), notAssessed: [{ rule: "insult", reason: "no-transcript" }] });
    expect(result).toMatchObject({ total: 10, complete: false });
    expect(result.items[0]).toMatchObject({ status: "assessed", points: 10, reason: "partly no-transcript" });
  });

  it("a rule that isn't loaded leaves its item unjudged", () => {
    const items = [{ id: "x", name, by: "machine", kind: "check", max: 10, rules: ["of-my-own"] }];
    const result = score(checkForm({ ...base, groups: [{ ...group, items }] }, "own"), input());
    expect(result.items[0]).toMatchObject({ status: "not-assessed", reason: "no-such-rule" });
  });
});

describe("forms that are wrong", () => {
  const faultsOf = (change: (form: Record<string, unknown>) => void): string => {
    const form = structuredClone(builtin("weighted-100")) as unknown as Record<string, unknown>;
    change(form);
    try {
      checkForm(form, "mine.yaml", { ruleIds: Object.keys(RULES) });
    } catch (error) {
      if (error instanceof CallsiftError && error.code === "form/invalid") return error.message;
      throw error;
    }
    return "";
  };
  // The tests change fields of plain data at places that the built-in form is known to have.
  type Loose = { [key: string]: Loose } & Loose[];
  const loose = (form: Record<string, unknown>) => form as unknown as Loose;

  it("names every fault at once", () => {
    const message = faultsOf((form) => {
      Object.assign(loose(form).groups?.[0]?.items?.[1] ?? {}, { max: 6 });
      Object.assign(loose(form).groups?.[1]?.items?.[1] ?? {}, { rules: ["volum"] });
      Object.assign(loose(form).groups?.[2]?.items?.[1] ?? {}, { id: "thanks" });
      Object.assign(loose(form).bands?.[3] ?? {}, { from: 10 });
      Object.assign(loose(form).bands?.[1] ?? {}, { below: 85 });
    });
    expect(message).toContain("mine.yaml: 5 faults");
    expect(message).toContain("groups[0]: base and items that add up to max 20 expected, 21 came");
    expect(message).toContain('groups[1].items[1].rules: ids of loaded rules expected, "volum" came');
    expect(message).toContain('"thanks" came more than once');
    expect(message).toContain('a band from 0 on expected, the lowest is "fail" from 10');
    expect(message).toContain("bands without holes expected, none from 85 to 90");
  });

  it.each<[string, (form: Record<string, unknown>) => void, string]>([
    ["groups that don't add up", (form) => Object.assign(form, { max: 90 }), "groups that add up to max 90 expected, 100 came"],
    ["an unknown field", (form) => Object.assign(form, { maximum: 1 }), 'no field "maximum" expected'],
    [
      "an unknown kind",
      (form) => Object.assign(loose(form).groups?.[0]?.items?.[0] ?? {}, { kind: "chek" }),
      'groups[0].items[0].kind: one of deduct, levels, check, points, bonus expected, "chek" came',
    ],
    [
      "a wrong type inside an item",
      (form) => Object.assign(loose(form).groups?.[0]?.items?.[0] ?? {}, { max: "8" }),
      'groups[0].items[0].max: number expected, "8" came',
    ],
    [
      "bands that overlap",
      (form) => Object.assign(loose(form).bands?.[1] ?? {}, { below: 95 }),
      'bands apart expected, "good" and "excellent" share 90 to 95',
    ],
    [
      "a machine's item without rules",
      (form) => Reflect.deleteProperty(loose(form).groups?.[1]?.items?.[1] ?? {}, "rules"),
      "rules or severities expected for an item filled by machine",
    ],
    [
      "a wrong schema",
      (form) => Object.assign(form, { schema: "callsift.form/2" }),
      'schema: "callsift.form/1" expected, "callsift.form/2" came',
    ],
  ])("%s", (_name, change, expected) => {
    expect(faultsOf(change)).toContain(expected);
  });

  it.each(["", "[]", "null", "a: [", "\uFEFF{", "[".repeat(5000), "&a [*a]", "!!js/function x"])("text that is no form: %j", (text) => {
    expect(() => parseForm(text, "x.yaml")).toThrow(expect.objectContaining({ code: "form/invalid" }));
  });

  it("refuses alias bombs", () => {
    const bomb = [
      "a: &a [x, x, x, x, x, x, x, x, x, x]",
      ...[..."bcdefgh"].map((c, i) => `${c}: &${c} [${Array(10).fill(`*${"abcdefgh"[i]}`).join(", ")}]`),
    ];
    expect(() => parseForm(bomb.join("\n"), "bomb.yaml")).toThrow(/bomb\.yaml: YAML or JSON expected/);
  });

  it("refuses marks that don't fit", () => {
    const form = builtin("weighted-100");
    const attempt = (mark: object) => () => score(form, { ...input(), marks: [{ item: "accurate", ...mark }] });
    expect(attempt({ points: 9 })).toThrow("items[0].points: 0 to 8 points expected, 9 came");
    expect(attempt({ item: "acurate", points: 1 })).toThrow('an item of the form weighted-100 expected, "acurate" came');
    expect(attempt({ points: 1, result: "pass" })).toThrow("one of points, level, credit, count, result expected, points and result came");
    expect(attempt({ credit: "third" })).toThrow('one of corrected-at-once expected, "third" came');
  });
});
