import type { PolicyStore } from "../../models/policies.ts";
import { CallsiftError } from "../../pipeline/errors.ts";
import { policiesOf } from "../../pipeline/policies.ts";
import type { Policy } from "../../pipeline/rules/policy.ts";
import type { Screening } from "../../pipeline/screening.ts";
import { policyHash } from "../../pipeline/stages.ts";

/** The rules and the form that a screening was judged by, ready to score its review. */
export type KeptPolicies = (screening: Pick<Screening, "policy" | "transcript">) => Promise<Policy>;

/** Compiled policies kept at hand: reviews are mostly of calls of the last days, judged by few. */
const MAX_COMPILED = 16;

/** Policies by their hash; what a hash names never changes, so each is read and compiled once. */
export function createKeptPolicies(policies: Pick<PolicyStore, "kept">): KeptPolicies {
  const compiled = new Map<string, Policy>();
  return async ({ policy: hash, transcript }) => {
    const ready = compiled.get(hash);
    if (ready) return ready;
    const source = await policies.kept(hash);
    if (!source) throw new CallsiftError("store/damaged", `expected the rules and the form of policy ${hash}, got none`);
    const { policyFor } = policiesOf(source);
    const language = "language" in transcript ? transcript.language : "zh";
    // The call's language is that whose policy has the hash; a later callsift, whose rules have other defaults, has another hash for both.
    const policy = [policyFor("zh"), policyFor("en")].find((one) => policyHash(one) === hash) ?? policyFor(language);
    for (const oldest of compiled.keys()) {
      if (compiled.size < MAX_COMPILED) break;
      compiled.delete(oldest);
    }
    compiled.set(hash, policy);
    return policy;
  };
}
