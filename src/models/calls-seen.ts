import type { Model, QueryFilter } from "mongoose";
import { type CallDocument, LISTED } from "./calls-document.ts";
import { Kept } from "./kept.ts";

const MAX_KEPT = 5_000;

/** A call, and the change of it that stands in a list. */
export type CallPlace = Pick<CallDocument, "_id" | "rev">;

/**
 * Calls as they were last read, erased ones too until their time is over. Lists ask the database which calls they hold, in which change; those that have not changed
 * since need not be read again, which is most of what a list costs.
 */
export class CallsSeen {
  readonly #kept = new Kept<CallDocument>(MAX_KEPT);

  /** The calls at these places, in their order; without those that meet the conditions no more. */
  async read(model: Model<CallDocument>, places: readonly CallPlace[], conditions: QueryFilter<CallDocument>[]): Promise<CallDocument[]> {
    const known = places.flatMap(({ _id, rev }) => {
      const kept = this.#kept.get(_id);
      return kept?.rev === rev ? kept : [];
    });
    const found = new Map(known.map((doc) => [doc._id, doc]));
    const missing = places.map(({ _id }) => _id).filter((id) => !found.has(id));
    for (const doc of await readCalls(model, missing, conditions)) {
      found.set(doc._id, doc);
      this.#kept.set(doc._id, doc);
    }
    return places.flatMap(({ _id }) => found.get(_id) ?? []);
  }
}

/** The calls of these ids, in their order; without those that meet the conditions no more. */
export async function readCalls(
  model: Model<CallDocument>,
  ids: readonly string[],
  conditions: QueryFilter<CallDocument>[],
): Promise<CallDocument[]> {
  if (ids.length === 0) return [];
  const found = await model.find({ $and: [{ _id: { $in: ids } }, { $and: conditions }] }, LISTED).lean<CallDocument[]>();
  const byId = new Map(found.map((doc) => [doc._id, doc]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}
