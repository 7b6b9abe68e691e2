import type { Model, QueryFilter } from "mongoose";
import { type CallDocument, LISTED } from "./calls-document.ts";

/** So long somebody may look at a list again; then what was read of a call is let go of, erased calls too. */
const KEPT_MS = 60_000;
const MAX_KEPT = 5_000;

/** A call, and the change of it that stands in a list. */
export type CallPlace = Pick<CallDocument, "_id" | "rev">;

/**
 * Calls as they were last read. Lists ask the database which calls they hold, in which change; those that have not changed since need not be read again, which is most
 * of what a list costs.
 */
export class CallsSeen {
  readonly #kept = new Map<string, { readonly doc: CallDocument; readonly untilMs: number }>();

  /** The calls at these places, in their order; without those that meet the conditions no more. */
  async read(model: Model<CallDocument>, places: readonly CallPlace[], conditions: QueryFilter<CallDocument>[]): Promise<CallDocument[]> {
    const nowMs = Date.now();
    const found = new Map<string, CallDocument>();
    for (const { _id, rev } of places) {
      const kept = this.#kept.get(_id);
      if (kept && kept.doc.rev === rev && kept.untilMs > nowMs) found.set(_id, kept.doc);
    }
    const missing = places.map(({ _id }) => _id).filter((id) => !found.has(id));
    if (missing.length > 0) {
      const read = await model.find({ $and: [{ _id: { $in: missing } }, { $and: conditions }] }, FIELDS).lean<CallDocument[]>();
      for (const doc of read) {
        found.set(doc._id, doc);
        this.#keep(doc, nowMs);
      }
    }
    return places.flatMap(({ _id }) => found.get(_id) ?? []);
  }

  /** The oldest come first: what is past its time, or too many, is at the front. */
  #keep(doc: CallDocument, nowMs: number): void {
    this.#kept.delete(doc._id);
    this.#kept.set(doc._id, { doc, untilMs: nowMs + KEPT_MS });
    for (const [id, { untilMs }] of this.#kept) {
      if (untilMs > nowMs && this.#kept.size <= MAX_KEPT) break;
      this.#kept.delete(id);
    }
  }
}

const FIELDS = { ...LISTED, byPriority: 0, byStart: 0, byScore: 0, byRank: 0 } as const;
