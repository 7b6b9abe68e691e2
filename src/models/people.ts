import type { Page, PageOptions } from "./page.ts";

export const USER_ROLES = ["admin", "supervisor", "inspector", "leader", "agent", "manager"] as const;
export type UserRole = (typeof USER_ROLES)[number];

/** Somebody who signs in. */
export interface User {
  readonly id: string;
  readonly tenant: string;
  /** Unique, compared without case. */
  readonly username: string;
  readonly name: string;
  readonly role: UserRole;
  /** Of a leader: whose calls they see. */
  readonly team: string | null;
  /** Of an agent: whose calls they see. */
  readonly agentId: string | null;
  readonly disabled: boolean;
  readonly createdAt: Date;
}

export interface NewUser extends Pick<User, "tenant" | "username" | "name" | "role" | "team" | "agentId"> {
  /** Hashed by the caller (scrypt, its parameters in the text). */
  readonly passwordHash: string;
}

export interface UserStore {
  /** null: the name is taken. */
  add(user: NewUser): Promise<User | null>;
  get(id: string): Promise<User | null>;
  byName(username: string): Promise<{ readonly user: User; readonly passwordHash: string } | null>;
  list(tenant: string, options: PageOptions): Promise<Page<User>>;
  /** Ends all sessions where role, password, scope or `disabled` change. */
  change(
    id: string,
    change: Partial<Pick<NewUser, "name" | "role" | "team" | "agentId" | "passwordHash"> & { readonly disabled: boolean }>,
  ): Promise<User | null>;
  count(): Promise<number>;
}

/** Secrets are kept as SHA-256 only. */
export interface Session {
  readonly user: User;
  readonly expiresAt: Date;
}

export interface SessionStore {
  open(secretHash: string, userId: string, expiresAt: Date, from: string): Promise<void>;
  /** null: none, expired, revoked, or its user is disabled. */
  find(secretHash: string): Promise<Session | null>;
  close(secretHash: string): Promise<void>;
  closeAll(userId: string): Promise<number>;
}

export interface Token {
  readonly id: string;
  readonly name: string;
  readonly userId: string;
  /** Its rights: never more than its owner's at the time of use. */
  readonly role: UserRole;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly lastUsedAt: Date | null;
}

export interface TokenStore {
  add(token: Pick<Token, "name" | "userId" | "role" | "expiresAt">, secretHash: string): Promise<Token>;
  /** null: none, expired, or its user is disabled; the time of use is kept to the minute. */
  find(secretHash: string): Promise<{ readonly token: Token; readonly user: User } | null>;
  list(userId: string): Promise<readonly Token[]>;
  remove(id: string, userId: string): Promise<boolean>;
}
