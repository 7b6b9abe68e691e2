import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { promisify } from "node:util";
import type { DataFolder } from "./data-folder.ts";
import { readServerRecord, type ServerRecord } from "./data-folder.ts";
import { identifyProcess } from "./process-identity.ts";
import { adoptServer } from "./server-process.ts";

/** The server that an owner which was killed has left; null where there is none. Its number, start and arguments must all be as written down. */
export async function findOrphan(folder: DataFolder): Promise<ServerRecord | null> {
  const record = await readServerRecord(folder);
  if (record === null) return null;
  const found = await identifyProcess(record.pid);
  return found !== null && found.startedAt === record.startedAt && found.command.includes(folder.path) ? record : null;
}

/**
 * Ends every server that has the storage open, found by its arguments: one may have been started by an owner that was killed before it could write
 * that down.
 *
 * @returns how many there were
 */
export async function endServersOf(storage: string): Promise<number> {
  let ended = 0;
  for (const pid of await allProcesses()) {
    const found = await identifyProcess(pid);
    if (found === null || pid === process.pid || !isServerOf(found.command, storage)) continue;
    await adoptServer(pid, found.startedAt).stop();
    ended++;
  }
  return ended;
}

function isServerOf(command: string, storage: string): boolean {
  return [`--storage-path ${storage} `, `--dbpath ${storage} `].some((argument) => `${command} `.includes(argument));
}

async function allProcesses(): Promise<number[]> {
  if (process.platform === "linux") return (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const { stdout } = await promisify(execFile)("ps", ["-axo", "pid="]);
  return stdout.trim().split(/\s+/).map(Number);
}
