import { type Connection, type Model, Schema } from "mongoose";
import type { Transcribed } from "../pipeline/stages.ts";
import { modelOf, STRICT } from "./model-of.ts";
import { findPacked, insertOnce, removeOfCall } from "./of-call.ts";
import type { PackedBytes } from "./packed.ts";
import { packTranscribed, unpackTranscribed } from "./packed-transcript.ts";

/** What was heard of a call, by recipe: all that scoring needs, its spans, tones and words. Immutable. */
export interface TranscriptStore {
  /** Upsert by (call, recipe); the same again changes nothing: what is stored first stays, and is what is scored. Also writes the search index of its words. */
  save(callId: string, tenant: string, transcribed: Transcribed): Promise<void>;
  get(callId: string, recipe: string): Promise<Transcribed | null>;
  /** Those of a batch that are there, by call id, packed as they are stored: for who unpacks in another thread. */
  getPacked(keys: readonly TranscriptKey[]): Promise<ReadonlyMap<string, Uint8Array>>;
  removeCall(callId: string): Promise<number>;
}

export interface TranscriptKey {
  readonly callId: string;
  readonly recipe: string;
}

/** Where the words of calls can be found by. */
export interface WordIndex {
  /** May be told twice, also at once. */
  save(callId: string, tenant: string, transcribed: Transcribed): Promise<void>;
  removeCall(callId: string): Promise<void>;
}

interface TranscriptDocument {
  /** `call:recipe`: unique by itself, and all of one call lie together. */
  readonly _id: `${string}:${string}`;
  readonly v: 1;
  readonly call: string;
  readonly recipe: string;
  readonly tenant: string;
  readonly at: Date;
  readonly packed: Buffer;
}

const NAME = "transcripts";

const schema = new Schema<TranscriptDocument>(
  {
    _id: { type: String, required: true },
    v: Number,
    call: { type: String, required: true },
    recipe: { type: String, required: true },
    tenant: { type: String, required: true },
    at: Date,
    packed: { type: Buffer, required: true },
  },
  STRICT,
);

/** The model of the collection `transcripts`. */
export function transcriptModel(connection: Connection): Model<TranscriptDocument> {
  return modelOf(connection, NAME, schema);
}

/** What was heard, over the search index of its words. */
export function createTranscriptStore(connection: Connection, words?: WordIndex): TranscriptStore {
  const model = transcriptModel(connection);
  return {
    async save(callId, tenant, transcribed) {
      const { recipe } = transcribed;
      // The index first: where the transcript is there, its words can be found.
      await words?.save(callId, tenant, transcribed);
      const packed = await packTranscribed(transcribed);
      await insertOnce(connection, NAME, { _id: idOf({ callId, recipe }), v: 1, call: callId, recipe, tenant, at: new Date(), packed });
    },
    async get(callId, recipe) {
      const found = await model.findOne({ _id: idOf({ callId, recipe }) }).lean<{ packed: PackedBytes }>();
      return found && (await unpackTranscribed(found.packed));
    },
    getPacked: async (keys) => await findPacked(connection, NAME, keys.map(idOf)),
    async removeCall(callId) {
      await words?.removeCall(callId);
      return await removeOfCall(connection, NAME, callId);
    },
  };
}

function idOf({ callId, recipe }: TranscriptKey): TranscriptDocument["_id"] {
  return `${callId}:${recipe}`;
}
