import Type, { type Static } from "typebox";
import type { FormVersion as SavedForm, RuleVersion as SavedRule } from "../../models/policies.ts";
import type { Rule } from "../../pipeline/rules/schema.ts";
import type { Form } from "../../pipeline/scoring/schema.ts";
import { Instant, oneOf, orNull, PageQuery, strict } from "./common.ts";

/** Ids of rules and forms. */
export const PolicyId = Type.String({ pattern: "^[a-z][a-z0-9]*(-[a-z0-9]+)*$", maxLength: 64 });

export const VersionsQuery = strict({
  id: Type.Optional(
    Type.Unsafe<string>({ ...PolicyId, description: "All versions of this one; without it, the version in force of each" }),
  ),
  ...PageQuery,
});

// Written by the pipeline's own schemas and checked by them before they are stored.
const AnyRule = Type.Unsafe<Rule>({ type: "object", additionalProperties: true, description: "docs/guide/write-a-rule.md" });
const AnyForm = Type.Unsafe<Form>({ type: "object", additionalProperties: true, description: "docs/guide/write-a-form.md" });

export const RuleVersion = Type.Object({
  rule: AnyRule,
  language: orNull(oneOf(["zh", "en"])),
  by: Type.String(),
  at: Instant,
});

export const FormVersion = Type.Object({ form: AnyForm, by: Type.String(), at: Instant });

/** A rule file (callsift.rules/1); versions are given by the service. Checked by the pipeline's own reader, which names all faults at once. */
export const RuleFileBody = Type.Unsafe<Readonly<Record<string, unknown>>>({
  type: "object",
  additionalProperties: true,
  required: ["rules"],
  description: "A rule file as docs/guide/write-a-rule.md: { language?, rules: [ … ] }",
});

/** A form (callsift.form/1); its version is given by the service. */
export const FormBody = Type.Unsafe<Readonly<Record<string, unknown>>>({
  type: "object",
  additionalProperties: true,
  required: ["id"],
  description: "A form as docs/guide/write-a-form.md",
});

export const RulesAdded = Type.Object({ items: Type.Array(RuleVersion) });

/** A version as it leaves. */
export function ruleVersion({ rule, language, by, at }: SavedRule): Static<typeof RuleVersion> {
  return { rule, language, by, at };
}

/** A version as it leaves. */
export function formVersion({ form, by, at }: SavedForm): Static<typeof FormVersion> {
  return { form, by, at };
}
