import Type, { type Static } from "typebox";
import type { TextMatch } from "../text/index-text.ts";
import { type CompiledPhrase, checkPattern, compilePhrase } from "../text/phrase.ts";
import type { Language, Role, Span } from "../types.ts";
import type { OperatorCall } from "./define.ts";

const Phrases = Type.Array(Type.String({ minLength: 1, maxLength: 200 }), { maxItems: 2000 });

const PerLanguage = Type.Object({ zh: Type.Optional(Phrases), en: Type.Optional(Phrases) }, { additionalProperties: false });

/** Phrases for calls of every language, or apart by language. */
const WordingSchema = Type.Union([Phrases, PerLanguage]);
export type Wording = Static<typeof WordingSchema>;

/** The schema of an option that lists phrases. */
export function wordingOption(description: string, fallback?: Wording): typeof WordingSchema {
  return Type.Union([Phrases, PerLanguage], { description, ...(fallback ? { default: fallback } : {}) });
}

/** Whose words or speech. */
export type Who = Role | "any";

/** The schema of an option that names a side, or either. */
export function whoOption(description: string, fallback: Who) {
  return Type.Enum(["agent", "customer", "any"], { description, default: fallback });
}

/** The schema of an option that names one side. */
export function roleOption(description: string, fallback: Role) {
  return Type.Enum(["agent", "customer"], { description, default: fallback });
}

const SoundOptions = Type.Object(
  {
    nasal: Type.Optional(Type.Boolean({ description: "an = ang, en = eng, in = ing." })),
    retroflex: Type.Optional(Type.Boolean({ description: "z = zh, c = ch, s = sh." })),
    lateral: Type.Optional(Type.Boolean({ description: "n = l at the start." })),
    labial: Type.Optional(Type.Boolean({ description: "f = hu at the start." })),
    liquid: Type.Optional(Type.Boolean({ description: "r = l at the start." })),
  },
  { additionalProperties: false },
);

const SOUND =
  "Also match what sounds the same: Mandarin without tones, or with what is named taken for the same as well. Such a match is weak evidence.";

const SoundSchema = Type.Union([Type.Boolean(), SoundOptions]);

/** The schema of the option that also matches by sound; without a fallback the operator decides. */
export function soundOption(fallback?: boolean): typeof SoundSchema {
  return Type.Union([Type.Boolean(), SoundOptions], { description: SOUND, ...(fallback === undefined ? {} : { default: fallback }) });
}

/** A list of phrases compiled once per rule. */
export interface PhraseList {
  /** All places where one of the phrases was said, in order of time; of phrases that overlap, the exact one, then the longest, is kept. */
  find(call: OperatorCall, who: Who, window?: Span): TextMatch[];
  /** Whether the list has any phrase for calls of that language. */
  has(language: Language): boolean;
  /** The phrases for calls of that language, compiled. */
  phrases(language: Language): readonly CompiledPhrase[];
}

export interface WordingMatch {
  readonly sound?: Static<typeof SoundSchema>;
  readonly ignoreFillers?: boolean;
  readonly wholeUtterance?: boolean;
  readonly except?: Wording;
}

const LANGUAGES = ["zh", "en"] as const satisfies readonly Language[];

/** Phrases of that language. */
export function phrasesFor(wording: Wording, language: Language): readonly string[] {
  return "length" in wording ? wording : (wording[language] ?? []);
}

/**
 * Makes the phrases of a rule ready. Each language's are compiled when the first call of it comes: most sites hear one language only.
 *
 * @throws CallsiftError `rules/invalid` for a pattern that cannot be read, at once
 */
export function compileWording(wording: Wording, match: WordingMatch = {}): PhraseList {
  const patterns = [wording, match.except ?? []].flatMap((list) => LANGUAGES.flatMap((language) => phrasesFor(list, language)));
  for (const pattern of new Set(patterns)) checkPattern(pattern);
  const compile = (language: Language): CompiledPhrase[] => {
    const how = { language, sound: match.sound ?? false, ignoreFillers: match.ignoreFillers ?? true };
    // Shared: a list of thirty phrases would otherwise compile its exceptions thirty times.
    const except = phrasesFor(match.except ?? [], language).map((longer) => compilePhrase(longer, how));
    return [...new Set(phrasesFor(wording, language))].map((phrase) =>
      compilePhrase(phrase, { ...how, wholeUtterance: match.wholeUtterance ?? false, except }),
    );
  };
  const compiled = new Map<Language, CompiledPhrase[]>();
  const phrasesOf = (language: Language): CompiledPhrase[] => {
    const phrases = compiled.get(language) ?? compile(language);
    compiled.set(language, phrases);
    return phrases;
  };
  return {
    has: (language) => phrasesFor(wording, language).length > 0,
    phrases: phrasesOf,
    find(call, who, window) {
      const { text } = call;
      if (!text) return [];
      const options = who === "any" ? {} : { role: who };
      const found: TextMatch[] = [];
      let phrasesFound = 0;
      for (const phrase of phrasesOf(call.language)) {
        const matches = text.find(phrase, options);
        if (matches.length > 0) phrasesFound++;
        for (const match of matches) if (!window || touches(match, window)) found.push(match);
      }
      // Matches of one phrase never overlap, and come in order.
      return phrasesFound > 1 ? withoutOverlaps(found) : found;
    },
  };
}

/** Words half inside a window count: a window ends where a person stopped, not where a word does. */
function touches({ startMs, endMs }: TextMatch, [windowStartMs, windowEndMs]: Span): boolean {
  return startMs < windowEndMs && (endMs > windowStartMs || startMs >= windowStartMs);
}

function withoutOverlaps(matches: readonly TextMatch[]): TextMatch[] {
  const byUtterance = new Map<number, TextMatch[]>();
  for (const match of matches) {
    const others = byUtterance.get(match.utterance);
    if (others) others.push(match);
    else byUtterance.set(match.utterance, [match]);
  }
  const kept: TextMatch[] = [];
  for (const all of byUtterance.values()) kept.push(...(all.length === 1 ? all : worthiest(all)));
  return kept.sort((a, b) => a.startMs - b.startMs || a.utterance - b.utterance || a.start - b.start);
}

/** Of one utterance's matches those that no better one overlaps. */
function worthiest(matches: TextMatch[]): TextMatch[] {
  matches.sort((a, b) => Number(a.by === "sound") - Number(b.by === "sound") || b.end - b.start - (a.end - a.start) || a.start - b.start);
  const kept: TextMatch[] = [];
  for (const match of matches) if (!kept.some((other) => other.start < match.end && match.start < other.end)) kept.push(match);
  return kept;
}

/** The role as data has it: null where it may be anyone. */
export function roleOf(who: Who): Role | null {
  return who === "any" ? null : who;
}
