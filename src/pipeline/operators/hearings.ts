import type { TextMatch } from "../text/index-text.ts";
import { clip, totalMs, union } from "../timeline.ts";
import type { Detection, DoubtfulStretch, Hearing, Role, Span } from "../types.ts";
import type { OperatorCall, Unjudged } from "./define.ts";
import { speechOf } from "./speech.ts";
import type { WindowOptions } from "./window.ts";
import type { PhraseList, Who } from "./wording.ts";

/** What the second listen found, and where the words are doubtful, as operators see it. */

/** So much doubtful speech can hide what is listed: a phrase in it would not have been found. */
const HIDES_MS = 500;
/** A search of much speech is not spoilt by a back-channel that was misheard: so much of it must be doubtful, and such a share. */
const SPOILS_MS = 2_000;
const SPOILS_SHARE = 0.1;

export const WORDS_DOUBTFUL: Unjudged = {
  notAssessed: "words-doubtful",
  detail: "the recogniser is not sure of its words in the part of the call that is searched",
};

/** A match with what the second listen says of it: agreeing, it is surer; disagreeing, it is weak. */
export interface Checked {
  readonly confidence: number;
  readonly disagrees: boolean;
  /** For the finding's data; empty where there was no second listen. */
  readonly data: Detection["data"];
}

export function checked(call: OperatorCall, match: TextMatch): Checked {
  const hearing = hearingsOf(call).find((one) => one.check === "confirm" && one.phrase === match.phrase && meets(one, match));
  if (!hearing) return { confidence: match.confidence, disagrees: false, data: {} };
  if (!hearing.said) return { confidence: match.confidence, disagrees: true, data: { secondListen: "disagrees" } };
  return { confidence: 1 - (1 - match.confidence) / 2, disagrees: false, data: { secondListen: "agrees" } };
}

/**
 * Phrases of a list that were heard in the sound alone, in order of time, those that share time told once, the likeliest.
 *
 * @param orUnknown also those of nobody knows which side: enough to excuse, not to accuse
 */
export function heardOnly(
  call: OperatorCall,
  list: PhraseList,
  who: Who,
  options: { readonly within?: Span; readonly orUnknown?: boolean } = {},
): Hearing[] {
  const { within, orUnknown = false } = options;
  const heard = hearingsOf(call).filter((one) => one.check === "search" && one.said);
  if (heard.length === 0) return [];
  const sources = new Set(list.phrases(call.language).map(({ source }) => source));
  const own = heard.filter((one) => sources.has(one.phrase) && isOf(one.role, who, orUnknown) && (!within || meets(one, span(within))));
  const kept: Hearing[] = [];
  for (const one of own.sort((a, b) => (b.margin ?? 0) - (a.margin ?? 0))) if (!kept.some((other) => meets(one, other))) kept.push(one);
  return kept.sort((a, b) => a.startMs - b.startMs || a.endMs - b.endMs);
}

/** A phrase that was only heard, as evidence for a person: never more than that. */
export function heardDetection({ role, startMs, endMs, phrase, wording, written, margin }: Hearing): Detection {
  return {
    role,
    startMs,
    endMs,
    quote: written,
    confidence: HEARD_CONFIDENCE,
    weak: true,
    data: { kind: "heard", phrase, wording, margin },
  };
}

/** Of what is heard by sound alone at the margins that count as said, nine in ten are (bench/second-listen.ts); written there is something else. */
const HEARD_CONFIDENCE = 0.5;

/**
 * Whether doubtful words of that side in the window can hide what was looked for and not found. What belongs at an end of the call (`at`: a greeting, a
 * closing) is hidden only in the side's first or last few stretches of speech, however far the window reaches in a short call.
 */
export function canHide(call: OperatorCall, who: Who, window: Span, at?: WindowOptions["at"]): boolean {
  return doubtfulMs(call, who, [atEnd(call, who, window, at)]) >= HIDES_MS;
}

/** A greeting or a closing is within so many stretches of speech, pauses up to half a second inside. */
const END_STRETCHES = 3;
const PAUSE_MS = 500;

function atEnd(call: OperatorCall, who: Who, [startMs, endMs]: Span, at: WindowOptions["at"] | undefined): Span {
  const stretches = union([...speechOf(call, who), ...doubtfulSpans(call, who, [[startMs, endMs]])], PAUSE_MS);
  if (at === "first") return [startMs, Math.min(endMs, stretches[END_STRETCHES - 1]?.[1] ?? endMs)];
  if (at === "last") return [Math.max(startMs, stretches.at(-END_STRETCHES)?.[0] ?? startMs), endMs];
  return [startMs, endMs];
}

/** Whether so much of that side's speech in the windows is doubtful that finding nothing means nothing. */
export function isSpoilt(call: OperatorCall, who: Who, windows: readonly Span[] = [[0, call.durationMs]]): boolean {
  const ms = doubtfulMs(call, who, windows);
  if (ms < SPOILS_MS) return false;
  const searched = union(windows).flatMap((window) => clip(speechOf(call, who), window));
  return ms >= SPOILS_SHARE * Math.max(totalMs(union([...searched, ...doubtfulSpans(call, who, windows)])), 1);
}

function doubtfulMs(call: OperatorCall, who: Who, windows: readonly Span[]): number {
  return totalMs(doubtfulSpans(call, who, windows));
}

/** Doubtful speech that is, or may be, of that side; text where nobody speaks is not speech. */
function doubtfulSpans(call: OperatorCall, who: Who, windows: readonly Span[]): Span[] {
  if (!("utterances" in call.transcript)) return [];
  const own = (call.transcript.doubtful ?? []).filter((one) => isSpeech(one) && isOf(one.role, who, true));
  if (own.length === 0) return [];
  const spans = union(own.map(({ startMs, endMs }): Span => [startMs, endMs]));
  return union(windows).flatMap((window) => clip(spans, window));
}

function isSpeech({ doubt }: DoubtfulStretch): boolean {
  return doubt !== "no-speech" && doubt !== "credits";
}

function hearingsOf({ transcript }: OperatorCall): readonly Hearing[] {
  return "utterances" in transcript ? (transcript.hearings ?? []) : [];
}

function isOf(role: Role | null, who: Who, orUnknown: boolean): boolean {
  return who === "any" || role === who || (role === null && orUnknown);
}

interface Timed {
  readonly startMs: number;
  readonly endMs: number;
}

const span = ([startMs, endMs]: Span): Timed => ({ startMs, endMs });

/** Whether two stretches share time. */
export function meets(a: Timed, b: Timed): boolean {
  return a.startMs < b.endMs && b.startMs < a.endMs;
}
