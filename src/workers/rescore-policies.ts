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

/**
 * Finds what calls are judged by: the rules in force, or those that each call was judged by with only some of them brought to the version in force.
 *
 * @returns by the policy of a call; null where nobody knows any more what that was
 * @throws CallsiftError `request/invalid` for a rule or form that isn't there
 */
export async function openTargets(
  { policies }: Pick<Models, "policies">,
  { rules, form: formId }: Pick<RescoreRequest, "rules" | "form">,
): Promise<(policy: string) => Promise<Target | null>> {
  const current = (await policies.current())?.source;
  if (!current) throw new Error("expected the store to answer with rules to somebody who knows none, got null");
  const form = formId === undefined ? current.form : await findForm(policies, formId);
  const known = new Set(current.rules.flatMap((set) => set.rules.map(({ id }) => id)));
  const unknown = rules?.find((id) => !known.has(id));
  if (unknown !== undefined)
    throw new CallsiftError("request/invalid", `rules: expected ids of rules that are there, got ${JSON.stringify(unknown)}`);
  if (!rules) {
    const target = targetOf("current", { rules: current.rules, form });
    return async () => target;
  }
  const renewed = new Set(rules);
  const targets = new Map<string, Promise<Target | null>>();
  const open = async (policy: string): Promise<Target | null> => {
    const kept = await policies.kept(policy);
    return kept && targetOf(policy, { rules: withRenewed(kept.rules, current.rules, renewed), form });
  };
  return (policy) => {
    const target = targets.get(policy) ?? open(policy);
    targets.set(policy, target);
    return target;
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
