import { type Connection, type Model, Schema } from "mongoose";
import type { Screening } from "../pipeline/screening.ts";
import { modelOf, STRICT } from "./model-of.ts";
import { findPacked, insertManyOnce, insertOnce, removeOfCall } from "./of-call.ts";
import { type PackedBytes, pack, unpack } from "./packed.ts";
import { unpackTranscribed } from "./packed-transcript.ts";
import { type StoredScreening, type WordlessScreening, wholeScreening, withoutWords } from "./stored-screening.ts";
import { transcriptModel } from "./transcripts.ts";

/** A screening without what the transcript of the same recipe holds already. */
export interface ScreeningStore {
  /** Upsert by (call, recipe, policy); immutable once there. */
  save(callId: string, screening: Screening): Promise<void>;
  /** The same for many calls at once, packed by `storedScreening` already. */
  saveMany(list: readonly StoredScreening[]): Promise<void>;
  /** Whole again, as it was saved. Where its transcript was removed since, it says so, and has no words and spans. */
  get(callId: string, recipe: string, policy: string): Promise<Screening | null>;
  /** Those of a batch that are there, by call id, packed as they are stored: for who unpacks in another thread. */
  getPacked(keys: readonly ScreeningKey[]): Promise<ReadonlyMap<string, Uint8Array>>;
  removeCall(callId: string): Promise<number>;
}

export interface ScreeningKey {
  readonly callId: string;
  readonly recipe: string;
  readonly policy: string;
}

interface ScreeningDocument {
  /** `call:recipe:policy`: unique by itself, and all of one call lie together. */
  readonly _id: `${string}:${string}:${string}`;
  readonly v: 1;
  readonly call: string;
  readonly recipe: string;
  readonly policy: string;
  readonly at: Date;
  readonly packed: Buffer;
}

const NAME = "screenings";

const schema = new Schema<ScreeningDocument>(
  {
    _id: { type: String, required: true },
    v: Number,
    call: { type: String, required: true },
    recipe: { type: String, required: true },
    policy: { type: String, required: true },
    at: Date,
    packed: { type: Buffer, required: true },
  },
  STRICT,
);

/** The screenings of all calls. */
export function createScreeningStore(connection: Connection): ScreeningStore {
  const model: Model<ScreeningDocument> = modelOf(connection, NAME, schema);
  const transcripts = transcriptModel(connection);
  return {
    async save(callId, screening) {
      const { recipe, policy } = screening;
      await insertOnce(connection, NAME, documentOf({ callId, recipe, policy, packed: await pack(withoutWords(screening)) }));
    },
    async saveMany(list) {
      await insertManyOnce(connection, NAME, list.map(documentOf));
    },
    async get(callId, recipe, policy) {
      const [stored, transcript] = await Promise.all([
        model.findOne({ _id: idOf({ callId, recipe, policy }) }).lean<{ packed: PackedBytes }>(),
        transcripts.findOne({ _id: `${callId}:${recipe}` }).lean<{ packed: PackedBytes }>(),
      ]);
      if (stored === null) return null;
      const screening = (await unpack(stored.packed)) as WordlessScreening;
      return wholeScreening(screening, transcript && (await unpackTranscribed(transcript.packed)));
    },
    getPacked: async (keys) => await findPacked(connection, NAME, keys.map(idOf)),
    removeCall: async (callId) => await removeOfCall(connection, NAME, callId),
  };
}

function idOf({ callId, recipe, policy }: ScreeningKey): ScreeningDocument["_id"] {
  return `${callId}:${recipe}:${policy}`;
}

function documentOf({ callId, recipe, policy, packed }: StoredScreening): ScreeningDocument {
  return { _id: idOf({ callId, recipe, policy }), v: 1, call: callId, recipe, policy, at: new Date(), packed: Buffer.from(packed) };
}
