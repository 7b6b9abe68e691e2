import { type Connection, type Model, Schema } from "mongoose";
import { modelOf, STRICT } from "./model-of.ts";
import { USER_ROLES, type User, type UserRole } from "./people.ts";

/** A user as the database has it. */
export interface UserDocument {
  _id: string;
  v: number;
  tenant: string;
  username: string;
  /** The name as it is compared. */
  nameKey: string;
  name: string;
  role: UserRole;
  team: string | null;
  agentId: string | null;
  disabled: boolean;
  passwordHash: string;
  /** Changes with role, password, scope and `disabled`: sessions of another epoch are over. */
  epoch: string;
  createdAt: Date;
}

const text = { type: String, required: true } as const;
const schema = new Schema<UserDocument>(
  {
    _id: text,
    v: { type: Number, default: 1 },
    tenant: text,
    username: text,
    nameKey: text,
    name: { type: String, default: "" },
    role: { type: String, enum: USER_ROLES, required: true },
    team: { type: String, default: null },
    agentId: { type: String, default: null },
    disabled: { type: Boolean, default: false },
    passwordHash: text,
    epoch: text,
    createdAt: { type: Date, required: true },
  },
  STRICT,
);
schema.index({ nameKey: 1 }, { unique: true });
schema.index({ tenant: 1, nameKey: 1 });

export const userModel = (connection: Connection): Model<UserDocument> => modelOf(connection, "users", schema);

/** A username as it is compared: without case, width or composition. */
export function usernameKey(username: string): string {
  return username.normalize("NFKC").toLowerCase();
}

export function userOf(document: UserDocument): User {
  const { _id, tenant, username, name, role, team, agentId, disabled, createdAt } = document;
  return { id: _id, tenant, username, name, role, team, agentId, disabled, createdAt };
}
