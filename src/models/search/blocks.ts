import type { AnyBulkWriteOperation } from "mongoose";
import { newId, op, SAFE } from "../model-of.ts";
import { type BlockLease, withBlockLease } from "./block-lease.ts";
import { postCall } from "./call-words.ts";
import {
  type BlockDocument,
  type BlockSizes,
  bitsOf,
  type SearchModels,
  type ShardDocument,
  shardId,
  TOP_LEVEL,
  toBytes,
  type WordsDocument,
} from "./documents.ts";
import { type MergePart, mergeShards, PostingsBuilder, shardOf, withoutCalls } from "./postings.ts";
import { pairTerm, placeOfTerm, singleTerm, type Term, tokensOf } from "./tokens.ts";

/** Blocks that are in force no more are kept this long for searches that have begun. */
const TRASH_MS = 5 * 60_000;
const BATCH = 256;
const MAX_CHARACTERS = 1_000_000;

/** A call of a block. */
interface Member {
  readonly id: string;
  readonly start: number;
  /** `agent\nteam`. */
  readonly owner: string;
}

/**
 * Brings fresh calls into blocks, and blocks into larger ones, as far as there are enough of them; one process of a tenant at a time, the others go on.
 *
 * @param top the highest level that blocks are made of; the last one takes long
 */
export async function maintainBlocks(models: SearchModels, tenant: string, sizes: BlockSizes, top: number = TOP_LEVEL): Promise<void> {
  if (!(await isDue(models, tenant, sizes, top))) return;
  await withBlockLease(models, tenant, 0, async (lease) => {
    while (await takeFresh(models, tenant, sizes.calls, lease)) await lease.renew();
    for (let level = 0; level < top; level++) while (await mergeLevel(models, tenant, level, sizes.fan, lease)) await lease.renew();
    await emptyTrash(models, lease);
  });
}

async function isDue({ words, sets }: SearchModels, tenant: string, { calls, fan }: BlockSizes, top: number): Promise<boolean> {
  const fresh = await words.find({ tenant, fresh: 1 }, { _id: 1 }, SAFE).limit(calls).lean();
  if (fresh.length === calls) return true;
  const set = await sets.findOne({ _id: tenant }, { blocks: 1, trash: 1 }, SAFE).lean();
  const isFull = (level: number): boolean => (set?.blocks.filter((block) => block.level === level).length ?? 0) >= fan;
  return Array.from({ length: top }, (_, level) => level).some(isFull) || (set?.trash.some(isRotten) ?? false);
}

const isRotten = ({ at }: { readonly at: Date }): boolean => at.getTime() < Date.now() - TRASH_MS;

/** Makes a block of the oldest fresh calls; false where there are too few. */
async function takeFresh(models: SearchModels, tenant: string, size: number, lease: BlockLease): Promise<boolean> {
  const { words, blocks, shards } = models;
  const fields = { folded: 1, roles: 1, startedAt: 1, agentId: 1, team: 1, hash: 1, block: 1 } as const;
  const found = await words.find({ tenant, fresh: 1 }, fields, SAFE).sort({ _id: 1 }).limit(size).lean<WordsDocument[]>();
  // Of a process that died between putting its block in force and saying so of the calls.
  const done = await inForce(models, lease, found);
  if (done.length > 0) {
    await settle(models, done);
    return true;
  }
  if (found.length < size) return false;
  const taken = asManyAsFit(found);
  const id = newId();
  // First the mark: whoever removes or changes a call from now on waits for the lease, and one that has changed meanwhile is left out.
  await words.bulkWrite(
    taken.map(({ _id, hash }) => ({ updateOne: { filter: { _id, hash, fresh: 1 }, update: { $set: { block: id } } } })),
    { ordered: false },
  );
  const marked = new Set(
    (await words.find({ _id: op({ $in: taken.map(({ _id }) => _id) }), block: id }, { _id: 1 }, SAFE).lean()).map(({ _id }) => _id),
  );
  const calls = taken.filter(({ _id }) => marked.has(_id));
  const builder = new PostingsBuilder();
  for (const [number, call] of calls.entries()) postCall(builder, number, call);
  const packed = builder.toShards(bitsOf(0));
  await shards.insertMany(shardDocuments(id, packed), { ordered: false });
  const members = calls.map(({ _id, startedAt, agentId, team }) => ({ id: _id, start: startedAt.getTime(), owner: `${agentId}\n${team}` }));
  await blocks.insertMany([blockDocument(id, tenant, 0, members, [id])]);
  if (!(await lease.commit([...lease.set.blocks, { id, level: 0, calls: members.length, rev: newId() }]))) return false;
  await settle(models, [...marked]);
  return true;
}

/** The first calls, as long as their characters make no more postings (two each) than are sorted at once; one at least. */
function asManyAsFit(calls: readonly WordsDocument[]): WordsDocument[] {
  let characters = 0;
  return calls.filter(({ folded }, i) => {
    characters += folded.length;
    return i === 0 || characters <= MAX_CHARACTERS;
  });
}

/** Those of the calls whose block is in force. */
async function inForce({ blocks }: SearchModels, { set }: BlockLease, calls: readonly WordsDocument[]): Promise<string[]> {
  const marks = [...new Set(calls.flatMap(({ block }) => (block === null ? [] : [block])))];
  if (marks.length === 0) return [];
  const headers = await blocks.find({ parts: op({ $in: marks }) }, { ids: 1 }, SAFE).lean<Pick<BlockDocument, "_id" | "ids">[]>();
  const live = headers.filter(({ _id }) => set.blocks.some(({ id }) => id === _id));
  const there = new Set(live.flatMap(({ ids }) => ids.split("\n")));
  return calls.filter(({ _id }) => there.has(_id)).map(({ _id }) => _id);
}

async function settle({ words }: SearchModels, ids: readonly string[]): Promise<void> {
  await words.updateMany({ _id: op({ $in: [...ids] }) }, { $unset: { fresh: 1 } }, SAFE);
}

/** Makes one block of as many of a level as `fan` says; false where there are not so many. */
async function mergeLevel(models: SearchModels, tenant: string, level: number, fan: number, lease: BlockLease): Promise<boolean> {
  const { blocks, shards } = models;
  const entries = lease.set.blocks.filter((block) => block.level === level).slice(0, fan);
  if (entries.length < fan) return false;
  const headers = await readHeaders(
    models,
    entries.map(({ id }) => id),
  );
  const id = newId();
  const members = headers.flatMap(membersOf);
  const offsets = headers.map((_, i) => headers.slice(0, i).reduce((sum, header) => sum + membersOf(header).length, 0));
  const bits = bitsOf(level);
  const wider = bitsOf(level + 1);
  let waiting: { _id: string; v: number; packed: Buffer; rev: string }[] = [];
  for (let shard = 0; shard < 2 ** bits; shard++) {
    const found = await shards.find({ _id: op({ $in: entries.map((entry) => shardId(entry.id, shard)) }) }, { packed: 1 }, SAFE).lean();
    const byId = new Map(found.map(({ _id, packed }) => [_id, toBytes(packed)]));
    const parts = entries.flatMap((entry, i): MergePart[] => {
      const packed = byId.get(shardId(entry.id, shard));
      return packed ? [{ packed, before: offsets[i] as number }] : [];
    });
    waiting.push(...shardDocuments(id, mergeShards(parts, wider)));
    if (waiting.length < BATCH && shard + 1 < 2 ** bits) continue;
    await shards.insertMany(waiting, { ordered: false });
    waiting = [];
    if (!(await lease.renew())) return false;
  }
  await blocks.insertMany([
    blockDocument(
      id,
      tenant,
      level + 1,
      members,
      headers.flatMap(({ parts }) => parts),
    ),
  ]);
  const rest = lease.set.blocks.filter((block) => !entries.includes(block));
  return await lease.commit([...rest, { id, level: level + 1, calls: members.length, rev: newId() }]);
}

/** Deletes blocks that have been out of force for long enough. */
async function emptyTrash({ blocks, shards }: SearchModels, lease: BlockLease): Promise<void> {
  const rotten = lease.set.trash.filter(isRotten);
  for (const { id } of rotten) {
    await shards.deleteMany({ _id: op({ $gte: `${id}/`, $lt: `${id}0` }) }, SAFE);
    await blocks.deleteOne({ _id: id }, SAFE);
    await lease.renew();
  }
  if (rotten.length > 0)
    await lease.commit(
      lease.set.blocks,
      lease.set.trash.filter((entry) => !rotten.includes(entry)),
    );
}

/** The calls of a block by number. */
export function membersOf({ ids, starts, owners, ownerOf }: BlockDocument): Member[] {
  const start = floats(toBytes(starts));
  const owner = integers(toBytes(ownerOf));
  return ids.split("\n").map((id, i) => ({ id, start: start[i] as number, owner: owners[owner[i] as number] as string }));
}

/** Headers of blocks, in this order. */
export async function readHeaders({ blocks }: SearchModels, ids: readonly string[]): Promise<BlockDocument[]> {
  const found = new Map(
    (await blocks.find({ _id: op({ $in: [...ids] }) }, null, SAFE).lean()).map((header) => [header._id, header as BlockDocument]),
  );
  return ids.flatMap((id) => found.get(id) ?? []);
}

function blockDocument(id: string, tenant: string, level: number, members: readonly Member[], parts: readonly string[]) {
  const owners = [...new Set(members.map(({ owner }) => owner))];
  const numbers = new Map(owners.map((owner, i) => [owner, i]));
  return {
    _id: id,
    v: 1,
    tenant,
    level,
    ids: members.map((member) => member.id).join("\n"),
    starts: bufferOf(Float64Array.from(members, ({ start }) => start)),
    owners,
    ownerOf: bufferOf(Uint32Array.from(members, ({ owner }) => numbers.get(owner) as number)),
    parts,
  };
}

const bufferOf = ({ buffer, byteOffset, byteLength }: Float64Array | Uint32Array): Buffer => Buffer.from(buffer, byteOffset, byteLength);
// Copied, because numbers must lie at even places.
const floats = (bytes: Uint8Array): Float64Array => new Float64Array(Uint8Array.from(bytes).buffer);
const integers = (bytes: Uint8Array): Uint32Array => new Uint32Array(Uint8Array.from(bytes).buffer);

function shardDocuments(block: string, packed: ReadonlyMap<number, Uint8Array>) {
  return [...packed].map(([shard, bytes]) => ({ _id: shardId(block, shard), v: 1, packed: Buffer.from(bytes), rev: newId() }));
}

/**
 * Takes a call's words out of the block that they are in, so that nothing of them is left. `gone`: it was in none that is in force.
 *
 * @returns null where the lease of the blocks was not to be had
 */
export async function purgeCall(
  models: SearchModels,
  call: Pick<WordsDocument, "_id" | "tenant" | "folded"> & { readonly block: string },
): Promise<"purged" | "gone" | null> {
  const { blocks, shards } = models;
  return await withBlockLease(models, call.tenant, 120_000, async (lease) => {
    const headers = await blocks.find({ parts: call.block }, null, SAFE).lean<BlockDocument[]>();
    let result: "purged" | "gone" = "gone";
    // Also those that are in force no more but not deleted yet.
    for (const header of headers) {
      const ids = header.ids.split("\n");
      const number = ids.indexOf(call._id);
      if (number < 0) continue;
      const bits = bitsOf(header.level);
      const wanted = [...new Set(termsOf(call.folded).map((term) => shardId(header._id, shardOf(placeOfTerm(term), bits))))];
      for (let at = 0; at < wanted.length; at += BATCH) {
        const found = await shards.find({ _id: op({ $in: wanted.slice(at, at + BATCH) }) }, null, SAFE).lean();
        const changes = found.flatMap(({ _id, rev, packed }): AnyBulkWriteOperation<ShardDocument>[] => {
          const before = toBytes(packed);
          const after = withoutCalls(before, new Set([number]));
          if (after === before) return [];
          if (after === null) return [{ deleteOne: { filter: { _id, rev } } }];
          return [{ updateOne: { filter: { _id, rev }, update: { $set: { packed: Buffer.from(after), rev: newId() } } } }];
        });
        if (changes.length > 0) await shards.bulkWrite(changes, { ordered: false });
        await lease.renew();
      }
      ids[number] = "";
      await blocks.updateOne({ _id: header._id }, { $set: { ids: ids.join("\n") } }, SAFE);
      const rev = newId();
      await lease.commit(lease.set.blocks.map((block) => (block.id === header._id ? { ...block, rev } : block)));
      result = "purged";
    }
    return result;
  });
}

/** All terms of a call's folded words. */
function termsOf(folded: string): Term[] {
  return folded.split("\n").flatMap((line) => {
    const tokens = tokensOf(line);
    return tokens.flatMap((token, i) => {
      const next = tokens[i + 1];
      const pair = next === undefined ? null : pairTerm(token, next);
      return pair === null ? [singleTerm(token)] : [singleTerm(token), pair];
    });
  });
}
