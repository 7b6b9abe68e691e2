import type { Static, TObject } from "typebox";
import type { TextIndex } from "../text/index-text.ts";
import type { CompiledPhrase } from "../text/phrase.ts";
import type { Detection, HeardCall, Language, ProblemCode } from "../types.ts";

/**
 * What must be known of a call before an operator may judge it (design.md §3). Lacking one, the rule is not assessed:
 * - `transcript`: words with roles where the rule names a role
 * - `word-times`: words whose times are measured, not estimated
 * - `roles`: which side is the agent
 * - `sides`: speech of each role apart (split layout and roles)
 * - `hangup-party`: metadata says who hung up
 */
export type Need = "transcript" | "word-times" | "roles" | "sides" | "hangup-party";

/** A call as `detect` gets it: with its text indexed once for all rules. */
export interface OperatorCall extends HeardCall {
  /** null where there is no transcript. */
  readonly text: TextIndex | null;
}

/** Wording of a finding per language; `{name}` takes the value of that name from the finding's data. */
export interface Messages {
  readonly zh: string;
  readonly en: string;
}

/** An operator's answer where this call gives it nothing to judge (design.md §3: unknown is not good, and not bad). */
export interface Unjudged {
  /** Kebab-case code, e.g. `no-agent-speech`; becomes `notAssessed[].reason`. */
  readonly notAssessed: string;
  /** For people: what exactly is missing. */
  readonly detail?: string;
}

/** Judges one call: what was found in order of start (perhaps nothing), or why nothing can be said. Pure. */
export type Detect = (call: OperatorCall) => Detection[] | Unjudged;

/** Phrases that decide what an operator answers, and are worth a second listen. */
export interface Listened {
  /** `said`: a finding because they are in the text. `missing`: a finding because none of them is. */
  readonly purpose: "said" | "missing";
  /** Those for calls of that language. */
  phrases(language: Language): readonly CompiledPhrase[];
}

/** Narrows a detect's answer. */
export function isUnjudged(answer: Detection[] | Unjudged): answer is Unjudged {
  return !Array.isArray(answer);
}

/**
 * An operator: options schema, needs, and a pure detect (design.md §4). The functions get options already checked against the
 * schema with its defaults filled in (rules/policy.ts); they are methods so that operators of different
 * options fit one registry.
 */
export interface Operator<Options extends TObject = TObject> {
  readonly id: string;
  readonly description: Messages;
  readonly options: Options;
  needs(options: Static<Options>): readonly Need[];
  /** Problems of the sound (those marked `unfit`) that make this operator's evidence unfit. */
  unfitFor(options: Static<Options>): readonly ProblemCode[];
  /** Wording of a finding by its `data.kind`; `found` for data without a kind, and the fallback. */
  readonly messages: Readonly<Record<string, Messages>> & { readonly found: Messages };
  /** Done once per rule when it is loaded: compiled phrases and the like. Throws CallsiftError `rules/invalid`. */
  prepare(options: Static<Options>): Detect;
  /** What the second listen should know of these options (rules/listened-phrases.ts). Without it: nothing. */
  listensFor?(options: Static<Options>): readonly Listened[];
}

/** Declares an operator; only fixes the types. */
export function defineOperator<Options extends TObject>(operator: Operator<Options>): Operator<Options> {
  return operator;
}
