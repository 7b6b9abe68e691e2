import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CallsiftError } from "../../src/pipeline/errors.ts";
import { openPolicies } from "../../src/pipeline/policies.ts";
import { markFaults } from "../../src/pipeline/scoring/marks.ts";
import { applyReview, type ReviewedScreening, type ReviewMarks } from "../../src/pipeline/scoring/review.ts";
import { type FormScore, score } from "../../src/pipeline/scoring/score.ts";
import type { Finding } from "../../src/pipeline/types.ts";
import { evidence, formOf, GOOD, RULES } from "../support/score-inputs.ts";

const rules = [...RULES, GOOD].map((rule) => ({ ...rule, version: 3 }));
const NOTHING: ReviewMarks = { findings: [], items: [], added: [] };
const decision = fc.constantFrom("confirmed" as const, "rejected" as const, "unsure" as const);

const screeningOf = (found: Pick<ReviewedScreening, "findings" | "notAssessed">): ReviewedScreening => ({
  ...found,
  recording: { durationMs: 60_000 },
});
/** What a score says of points; who has confirmed them apart. */
const pointsOf = ({ total, band, fatal, items }: FormScore) => ({ total, band, fatal, points: items.map(({ points }) => points) });

const addedFinding = fc
  .record({ rule: fc.constantFrom(...rules.map(({ id }) => id)), startMs: fc.nat(59_000), lengthMs: fc.integer({ min: 1, max: 1000 }) })
  .map(({ rule, startMs, lengthMs }) => ({ rule, startMs, endMs: startMs + lengthMs }));
const addedList = fc.uniqueArray(addedFinding, { maxLength: 6, selector: ({ rule, startMs, endMs }) => `${rule} ${startMs} ${endMs}` });

describe("whatever the form and the findings", () => {
  it("an empty review gives the pre-score, and names every counting finding that can cost points", () => {
    fc.assert(
      fc.property(formOf(), evidence, (form, found) => {
        const applied = applyReview(screeningOf(found), { form, rules }, NOTHING);
        expect(applied.score).toEqual(score(form, { ...found, rules }));
        for (const id of applied.undecided) expect(found.findings.find((finding) => finding.id === id)?.counts).toBe(true);
        // What is not named takes nothing: without it the score is not better.
        const named = new Set(applied.undecided);
        const without = score(form, { ...found, findings: found.findings.filter(({ id }) => named.has(id)), rules });
        const unnamedGood = found.findings.some(({ rule, counts }) => rule === GOOD.id && counts);
        if (!unnamedGood) expect(without.total).toBeLessThanOrEqual(applied.score.total + 1e-9);
      }),
      { numRuns: 400 },
    );
  });

  it("confirming all that counts gives the pre-score, and nothing is left to decide", () => {
    fc.assert(
      fc.property(formOf(), evidence, (form, found) => {
        const findings = found.findings.filter(({ counts }) => counts).map(({ id }) => ({ id, decision: "confirmed" as const }));
        const applied = applyReview(screeningOf(found), { form, rules }, { ...NOTHING, findings });
        expect(pointsOf(applied.score)).toEqual(pointsOf(score(form, { ...found, rules })));
        expect(applied.undecided).toEqual([]);
      }),
    );
  });

  it("rejecting all findings of a rule gives the score without them", () => {
    fc.assert(
      fc.property(formOf(), evidence, fc.constantFrom(...rules), (form, found, { id: rule }) => {
        const findings = found.findings.filter((finding) => finding.rule === rule).map(({ id }) => ({ id, decision: "rejected" as const }));
        const applied = applyReview(screeningOf(found), { form, rules }, { ...NOTHING, findings });
        const without = score(form, { ...found, findings: found.findings.filter((finding) => finding.rule !== rule), rules });
        expect(pointsOf(applied.score)).toEqual(pointsOf(without));
      }),
    );
  });

  it("an added finding takes what a certain one of the machine would take", () => {
    fc.assert(
      fc.property(formOf(), evidence, addedFinding, (form, found, added) => {
        const rule = rules.find(({ id }) => id === added.rule) as (typeof rules)[number];
        const byMachine: Finding = {
          id: "f99",
          rule: rule.id,
          ruleVersion: 3,
          operator: "x",
          severity: rule.severity,
          role: null,
          startMs: added.startMs,
          endMs: added.endMs,
          quote: null,
          confidence: 1,
          counts: true,
          data: {},
        };
        const applied = applyReview(screeningOf(found), { form, rules }, { ...NOTHING, added: [added] });
        const expected = score(form, { ...found, findings: [...found.findings, byMachine], rules, decisions: { f99: "confirmed" } });
        expect(pointsOf(applied.score)).toEqual(pointsOf(expected));
        expect(applied.findings.at(-1)).toMatchObject({ id: "a1", rule: rule.id, ruleVersion: 3, severity: rule.severity, counts: true });
      }),
    );
  });

  it("the order of decisions, points and added findings doesn't matter", () => {
    fc.assert(
      fc.property(formOf(), evidence, fc.array(decision, { minLength: 12, maxLength: 12 }), addedList, (form, found, decisions, added) => {
        const findings = found.findings.map(({ id }, i) => ({ id, decision: decisions[i] ?? "unsure" }));
        const items = form.groups
          .flatMap((group) => group.items)
          .filter((item) => !(item.kind === "deduct" && item.perRule))
          .map(({ id }) => ({ item: id, points: 0, reason: "heard again" }));
        const forward = applyReview(screeningOf(found), { form, rules }, { findings, items, added });
        const backward = applyReview(
          screeningOf({ ...found, findings: [...found.findings].reverse() }),
          { form, rules: [...rules].reverse() },
          { findings: [...findings].reverse(), items: [...items].reverse(), added: [...added].reverse() },
        );
        expect(backward.score).toEqual(forward.score);
        expect(new Set(backward.findings)).toEqual(new Set(forward.findings));
        expect(new Set(backward.undecided)).toEqual(new Set(forward.undecided));
      }),
    );
  });

  it("points are taken as given where the form has room for them, and refused where it hasn't", () => {
    fc.assert(
      fc.property(formOf(), evidence, fc.nat(), fc.integer({ min: -2000, max: 2000 }), (form, found, pick, points) => {
        const before = applyReview(screeningOf(found), { form, rules }, NOTHING);
        const line = before.score.items[pick % before.score.items.length] as FormScore["items"][number];
        const items = [{ item: line.item, points, reason: "heard again" }];
        const mayBe = markFaults(form, items, rules).length === 0;
        // No item of the generated forms brings more than 10, nor takes more than 1000.
        if (points > 10 || points < -1000) expect(mayBe).toBe(false);
        if (mayBe) {
          const { score: after } = applyReview(screeningOf(found), { form, rules }, { ...NOTHING, items });
          expect(after.items.find(({ item }) => item === line.item)).toMatchObject({ points, by: "person", status: "assessed" });
        } else {
          expect(() => applyReview(screeningOf(found), { form, rules }, { ...NOTHING, items })).toThrow(/items\[0\]\.points/);
        }
      }),
    );
  });

  it("unsure leaves a finding as the machine left it", () => {
    fc.assert(
      fc.property(formOf(), evidence, (form, found) => {
        const findings = found.findings.map(({ id }) => ({ id, decision: "unsure" as const }));
        const unsure = applyReview(screeningOf(found), { form, rules }, { ...NOTHING, findings });
        expect(unsure).toEqual(applyReview(screeningOf(found), { form, rules }, NOTHING));
      }),
    );
  });
});

describe("the built-in deduction form", () => {
  const finding = (id: string, rule: string, severity: Finding["severity"], counts = true): Finding => ({
    id,
    rule,
    ruleVersion: 1,
    operator: "phrase",
    severity,
    role: "agent",
    startMs: 1000,
    endMs: 2000,
    quote: "喂",
    confidence: counts ? 1 : 0.4,
    counts,
    data: {},
  });
  const screening = screeningOf({
    findings: [
      finding("f1", "forbidden-phrase", "serious"),
      finding("f2", "dead-air", "general"),
      finding("f3", "customer-escalation", "notice"),
      finding("f4", "insult", "fatal", false),
    ],
    notAssessed: [],
  });
  const policy = async () => (await openPolicies({ ruleFiles: [], form: "deduction-20" })).policyFor("zh");

  it("counts what is confirmed, drops what is rejected, and asks about what costs points", async () => {
    const form = await policy();
    expect(applyReview(screening, form, NOTHING)).toMatchObject({ undecided: ["f1", "f2"], score: { total: 16, fatal: false } });
    const rejected = applyReview(screening, form, { ...NOTHING, findings: [{ id: "f1", decision: "rejected" }] });
    expect(rejected).toMatchObject({ undecided: ["f2"], score: { total: 19 } });
    const confirmed = applyReview(screening, form, { ...NOTHING, findings: [{ id: "f4", decision: "confirmed" }] });
    expect(confirmed.score).toMatchObject({ total: 0, fatal: true });
  });

  it("takes points with a reason, and findings that the machine missed", async () => {
    const { score: after } = applyReview(screening, await policy(), {
      findings: [],
      items: [{ item: "dead-air", points: 0, reason: "the customer was looking for the contract" }],
      added: [{ rule: "missing-closing", startMs: 50_000, endMs: 60_000 }],
    });
    expect(after.total).toBe(20 - 3 - 1);
  });

  it.each<[string, Partial<ReviewMarks>, string]>([
    ["a finding that isn't there", { findings: [{ id: "f9", decision: "confirmed" }] }, "findings[0].id"],
    ["a name of the prototype", { findings: [{ id: "__proto__", decision: "confirmed" }] }, "findings[0].id"],
    [
      "two decisions about one",
      {
        findings: [
          { id: "f1", decision: "confirmed" },
          { id: "f1", decision: "rejected" },
        ],
      },
      "findings",
    ],
    ["an item of no form", { items: [{ item: "charm", points: 1, reason: "x" }] }, "items[0].item"],
    ["points without a reason", { items: [{ item: "dead-air", points: -1, reason: "  " }] }, "items[0].reason"],
    ["more points than there are", { items: [{ item: "dead-air", points: 1, reason: "x" }] }, "items[0].points"],
    [
      "an item twice",
      {
        items: [
          { item: "dead-air", points: -1, reason: "x" },
          { item: "dead-air", points: 0, reason: "x" },
        ],
      },
      "items",
    ],
    ["a rule of no policy", { added: [{ rule: "charm", startMs: 0, endMs: 1 }] }, "added[0].rule"],
    ["a finding past the end", { added: [{ rule: "dead-air", startMs: 59_000, endMs: 60_001 }] }, "added[0]"],
    ["a finding of no length", { added: [{ rule: "dead-air", startMs: 5, endMs: 5 }] }, "added[0]"],
    [
      "the same finding twice",
      {
        added: [
          { rule: "dead-air", startMs: 5, endMs: 6 },
          { rule: "dead-air", startMs: 5, endMs: 6 },
        ],
      },
      "added",
    ],
  ])("refuses %s and names the path", async (_name, part, path) => {
    const form = await policy();
    const call = () => applyReview(screening, form, { ...NOTHING, ...part });
    expect(call).toThrow(CallsiftError);
    try {
      call();
    } catch (error) {
      expect(error).toMatchObject({ code: "request/invalid", details: { paths: [path] } });
      expect((error as Error).message).toContain(path);
    }
  });
});
