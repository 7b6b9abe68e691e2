import Type from "typebox";
import { USER_ROLES } from "../../models/people.ts";
import { Instant, oneOf, orNull, strict } from "./common.ts";

export const Role = oneOf(USER_ROLES, { description: "What somebody may do" });

/** Who is signed in, as little as a page needs. */
export const SignedIn = Type.Object({
  user: Type.Object({ id: Type.String(), username: Type.String(), name: Type.String(), role: Role }),
});

export const Password = Type.String({ minLength: 8, maxLength: 1_000 });
export const Username = Type.String({ pattern: "^[\\p{L}\\p{N}][\\p{L}\\p{N}._@+-]{0,63}$", maxLength: 64 });

export const User = Type.Object({
  id: Type.String(),
  username: Type.String(),
  name: Type.String(),
  role: Role,
  team: orNull(Type.String()),
  agentId: orNull(Type.String()),
  disabled: Type.Boolean(),
  createdAt: Instant,
});

const Name = Type.String({ minLength: 1, maxLength: 200 });
const Scope = Type.String({ minLength: 1, maxLength: 200 });

export const NewUser = strict({
  username: Username,
  password: Password,
  name: Type.Optional(Name),
  role: Role,
  team: Type.Optional(orNull(Scope)),
  agentId: Type.Optional(orNull(Scope)),
});

export const UserChange = strict({
  password: Type.Optional(Password),
  name: Type.Optional(Name),
  role: Type.Optional(Role),
  team: Type.Optional(orNull(Scope)),
  agentId: Type.Optional(orNull(Scope)),
  disabled: Type.Optional(Type.Boolean()),
});

export const Token = Type.Object({
  id: Type.String(),
  name: Type.String(),
  role: Role,
  createdAt: Instant,
  expiresAt: orNull(Instant),
  lastUsedAt: orNull(Instant),
});

export const NewToken = strict({
  name: Name,
  role: Type.Optional(Role),
  expiresAt: Type.Optional(orNull(Type.String({ format: "date-time" }))),
});
