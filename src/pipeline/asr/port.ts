import type { ListenedPhrase } from "../text/listened-phrase.ts";
import type { CallMetadata, Language, NoTranscript, PcmFile, Sound, Span, Transcript } from "../types.ts";
import type { Recogniser } from "./recogniser.ts";

export type { ListenedPhrase };

/** One voice of a channel that carries several (asr hears each alone). */
export interface VoiceSpeech {
  readonly channel: number;
  /** Label of the voice, e.g. `voice-1`; becomes `Utterance.speaker`. */
  readonly speaker: string;
  /** Disjoint, ascending; voices of one channel share no time. */
  readonly speech: readonly Span[];
}

/** One call as an engine gets it. */
export interface ToTranscribe {
  /** For messages. */
  readonly name: string;
  readonly pcm: readonly PcmFile[];
  readonly durationMs: number;
  readonly sound: Sound;
  readonly metadata: CallMetadata;
  /** A transcript found beside the recording, or given with it. */
  readonly transcriptPath: string | Uint8Array | null;
  /** The voices of a mono call, where they could be told apart. */
  readonly voices?: readonly VoiceSpeech[];
}

export interface TranscribeOptions {
  /** `auto`: the engine decides, or reads it from the transcript. */
  readonly language: Language | "auto";
  readonly signal?: AbortSignal;
  /** What the rules of that language want listened for twice. */
  readonly listenFor?: (language: Language) => readonly ListenedPhrase[];
  /** Share of the speech that is done, 0–1. */
  readonly onProgress?: (share: number) => void;
}

/** An opened engine; serves one call at a time per `transcribe`, several may run side by side. */
export interface Transcriber {
  readonly name: string;
  /** Part of the recipe hash: engine, weights and options that change its output. */
  readonly recipe: string;
  /** It takes most of the call's time, since it hears the sound itself. */
  readonly hearsSound?: boolean;
  transcribe(call: ToTranscribe, options: TranscribeOptions): Promise<Transcript | NoTranscript>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A server of the OpenAI transcription protocol. */
export interface SpeechServer {
  /** null: OpenAI's own. */
  readonly baseUrl: string | null;
  readonly apiKey: string | null;
  readonly model: string;
}

/** What engines are opened with; each takes what it needs. */
export interface EngineOptions {
  /** Folder of the weights. */
  readonly folder?: string;
  readonly server?: SpeechServer;
  /** Pieces of sound worked on at once. */
  readonly lanes?: number;
  /** 0–1: words below it are kept for people, and are no evidence. */
  readonly minConfidence?: number;
  /** Longest time for one piece of sound, ms. */
  readonly pieceTimeoutMs?: number;
  /** Opens a second engine for the second listen, where the first cannot judge wordings. */
  readonly judge?: () => Promise<Recogniser | null>;
  /** Folders in which programs are looked for (ffmpeg). */
  readonly searchPath?: string;
  readonly signal?: AbortSignal;
}

/** An engine behind the port (design.md §4). */
export interface AsrEngine {
  readonly name: string;
  /** SPDX id of the weights' or program's licence. */
  readonly license: string;
  readonly capabilities: { readonly wordTimes: boolean; readonly confidence: boolean; readonly languages: readonly Language[] };
  /** @throws CallsiftError `asr/not-available`, `weights/…` */
  open(options: EngineOptions): Promise<Transcriber>;
}
