import { setImmediate } from "node:timers/promises";
import { CallsiftError } from "../../pipeline/errors.ts";
import { checkRules, type ExampleResult } from "../../pipeline/rules/check.ts";
import { checkRuleSet } from "../../pipeline/rules/parse.ts";
import { compileRules } from "../../pipeline/rules/policy.ts";
import type { RuleSet } from "../../pipeline/rules/schema.ts";

/** Rules of one request, each with examples that are run. */
const MAX_RULES = 200;
const MAX_EXAMPLES = 2_000;

/**
 * Rules of a request, checked as `callsift rules check` does: schema, operators, options, and their own examples.
 *
 * @throws CallsiftError `rules/invalid` with all faults, `rules/example-failed` with the examples in the details
 */
export async function readNewRules(body: Readonly<Record<string, unknown>>): Promise<RuleSet> {
  const { rules } = body;
  if (Array.isArray(rules)) {
    if (rules.length > MAX_RULES)
      throw new CallsiftError("rules/invalid", `body: expected at most ${MAX_RULES} rules, got ${rules.length}`);
    const examples = rules.reduce<number>((sum, rule) => sum + examplesOf(rule), 0);
    if (examples > MAX_EXAMPLES)
      throw new CallsiftError("rules/invalid", `body: expected at most ${MAX_EXAMPLES} examples, got ${examples}`);
  }
  const file = { schema: "callsift.rules/1", ...body, ...(Array.isArray(rules) && { rules: rules.map(withVersion) }) };
  const set = checkRuleSet(file, "body");
  compileRules({ rules: [set] });
  const { where: _where, ...plain } = set;
  const failed: ExampleResult[] = [];
  for (const rule of set.rules) {
    // Examples take milliseconds each: other requests have their turn between two rules.
    await setImmediate();
    const { results } = checkRules(JSON.stringify({ ...plain, rules: [rule] }), rule.id);
    failed.push(...results.filter(({ ok }) => !ok));
  }
  if (failed.length > 0) {
    const [first] = failed;
    throw new CallsiftError(
      "rules/example-failed",
      `${first?.rule}: expected ${first?.expected} in ${first?.kind} example ${first?.index}, got ${first?.came}`,
      { details: { examples: failed.slice(0, 100) } },
    );
  }
  return set;
}

function examplesOf(rule: unknown): number {
  const { examples } = (rule ?? {}) as { examples?: { hit?: unknown; miss?: unknown } | null };
  return [examples?.hit, examples?.miss].reduce<number>((sum, list) => sum + (Array.isArray(list) ? list.length : 0), 0);
}

/** The number of a version is given when it is stored. */
function withVersion(rule: unknown): unknown {
  return typeof rule === "object" && rule !== null && !Array.isArray(rule) ? { ...rule, version: 1 } : rule;
}
