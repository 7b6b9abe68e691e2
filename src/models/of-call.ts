import type { Connection } from "mongoose";
import { isId } from "./ids.ts";
import { DURABLE, isDuplicate, isOnlyDuplicates } from "./model-of.ts";
import { bytesOf, type PackedBytes } from "./packed.ts";

/** What belongs to one call has an `_id` that begins with the call's: unique by itself, and all of one call lie together. */
export interface OfCall {
  readonly _id: `${string}:${string}`;
}

/** Inserts what never changes; what is there already stays. */
export async function insertOnce<T extends OfCall>(connection: Connection, collection: string, document: T): Promise<"inserted" | "there"> {
  try {
    await connection.collection<OfCall>(collection).insertOne({ ...document }, { writeConcern: DURABLE });
    return "inserted";
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    return "there";
  }
}

/** The same for many at once. */
export async function insertManyOnce<T extends OfCall>(connection: Connection, collection: string, documents: readonly T[]): Promise<void> {
  if (documents.length === 0) return;
  try {
    await connection.collection<OfCall>(collection).insertMany([...documents], { ordered: false, writeConcern: DURABLE });
  } catch (error) {
    if (!isOnlyDuplicates(error)) throw error;
  }
}

/** The packed bytes of those documents that are there, by call id. */
export async function findPacked(
  connection: Connection,
  collection: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Uint8Array>> {
  const found = await connection
    .collection<{ readonly _id: string; readonly call: string; readonly packed: PackedBytes }>(collection)
    .find({ _id: { $in: [...ids] } }, { projection: { call: 1, packed: 1 }, batchSize: ids.length })
    .toArray();
  return new Map(found.map(({ call, packed }) => [call, bytesOf(packed)]));
}

/** Takes away all that belongs to a call; how many documents there were. */
export async function removeOfCall(connection: Connection, collection: string, callId: string): Promise<number> {
  if (!isId(callId)) return 0;
  return (await connection.collection<OfCall>(collection).deleteMany(ofCall(callId), { writeConcern: DURABLE })).deletedCount;
}

/** All documents whose `_id` begins with the call's id. */
export function ofCall(callId: string): { readonly _id: { readonly $gt: `${string}:`; readonly $lt: `${string}:` } } {
  // "~" lies behind all that ids, hashes and numbers are written with.
  return { _id: { $gt: `${callId}:`, $lt: `${callId}:~` as `${string}:` } };
}
