import { CallsiftError } from "../errors.ts";
import type { Finding, NotAssessed } from "../types.ts";
import { exampleCall } from "./example-call.ts";
import { describeFaults, type Fault } from "./faults.ts";
import { judge } from "./judge.ts";
import { parseRules } from "./parse.ts";
import { type CompiledRule, compileRules, type Operators } from "./policy.ts";
import type { Example, RuleSet } from "./schema.ts";

/** How one example of a rule came out. */
export interface ExampleResult {
  readonly rule: string;
  readonly kind: "hit" | "miss";
  /** Its place in the rule's list, from 0. */
  readonly index: number;
  readonly ok: boolean;
  /** In English, e.g. `a finding`. */
  readonly expected: string;
  readonly came: string;
}

export interface RuleCheck {
  readonly rules: RuleSet;
  /** In the order of the file. */
  readonly results: readonly ExampleResult[];
}

/**
 * Reads a rule file, checks all of it, and runs every rule's must-hit and must-not-hit examples. An example that a rule can't judge
 * counts as failed, whichever way.
 *
 * @throws CallsiftError `rules/invalid` with all faults at once
 */
export function checkRules(text: string, where: string, options: { readonly operators?: Operators } = {}): RuleCheck {
  const rules = parseRules(text, where);
  const enabled = { ...rules, rules: rules.rules.map((rule) => ({ ...rule, enabled: true })) };
  const compiled = new Map(compileRules({ rules: [enabled], ...options }).rules.map((rule) => [rule.id, rule]));
  const faults: Fault[] = [];
  const results: ExampleResult[] = [];
  for (const [i, { id, examples = {} }] of rules.rules.entries()) {
    const rule = compiled.get(id);
    if (!rule) continue;
    for (const kind of ["hit", "miss"] as const) {
      for (const [index, example] of (examples[kind] ?? []).entries()) {
        const { call, faults: wrong } = exampleCall(example, rules.language);
        for (const message of wrong) faults.push({ path: `rules[${i}].examples.${kind}[${index}]`, message });
        if (wrong.length > 0) continue;
        results.push({ rule: id, kind, index, ...compare(kind, example, judge(call, { rules: [rule] }), rule) });
      }
    }
  }
  if (faults.length > 0) throw new CallsiftError("rules/invalid", describeFaults(where, faults));
  return { rules, results };
}

function compare(
  kind: "hit" | "miss",
  example: Example,
  { findings, notAssessed }: { findings: readonly Finding[]; notAssessed: readonly NotAssessed[] },
  { rule }: CompiledRule,
): Pick<ExampleResult, "ok" | "expected" | "came"> {
  const count = typeof example === "string" ? undefined : example.count;
  const expected = kind === "miss" ? "nothing" : count === undefined ? "a finding" : `${count} findings`;
  const [unknown] = notAssessed;
  if (unknown) return { ok: false, expected, came: `not assessed: ${unknown.reason}${unknown.detail ? ` (${unknown.detail})` : ""}` };
  const ok = kind === "miss" ? findings.length === 0 : count === undefined ? findings.length > 0 : findings.length === count;
  const seen = findings.map(({ quote, startMs, endMs }) => quote ?? `${startMs} to ${endMs} ms`);
  return { ok, expected, came: seen.length > 0 ? `${rule.id} at ${seen.join(", ")}` : "nothing" };
}
