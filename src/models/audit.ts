import { type Connection, type Model, Schema } from "mongoose";
import { makeCursor, readCursor } from "./cursor.ts";
import { modelOf, newId, op, SAFE, STRICT } from "./model-of.ts";
import type { Page, PageOptions } from "./page.ts";

/** Who saw, heard, exported or changed what. Append-only: there is no function that changes or removes one. */
export interface AuditEntry {
  readonly id: string;
  readonly tenant: string;
  readonly at: Date;
  /** User id, or `system`. */
  readonly by: string;
  readonly username: string;
  /** Kebab-case verb, e.g. `call-seen`, `recording-heard`, `list-exported`, `review-submitted`, `rule-changed`, `signed-in`. */
  readonly what: string;
  /** Id of the object, e.g. a call. */
  readonly object: string | null;
  /** Address of the client. */
  readonly from: string | null;
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
}

export interface AuditStore {
  add(entry: Omit<AuditEntry, "id" | "at">): Promise<void>;
  list(
    tenant: string,
    filter: { readonly by?: string; readonly what?: string; readonly object?: string; readonly from?: Date; readonly to?: Date },
    options: PageOptions,
  ): Promise<Page<AuditEntry>>;
}

interface AuditDocument extends Omit<AuditEntry, "id" | "details"> {
  _id: string;
  v: number;
  /** JSON: names of details may hold what names of fields may not. */
  details: string;
}

const schema = new Schema<AuditDocument>(
  {
    _id: { type: String, required: true },
    v: { type: Number, default: 1 },
    tenant: { type: String, required: true },
    at: { type: Date, required: true },
    by: { type: String, required: true },
    username: { type: String, default: "" },
    what: { type: String, required: true },
    object: { type: String, default: null },
    from: { type: String, default: null },
    details: { type: String, default: "{}" },
  },
  STRICT,
);
schema.index({ tenant: 1, at: -1, _id: -1 });
schema.index({ tenant: 1, by: 1, at: -1, _id: -1 });
schema.index({ tenant: 1, what: 1, at: -1, _id: -1 });
schema.index({ tenant: 1, object: 1, at: -1, _id: -1 });

const refuse = (): never => {
  throw new TypeError("the audit log is append-only");
};
schema.pre(["updateOne", "updateMany", "replaceOne", "findOneAndUpdate", "findOneAndReplace"], refuse);
schema.pre(["deleteOne", "deleteMany", "findOneAndDelete"], refuse);
schema.pre("bulkWrite", refuse);

const entryOf = ({ _id, v: _v, details, ...entry }: AuditDocument): AuditEntry => ({
  id: _id,
  ...entry,
  details: JSON.parse(details) as AuditEntry["details"],
});

/** The log of who did what: it only grows. */
export function createAuditStore(connection: Connection): AuditStore {
  const entries: Model<AuditDocument> = modelOf(connection, "audit", schema);

  return {
    async add({ details, ...entry }) {
      const { tenant, by, username, what, object, from } = entry;
      const document = { _id: newId(), v: 1, tenant, at: new Date(), by, username, what, object, from, details: JSON.stringify(details) };
      await entries.create([document]).catch(async (error: unknown) => {
        // After a broken connection the driver tries again, and then it is our own that is there.
        if ((await entries.exists({ _id: document._id })) === null) throw error;
      });
    },

    async list(tenant, { by, what, object, from, to }, { limit, cursor, owner }) {
      const bound = ["audit", owner, tenant, by, what, object, from, to];
      const equal = {
        tenant,
        ...(by === undefined ? {} : { by }),
        ...(what === undefined ? {} : { what }),
        ...(object === undefined ? {} : { object }),
      };
      const at = { ...(from && { $gte: from }), ...(to && { $lt: to }) };
      const inTime = from || to ? { at: op(at) } : {};
      const after = cursor === undefined ? {} : olderThan(readCursor(bound, cursor, ["number", "string"]) as [number, string]);
      const found = await entries
        .find({ ...equal, ...inTime, ...after }, null, SAFE)
        .sort({ at: -1, _id: -1 })
        .limit(limit + 1)
        .lean();
      const items = found.slice(0, limit);
      const last = items.at(-1);
      return {
        items: items.map(entryOf),
        nextCursor: found.length > limit && last ? makeCursor(bound, [last.at.getTime(), last._id]) : null,
      };
    },
  };
}

function olderThan([at, id]: readonly [number, string]): object {
  const time = new Date(at);
  // The first part bounds the index, the second decides among entries of one moment.
  return { $and: [{ at: op({ $lte: time }) }, { $or: [{ at: op({ $lt: time }) }, { _id: op({ $lt: id }) }] }] };
}
