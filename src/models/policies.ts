import type { Rule } from "../pipeline/rules/schema.ts";
import type { Form } from "../pipeline/scoring/schema.ts";
import type { Language } from "../pipeline/types.ts";
import type { Page, PageOptions } from "./page.ts";

/** One immutable version of a rule; the highest version of (id, language) is in force unless it is disabled. */
export interface RuleVersion {
  readonly rule: Rule;
  /** null: for calls in any language. */
  readonly language: Language | null;
  readonly by: string;
  readonly at: Date;
}

export interface FormVersion {
  readonly form: Form;
  readonly by: string;
  readonly at: Date;
}

/** Rules and form as plain data, what a policy is compiled from. */
export interface PolicySource {
  readonly rules: readonly { readonly language: Language | null; readonly rules: readonly Rule[] }[];
  readonly form: Form;
}

export interface PolicyStore {
  /** Puts the built-in rules and forms in where a version of theirs is not there yet; safe from several processes. */
  seed(source: PolicySource & { readonly forms: readonly Form[] }): Promise<void>;
  /** Adds the next version (its number is given here, whatever the rule says). `stale` never happens: decided by the unique index, tried again. */
  addRule(rule: Rule, language: Language | null, by: string): Promise<RuleVersion>;
  addForm(form: Form, by: string): Promise<FormVersion>;
  /** Versions, newest first; without an id the version in force of each. */
  rules(options: PageOptions & { readonly id?: string }): Promise<Page<RuleVersion>>;
  forms(options: PageOptions & { readonly id?: string }): Promise<Page<FormVersion>>;
  /** What is in force now, with a revision that changes whenever it does: one small read when it has not. `activeForm` of the settings names the form. */
  current(known?: string): Promise<{ readonly revision: string; readonly source: PolicySource } | null>;
  /** Keeps what a screening was judged by, under its policy hash, so that a review can be scored by the same rules for ever. */
  keep(hash: string, source: PolicySource): Promise<void>;
  kept(hash: string): Promise<PolicySource | null>;
}
