import { constants } from "node:fs";
import { access, readdir, readFile, stat } from "node:fs/promises";
import { basename, delimiter, isAbsolute, join, resolve } from "node:path";
import { LocalDatabaseError } from "./error.ts";

/** The server programs that callsift can run. Each has files of its own: none reads another's. */
export type ProgramKind = "mongod" | "secantusd-rs" | "secantusd-py";

/** Where programs are looked for. */
export interface ProgramSources {
  /** A program named by hand (CALLSIFT_MONGOD): it alone is asked. */
  readonly mongodPath: string | null;
  /** Folders, as in PATH. */
  readonly searchPath: string;
}

/** A server program that is there. */
export interface Program {
  readonly kind: ProgramKind;
  readonly path: string;
  readonly from: "CALLSIFT_MONGOD" | "PATH" | "fetched";
}

/** Folder of the programs that were fetched, below callsift's own folder in the user's cache. */
export function programsFolder(cacheDir: string): string {
  return join(cacheDir, "programs");
}

/** Written last into the folder of a fetched program: without it the folder is half made. */
export const INSTALLED_FILE = "installed.json";

/**
 * Finds a server program: `mongodPath`, `mongod` on the path, `secantusd-rs` on the path, the newest that was fetched (MongoDB's before SecantusDB).
 *
 * @param kind - Only this one: files that one program made are read by no other.
 * @returns null where there is none
 * @throws LocalDatabaseError `no-program` where `mongodPath` is set and is no program, or one of another kind
 */
export async function findProgram(sources: ProgramSources, cacheDir: string, kind?: ProgramKind): Promise<Program | null> {
  const fits = (program: Program | null): program is Program => program !== null && (kind === undefined || program.kind === kind);
  if (sources.mongodPath !== null) {
    const path = resolve(sources.mongodPath);
    if (!(await isProgram(path)))
      throw new LocalDatabaseError("no-program", `CALLSIFT_MONGOD: expected a program that may be run, got ${path}`);
    const program: Program = { kind: kindOf(path), path, from: "CALLSIFT_MONGOD" };
    if (fits(program)) return program;
    throw new LocalDatabaseError(
      "no-program",
      `CALLSIFT_MONGOD: expected a ${kind}, which made the files of this data folder, got ${path}`,
    );
  }
  for (const name of ["mongod", "secantusd-rs"] as const) {
    const path = await onPath(name, sources.searchPath);
    const program: Program | null = path === null ? null : { kind: name, path, from: "PATH" };
    if (fits(program)) return program;
  }
  for (const program of await fetchedPrograms(cacheDir)) if (fits(program)) return program;
  return null;
}

/** Which server a program is, by its name; one of any other name is taken for MongoDB's. */
export function kindOf(path: string): ProgramKind {
  const name = basename(path).toLowerCase();
  return name.startsWith("secantusd-rs") ? "secantusd-rs" : name.startsWith("secantusd-py") ? "secantusd-py" : "mongod";
}

/** Finds a program by name in the folders of a path. */
export async function onPath(name: string, searchPath: string): Promise<string | null> {
  for (const folder of searchPath.split(delimiter)) {
    if (!isAbsolute(folder)) continue;
    const path = join(folder, name);
    if (await isProgram(path)) return path;
  }
  return null;
}

const ORDER: readonly ProgramKind[] = ["mongod", "secantusd-rs", "secantusd-py"];

/** The programs that were fetched, MongoDB's before SecantusDB, the newest of each first. */
export async function fetchedPrograms(cacheDir: string): Promise<Program[]> {
  const folder = programsFolder(cacheDir);
  const found: Program[] = [];
  // Newest version last by name, so first here.
  for (const name of (await readdir(folder).catch((): string[] => [])).sort().reverse()) {
    const program = await readInstalled(join(folder, name));
    if (program !== null) found.push(program);
  }
  return found.sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
}

/** The program in a folder of a fetched one; null where it is half made. */
export async function readInstalled(folder: string): Promise<Program | null> {
  try {
    const { kind, program } = JSON.parse(await readFile(join(folder, INSTALLED_FILE), "utf8")) as { kind?: unknown; program?: unknown };
    const path = join(folder, String(program));
    const known = ORDER.find((one) => one === kind);
    return known !== undefined && (await isProgram(path)) ? { kind: known, path, from: "fetched" } : null;
  } catch {
    return null;
  }
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
