import { join } from "node:path";
import type { ProgramKind } from "./programs.ts";

/** What a server is started with. */
export interface ServerOptions {
  readonly kind: ProgramKind;
  /** The data folder's part of the database. */
  readonly folder: string;
  readonly port: number;
  /** Whether clients must sign in; without, only while the user is made. */
  readonly signIn: boolean;
  readonly cacheMegabytes: number;
}

/** Name of the replica set of one. */
export const REPLICA_SET = { mongod: "callsift", "secantusd-rs": "secantus", "secantusd-py": "secantus" } as const satisfies Record<
  ProgramKind,
  string
>;

/** Files of a server: each kind has a folder of its own, for none reads another's. */
export const storagePath = (folder: string, kind: ProgramKind): string => join(folder, kind);
/** An empty file of settings: without it SecantusDB would look for one in the user's home and in /etc. */
export const secantusSettings = (folder: string): string => join(folder, "secantusd.toml");
/** The key that mongod wants of members of a replica set with sign-in. */
export const keyFile = (folder: string): string => join(folder, "mongod.key");

/** The arguments of a server: loopback only, and no write is acknowledged before it is on the disk. */
export function serverArguments(options: ServerOptions): string[] {
  return options.kind === "mongod" ? mongodArguments(options) : secantusArguments(options);
}

function secantusArguments({ kind, folder, port, signIn, cacheMegabytes }: ServerOptions): string[] {
  return [
    ["--config", secantusSettings(folder)],
    ["--host", "127.0.0.1"],
    ["--port", `${port}`],
    ["--storage-path", storagePath(folder, kind)],
    ["--cache-size", `${cacheMegabytes}M`],
    ["--log-level", "WARNING"],
    // Without it a write that was acknowledged with journal: true can be gone after a crash.
    ["--sync-on-commit"],
    signIn ? ["--auth"] : [],
  ].flat();
}

function mongodArguments({ kind, folder, port, signIn, cacheMegabytes }: ServerOptions): string[] {
  return [
    ["--bind_ip", "127.0.0.1"],
    ["--port", `${port}`],
    ["--dbpath", storagePath(folder, kind)],
    ["--replSet", REPLICA_SET.mongod],
    // 0.25 GB is the least that mongod takes.
    ["--wiredTigerCacheSizeGB", `${Math.max(0.25, cacheMegabytes / 1024)}`],
    ["--nounixsocket", "--quiet"],
    signIn ? ["--keyFile", keyFile(folder)] : [],
  ].flat();
}
