import { randomUUID } from "node:crypto";
import type { Connection } from "mongoose";
import { makeCursor, readCursor } from "./cursor.ts";
import { isDuplicate, newId, op, SAFE } from "./model-of.ts";
import type { NewUser, UserStore } from "./people.ts";
import { sessionModel } from "./sessions.ts";
import { type UserDocument, userModel, usernameKey, userOf } from "./user-document.ts";

/** Changes of these end the user's sessions. */
const ENDING = ["role", "team", "agentId", "passwordHash", "disabled"] as const;

/** People who sign in. */
export function createUserStore(connection: Connection): UserStore {
  const users = userModel(connection);
  const sessions = sessionModel(connection);

  return {
    async add(user: NewUser) {
      const { tenant, username, name, role, team, agentId, passwordHash } = user;
      const document: UserDocument = {
        _id: newId(),
        v: 1,
        ...{ tenant, username, nameKey: usernameKey(username), name, role, team, agentId, passwordHash },
        disabled: false,
        epoch: randomUUID(),
        createdAt: new Date(),
      };
      try {
        await users.create([document]);
      } catch (error) {
        if (!isDuplicate(error)) throw error;
        // After a broken connection the driver tries again, and then it is our own that is there.
        const there = await users.findOne({ _id: document._id }, null, SAFE).lean();
        return there && userOf(there);
      }
      return userOf(document);
    },

    async get(id) {
      const found = await users.findOne({ _id: id }, null, SAFE).lean();
      return found && userOf(found);
    },

    async byName(username) {
      if (typeof username !== "string") return null;
      const found = await users.findOne({ nameKey: usernameKey(username) }, null, SAFE).lean();
      return found && { user: userOf(found), passwordHash: found.passwordHash };
    },

    async list(tenant, { limit, cursor, owner }) {
      const bound = ["users", owner, tenant];
      const [after] = cursor === undefined ? [] : (readCursor(bound, cursor, ["string"]) as [string]);
      const found = await users
        .find({ tenant, ...(after === undefined ? {} : { nameKey: op({ $gt: after }) }) }, null, SAFE)
        .sort({ nameKey: 1 })
        .limit(limit + 1)
        .lean();
      const items = found.slice(0, limit);
      return { items: items.map(userOf), nextCursor: found.length > limit ? makeCursor(bound, [items.at(-1)?.nameKey as string]) : null };
    },

    async change(id, change) {
      const set: Partial<UserDocument> = {};
      for (const key of ["name", "role", "team", "agentId", "passwordHash", "disabled"] as const) {
        if (change[key] !== undefined) Object.assign(set, { [key]: change[key] });
      }
      const ends = ENDING.some((key) => key in set);
      if (ends) set.epoch = randomUUID();
      const changed = await users
        .findOneAndUpdate({ _id: id }, { $set: set }, { ...SAFE, returnDocument: "after", runValidators: true })
        .lean();
      // Their epoch has ended them already; this only tidies up.
      if (changed && ends) await sessions.deleteMany({ userId: id }, SAFE);
      return changed && userOf(changed);
    },

    async count() {
      return await users.countDocuments({}, SAFE);
    },
  };
}
