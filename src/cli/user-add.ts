import { text } from "node:stream/consumers";
import { hashPassword } from "../api/auth/password.ts";
import { loadConfig } from "../config.ts";
import type { UserRole } from "../models/people.ts";
import { CallsiftError } from "../pipeline/errors.ts";
import { openService } from "./service.ts";
import { EXIT, type Terminal } from "./terminal.ts";

export interface UserAddOptions {
  readonly role: UserRole;
  readonly fullName?: string;
  readonly team?: string;
  readonly agentId?: string;
  readonly data?: string;
}

const SHORTEST_PASSWORD = 8;

/** `callsift user add`: the password is the first line of standard input. */
export async function userAddCommand(username: string, options: UserAddOptions, terminal: Terminal): Promise<number> {
  const password = (await text(process.stdin)).split(/\r?\n/, 1)[0] ?? "";
  if (password.length < SHORTEST_PASSWORD)
    throw new CallsiftError(
      "usage/invalid",
      `expected a password of at least ${SHORTEST_PASSWORD} characters on standard input, got ${password.length}`,
    );
  if (options.role === "leader" && options.team === undefined)
    throw new CallsiftError("usage/invalid", "expected --team for a leader: whose calls they see");
  if (options.role === "agent" && options.agentId === undefined)
    throw new CallsiftError("usage/invalid", "expected --agent-id for an agent: whose calls they see");
  const config = loadConfig();
  await using service = await openService({
    config: { ...config, dataDir: options.data ?? config.dataDir },
    terminal,
    signal: new AbortController().signal,
    mayJoin: true,
  });
  const user = await service.models.users.add({
    tenant: "default",
    username,
    name: options.fullName ?? username,
    role: options.role,
    team: options.team ?? null,
    agentId: options.agentId ?? null,
    passwordHash: await hashPassword(password),
  });
  if (!user) throw new CallsiftError("usage/invalid", `expected a name that nobody has yet, got ${JSON.stringify(username)}`);
  terminal.stdout.write(`${user.username} (${user.role}) may sign in\n`);
  return EXIT.done;
}
