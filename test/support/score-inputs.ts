import fc from "fast-check";
import { checkForm } from "../../src/pipeline/scoring/parse.ts";
import type { Form } from "../../src/pipeline/scoring/schema.ts";
import type { Finding, NotAssessed, Severity } from "../../src/pipeline/types.ts";

const SEVERITIES = ["notice", "general", "serious", "fatal"] as const satisfies readonly Severity[];
/** Rules r0 to r7, two of each severity; b0 shows something good. */
export const RULES = [...SEVERITIES, ...SEVERITIES].map((severity, i) => ({ id: `r${i}`, severity }));
export const GOOD = { id: "b0", severity: "notice" as Severity };
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

export const maxOf = (one: Draft): number =>
  one.kind === "bonus"
    ? 0
    : one.kind === "levels"
      ? ((one.levels as { points: number }[])[0]?.points ?? 0)
      : ((one.max as number | undefined) ?? 0);

const missing = fc.constantFrom("reweight" as const, "full" as const);

export const formOf = (options: { bonusOverMax?: boolean; withBonus?: boolean } = {}): fc.Arbitrary<Form> =>
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

export const findingOf = (rules: readonly { id: string; severity: Severity }[]): fc.Arbitrary<Omit<Finding, "id">> =>
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
export const evidence = fc
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
