import type { Hearing, Language, Utterance } from "../../types.ts";
import type { ListenedPhrase } from "../port.ts";
import type { HeardPiece, Recogniser } from "../recogniser.ts";

/** One piece of sound with what was heard in it. */
export interface PlacedPiece {
  /** Mono, 16 kHz, -1..1. */
  readonly sound: Float32Array;
  /** Where it begins in the recording. */
  readonly startMs: number;
  /** Still held, so that `weigh` works where the engine has it. */
  readonly heard: HeardPiece;
  /** Its text as utterances of the recording, without roles; their texts, joined in order, are `heard.text` without the spaces between. */
  readonly utterances: readonly Utterance[];
}

export interface SecondListenOptions {
  readonly recogniser: Recogniser;
  /** Judges by `weigh` where the recogniser cannot: a second engine that is installed. */
  readonly judge: (() => Promise<Recogniser | null>) | null;
  readonly phrases: readonly ListenedPhrase[];
  readonly language: Language;
  readonly signal?: AbortSignal;
  /** Longest time for one piece that is heard again, ms. */
  readonly timeoutMs?: number;
}

/** A phrase judged on the sound; roles are not known yet. */
export type Judged = Omit<Hearing, "role" | "channel">;
