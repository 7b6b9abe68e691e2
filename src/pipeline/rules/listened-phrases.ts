import type { Listened } from "../operators/define.ts";
import type { ListenedPhrase } from "../text/listened-phrase.ts";
import type { CompiledPhrase } from "../text/phrase.ts";
import type { Language, Severity } from "../types.ts";
import { rulesFor } from "./judge.ts";
import type { CompiledCondition, CompiledRule } from "./policy.ts";

/** What these cost is so much that what the text says of them is held against the sound. */
const DEAR: readonly Severity[] = ["serious", "fatal"];

const known = new WeakMap<readonly CompiledRule[], Map<Language, readonly ListenedPhrase[]>>();

/**
 * What the rules of a policy want listened for twice, in calls of one language; worked out once for every list of rules. Phrases that are serious or fatal
 * faults where they are said: confirmed, and searched for. Phrases that are a fault where they are missing: searched for. A phrase is named by its source, so
 * what several rules list is one, with the exceptions of all of them.
 */
export function listenedPhrases(rules: readonly CompiledRule[], language: Language): readonly ListenedPhrase[] {
  const byLanguage = known.get(rules) ?? new Map<Language, readonly ListenedPhrase[]>();
  known.set(rules, byLanguage);
  const made = byLanguage.get(language) ?? collect(rules, language);
  byLanguage.set(language, made);
  return made;
}

function collect(rules: readonly CompiledRule[], language: Language): ListenedPhrase[] {
  const collected = new Map<string, ListenedPhrase>();
  for (const rule of rulesFor(language, rules)) {
    if (rule.language !== null && rule.language !== language) continue;
    for (const [i, { purpose, phrases }] of asked(rule.when, false).entries()) {
      if (purpose === "said" && !DEAR.includes(rule.severity)) continue;
      const listened: Omit<ListenedPhrase, "phrase"> =
        purpose === "said" ? { confirm: true, search: true } : { confirm: false, search: true, groups: [`${rule.id} ${i}`] };
      for (const phrase of phrases(language)) {
        const other = collected.get(phrase.source);
        collected.set(phrase.source, other ? both(other, { phrase, ...listened }) : { phrase, ...listened });
      }
    }
  }
  return [...collected.values()];
}

/** What the operators of a condition listen for; under a `not`, what they would find is what is missing. */
function asked(condition: CompiledCondition, negated: boolean): Listened[] {
  if (condition.kind === "not") return asked(condition.part, !negated);
  if (condition.kind !== "operator") return condition.parts.flatMap((part) => asked(part, negated));
  const listened = condition.listensFor();
  // A double negation: `not` of what is missing holds where it is said.
  return negated ? listened.map(({ purpose, phrases }) => ({ purpose: purpose === "said" ? "missing" : "said", phrases })) : [...listened];
}

function both(a: ListenedPhrase, b: ListenedPhrase): ListenedPhrase {
  const alone = a.groups === undefined || b.groups === undefined;
  return {
    phrase: strict(a.phrase, b.phrase),
    confirm: a.confirm || b.confirm,
    search: a.search || b.search,
    ...(!alone && { groups: [...(a.groups ?? []), ...(b.groups ?? [])] }),
  };
}

/** Only what is a match for both. */
function strict(a: CompiledPhrase, b: CompiledPhrase): CompiledPhrase {
  return {
    ...a,
    ignoreFillers: a.ignoreFillers && b.ignoreFillers,
    wholeUtterance: a.wholeUtterance || b.wholeUtterance,
    except: [...new Map([...a.except, ...b.except].map((except) => [except.source, except])).values()],
  };
}
