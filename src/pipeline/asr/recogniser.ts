import type { Language } from "../types.ts";

/** Hz of the sound that every recogniser takes. */
export const RECOGNISER_RATE = 16_000;

/** A character or word that was heard. */
export interface HeardToken {
  /** One Chinese character with the punctuation that follows it, or one word of a spaced script. All of a piece, joined, are its text. */
  readonly text: string;
  /** From the start of the piece; null where the engine gives no times. */
  readonly startMs: number | null;
  readonly endMs: number | null;
  /** 0–1; null where the engine gives none. */
  readonly confidence: number | null;
}

/** What a recogniser heard in one piece of sound. */
export interface HeardPiece {
  /** As the engine writes it, punctuation included, trimmed; empty where it heard no words. */
  readonly text: string;
  readonly tokens: readonly HeardToken[];
  /** Geometric mean of the tokens' probabilities, 0–1; null where the engine gives none. */
  readonly confidence: number | null;
  /** 0–1: probability that nobody speaks; null where the engine gives none. */
  readonly noSpeech: number | null;
  /** The engine stopped at its length limit and not at an end of its own. */
  readonly capped: boolean;
  /** The text is, or was before its repeats were cut, the same words again and again. */
  readonly looped: boolean;
  /** The text began with the engine's own prompt. */
  readonly prompted: boolean;
  /** Natural log-probabilities of the languages the engine was asked to tell apart; null where it was told the language, or cannot. */
  readonly languages: Readonly<Record<Language, number>> | null;
  /** Emotion, audio events, language as the engine names them. */
  readonly tags: Readonly<Record<string, string>>;
  /**
   * How likely each text is as the whole of what was said: natural log-probability given the sound, comparable with one another and with that of
   * `text` itself. null where the engine cannot say. Only while the piece is held (`keep`).
   *
   * @param least by how much each text may be less likely than the first and still matter (negative); for what is found to be less likely, -Infinity may come
   */
  readonly weigh: ((texts: readonly string[], least?: readonly number[]) => Promise<readonly number[]>) | null;
  /** Lets go of what `weigh` needs; harmless to call twice. */
  release(): void;
}

export interface HearOptions {
  /** `auto`: the engine decides. */
  readonly language: Language | "auto";
  /** Keep what `weigh` needs until `release`. Default: no. */
  readonly keep?: boolean;
  readonly signal?: AbortSignal;
  /** Longest time for this piece, ms, from when its turn comes; then `asr/time-out`. */
  readonly timeoutMs?: number;
}

/** An opened recogniser: takes sound piece by piece, as many at once as it has lanes; further ones wait their turn, first come first served. */
export interface Recogniser extends AsyncDisposable {
  readonly name: string;
  /** Name of the weights, or of the server's model. */
  readonly model: string | null;
  /** Part of the recipe hash: `name/version`, weights, and options that change the output. */
  readonly recipe: string;
  /** It was trained to leave 嗯, 那个, um out: that they are not written says nothing. */
  readonly dropsHesitations?: true;
  /** Pieces worked on at once. */
  readonly lanes: number;
  /** Longest piece it takes well, ms. */
  readonly maxPieceMs: number;
  /**
   * Hears one piece: mono, 16 kHz, -1..1, of one speaker, 1 ms to `maxPieceMs` long.
   *
   * @throws CallsiftError `asr/…`, `aborted` (within 2 s of the signal)
   */
  hear(sound: Float32Array, options: HearOptions): Promise<HeardPiece>;
}

/** How a recogniser is opened. */
export interface RecogniserOptions {
  /** Folder of the weights; engines that have none (openai) pass it over. */
  readonly folder: string;
  /** Pieces at once; by default one a core. */
  readonly lanes?: number;
  readonly signal?: AbortSignal;
}
