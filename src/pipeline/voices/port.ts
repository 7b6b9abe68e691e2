import type { VoiceSpeech } from "../asr/port.ts";
import type { PcmFile, Sound } from "../types.ts";

/** How clearly the speech falls into two voices. */
export interface Separation {
  /** Mean silhouette of the two clusters in cosine distance, -1..1. */
  readonly silhouette: number;
  /** λ3 − λ2 of the normalised Laplacian of the windows' affinity, 0..1: large where there are two groups and not more or fewer. */
  readonly eigengap: number;
}

/** The speech of one channel, told apart: every millisecond of it is of one of the two voices. */
export interface TwoVoices {
  readonly kind: "two-voices";
  readonly channel: number;
  /** `voice-1` is who speaks first. */
  readonly voices: readonly [VoiceSpeech, VoiceSpeech];
  readonly confidence: Separation;
}

/** One voice, more than two, too little speech, or not clear. */
export interface VoicesNotTold {
  readonly kind: "not-told";
  readonly channel: number;
  /** Human: what is missing, with the measured figure. */
  readonly reason: string;
  /** null where there is too little speech to measure it. */
  readonly silhouette: number | null;
  readonly eigengap: number | null;
}

export type VoiceSplit = TwoVoices | VoicesNotTold;

export interface SplitOptions {
  readonly signal?: AbortSignal;
  /** Channel whose speech is told apart. */
  readonly channel: number;
}

/** An opened encoder that tells the two voices of a channel apart; calls wait for one another. */
export interface VoiceSplitter extends AsyncDisposable {
  /** Part of the recipe hash: method and weights. */
  readonly recipe: string;
  /**
   * Tells apart who speaks on a channel that carries both people. About 100 times as fast as the speech on one core; memory does not grow with the call
   * but for some 3 kB a second of speech.
   *
   * @throws CallsiftError `aborted`, `weights/missing`, `weights/damaged`, `audio/…` of openPcm
   */
  split(pcm: readonly PcmFile[], sound: Sound, options: SplitOptions): Promise<VoiceSplit>;
}
