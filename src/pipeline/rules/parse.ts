import { CallsiftError } from "../errors.ts";
import { parseData } from "./data-file.ts";
import { describeFaults, type Fault, repeated, schemaFaults, show } from "./faults.ts";
import { MAX_CONDITION_DEPTH, RuleFile, type RuleSet } from "./schema.ts";

/**
 * A rule file from its text, YAML or JSON. Operators and their options are checked when the policy is compiled.
 *
 * @param where what to call the text in messages, e.g. its file name
 * @throws CallsiftError `rules/invalid` with all faults at once
 */
export function parseRules(text: string, where: string): RuleSet {
  return checkRuleSet(parseData(text, where, "rules/invalid"), where);
}

/**
 * A rule file that is data already.
 *
 * @throws CallsiftError `rules/invalid` with all faults at once
 */
export function checkRuleSet(value: unknown, where: string): RuleSet {
  const faults = schemaFaults(RuleFile, value);
  const rules = (value as { rules?: unknown } | null)?.rules;
  if (Array.isArray(rules)) {
    for (const [i, rule] of rules.entries()) {
      if (rule && typeof rule === "object" && "when" in rule) faults.push(...conditionFaults(rule.when, `rules[${i}].when`, 1));
    }
    for (const id of repeated(rules.map((rule) => rule?.id))) {
      if (typeof id === "string") faults.push({ path: "rules", message: `ids once each expected, ${show(id)} came more than once` });
    }
  }
  if (faults.length > 0) throw new CallsiftError("rules/invalid", describeFaults(where, faults));
  // Checked above, conditions apart from the schema.
  return { ...(value as Omit<RuleSet, "where">), where };
}

const SHAPES = [["operator", "options"], ["any"], ["all", "within"], ["not"]] as const;

function conditionFaults(condition: unknown, path: string, depth: number): Fault[] {
  if (typeof condition !== "object" || condition === null || Array.isArray(condition)) {
    return [{ path, message: `a condition (operator, any, all or not) expected, ${show(condition)} came` }];
  }
  if (depth > MAX_CONDITION_DEPTH) return [{ path, message: `conditions at most ${MAX_CONDITION_DEPTH} deep expected` }];
  const shape = SHAPES.find(([name]) => name in condition);
  if (!shape) return [{ path, message: `one of operator, any, all, not expected, ${show(Object.keys(condition))} came` }];
  const faults: Fault[] = Object.keys(condition)
    .filter((key) => !(shape as readonly string[]).includes(key))
    .map((key) => ({ path, message: `no field ${show(key)} beside ${show(shape[0])} expected` }));
  const { operator, options, any, all, within, not } = condition as Record<string, unknown>;
  const fault = (field: string, expected: string, given: unknown) =>
    faults.push({ path: `${path}.${field}`, message: `${expected} expected, ${show(given)} came` });
  if (shape[0] === "operator") {
    if (typeof operator !== "string") fault("operator", "the id of an operator", operator);
    if (options !== undefined && (typeof options !== "object" || options === null || Array.isArray(options)))
      fault("options", "an object", options);
  } else if (shape[0] === "not") faults.push(...conditionFaults(not, `${path}.not`, depth + 1));
  else {
    const parts = shape[0] === "any" ? any : all;
    if (!Array.isArray(parts) || parts.length === 0 || parts.length > 100) fault(shape[0], "a list of 1 to 100 conditions", parts);
    else for (const [i, part] of parts.entries()) faults.push(...conditionFaults(part, `${path}.${shape[0]}[${i}]`, depth + 1));
    if (within !== undefined && !(typeof within === "number" && within >= 0 && within <= 86_400))
      fault("within", "seconds, 0 to 86400,", within);
  }
  return faults;
}
