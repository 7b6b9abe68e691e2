import type { Transcribed } from "../pipeline/stages.ts";

/** What was heard of a call, by recipe: all that scoring needs, its spans, tones and words. Immutable. */
export interface TranscriptStore {
  /** Upsert by (call, recipe); the same again changes nothing. Also writes the search index of its words. */
  save(callId: string, tenant: string, transcribed: Transcribed): Promise<void>;
  get(callId: string, recipe: string): Promise<Transcribed | null>;
  removeCall(callId: string): Promise<number>;
}
