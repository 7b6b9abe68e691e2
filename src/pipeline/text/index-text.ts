import type { Role, Span, Utterance } from "../types.ts";
import type { CompiledPhrase } from "./phrase.ts";

/** A phrase found in a transcript, mapped back to the original characters and to time. */
export interface TextMatch {
  /** Index into the transcript's utterances. */
  readonly utterance: number;
  readonly role: Role | null;
  /** Offsets into the utterance's original text, in UTF-16 units, half-open. */
  readonly start: number;
  readonly end: number;
  readonly startMs: number;
  readonly endMs: number;
  /** What was really written there. */
  readonly quote: string;
  readonly by: "exact" | "sound";
  /** 0–1: the recogniser's confidence of those words (1 where unknown), lowered for a match by sound. */
  readonly confidence: number;
}

/** A transcript prepared once so that hundreds of phrases can be looked up in microseconds. */
export interface TextIndex {
  readonly utterances: readonly Utterance[];
  /** All matches in order of time, longest first where two start together; matches of one phrase never overlap. */
  find(phrase: CompiledPhrase, options?: { readonly role?: Role | null; readonly within?: readonly Span[] }): TextMatch[];
}
