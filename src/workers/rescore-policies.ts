import type { Models } from "../models/models.ts";
import type { PolicySource } from "../models/policies.ts";
import type { RescoreRequest } from "../models/rescore.ts";
import { CallsiftError } from "../pipeline/errors.ts";
import { policiesOf } from "../pipeline/policies.ts";
import type { Form } from "../pipeline/scoring/schema.ts";
import { policyHash } from "../pipeline/stages.ts";
import type { Language } from "../pipeline/types.ts";

/** What a stored call is judged by now. */
export interface Target {
  /** Names the source among all of one run. */
  readonly key: string;
  readonly source: PolicySource;
  /** Policy hashes that it gives: a call that was judged by one of them comes out as it is. */
  readonly hashes: ReadonlySet<string>;
}

const LANGUAGES: readonly Language[] = ["zh", "en"];

/** By the policy of a call; null where nobody knows any more what that was. */
export interface RescorePolicies {
  /** What the call is judged by now. */
  readonly targetOf: (policy: string) => Promise<Target | null>;
  /** What it was judged by. */
  readonly sourceOf: (policy: string) => Promise<PolicySource | null>;
}

/**
 * Finds what calls are judged by: the rules in force, or those that each call was judged by with only some of them brought to the version in force.
 *
 * @throws CallsiftError `request/invalid` for a rule or form that isn't there
 */
export async function openRescorePolicies(
  { policies }: Pick<Models, "policies">,
  { rules, form: formId }: Pick<RescoreRequest, "rules" | "form">,
): Promise<RescorePolicies> {
  const current = (await policies.current())?.source;
  if (!current) throw new Error("expected the store to answer with rules to somebody who knows none, got null");
  const form = formId === undefined ? current.form : await findForm(policies, formId);
  const known = new Set(current.rules.flatMap((set) => set.rules.map(({ id }) => id)));
  const unknown = rules?.find((id) => !known.has(id));
  if (unknown !== undefined)
    throw new CallsiftError("request/invalid", `rules: expected ids of rules that are there, got ${JSON.stringify(unknown)}`);
  const sourceOf = once(async (policy) => await policies.kept(policy));
  if (!rules) {
    const target = targetOf("current", { rules: current.rules, form });
    return { targetOf: async () => target, sourceOf };
  }
  const renewed = new Set(rules);
  const renewedOf = once(async (policy) => {
    const kept = await sourceOf(policy);
    return kept && targetOf(`${policy}, renewed`, { rules: withRenewed(kept.rules, current.rules, renewed), form });
  });
  return { targetOf: renewedOf, sourceOf };
}

/** Asks once for each policy. */
function once<T>(ask: (policy: string) => Promise<T>): (policy: string) => Promise<T> {
  const asked = new Map<string, Promise<T>>();
  return (policy) => {
    const answer = asked.get(policy) ?? ask(policy);
    asked.set(policy, answer);
    return answer;
  };
}

function targetOf(key: string, source: PolicySource): Target {
  const { policyFor } = policiesOf(source);
  return { key, source, hashes: new Set(LANGUAGES.map((language) => policyHash(policyFor(language)))) };
}

/** `old` with the rules of these ids as they are in `now`, in each language. */
function withRenewed(old: PolicySource["rules"], now: PolicySource["rules"], ids: ReadonlySet<string>): PolicySource["rules"] {
  const languages = [...new Set([...old, ...now].map(({ language }) => language))];
  const of = (sets: PolicySource["rules"], language: Language | null) =>
    sets.filter((set) => set.language === language).flatMap((set) => set.rules);
  return languages.map((language) => ({
    language,
    rules: [...of(old, language).filter(({ id }) => !ids.has(id)), ...of(now, language).filter(({ id }) => ids.has(id))],
  }));
}

async function findForm(policies: Models["policies"], id: string): Promise<Form> {
  const { items } = await policies.forms({ id, limit: 1 });
  if (!items[0]) throw new CallsiftError("request/invalid", `form: expected the id of a form that is there, got ${JSON.stringify(id)}`);
  return items[0].form;
}
