import { type Wording, wordingsOf } from "../../text/likeness.ts";
import { type CompiledPhrase, compilePhrase } from "../../text/phrase.ts";
import type { Language } from "../../types.ts";
import type { ListenedPhrase } from "../port.ts";

/** A phrase ready to be listened for. */
export interface ReadyPhrase extends ListenedPhrase {
  /** As it may be written in the middle of anything. */
  readonly loose: CompiledPhrase;
  /** The same, by sound too. */
  readonly loud: CompiledPhrase;
  /** What can be weighed on the sound; none for what is not Chinese. */
  readonly wordings: readonly Wording[];
  /** Longer phrases inside which it does not count, ready likewise; only of what is to be confirmed. */
  readonly excepts: readonly ReadyPhrase[];
}

/** So many wordings at most are searched for; a rule set has about a thousand. */
const MOST_WORDINGS = 20_000;

const ready = new WeakMap<readonly ListenedPhrase[], Map<Language, readonly ReadyPhrase[]>>();

/** The phrases made ready, once for every list. */
export function readyPhrases(phrases: readonly ListenedPhrase[], language: Language): readonly ReadyPhrase[] {
  const known = ready.get(phrases) ?? new Map<Language, readonly ReadyPhrase[]>();
  ready.set(phrases, known);
  const made = known.get(language) ?? prepare(phrases, language);
  known.set(language, made);
  return made;
}

function prepare(phrases: readonly ListenedPhrase[], language: Language): ReadyPhrase[] {
  let left = MOST_WORDINGS;
  return phrases.map((listened) => {
    const { phrase, confirm, search } = listened;
    const wordings = (confirm || search) && language === "zh" ? wordingsOf(phrase).slice(0, left) : [];
    left -= wordings.length;
    const loose = phrase.wholeUtterance ? { ...phrase, wholeUtterance: false } : phrase;
    const { source, ignoreFillers, except } = phrase;
    const loud = compilePhrase(source, { sound: true, ignoreFillers, except, language });
    const excepts = confirm && language === "zh" ? except.map(exception) : [];
    return { ...listened, loose, loud, wordings, excepts };
  });
}

function exception(phrase: CompiledPhrase): ReadyPhrase {
  return { phrase, confirm: false, search: true, loose: phrase, loud: phrase, wordings: wordingsOf(phrase), excepts: [] };
}
