import type { CallMetadata, Language, NoTranscript, PcmFile, Sound, Transcript } from "../types.ts";

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
}

export interface TranscribeOptions {
  /** `auto`: the engine decides, or reads it from the transcript. */
  readonly language: Language | "auto";
  readonly signal?: AbortSignal;
}

/** An opened engine; serves one call at a time per `transcribe`, several may run side by side. */
export interface Transcriber {
  readonly name: string;
  /** Part of the recipe hash: engine, weights and options that change its output. */
  readonly recipe: string;
  transcribe(call: ToTranscribe, options: TranscribeOptions): Promise<Transcript | NoTranscript>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** An engine behind the port (design.md §4). */
export interface AsrEngine {
  readonly name: string;
  /** SPDX id of the weights' or program's licence. */
  readonly license: string;
  readonly capabilities: { readonly wordTimes: boolean; readonly confidence: boolean; readonly languages: readonly Language[] };
  open(options: { readonly signal?: AbortSignal }): Promise<Transcriber>;
}
