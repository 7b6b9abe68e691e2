import { resolve } from "node:path";
import { openDataFolder, readAbout, readServerRecord } from "./data-folder.ts";
import { ownerOf } from "./owner.ts";
import { readPassword } from "./password.ts";
import { databaseUri } from "./server-client.ts";

/**
 * The address of the database that another process of this user runs on a data folder, so that a command can work beside a running service; null where none runs.
 *
 * @throws LocalDatabaseError `damaged`
 */
export async function findRunningDatabase(dataDir: string): Promise<string | null> {
  const folder = await openDataFolder(resolve(dataDir));
  if ((await ownerOf(folder.path)) === null) return null;
  const [about, record, password] = await Promise.all([readAbout(folder), readServerRecord(folder), readPassword(folder.password)]);
  return about?.signIn && record && password !== null ? databaseUri(about.kind, record.port, password) : null;
}
