import { type Policies, policiesOf } from "../pipeline/policies.ts";
import type { PolicySource, PolicyStore } from "./policies.ts";

/** The rules and the form of one moment, ready to judge; `source` is what they were compiled from. */
export interface CompiledPolicies extends Policies {
  readonly revision: string;
  readonly source: PolicySource;
}

/** What is in force, compiled once for each of its revisions. */
export interface CurrentPolicies {
  /**
   * One small read where nothing has changed.
   *
   * @throws CallsiftError `rules/invalid`, `form/invalid`, `store/unreachable`
   */
  current(): Promise<CompiledPolicies>;
  /** Keeps what a screening was judged by, once for each policy hash. */
  keep(policy: string, source: PolicySource): Promise<void>;
}

/** Compiled policies over the store; one for a process. */
export function createCurrentPolicies(policies: Pick<PolicyStore, "current" | "keep">): CurrentPolicies {
  let latest: CompiledPolicies | null = null;
  const kept = new Set<string>();
  return {
    async current() {
      const found = await policies.current(latest?.revision);
      if (found) latest = { revision: found.revision, source: found.source, ...policiesOf(found.source) };
      if (!latest) throw new Error("expected the store to answer with rules to somebody who knows none, got null");
      return latest;
    },
    async keep(policy, source) {
      if (kept.has(policy)) return;
      await policies.keep(policy, source);
      kept.add(policy);
    },
  };
}
