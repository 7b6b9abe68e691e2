import { type Connection, type Model, Schema } from "mongoose";
import type { Screening } from "../pipeline/screening.ts";
import type { Transcribed } from "../pipeline/stages.ts";
import { modelOf, STRICT } from "./model-of.ts";
import { insertManyOnce, insertOnce, removeOfCall } from "./of-call.ts";
import { type PackedBytes, pack, unpack } from "./packed.ts";
import { transcriptModel } from "./transcripts.ts";

/** A screening without what the transcript of the same recipe holds already. */
export interface ScreeningStore {
  /** Upsert by (call, recipe, policy); immutable once there. */
  save(callId: string, screening: Screening): Promise<void>;
  /** The same for many calls at once. */
  saveMany(list: readonly { readonly callId: string; readonly screening: Screening }[]): Promise<void>;
  /** Whole again, as it was saved. Where its transcript was removed since, it says so, and has no words and spans. */
  get(callId: string, recipe: string, policy: string): Promise<Screening | null>;
  removeCall(callId: string): Promise<number>;
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

/** What is stored of a screening: words and spans are the transcript's. */
interface StoredScreening extends Omit<Screening, "speech" | "transcript" | "audio"> {
  readonly speech: null;
  readonly transcript: null;
  readonly audio: Omit<Screening["audio"], "channels" | "tones" | "problems"> & {
    readonly channels: null;
    readonly tones: null;
    readonly problems: null;
  };
}

/** The screenings of all calls. */
export function createScreeningStore(connection: Connection): ScreeningStore {
  const model: Model<ScreeningDocument> = modelOf(connection, NAME, schema);
  const transcripts = transcriptModel(connection);
  return {
    async save(callId, screening) {
      await insertOnce(connection, NAME, await documentOf(callId, screening));
    },
    async saveMany(list) {
      if (list.length === 0) return;
      const documents = await Promise.all(list.map(({ callId, screening }) => documentOf(callId, screening)));
      await insertManyOnce(connection, NAME, documents);
    },
    async get(callId, recipe, policy) {
      const [stored, transcript] = await Promise.all([
        model.findOne({ _id: `${callId}:${recipe}:${policy}` }).lean<{ packed: PackedBytes }>(),
        transcripts.findOne({ _id: `${callId}:${recipe}` }).lean<{ packed: PackedBytes }>(),
      ]);
      if (stored === null) return null;
      const screening = (await unpack(stored.packed)) as StoredScreening;
      return wholeScreening(screening, transcript && ((await unpack(transcript.packed)) as Transcribed));
    },
    removeCall: async (callId) => await removeOfCall(connection, NAME, callId),
  };
}

async function documentOf(callId: string, screening: Screening): Promise<ScreeningDocument> {
  const { recipe, policy } = screening;
  const packed = await pack(withoutWords(screening));
  return { _id: `${callId}:${recipe}:${policy}`, v: 1, call: callId, recipe, policy, at: new Date(), packed };
}

/** Fields keep their places, so that the whole has them in the order in which it was saved. */
function withoutWords(screening: Screening): StoredScreening {
  return { ...screening, speech: null, transcript: null, audio: { ...screening.audio, channels: null, tones: null, problems: null } };
}

function wholeScreening(stored: StoredScreening, transcribed: Transcribed | null): Screening {
  const call = transcribed?.call;
  const channels = call?.channels.map(({ channel, speech, speechLevelDb, snrDb }) => ({ channel, speech, speechLevelDb, snrDb }));
  return {
    ...stored,
    audio: { ...stored.audio, problems: call?.problems ?? [], tones: call?.tones ?? [], channels: channels ?? [] },
    speech: call?.speech ?? null,
    transcript: call?.transcript ?? { status: "not-available", reason: "removed" },
  };
}
