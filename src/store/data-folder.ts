import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LocalDatabaseError } from "./error.ts";
import type { ProgramKind } from "./programs.ts";
import { secantusSettings, storagePath } from "./server-arguments.ts";
import { writeDurably } from "./write-durably.ts";

/** What is known of the database in a data folder. */
export interface About {
  /** Which program made its files. */
  readonly kind: ProgramKind;
  /** The user is made, so the server is started with sign-in. */
  readonly signIn: boolean;
  /** The port of last time: kept where it can be. */
  readonly port: number | null;
}

/** The server that was started last, so that it is found again when its owner was killed. */
export interface ServerRecord {
  readonly pid: number;
  /** As `identifyProcess` gives it. */
  readonly startedAt: string;
  readonly port: number;
  readonly program: string;
  readonly args: readonly string[];
}

/** The part of a data folder that belongs to the database, and the files in it. */
export interface DataFolder {
  readonly path: string;
  readonly password: string;
  readonly log: string;
}

const KINDS: readonly ProgramKind[] = ["mongod", "secantusd-rs", "secantusd-py"];

/** Makes the database's part of a data folder, for its owner only. */
export async function openDataFolder(dataDir: string): Promise<DataFolder> {
  const path = join(dataDir, "database");
  await mkdir(path, { recursive: true, mode: 0o700 });
  return { path, password: join(path, "password"), log: join(path, "database.log") };
}

/** Makes what a server of this kind expects to be there. */
export async function prepareStorage({ path }: DataFolder, kind: ProgramKind): Promise<void> {
  await mkdir(storagePath(path, kind), { recursive: true, mode: 0o700 });
  if (kind !== "mongod") await writeFile(secantusSettings(path), "");
}

/**
 * What is known of the database; null where there is none yet.
 *
 * @throws LocalDatabaseError `damaged`
 */
export async function readAbout({ path }: DataFolder): Promise<About | null> {
  const file = join(path, "about.json");
  const about = await readJson(file);
  if (about === undefined) {
    // The file is lost, but files of a server are there: an empty database beside them would look as if all calls were gone.
    const there = await readdir(path);
    const kind = KINDS.find((one) => there.includes(one));
    return kind === undefined ? null : { kind, signIn: false, port: null };
  }
  const { kind, signIn, port } = about as { kind?: unknown; signIn?: unknown; port?: unknown };
  const known = KINDS.find((one) => one === kind);
  if (known === undefined)
    throw new LocalDatabaseError("damaged", `${file}: expected "kind" to be one of ${KINDS.join(", ")}, got ${JSON.stringify(kind)}`);
  return { kind: known, signIn: signIn === true, port: typeof port === "number" ? port : null };
}

export async function writeAbout({ path }: DataFolder, about: About): Promise<void> {
  await writeDurably(join(path, "about.json"), `${JSON.stringify(about)}\n`);
}

/** The server that was started last; null where it was stopped in order. */
export async function readServerRecord({ path }: DataFolder): Promise<ServerRecord | null> {
  const record = await readJson(join(path, "server.json")).catch(() => undefined);
  const { pid, startedAt, port, program, args } = (record ?? {}) as Partial<Record<keyof ServerRecord, unknown>>;
  if (typeof pid !== "number" || typeof startedAt !== "string" || typeof port !== "number" || !Array.isArray(args)) return null;
  return { pid, startedAt, port, program: String(program), args: args.map(String) };
}

/** null: it was stopped in order. */
export async function writeServerRecord({ path }: DataFolder, record: ServerRecord | null): Promise<void> {
  await writeDurably(join(path, "server.json"), `${JSON.stringify(record)}\n`);
}

async function readJson(file: string): Promise<object | null | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object") return value;
  } catch {
    // Said below.
  }
  throw new LocalDatabaseError("damaged", `${file}: expected a JSON object, got ${JSON.stringify(text.slice(0, 40))}`);
}
