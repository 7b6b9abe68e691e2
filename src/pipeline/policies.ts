import { readFile } from "node:fs/promises";
import { CallsiftError } from "./errors.ts";
import { checkRuleSet, parseRules } from "./rules/parse.ts";
import { compilePolicy, type Policy } from "./rules/policy.ts";
import type { Rule, RuleSet } from "./rules/schema.ts";
import { checkForm, parseForm } from "./scoring/parse.ts";
import type { Form } from "./scoring/schema.ts";
import type { Language } from "./types.ts";

/** Forms that ship with callsift. */
export const BUILTIN_FORMS = ["deduction-20", "weighted-100", "levels", "checklist-15"] as const;

const builtin = (path: string): URL => new URL(path, import.meta.url);

/** The rules in force, per language of a call, with the form. */
export interface Policies {
  readonly policyFor: (language: Language) => Policy;
}

export interface PolicySources {
  /** Files whose rules stand beside the built-in ones, or replace those of the same id. */
  readonly ruleFiles: readonly string[];
  /** Id of a built-in form, or a file. */
  readonly form: string;
}

/**
 * Reads rules and form. The user's own files are checked now; a built-in set is compiled when the first call of its language comes.
 *
 * @throws CallsiftError `rules/invalid`, `form/invalid`
 */
export async function openPolicies({ ruleFiles, form }: PolicySources): Promise<Policies> {
  const [formText, zh, en, ...ownTexts] = await Promise.all([
    readForm(form),
    readFile(builtin("rules/builtin/zh.yaml"), "utf8"),
    readFile(builtin("rules/builtin/en.yaml"), "utf8"),
    ...ruleFiles.map(readRules),
  ]);
  const texts: Record<Language, string> = { zh, en };
  const own = ownTexts.map((text, i) => parseRules(text, ruleFiles[i] as string));
  const parsedForm = parseForm(formText, form);
  if (own.length > 0) compilePolicy({ rules: own, form: parsedForm });
  const compiled = new Map<Language, Policy>();
  return {
    policyFor(language) {
      const ready = compiled.get(language);
      if (ready) return ready;
      const standard = withoutReplaced(parseRules(texts[language], `built-in rules (${language})`), own);
      const policy = compilePolicy({ rules: [...own, standard], form: parsedForm });
      compiled.set(language, policy);
      return policy;
    },
  };
}

/** Rules and form as plain data, as a database keeps them. */
export interface PolicyData {
  readonly rules: readonly { readonly language: Language | null; readonly rules: readonly Rule[] }[];
  readonly form: Form;
}

/**
 * Rules and form that are data already, checked and compiled when the first call of a language comes.
 *
 * @throws CallsiftError `rules/invalid`, `form/invalid`
 */
export function policiesOf({ rules, form }: PolicyData): Policies {
  const checkedForm = checkForm(form, `form ${form.id}`);
  const compiled = new Map<Language, Policy>();
  return {
    policyFor(language) {
      const ready = compiled.get(language);
      if (ready) return ready;
      const sets = rules
        .filter((set) => set.language === null || set.language === language)
        .map((set): RuleSet => {
          const where = set.language ? `rules (${set.language})` : "rules";
          return checkRuleSet({ schema: "callsift.rules/1", ...(set.language && { language: set.language }), rules: set.rules }, where);
        });
      const policy = compilePolicy({ rules: sets, form: checkedForm });
      compiled.set(language, policy);
      return policy;
    },
  };
}

/** The rules and forms that ship with callsift, as data; `form` is the first of `forms`. */
export async function readBuiltins(): Promise<PolicyData & { readonly forms: readonly Form[] }> {
  const [zh, en, ...texts] = await Promise.all([
    readFile(builtin("rules/builtin/zh.yaml"), "utf8"),
    readFile(builtin("rules/builtin/en.yaml"), "utf8"),
    ...BUILTIN_FORMS.map(readForm),
  ]);
  const forms = texts.map((text, i) => parseForm(text, BUILTIN_FORMS[i] as string));
  const set = (language: Language, text: string) => ({ language, rules: parseRules(text, `built-in rules (${language})`).rules });
  return { rules: [set("zh", zh), set("en", en)], form: forms[0] as Form, forms };
}

/** The built-in rules but for those that the user's files bring themselves. */
function withoutReplaced(standard: RuleSet, own: readonly RuleSet[]): RuleSet {
  const replaced = new Set(
    own.filter(({ language }) => !language || language === standard.language).flatMap(({ rules }) => rules.map(({ id }) => id)),
  );
  return { ...standard, rules: standard.rules.filter(({ id }) => !replaced.has(id)) };
}

async function readForm(form: string): Promise<string> {
  const known: readonly string[] = BUILTIN_FORMS;
  if (known.includes(form)) return readFile(builtin(`scoring/builtin/${form}.yaml`), "utf8");
  return readFile(form, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new CallsiftError(
      "form/invalid",
      `expected one of ${known.join(", ")} or a readable file, got ${JSON.stringify(form)} (${cause.code})`,
      { cause },
    );
  });
}

/**
 * The text of a rule file.
 *
 * @throws CallsiftError `rules/invalid`
 */
export async function readRules(path: string): Promise<string> {
  return readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new CallsiftError("rules/invalid", `expected a readable rule file at ${path}, got ${cause.code}`, { cause });
  });
}
