import type { Role } from "../../types.ts";
import type { Source } from "./source.ts";

/** A word as a format gave it: may be several Chinese characters, or carry punctuation. */
export interface ImportedWord {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
  /** 0–1, null where the format gives none. */
  readonly confidence: number | null;
}

/** Who speaks, as far as a format says. */
export interface Voice {
  readonly role: Role | null;
  readonly channel: number | null;
  /** A diarisation label that is neither a role nor a channel, e.g. `spk_0`. */
  readonly speaker: string | null;
}

/** An utterance as a format gave it; times are integer ms, start ≤ end, not yet held against the recording. */
export interface ImportedUtterance extends Voice {
  /** Where in the file, for messages: `utterances[3]`, `cue 4`. */
  readonly where: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly text: string;
  readonly confidence: number | null;
  /** null where the format has no times of words here. */
  readonly words: readonly ImportedWord[] | null;
}

export interface ImportedTranscript {
  /** As declared in the file, e.g. `zh-CN`, `chinese`; null where it says nothing. */
  readonly language: string | null;
  readonly utterances: readonly ImportedUtterance[];
}

/** A transcript format: recognised by content, parsed without knowing the recording. */
export interface TranscriptFormat {
  /** For messages. */
  readonly name: string;
  detect(source: Source): boolean;
  /** @throws CallsiftError `transcript/invalid` naming where */
  parse(source: Source): ImportedTranscript;
}

/** No call has more; a file that does is no transcript of one. */
export const MAX_UTTERANCES = 200_000;

/** UTF-16 units of one utterance: three hours of speech without a break stay below. */
export const MAX_CHARACTERS = 200_000;

export const NOBODY: Voice = { role: null, channel: null, speaker: null };
