import { type Connection, type Model, Schema } from "mongoose";
import { makeCursor, readCursor } from "./cursor.ts";
import { isDuplicate, modelOf, newId, op, SAFE, STRICT } from "./model-of.ts";
import type { Page, PageOptions } from "./page.ts";
import { WEBHOOK_EVENTS, type WebhookEvent } from "./settings.ts";

/** One message to one webhook: in the database before it is sent, so that a crash loses none. */
export interface Delivery {
  readonly id: string;
  readonly webhook: string;
  readonly event: WebhookEvent;
  readonly callId: string;
  readonly body: string;
  readonly state: "waiting" | "sent" | "dead";
  readonly attempts: number;
  readonly nextAt: Date;
  /** Status or failure of the last try. */
  readonly last: string | null;
  readonly createdAt: Date;
}

export interface DeliveryStore {
  /** Upsert by (webhook, event, key), so that a job that runs twice tells once. */
  add(delivery: Pick<Delivery, "webhook" | "event" | "callId" | "body"> & { readonly key: string }): Promise<void>;
  /** Takes the next that is due, for `leaseMs`. */
  take(leaseMs: number): Promise<Delivery | null>;
  sent(id: string, last: string): Promise<void>;
  /** Another try at `nextAt`; null: dead. */
  again(id: string, last: string, nextAt: Date | null): Promise<void>;
  /** A dead one is due now, with all its tries before it; false where there is no dead one of that id. */
  resend(id: string): Promise<boolean>;
  list(state: Delivery["state"], options: PageOptions): Promise<Page<Delivery>>;
}

interface DeliveryDocument extends Omit<Delivery, "id"> {
  _id: string;
  v: number;
  /** What makes the message one, together with webhook and event. */
  key: string;
  /** When a message that has been sent is forgotten. */
  forgetAt?: Date;
}

const text = { type: String, required: true } as const;
const schema = new Schema<DeliveryDocument>(
  {
    _id: text,
    v: { type: Number, default: 1 },
    webhook: text,
    event: { type: String, enum: WEBHOOK_EVENTS, required: true },
    key: text,
    callId: text,
    body: text,
    state: { type: String, enum: ["waiting", "sent", "dead"], required: true },
    attempts: { type: Number, default: 0 },
    nextAt: { type: Date, required: true },
    last: { type: String, default: null },
    createdAt: { type: Date, required: true },
    forgetAt: { type: Date },
  },
  STRICT,
);
schema.index({ webhook: 1, event: 1, key: 1 }, { unique: true });
schema.index({ state: 1, nextAt: 1 });
schema.index({ state: 1, createdAt: -1, _id: -1 });
schema.index({ forgetAt: 1 }, { expireAfterSeconds: 0 });

const KEEP_SENT_MS = 30 * 24 * 3600 * 1000;

const deliveryOf = ({ _id, webhook, event, callId, body, state, attempts, nextAt, last, createdAt }: DeliveryDocument): Delivery => ({
  id: _id,
  ...{ webhook, event, callId, body, state, attempts, nextAt, last, createdAt },
});

/** Messages to webhooks; what has been sent is kept for 30 days, what is dead until somebody looks. */
export function createDeliveryStore(connection: Connection): DeliveryStore {
  const deliveries: Model<DeliveryDocument> = modelOf(connection, "deliveries", schema);

  return {
    async add({ webhook, event, callId, body, key }) {
      const now = new Date();
      const document = {
        _id: newId(),
        v: 1,
        callId,
        body,
        state: "waiting" as const,
        attempts: 0,
        nextAt: now,
        last: null,
        createdAt: now,
      };
      try {
        await deliveries.updateOne({ webhook, event, key }, { $setOnInsert: document }, { ...SAFE, upsert: true, runValidators: true });
      } catch (error) {
        // Two at once: the other one has put it in.
        if (!isDuplicate(error)) throw error;
      }
    },

    async take(leaseMs) {
      for (;;) {
        const now = new Date();
        const due = await deliveries
          .findOne({ state: "waiting", nextAt: op({ $lte: now }) }, null, SAFE)
          .sort({ nextAt: 1 })
          .lean();
        if (!due) return null;
        // Whoever moves it from the moment and the number that were read has it; a set instead of an increment may be tried twice.
        const nextAt = new Date(Math.max(now.getTime(), due.nextAt.getTime()) + leaseMs);
        const taken = await deliveries
          .findOneAndUpdate(
            { _id: due._id, state: "waiting", nextAt: due.nextAt, attempts: due.attempts },
            { $set: { nextAt, attempts: due.attempts + 1 } },
            { ...SAFE, returnDocument: "after" },
          )
          .lean();
        if (taken) return deliveryOf(taken);
      }
    },

    async sent(id, last) {
      const forgetAt = new Date(Date.now() + KEEP_SENT_MS);
      await deliveries.updateOne({ _id: id }, { $set: { state: "sent", last, forgetAt } }, SAFE);
    },

    async again(id, last, nextAt) {
      const change = nextAt === null ? { state: "dead" as const, last } : { last, nextAt };
      await deliveries.updateOne({ _id: id, state: "waiting" }, { $set: change }, SAFE);
    },

    async resend(id) {
      const { matchedCount } = await deliveries.updateOne(
        { _id: id, state: "dead" },
        { $set: { state: "waiting", attempts: 0, nextAt: new Date() } },
        SAFE,
      );
      return matchedCount > 0;
    },

    async list(state, { limit, cursor, owner }) {
      const bound = ["deliveries", owner, state];
      const after = cursor === undefined ? {} : olderThan(readCursor(bound, cursor, ["number", "string"]) as [number, string]);
      const found = await deliveries
        .find({ state, ...after }, null, SAFE)
        .sort({ createdAt: -1, _id: -1 })
        .limit(limit + 1)
        .lean();
      const items = found.slice(0, limit);
      const last = items.at(-1);
      const nextCursor = found.length > limit && last ? makeCursor(bound, [last.createdAt.getTime(), last._id]) : null;
      return { items: items.map(deliveryOf), nextCursor };
    },
  };
}

function olderThan([createdAt, id]: readonly [number, string]): object {
  const time = new Date(createdAt);
  return { $and: [{ createdAt: op({ $lte: time }) }, { $or: [{ createdAt: op({ $lt: time }) }, { _id: op({ $lt: id }) }] }] };
}
