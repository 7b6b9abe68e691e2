import { type Connection, type Model, Schema } from "mongoose";
import { modelOf, op, SAFE, STRICT } from "./model-of.ts";
import type { SessionStore } from "./people.ts";
import { type UserDocument, userModel, userOf } from "./user-document.ts";

interface SessionDocument {
  /** SHA-256 of the secret. */
  _id: string;
  v: number;
  userId: string;
  /** Of the user when it was opened. */
  epoch: string;
  openedAt: Date;
  expiresAt: Date;
  /** Address of the client. */
  from: string;
}

const text = { type: String, required: true } as const;
const schema = new Schema<SessionDocument>(
  {
    _id: text,
    v: { type: Number, default: 1 },
    userId: text,
    epoch: text,
    openedAt: { type: Date, required: true },
    expiresAt: { type: Date, required: true },
    from: { type: String, default: "" },
  },
  STRICT,
);
// Takes away what has expired, once a minute; until then the expiry is asked for.
schema.index({ expiresAt: 1 }, { expireAfterSeconds: 0 });
schema.index({ userId: 1 });

export const sessionModel = (connection: Connection): Model<SessionDocument> => modelOf(connection, "sessions", schema);

/** Who is signed in. */
export function createSessionStore(connection: Connection): SessionStore {
  const sessions = sessionModel(connection);
  const users = userModel(connection);

  return {
    async open(secretHash, userId, expiresAt, from) {
      const user = await users.findOne({ _id: userId }, { epoch: 1 }, SAFE).lean<Pick<UserDocument, "epoch">>();
      // Of a user that is gone there can be no session: nothing finds it.
      const epoch = user?.epoch ?? "none";
      await sessions.updateOne(
        { _id: secretHash },
        { $setOnInsert: { v: 1, userId, epoch, openedAt: new Date(), expiresAt, from } },
        { ...SAFE, upsert: true },
      );
    },

    async find(secretHash) {
      if (typeof secretHash !== "string") return null;
      const session = await sessions.findOne({ _id: secretHash, expiresAt: op({ $gt: new Date() }) }, null, SAFE).lean();
      if (!session) return null;
      const user = await users.findOne({ _id: session.userId, epoch: session.epoch, disabled: false }, null, SAFE).lean();
      return user && { user: userOf(user), expiresAt: session.expiresAt };
    },

    async close(secretHash) {
      await sessions.deleteOne({ _id: secretHash }, SAFE);
    },

    async closeAll(userId) {
      const { deletedCount } = await sessions.deleteMany({ userId }, SAFE);
      return deletedCount;
    },
  };
}
