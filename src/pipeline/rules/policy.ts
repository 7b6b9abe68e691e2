import Value from "typebox/value";
import { CallsiftError } from "../errors.ts";
import type { Detect, Listened, Need, Operator } from "../operators/define.ts";
import { OPERATORS } from "../operators/index.ts";
import type { Form } from "../scoring/schema.ts";
import type { Language, ProblemCode, Role, Severity } from "../types.ts";
import { canonicalJson } from "./canonical-json.ts";
import { describeFaults, type Fault, schemaFaults, show } from "./faults.ts";
import type { Condition, Rule, RuleSet } from "./schema.ts";

/** A condition ready to be asked of calls. */
export type CompiledCondition =
  | {
      readonly kind: "operator";
      readonly operator: string;
      readonly needs: readonly Need[];
      readonly unfitFor: readonly ProblemCode[];
      /** The side that the options name, if they do. */
      readonly role: Role | null;
      readonly detect: Detect;
      /** Read from the options when a recogniser first asks. */
      readonly listensFor: () => readonly Listened[];
    }
  | { readonly kind: "any"; readonly parts: readonly CompiledCondition[] }
  | { readonly kind: "all"; readonly parts: readonly CompiledCondition[]; readonly withinMs: number | null }
  | { readonly kind: "not"; readonly part: CompiledCondition };

/** A rule ready to judge calls. */
export interface CompiledRule {
  readonly id: string;
  readonly version: number;
  readonly severity: Severity;
  /** null: for calls in any language. */
  readonly language: Language | null;
  /** True where a part of it needs the words, so that a call in another language can't be judged by it. */
  readonly readsWords: boolean;
  /** 0–1: findings below it don't count. */
  readonly minConfidence: number;
  readonly priority?: number;
  readonly when: CompiledCondition;
  /** Canonical JSON of everything that decides what it finds: equal text, equal findings in the same call. */
  readonly canonical: string;
  /** As the file has it, for names, wording and suggestions. */
  readonly rule: Rule;
}

/** Lowest confidence, 0–1, at which a finding counts. */
export type Thresholds = Readonly<Record<Severity, number>>;

/** The weaker the evidence, the smaller the fault it may stand for. */
export const DEFAULT_THRESHOLDS: Thresholds = { notice: 0.5, general: 0.5, serious: 0.6, fatal: 0.6 };

/** Rules and a form, ready to judge any number of calls. */
export interface Policy {
  /** Enabled rules only; one id more than once only where each is for another language. */
  readonly rules: readonly CompiledRule[];
  readonly form: Form;
  /** Canonical JSON of everything that decides a screening, defaults filled in: equal text, equal judgement. Made to be hashed. */
  readonly canonical: string;
}

/** Operators by id. */
export type Operators = Readonly<Record<string, Operator>>;

export interface RuleOptions {
  readonly rules: readonly RuleSet[];
  /** Default DEFAULT_THRESHOLDS. */
  readonly thresholds?: Partial<Thresholds>;
  /** Default all of operators/index.ts. */
  readonly operators?: Operators;
}

/**
 * Rules and a form made ready to judge calls.
 *
 * @throws CallsiftError `rules/invalid` with all faults of all sets at once
 */
export function compilePolicy({ form, ...options }: RuleOptions & { readonly form: Form }): Policy {
  const { rules } = compileRules(options);
  // As canonicalJson writes { form, rules }.
  return { rules, form, canonical: `{"form":${canonicalJson(form)},"rules":[${rules.map(({ canonical }) => canonical).join(",")}]}` };
}

/**
 * Checks every rule's operators and options, fills in defaults and prepares them once for all calls.
 *
 * @throws CallsiftError `rules/invalid` with all faults of all sets at once
 */
export function compileRules({ rules: sets, thresholds = {}, operators = OPERATORS }: RuleOptions): {
  readonly rules: CompiledRule[];
} {
  const limits: Thresholds = { ...DEFAULT_THRESHOLDS, ...thresholds };
  const faults: Fault[] = [];
  const compiled: CompiledRule[] = [];
  const seen = new Map<string, string>();
  for (const set of sets) {
    for (const [i, rule] of set.rules.entries()) {
      const key = `${rule.id} ${set.language ?? "any"}`;
      const earlier = seen.get(key);
      if (earlier !== undefined) {
        faults.push({
          path: `${set.where}: rules[${i}].id`,
          message: `an id of its own expected, ${show(rule.id)} is in ${earlier} already`,
        });
      }
      seen.set(key, set.where);
      const compiler = { operators, faults };
      const { condition, canonical } = compileCondition(rule.when, `${set.where}: rules[${i}].when`, compiler);
      if (rule.enabled === false) continue;
      const { examples: _examples, ...rest } = rule;
      const deciding = {
        ...rest,
        minConfidence: rule.minConfidence ?? limits[rule.severity],
        language: set.language ?? null,
        when: canonical,
      };
      compiled.push({
        id: rule.id,
        version: rule.version,
        severity: rule.severity,
        language: set.language ?? null,
        readsWords: leaves(condition).some(({ needs }) => needs.includes("transcript")),
        minConfidence: rule.minConfidence ?? limits[rule.severity],
        ...(rule.priority !== undefined && { priority: rule.priority }),
        when: condition,
        canonical: canonicalJson(deciding),
        rule,
      });
    }
  }
  if (faults.length > 0) throw new CallsiftError("rules/invalid", describeFaults("rules", faults));
  return { rules: compiled };
}

type Leaf = Extract<CompiledCondition, { kind: "operator" }>;

/** The operators of a condition, in order. */
export function leaves(condition: CompiledCondition): Leaf[] {
  if (condition.kind === "operator") return [condition];
  return (condition.kind === "not" ? [condition.part] : condition.parts).flatMap(leaves);
}

interface Compiler {
  readonly operators: Operators;
  readonly faults: Fault[];
}

/** `canonical` is the condition with every option that the operator's schema knows. */
function compileCondition(condition: Condition, path: string, compiler: Compiler): { condition: CompiledCondition; canonical: unknown } {
  if ("operator" in condition) return compileOperator(condition, path, compiler);
  if ("not" in condition) {
    const part = compileCondition(condition.not, `${path}.not`, compiler);
    return { condition: { kind: "not", part: part.condition }, canonical: { not: part.canonical } };
  }
  const kind = "any" in condition ? "any" : "all";
  const list = "any" in condition ? condition.any : condition.all;
  const parts = list.map((part, i) => compileCondition(part, `${path}.${kind}[${i}]`, compiler));
  const within = "all" in condition ? condition.within : undefined;
  const compiledParts = parts.map((part) => part.condition);
  return {
    condition:
      kind === "any"
        ? { kind, parts: compiledParts }
        : { kind, parts: compiledParts, withinMs: within === undefined ? null : Math.round(within * 1000) },
    canonical: { [kind]: parts.map((part) => part.canonical), within },
  };
}

const NOTHING: Leaf = { kind: "operator", operator: "none", needs: [], unfitFor: [], role: null, detect: () => [], listensFor: () => [] };

function compileOperator(
  condition: Extract<Condition, { operator: string }>,
  path: string,
  { operators, faults }: Compiler,
): { condition: CompiledCondition; canonical: unknown } {
  const operator = Object.hasOwn(operators, condition.operator) ? operators[condition.operator] : undefined;
  if (!operator) {
    const known = Object.keys(operators).sort().join(", ");
    faults.push({ path: `${path}.operator`, message: `one of ${known} expected, ${show(condition.operator)} came` });
    return { condition: NOTHING, canonical: null };
  }
  const options = Value.Default(operator.options, structuredClone(condition.options ?? {})) as Record<string, unknown>;
  const wrong = schemaFaults(operator.options, options, `${path}.options`);
  if (wrong.length > 0) {
    faults.push(...wrong);
    return { condition: NOTHING, canonical: null };
  }
  try {
    const { role } = options;
    return {
      condition: {
        kind: "operator",
        operator: operator.id,
        needs: operator.needs(options),
        unfitFor: operator.unfitFor(options),
        role: role === "agent" || role === "customer" ? role : null,
        detect: operator.prepare(options),
        listensFor: () => operator.listensFor?.(options) ?? [],
      },
      canonical: { operator: operator.id, options },
    };
  } catch (error) {
    if (!(error instanceof CallsiftError)) throw error;
    faults.push({ path: `${path}.options`, message: error.message });
    return { condition: NOTHING, canonical: null };
  }
}
