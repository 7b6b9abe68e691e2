import { expect, test } from "vitest";
import { judge } from "../../src/pipeline/rules/judge.ts";
import { parseRules } from "../../src/pipeline/rules/parse.ts";
import { compileRules } from "../../src/pipeline/rules/policy.ts";
import { operatorCall } from "../support/heard-call.ts";

const RULES = `
schema: callsift.rules/1
language: zh
rules:
  - { id: unusable-call, version: 1, severity: notice, name: { zh: 无效, en: Unusable }, when: { operator: call-class } }
  - id: never-said
    version: 1
    severity: general
    name: { zh: 都没说, en: Neither }
    when:
      any:
        - { operator: phrase, options: { mode: absent, phrases: [您好] } }
        - { operator: phrase, options: { mode: absent, phrases: [再见], window: { at: first, of: call, seconds: 0.5 } } }
  - id: said
    version: 1
    severity: serious
    name: { zh: 说了, en: Said }
    when: { operator: phrase, options: { phrases: [不知道] } }
`;

test("in a call that is none, what was not said is not assessed, once a rule; what was said stands", () => {
  const { rules } = compileRules({ rules: [parseRules(RULES, "test")] });
  const said = operatorCall({
    durationMs: 1000,
    layout: "one-sided",
    speech: null,
    utterances: [{ startMs: 100, endMs: 900, text: "不知道", role: "agent", channel: 0 }],
  });
  const { findings, notAssessed } = judge(said, { rules });
  expect(findings.map(({ id, rule }) => [id, rule])).toEqual([
    ["f1", "unusable-call"],
    ["f2", "said"],
  ]);
  expect(notAssessed).toEqual([{ rule: "never-said", reason: "unusable-call" }]);
});
