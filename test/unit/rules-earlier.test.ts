import fc from "fast-check";
import { expect, it } from "vitest";
import { readBuiltins } from "../../src/pipeline/policies.ts";
import { judge } from "../../src/pipeline/rules/judge.ts";
import { checkRuleSet } from "../../src/pipeline/rules/parse.ts";
import { type CompiledRule, compileRules } from "../../src/pipeline/rules/policy.ts";
import type { Rule } from "../../src/pipeline/rules/schema.ts";
import { operatorCall } from "../support/heard-call.ts";

const LINES = [
  "您好请问有什么可以帮您",
  "我要投诉你们",
  "这不归我管",
  "你有病吧",
  "随便你",
  "请您稍等",
  "这个我不清楚",
  "感谢您的来电再见",
  "嗯好的",
];
const { rules: sets } = await readBuiltins();
const builtin = sets.flatMap(({ rules }, i) => (i === 0 ? rules : []));

const compiled = (rules: readonly Rule[]): CompiledRule[] =>
  compileRules({ rules: [checkRuleSet({ schema: "callsift.rules/1", language: "zh", rules }, "rules")] }).rules;

/** Some of the built-in rules, some of them edited. */
const policy = fc
  .array(fc.constantFrom("kept", "kept", "kept", "gone", "stricter", "graver"), { minLength: builtin.length, maxLength: builtin.length })
  .map((edits) =>
    builtin.flatMap((rule, i): Rule[] => {
      if (edits[i] === "gone") return [];
      if (edits[i] === "stricter") return [{ ...rule, version: rule.version + 1, minConfidence: 0.99 }];
      return edits[i] === "graver" ? [{ ...rule, version: rule.version + 2, severity: "fatal" }] : [rule];
    }),
  );

const call = fc
  .record({
    lines: fc.array(fc.tuple(fc.constantFrom(...LINES), fc.nat(9000), fc.constantFrom("agent" as const, "customer" as const)), {
      maxLength: 8,
    }),
    oneSided: fc.boolean(),
    roleConfidence: fc.constantFrom(1, 0.7, 0.3),
  })
  .map(({ lines, oneSided, roleConfidence }) => {
    let at = 0;
    const utterances = lines.map(([text, pauseMs, role]) => {
      const startMs = at + pauseMs;
      at = startMs + 200 * text.length;
      return { role, startMs, endMs: at, text };
    });
    return { heard: operatorCall({ utterances, ...(oneSided && { layout: "one-sided" as const, speech: null }) }), roleConfidence };
  });

it("comes out the same from what other rules found and from scratch, and asks no rule twice", () => {
  let reused = 0;
  let unusable = 0;
  fc.assert(
    fc.property(call, policy, policy, ({ heard, roleConfidence }, before, after) => {
      const rules = compiled(before);
      const known = new Set(rules.map(({ canonical }) => canonical));
      const earlier = { rules, ...judge(heard, { rules }, { roleConfidence }) };
      const isUnusable = earlier.findings.some(({ operator, counts }) => operator === "call-class" && counts);
      unusable += isUnusable ? 1 : 0;
      const now = compiled(after);
      const asked = now.map((rule): CompiledRule => {
        if (isUnusable || !known.has(rule.canonical)) return rule;
        reused++;
        return { ...rule, when: { kind: "operator", ...SILENT } };
      });
      expect(judge(heard, { rules: asked }, { roleConfidence, earlier })).toEqual(judge(heard, { rules: now }, { roleConfidence }));
    }),
    { numRuns: 50 },
  );
  expect(reused).toBeGreaterThan(30);
  expect(unusable).toBeGreaterThan(3);
});

const SILENT = {
  operator: "never",
  needs: [],
  unfitFor: [],
  role: null,
  detect: (): never => {
    throw new Error("expected a rule that has not changed not to be asked again");
  },
  listensFor: () => [],
};
