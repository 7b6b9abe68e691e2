import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkForm } from "../../src/pipeline/scoring/parse.ts";
import type { Form, Item } from "../../src/pipeline/scoring/schema.ts";
import { score } from "../../src/pipeline/scoring/score.ts";
import { evidence, findingOf, formOf, GOOD, maxOf, RULES } from "../support/score-inputs.ts";

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
        // Where nothing is left that could be judged, nothing is held against the call, its deductions neither: no other form is above that.
        fc.pre(bare.groups.reduce((sum, { max }) => sum + max, 0) > 0);
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
