import type { OperatorCall } from "../operators/define.ts";
import type { Finding, Language, NotAssessed } from "../types.ts";
import { evaluate, type Hit } from "./condition.ts";
import { REASONS } from "./needs.ts";
import type { CompiledRule, Policy } from "./policy.ts";

export interface Judgement {
  /** In order of start, then rule id. */
  readonly findings: Finding[];
  /** Ordered by rule id. */
  readonly notAssessed: NotAssessed[];
}

/** What a call was judged to be by other rules. */
export interface Earlier {
  readonly rules: readonly CompiledRule[];
  readonly findings: readonly Finding[];
  readonly notAssessed: readonly NotAssessed[];
}

/** Says that a call is no conversation: what was not said in a mailbox, or within a second, is nobody's fault. */
const CALL_CLASS = "call-class";
/** How operators mark that something was never said. */
const ABSENT = "absent";

/**
 * Asks every rule of one call. Pure and deterministic.
 *
 * @param roleConfidence 0–1, how sure it is which side is the agent; lowers the confidence of findings that depend on it
 * @param earlier of the same call: rules that are the same now as they were then are not asked again
 */
export function judge(
  call: OperatorCall,
  policy: Pick<Policy, "rules">,
  { roleConfidence = 1, earlier = null }: { roleConfidence?: number; earlier?: Earlier | null } = {},
): Judgement {
  const findings: Omit<Finding, "id">[] = [];
  const notAssessed: NotAssessed[] = [];
  const asked = earlier && !isUnusable(earlier.findings) ? rulesFor(call.language, earlier.rules) : [];
  const known = new Map(asked.map(({ id, canonical }) => [id, canonical]));
  const unchanged = new Set<string>();
  for (const rule of rulesFor(call.language, policy.rules)) {
    if (earlier && known.get(rule.id) === rule.canonical) {
      unchanged.add(rule.id);
      continue;
    }
    if (rule.readsWords && rule.language !== null && rule.language !== call.language) {
      notAssessed.push({
        rule: rule.id,
        reason: "language",
        detail: `${REASONS.language.en}: the rule ${rule.language}, the call ${call.language}`,
      });
      continue;
    }
    const answer = evaluate(rule.when, call);
    if (answer.holds) findings.push(...answer.hits.map((hit) => finding(rule, hit, roleConfidence)));
    else if (answer.holds === null) notAssessed.push({ rule: rule.id, ...answer.unknown });
  }
  if (earlier) {
    for (const { id: _id, ...found } of earlier.findings) if (unchanged.has(found.rule)) findings.push(found);
    notAssessed.push(...earlier.notAssessed.filter(({ rule }) => unchanged.has(rule)));
  }
  const kept = isUnusable(findings) ? findings.filter(({ data }) => data.kind !== ABSENT) : findings;
  const rulesKept = new Set(kept.map(({ rule }) => rule));
  const rulesDropped = new Set(findings.map(({ rule }) => rule).filter((rule) => !rulesKept.has(rule)));
  for (const rule of rulesDropped) notAssessed.push({ rule, reason: "unusable-call" });
  kept.sort(byStartThenRule);
  notAssessed.sort((a, b) => (a.rule < b.rule ? -1 : a.rule > b.rule ? 1 : 0));
  return { findings: kept.map((found, i) => ({ id: `f${i + 1}`, ...found })), notAssessed };
}

/** Then not all that the rules found is kept. */
function isUnusable(findings: readonly Omit<Finding, "id">[]): boolean {
  return findings.some(({ operator, counts }) => operator === CALL_CLASS && counts);
}

/** Each rule once: as written for the call's language, else for any language, else as written for another. */
export function rulesFor<T extends Pick<CompiledRule, "id" | "language">>(language: Language, rules: readonly T[]): T[] {
  const rank = (rule: T) => (rule.language === language ? 0 : rule.language === null ? 1 : 2);
  const chosen = new Map<string, T>();
  for (const rule of rules) {
    const other = chosen.get(rule.id);
    if (!other || rank(rule) < rank(other)) chosen.set(rule.id, rule);
  }
  return [...chosen.values()];
}

function finding(rule: CompiledRule, { detection, operator, byRole }: Hit, roleConfidence: number): Omit<Finding, "id"> {
  const { weak, ...seen } = detection;
  const confidence = Math.round(seen.confidence * (byRole ? roleConfidence : 1) * 1000) / 1000;
  return {
    rule: rule.id,
    ruleVersion: rule.version,
    operator,
    severity: rule.severity,
    ...seen,
    confidence,
    counts: weak !== true && confidence >= rule.minConfidence,
  };
}

function byStartThenRule(a: Omit<Finding, "id">, b: Omit<Finding, "id">): number {
  if (a.startMs !== b.startMs) return a.startMs - b.startMs;
  if (a.rule !== b.rule) return a.rule < b.rule ? -1 : 1;
  if (a.endMs !== b.endMs) return a.endMs - b.endMs;
  return (a.role ?? "") < (b.role ?? "") ? -1 : (a.role ?? "") > (b.role ?? "") ? 1 : 0;
}
