import type { Screening } from "../pipeline/screening.ts";
import type { Transcribed } from "../pipeline/stages.ts";
import { packSync } from "./packed.ts";

/** A screening as it is stored; known without a database, so that threads can make it. */
export interface StoredScreening {
  readonly callId: string;
  readonly recipe: string;
  readonly policy: string;
  readonly packed: Uint8Array;
}

/** What is stored of a screening: words and spans are the transcript's. */
export interface WordlessScreening extends Omit<Screening, "speech" | "transcript" | "audio"> {
  readonly speech: null;
  readonly transcript: null;
  readonly audio: Omit<Screening["audio"], "channels" | "tones" | "problems"> & {
    readonly channels: null;
    readonly tones: null;
    readonly problems: null;
  };
}

/**
 * Packs a screening in the calling thread.
 *
 * @throws CallsiftError `transcript/too-large` past 15 MiB
 */
export function storedScreening(callId: string, screening: Screening): StoredScreening {
  const { recipe, policy } = screening;
  return { callId, recipe, policy, packed: packSync(withoutWords(screening)) };
}

/** Fields keep their places, so that the whole has them in the order in which it was saved. */
export function withoutWords(screening: Screening): WordlessScreening {
  return { ...screening, speech: null, transcript: null, audio: { ...screening.audio, channels: null, tones: null, problems: null } };
}

/** The whole again, with the words and spans of its transcript; null where that was removed. */
export function wholeScreening(stored: WordlessScreening, transcribed: Transcribed | null): Screening {
  const call = transcribed?.call;
  const channels = call?.channels.map(({ channel, speech, speechLevelDb, snrDb }) => ({ channel, speech, speechLevelDb, snrDb }));
  return {
    ...stored,
    audio: { ...stored.audio, problems: call?.problems ?? [], tones: call?.tones ?? [], channels: channels ?? [] },
    speech: call?.speech ?? null,
    transcript: call?.transcript ?? { status: "not-available", reason: "removed" },
  };
}
