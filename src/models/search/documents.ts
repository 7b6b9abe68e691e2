import { type Connection, type Model, Schema } from "mongoose";
import { modelOf, STRICT } from "../model-of.ts";
import type { PackedBytes } from "../packed.ts";

/** Bytes as lean queries give them. */
export type Bytes = Uint8Array | PackedBytes;

/** The words of one call. */
export interface WordsDocument {
  /** The call's id. */
  _id: string;
  v: number;
  tenant: string;
  startedAt: Date;
  agentId: string;
  team: string;
  texts: readonly string[];
  folded: string;
  roles: string;
  times: Bytes;
  /** Of all that is above: the same words again change nothing. */
  hash: string;
  /** There while it is in no block that is in force. */
  fresh?: 1;
  /** The first block that it came into; null before. */
  block: string | null;
}

/** What a block has calls of. */
export interface BlockDocument {
  _id: string;
  v: number;
  tenant: string;
  level: number;
  /** Ids of its calls by their number in the block, a line each; an empty one is of a call that was removed. */
  ids: string;
  /** Start of each, ms since 1970, as 64-bit floats. */
  starts: Bytes;
  /** `agent\nteam` of each, each pair once, and which of them it is (32 bits). */
  owners: readonly string[];
  ownerOf: Bytes;
  /** The blocks of the lowest level that it was made of, or itself. */
  parts: readonly string[];
}

/** Some terms of one block. */
export interface ShardDocument {
  /** `block/number`. */
  _id: string;
  v: number;
  packed: Bytes;
  /** Another at every change. */
  rev: string;
}

/** A block as it is in force. */
export interface BlockEntry {
  readonly id: string;
  readonly level: number;
  readonly calls: number;
  /** Changes when calls are removed from it. */
  readonly rev: string;
}

/** Which blocks of a tenant are in force. */
export interface BlockSetDocument {
  /** The tenant. */
  _id: string;
  v: number;
  blocks: readonly BlockEntry[];
  /** Blocks that are in force no more, and since when; they stay a while for those who are reading them. */
  trash: readonly { readonly id: string; readonly at: Date }[];
  /** Who alone may change blocks, until when. */
  leaseBy: string | null;
  leaseUntil: Date;
}

const text = { type: String, required: true } as const;
/** Not `required`: mongoose takes an empty one, of a call without words, for none. */
const bytes = { type: Buffer } as const;

const wordsSchema = new Schema<WordsDocument>(
  {
    _id: text,
    v: Number,
    tenant: text,
    startedAt: { type: Date, required: true },
    agentId: { type: String, default: "" },
    team: { type: String, default: "" },
    texts: [String],
    folded: { type: String, default: "" },
    roles: { type: String, default: "" },
    times: bytes,
    hash: text,
    fresh: Number,
    block: { type: String, default: null },
  },
  STRICT,
);
wordsSchema.index({ tenant: 1, fresh: 1, _id: 1 }, { name: "fresh", partialFilterExpression: { fresh: { $exists: true } } });

const blockSchema = new Schema<BlockDocument>(
  {
    _id: text,
    v: Number,
    tenant: text,
    level: Number,
    ids: { type: String, default: "" },
    starts: bytes,
    owners: [String],
    ownerOf: bytes,
    parts: [String],
  },
  STRICT,
);
blockSchema.index({ parts: 1 }, { name: "parts" });

const shardSchema = new Schema<ShardDocument>({ _id: text, v: Number, packed: bytes, rev: text }, STRICT);

const setSchema = new Schema<BlockSetDocument>(
  {
    _id: text,
    v: Number,
    blocks: { type: [Schema.Types.Mixed] as never, default: [] },
    trash: { type: [Schema.Types.Mixed] as never, default: [] },
    leaseBy: { type: String, default: null },
    leaseUntil: { type: Date, required: true },
  },
  STRICT,
);

export interface SearchModels {
  readonly words: Model<WordsDocument>;
  readonly blocks: Model<BlockDocument>;
  readonly shards: Model<ShardDocument>;
  readonly sets: Model<BlockSetDocument>;
}

/** The four collections of the search. */
export function searchModels(connection: Connection): SearchModels {
  return {
    words: modelOf(connection, "searchWords", wordsSchema),
    blocks: modelOf(connection, "searchBlocks", blockSchema),
    shards: modelOf(connection, "searchShards", shardSchema),
    sets: modelOf(connection, "searchSets", setSchema),
  };
}

/** The bytes of a field, apart from the buffer that the driver read them into. */
export function toBytes(value: Bytes): Uint8Array {
  return value instanceof Uint8Array ? value : value.buffer;
}

/** How many shards a block of each level has, as bits: with the sizes below, about one a call. */
const BITS = [6, 10, 14] as const;
export const TOP_LEVEL = BITS.length - 1;

/** How large blocks are. */
export interface BlockSizes {
  /** Calls that become a block of the lowest level. */
  readonly calls: number;
  /** Blocks of a level that become one of the next. */
  readonly fan: number;
}

/** Blocks of 64, 1,024 and 16,384 calls. */
export const BLOCK_SIZES: BlockSizes = { calls: 64, fan: 16 };

export const bitsOf = (level: number): number => BITS[level] as number;

export const shardId = (block: string, shard: number): string => `${block}/${shard.toString(16).padStart(4, "0")}`;
