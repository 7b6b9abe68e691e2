import { isUnjudged, type OperatorCall } from "../operators/define.ts";
import type { Detection } from "../types.ts";
import { lack, type Unknown } from "./needs.ts";
import { type CompiledCondition, leaves } from "./policy.ts";
import { withShortTurns } from "./short-turns.ts";

/** A detection, and what is needed to make a finding of it. */
export interface Hit {
  readonly detection: Detection;
  readonly operator: string;
  /** Whether being wrong about which side is the agent would make it wrong. */
  readonly byRole: boolean;
}

/** The three-valued answer to a condition (see Condition). */
export type Answer =
  | { readonly holds: true; readonly hits: readonly Hit[] }
  | { readonly holds: false }
  | { readonly holds: null; readonly unknown: Unknown };

const NO: Answer = { holds: false };

/** Asks a condition of a call. */
export function evaluate(condition: CompiledCondition, call: OperatorCall): Answer {
  if (condition.kind === "operator") return askOperator(condition, call);
  if (condition.kind === "not") return negate(condition, call);
  return condition.kind === "any" ? anyOf(condition.parts, call) : allOf(condition, call);
}

function askOperator(leaf: Extract<CompiledCondition, { kind: "operator" }>, call: OperatorCall): Answer {
  const unknown = lack(call, leaf);
  if (unknown) return { holds: null, unknown };
  const answer = leaf.detect(call);
  if (isUnjudged(answer)) {
    return { holds: null, unknown: { reason: answer.notAssessed, ...(answer.detail !== undefined && { detail: answer.detail }) } };
  }
  const byRole = leaf.needs.includes("roles") || leaf.needs.includes("sides");
  const hits = answer.map((detection) => {
    const ofRole = byRole || detection.role !== null;
    return { detection: ofRole ? withShortTurns(call, detection) : detection, operator: leaf.operator, byRole: ofRole };
  });
  return hits.length > 0 ? { holds: true, hits } : NO;
}

function negate(condition: Extract<CompiledCondition, { kind: "not" }>, call: OperatorCall): Answer {
  const answer = evaluate(condition.part, call);
  if (answer.holds === null) return answer;
  if (answer.holds) return NO;
  const asked = leaves(condition.part);
  const detection: Detection = { role: null, startMs: 0, endMs: call.durationMs, quote: null, confidence: 1, data: {} };
  const byRole = asked.some(({ needs }) => needs.includes("roles") || needs.includes("sides"));
  return { holds: true, hits: [{ detection, operator: asked[0]?.operator ?? "not", byRole }] };
}

function anyOf(parts: readonly CompiledCondition[], call: OperatorCall): Answer {
  const hits: Hit[] = [];
  let unknown: Answer | null = null;
  for (const part of parts) {
    const answer = evaluate(part, call);
    if (answer.holds) hits.push(...answer.hits);
    else if (answer.holds === null) unknown ??= answer;
  }
  return hits.length > 0 ? { holds: true, hits: strongestOfEqual(hits) } : (unknown ?? NO);
}

/** Two parts may see the same words: one finding, of the surer of them. */
function strongestOfEqual(hits: readonly Hit[]): Hit[] {
  const kept = new Map<string, Hit>();
  for (const hit of hits) {
    const { role, startMs, endMs } = hit.detection;
    const key = `${role} ${startMs} ${endMs}`;
    const other = kept.get(key);
    if (!other || strength(hit) > strength(other)) kept.set(key, hit);
  }
  return [...kept.values()];
}

function strength({ detection }: Hit): number {
  return detection.confidence - (detection.weak ? 1 : 0);
}

function allOf({ parts, withinMs }: Extract<CompiledCondition, { kind: "all" }>, call: OperatorCall): Answer {
  // Near a `not` part's detections, not its absence from the whole call, is what `within` asks about.
  const asked = parts.map((part) => ({
    negative: part.kind === "not",
    answer: withinMs !== null && part.kind === "not" ? evaluate(part.part, call) : evaluate(part, call),
  }));
  if (asked.some(({ negative, answer }) => answer.holds === false && !(negative && withinMs !== null))) return NO;
  for (const { answer } of asked) if (answer.holds === null) return answer;
  const anchor = Math.max(
    0,
    asked.findIndex(({ negative }) => !negative),
  );
  let hits = hitsOf(asked[anchor]?.answer);
  for (const [i, { negative, answer }] of asked.entries()) {
    if (i === anchor || (negative && withinMs === null)) continue;
    const others = hitsOf(answer);
    hits = hits.flatMap((hit) => {
      const near = withinMs === null ? others : others.filter((other) => distanceMs(hit.detection, other.detection) <= withinMs);
      if (negative) return near.length > 0 ? [] : [hit];
      return near.length > 0 ? [weakestOf(hit, near)] : [];
    });
  }
  return hits.length > 0 ? { holds: true, hits } : NO;
}

function hitsOf(answer: Answer | undefined): readonly Hit[] {
  return answer?.holds ? answer.hits : [];
}

/** Time between two detections, 0 where they touch or overlap. */
function distanceMs(a: Detection, b: Detection): number {
  return Math.max(0, a.startMs - b.endMs, b.startMs - a.endMs);
}

/** A chain is as strong as its weakest link, the strongest of several being the one that is needed. */
function weakestOf(hit: Hit, others: readonly Hit[]): Hit {
  const best = others.reduce((a, b) => (strength(b) > strength(a) ? b : a));
  const weak = hit.detection.weak === true || best.detection.weak === true;
  return {
    ...hit,
    byRole: hit.byRole || best.byRole,
    detection: { ...hit.detection, confidence: Math.min(hit.detection.confidence, best.detection.confidence), ...(weak && { weak }) },
  };
}
