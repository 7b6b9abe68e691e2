import { op, SAFE } from "../model-of.ts";
import { membersOf, readHeaders } from "./blocks.ts";
import { type BlockEntry, bitsOf, type SearchModels, shardId, toBytes } from "./documents.ts";
import { type PhrasePlan, shardsOf } from "./lookup.ts";
import { openShard, type Shard } from "./postings.ts";

/** A block with the shards that a search needs of it. */
export interface OpenBlock {
  readonly bits: number;
  readonly ids: readonly string[];
  /** ms since 1970. */
  readonly starts: Float64Array;
  /** `agent\nteam` of a call. */
  readonly ownerOf: (call: number) => string;
  readonly shard: (number: number) => Shard | null;
}

type Header = Pick<OpenBlock, "ids" | "starts" | "ownerOf">;

export interface BlockReader {
  read(entries: readonly BlockEntry[], plans: readonly PhrasePlan[]): Promise<OpenBlock[]>;
}

/** Calls whose ids, times and owners are kept at hand; about 60 bytes each. */
const KEPT_CALLS = 1_500_000;
/** Documents asked for in one query. */
const AT_ONCE = 2000;

/** Reads blocks; what never changes in them is kept. */
export function createBlockReader(models: SearchModels): BlockReader {
  /** By block and revision; those that were used last come last. */
  const kept = new Map<string, Header>();
  let keptCalls = 0;

  const headersOf = async (entries: readonly BlockEntry[]): Promise<Map<string, Header>> => {
    const missing = entries.filter(({ id, rev }) => !kept.has(`${id} ${rev}`));
    const found = new Map(
      (
        await readHeaders(
          models,
          missing.map(({ id }) => id),
        )
      ).map((header) => [header._id, header]),
    );
    const headers = new Map<string, Header>();
    for (const { id, rev } of entries) {
      const key = `${id} ${rev}`;
      const stored = found.get(id);
      const header = kept.get(key) ?? (stored && headerOf(membersOf(stored)));
      if (!header) continue;
      keptCalls += kept.delete(key) ? 0 : header.ids.length;
      kept.set(key, header);
      headers.set(id, header);
    }
    for (const [key, header] of kept) {
      if (keptCalls <= KEPT_CALLS) break;
      kept.delete(key);
      keptCalls -= header.ids.length;
    }
    return headers;
  };

  return {
    async read(entries, plans) {
      const wanted = entries.flatMap(({ id, level }) => [...shardsOf(plans, bitsOf(level))].map((shard) => shardId(id, shard)));
      const chunks = Array.from({ length: Math.ceil(wanted.length / AT_ONCE) }, (_, i) => wanted.slice(i * AT_ONCE, (i + 1) * AT_ONCE));
      const [headers, ...found] = await Promise.all([
        headersOf(entries),
        ...chunks.map((ids) =>
          models.shards
            .find({ _id: op({ $in: ids }) }, { packed: 1 }, SAFE)
            .batchSize(AT_ONCE)
            .lean(),
        ),
      ]);
      const shards = new Map(found.flat().map(({ _id, packed }) => [_id, openShard(toBytes(packed))]));
      return entries.flatMap(({ id, level }) => {
        const header = headers.get(id);
        if (!header) return [];
        return [{ ...header, bits: bitsOf(level), shard: (number: number) => shards.get(shardId(id, number)) ?? null }];
      });
    },
  };
}

function headerOf(members: ReturnType<typeof membersOf>): Header {
  const owners = members.map(({ owner }) => owner);
  return {
    ids: members.map(({ id }) => id),
    starts: Float64Array.from(members, ({ start }) => start),
    ownerOf: (call) => owners[call] as string,
  };
}
