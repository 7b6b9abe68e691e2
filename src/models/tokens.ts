import { type Connection, type Model, Schema } from "mongoose";
import { modelOf, newId, op, SAFE, STRICT } from "./model-of.ts";
import { type Token, type TokenStore, USER_ROLES, type UserRole } from "./people.ts";
import { userModel, userOf } from "./user-document.ts";

interface TokenDocument {
  _id: string;
  v: number;
  /** SHA-256 of the secret. */
  hash: string;
  name: string;
  userId: string;
  role: UserRole;
  createdAt: Date;
  expiresAt: Date | null;
  lastUsedAt: Date | null;
}

const text = { type: String, required: true } as const;
const schema = new Schema<TokenDocument>(
  {
    _id: text,
    v: { type: Number, default: 1 },
    hash: text,
    name: text,
    userId: text,
    role: { type: String, enum: USER_ROLES, required: true },
    createdAt: { type: Date, required: true },
    expiresAt: { type: Date, default: null },
    lastUsedAt: { type: Date, default: null },
  },
  STRICT,
);
schema.index({ hash: 1 }, { unique: true });
schema.index({ userId: 1, createdAt: -1 });
// Tokens without an end (null) stay.
schema.index({ expiresAt: 1 }, { expireAfterSeconds: 0 });

const MINUTE_MS = 60_000;

const tokenOf = ({ _id, name, userId, role, createdAt, expiresAt, lastUsedAt }: TokenDocument): Token => ({
  id: _id,
  ...{ name, userId, role, createdAt, expiresAt, lastUsedAt },
});

const isOver = ({ expiresAt }: TokenDocument, now: Date): boolean => expiresAt !== null && expiresAt <= now;

/** Tokens of programs that use the API. */
export function createTokenStore(connection: Connection): TokenStore {
  const tokens: Model<TokenDocument> = modelOf(connection, "tokens", schema);
  const users = userModel(connection);

  return {
    async add({ name, userId, role, expiresAt }, hash) {
      const document: TokenDocument = {
        _id: newId(),
        v: 1,
        ...{ hash, name, userId, role, expiresAt },
        createdAt: new Date(),
        lastUsedAt: null,
      };
      await tokens.updateOne({ _id: document._id }, { $setOnInsert: document }, { ...SAFE, upsert: true, runValidators: true });
      return tokenOf(document);
    },

    async find(secretHash) {
      if (typeof secretHash !== "string") return null;
      const now = new Date();
      const token = await tokens.findOne({ hash: secretHash }, null, SAFE).lean();
      if (!token || isOver(token, now)) return null;
      const user = await users.findOne({ _id: token.userId, disabled: false }, null, SAFE).lean();
      if (!user) return null;
      const minuteAgo = new Date(now.getTime() - MINUTE_MS);
      if (token.lastUsedAt === null || token.lastUsedAt <= minuteAgo) {
        await tokens.updateOne(
          { _id: token._id, $or: [{ lastUsedAt: null }, { lastUsedAt: op({ $lte: minuteAgo }) }] },
          { $set: { lastUsedAt: now } },
          SAFE,
        );
      }
      return { token: tokenOf(token), user: userOf(user) };
    },

    async list(userId) {
      const now = new Date();
      const found = await tokens.find({ userId }, null, SAFE).sort({ createdAt: -1 }).lean();
      return found.filter((token) => !isOver(token, now)).map(tokenOf);
    },

    async remove(id, userId) {
      const { deletedCount } = await tokens.deleteOne({ _id: id, userId }, SAFE);
      return deletedCount === 1;
    },
  };
}
