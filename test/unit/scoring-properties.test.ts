import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkForm } from "../../src/pipeline/scoring/parse.ts";
import type { Form, Item } from "../../src/pipeline/scoring/schema.ts";
import { score } from "../../src/pipeline/scoring/score.ts";
import type { Finding, NotAssessed, Severity } from "../../src/pipeline/types.ts";

const SEVERITIES = ["notice", "general", "serious", "fatal"] as const satisfies readonly Severity[];
/** Rules r0 to r7, two of each severity; b0 shows something good. */
const RULES = [...SEVERITIES, ...SEVERITIES].map((severity, i) => ({ id: `r${i}`, severity }));
const GOOD = { id: "b0", severity: "notice" as Severity };
const name = { zh: "甲", en: "a" };

const ruleList = fc.subarray(
  RULES.map(({ id }) => id),
  { minLength: 1 },
);
const points = fc.integer({ min: 0, max: 80 }).map((tenths) => tenths / 10);

/** An item without its id; `max` of levels is that of its first level. */
type Draft = Record<string, unknown>;
const item: fc.Arbitrary<Draft> = fc.oneof(
  fc.record({
    kind: fc.constant("deduct"),
    by: fc.constantFrom("machine", "machine-confirmed"),
    rules: ruleList,
    max: fc.constantFrom(0, 2, 5),
    points: fc.oneof(points, fc.record({ general: points, serious: points, fatal: points })),
  }),
  fc.record({
    kind: fc.constant("deduct"),
    by: fc.constant("machine"),
    severities: fc.subarray([...SEVERITIES], { minLength: 1 }),
    points,
    perRule: fc.constant(true),
  }),
  fc.record({
    kind: fc.constant("levels"),
    by: fc.constantFrom("machine", "machine-confirmed"),
    rules: ruleList,
    levels: fc.array(points, { minLength: 2, maxLength: 4 }).map((list) => {
      const falling = [...list].sort((a, b) => b - a);
      return falling.map((each, i) => (i === falling.length - 1 ? { points: each } : { upTo: i * 2, points: each }));
    }),
    anyOver: fc.integer({ min: 0, max: 4 }),
  }),
  fc.record({
    kind: fc.constant("check"),
    by: fc.constantFrom("machine", "machine-confirmed"),
    rules: ruleList,
    max: fc.constantFrom(1, 3.3),
    key: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant("check"),
    by: fc.constant("machine"),
    rules: ruleList,
    max: fc.constant(2),
    fatal: fc.constantFrom("form", "group"),
  }),
  fc.record({ kind: fc.constant("points"), by: fc.constant("person"), max: fc.constantFrom(1, 4) }),
  fc.record({
    kind: fc.constant("bonus"),
    by: fc.constant("machine"),
    rules: fc.constant(["b0"]),
    points: fc.constantFrom(0.5, 2),
    cap: fc.constantFrom(1, 3),
  }),
);

const maxOf = (one: Draft): number =>
  one.kind === "bonus"
    ? 0
    : one.kind === "levels"
      ? ((one.levels as { points: number }[])[0]?.points ?? 0)
      : ((one.max as number | undefined) ?? 0);

const missing = fc.constantFrom("reweight" as const, "full" as const);

const formOf = (options: { bonusOverMax?: boolean; withBonus?: boolean } = {}): fc.Arbitrary<Form> =>
  fc
    .record({
      groups: fc.array(
        fc.record({ base: fc.constantFrom(0, 5), floor: fc.constantFrom(0, 0, -3), items: fc.array(item, { minLength: 1, maxLength: 4 }) }),
        { minLength: 1, maxLength: 3 },
      ),
      notApplicable: missing,
      notAssessed: missing,
      awaitingPerson: missing,
      factor: fc.constantFrom(1, 0.1),
      zeroes: fc.constantFrom("form", "group"),
      bonusOverMax: fc.boolean(),
    })
    .map(({ groups, factor, zeroes, bonusOverMax, ...policies }) => {
      const over = options.bonusOverMax ?? bonusOverMax;
      let n = 0;
      const built = groups.map(({ base, floor, items }, g) => {
        const kept = options.withBonus === false ? items.filter(({ kind }) => kind !== "bonus") : items;
        const used: Draft[] = kept.length > 0 ? kept : [{ kind: "points", by: "person", max: 1 }];
        const max = used.reduce<number>((sum, one) => sum + maxOf(one), base);
        return {
          id: `g${g}`,
          name,
          base,
          floor: Math.min(floor, max),
          max,
          bonusOverMax: over,
          items: used.map((one): Draft => ({ id: `i${n++}`, name, ...one })),
        };
      });
      const sum = built.reduce<number>((total, { max }) => total + max, 0);
      // A form of 0 points can't be: such groups get one more item.
      if (sum === 0) {
        built[0]?.items.push({ id: `i${n}`, name, kind: "points", by: "person", max: 1 });
        Object.assign(built[0] ?? {}, { max: 1 });
      }
      return checkForm(
        {
          schema: "callsift.form/1",
          id: "f",
          version: 1,
          name,
          max: sum === 0 ? 1 : sum,
          decimals: 3,
          deductionFactor: factor,
          bonusOverMax: over,
          fatal: { zeroes, severities: ["fatal"] },
          ...policies,
          bands: [
            { id: "low", name, from: -1000 },
            { id: "high", name, from: 60 },
          ],
          groups: built,
        },
        "generated",
      );
    });

const findingOf = (rules: readonly { id: string; severity: Severity }[]): fc.Arbitrary<Omit<Finding, "id">> =>
  fc
    .record({ rule: fc.constantFrom(...rules), counts: fc.boolean(), confidence: fc.constantFrom(0.3, 0.9, 1), startMs: fc.nat(9000) })
    .map(({ rule, startMs, ...rest }) => ({
      rule: rule.id,
      severity: rule.severity,
      ruleVersion: 1,
      operator: "x",
      role: null,
      startMs,
      endMs: startMs + 1,
      quote: null,
      data: {},
      ...rest,
    }));

/** Rules that the machine could not judge, and findings of the others, as judge gives them. */
const evidence = fc
  .record({
    unjudged: fc.subarray(
      RULES.map(({ id }) => id),
      { maxLength: 4 },
    ),
    found: fc.array(findingOf([...RULES, GOOD]), { maxLength: 12 }),
  })
  .map(({ unjudged, found }) => ({
    notAssessed: unjudged.map((rule): NotAssessed => ({ rule, reason: "no-transcript" })),
    findings: found.filter(({ rule }) => !unjudged.includes(rule)).map((one, i): Finding => ({ id: `f${i + 1}`, ...one })),
  }));

const rules = [...RULES, GOOD];
const HAIR = 1e-9;

describe("whatever the form and the findings", () => {
  it("the total stays between the floor and the maximum, with the bonus that the form allows", () => {
    fc.assert(
      fc.property(formOf(), evidence, (form, { findings, notAssessed }) => {
        const { total, max, groups } = score(form, { findings, notAssessed, rules });
        const bonus = form.groups.flatMap(({ items }) => items).reduce((sum, one) => sum + (one.kind === "bonus" ? one.cap : 0), 0);
        expect(total).toBeGreaterThanOrEqual(form.floor ?? 0);
        expect(total).toBeLessThanOrEqual(max + (form.bonusOverMax ? bonus : 0) + HAIR);
        for (const { group, points: of, max: most } of groups) {
          const { floor = 0, items, bonusOverMax } = form.groups.find(({ id }) => id === group) as Form["groups"][number];
          const own = items.reduce((sum, one) => sum + (one.kind === "bonus" ? one.cap : 0), 0);
          expect(of).toBeGreaterThanOrEqual(Math.min(0, floor) - 0.001);
          expect(of).toBeLessThanOrEqual(most + (bonusOverMax ? own : 0) + 0.001);
        }
      }),
      { numRuns: 400 },
    );
  });

  it("another fault never raises the score, nor makes a fatal call whole", () => {
    fc.assert(
      fc.property(formOf(), evidence, findingOf(RULES), (form, { findings, notAssessed }, more) => {
        fc.pre(!notAssessed.some(({ rule }) => rule === more.rule));
        const before = score(form, { findings, notAssessed, rules });
        const after = score(form, { findings: [...findings, { id: "f99", ...more }], notAssessed, rules });
        expect(after.total).toBeLessThanOrEqual(before.total + HAIR);
        expect(!before.fatal || after.fatal).toBe(true);
      }),
      { numRuns: 600 },
    );
  });

  it("what doesn't count, or is rejected, changes no point", () => {
    fc.assert(
      fc.property(formOf(), evidence, findingOf(RULES), (form, { findings, notAssessed }, more) => {
        fc.pre(!notAssessed.some(({ rule }) => rule === more.rule));
        const before = score(form, { findings, notAssessed, rules });
        const weak = score(form, { findings: [...findings, { id: "f99", ...more, counts: false }], notAssessed, rules });
        const rejected = score(form, {
          findings: [...findings, { id: "f99", ...more, counts: true }],
          notAssessed,
          rules,
          decisions: { f99: "rejected" },
        });
        expect([weak.total, rejected.total]).toEqual([before.total, before.total]);
      }),
    );
  });

  it("the order of findings, of the unjudged and of the rules doesn't matter", () => {
    fc.assert(
      fc.property(formOf(), evidence, (form, { findings, notAssessed }) => {
        const forward = score(form, { findings, notAssessed, rules });
        const backward = score(form, {
          findings: [...findings].reverse(),
          notAssessed: [...notAssessed].reverse(),
          rules: [...rules].reverse(),
        });
        expect(backward).toEqual(forward);
      }),
    );
  });

  it("the names of the findings don't matter", () => {
    fc.assert(
      fc.property(formOf(), evidence, (form, { findings, notAssessed }) => {
        const renamed = findings.map((finding, i) => ({ ...finding, id: `x${999 - i}` }));
        const strip = (result: ReturnType<typeof score>) => ({ ...result, items: result.items.map(({ findings: _ids, ...rest }) => rest) });
        expect(strip(score(form, { findings: renamed, notAssessed, rules }))).toEqual(strip(score(form, { findings, notAssessed, rules })));
      }),
    );
  });

  it("an item that doesn't apply never lowers the score below that of the form without it", () => {
    fc.assert(
      fc.property(formOf({ withBonus: false }), evidence, fc.nat(), (form, { findings, notAssessed }, pick) => {
        const items = form.groups.flatMap((group) => group.items);
        const chosen = items[pick % items.length] as Item;
        // Per rule an item has no line of its own name; a fatal item says more than its points.
        fc.pre(!(chosen.kind === "deduct" && chosen.perRule) && form.fatal?.zeroes !== "group");
        const without = withoutItem(form, chosen.id);
        fc.pre(without !== null);
        const marked = score(form, { findings, notAssessed, rules, marks: [{ item: chosen.id, result: "not-applicable", reason: "x" }] });
        const bare = score(without as Form, { findings, notAssessed, rules });
        expect(marked.total / marked.max).toBeGreaterThanOrEqual(bare.total / bare.max - 0.002);
      }),
      { numRuns: 600 },
    );
  });

  it("score and form survive a round through JSON", () => {
    fc.assert(
      fc.property(formOf(), evidence, (form, { findings, notAssessed }) => {
        const result = score(form, { findings, notAssessed, rules });
        const again = score(
          checkForm(JSON.parse(JSON.stringify(form)), "again"),
          JSON.parse(JSON.stringify({ findings, notAssessed, rules })),
        );
        expect(JSON.parse(JSON.stringify(result))).toEqual(result);
        expect(JSON.stringify(again)).toBe(JSON.stringify(result));
      }),
    );
  });
});

/** The same form as if the item had never been in it; null where nothing would be left. */
function withoutItem(form: Form, id: string): Form | null {
  const groups = form.groups.flatMap((group) => {
    const items = group.items.filter((one) => one.id !== id);
    const max = items.reduce((sum, one) => sum + maxOf(one), group.base ?? 0);
    return items.length === 0 ? [] : [{ ...group, items, max, floor: Math.min(group.floor ?? 0, max) }];
  });
  const emptied = form.groups.some((group) => group.items.length === 1 && group.items[0]?.id === id && (group.base ?? 0) > 0);
  const max = groups.reduce((sum, group) => sum + group.max, 0);
  return max > 0 && !emptied ? checkForm({ ...form, groups, max }, "without") : null;
}
