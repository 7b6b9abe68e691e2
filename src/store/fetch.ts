import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, copyFile, mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { promisify } from "node:util";
import { LocalDatabaseError, throwIfAborted } from "./error.ts";
import { downloadMongod, type MongodDownload, sha256Of } from "./fetch-mongod.ts";
import { installSecantus } from "./fetch-secantus.ts";
import { identifyProcess } from "./process-identity.ts";
import { fetchedPrograms, INSTALLED_FILE, kindOf, type Program, type ProgramKind, programsFolder, readInstalled } from "./programs.ts";
import { SECANTUS_VERSION } from "./secantus-requirements.ts";
import { unpackTar } from "./unpack.ts";
import { syncFolder } from "./write-durably.ts";

export interface FetchOptions {
  /** callsift's own folder in the user's cache. */
  readonly cacheDir: string;
  /** Where Python is looked for. */
  readonly searchPath: string;
  /** A file or folder that was carried in; nothing is asked of the network then. */
  readonly from?: string | undefined;
  /** Only this one. */
  readonly kind?: ProgramKind | undefined;
  /** Told how far it is, a line at a time. */
  readonly onProgress?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** For tests: how MongoDB's archive is fetched. */
  readonly mongod?: Pick<MongodDownload, "archives" | "env"> | undefined;
}

/**
 * Fetches a server program into the user's cache, where none was fetched before: MongoDB's own Community build, and where that can't be had SecantusDB from the Python index; or
 * takes what was carried in: MongoDB's archive (.tgz), a folder or .tar of SecantusDB's wheels, or a program as it is.
 *
 * @throws LocalDatabaseError `unreachable`, `damaged`, `no-program`, `aborted`
 */
export async function fetchProgram(options: FetchOptions): Promise<Program> {
  await sweep(programsFolder(options.cacheDir));
  if (options.from !== undefined) return await takeCarried(resolve(options.from), options);
  const there = (await fetchedPrograms(options.cacheDir)).find(({ kind }) => options.kind === undefined || options.kind === kind);
  if (there !== undefined) return there;
  const failures: LocalDatabaseError[] = [];
  for (const [kind, fetchOne] of [
    ["mongod", fetchMongod],
    ["secantusd-py", fetchSecantus],
  ] as const) {
    if (options.kind !== undefined && options.kind !== kind) continue;
    try {
      return await fetchOne(options);
    } catch (error) {
      if (!(error instanceof LocalDatabaseError) || error.reason === "aborted") throw error;
      failures.push(error);
      options.onProgress?.(error.message);
    }
  }
  const reason = failures.find((failure) => failure.reason !== "no-program")?.reason ?? "no-program";
  throw new LocalDatabaseError(
    reason,
    `expected a MongoDB server program, and none can be fetched: ${failures.map(({ message }) => message).join("; ")}. Install mongod, name one in CALLSIFT_MONGOD, carry one in with callsift store fetch --from, or set MONGODB_URI`,
    { cause: failures[0] },
  );
}

const progressOf = ({ onProgress }: FetchOptions) => onProgress ?? (() => {});

async function fetchMongod(options: FetchOptions): Promise<Program> {
  return await install(options, async (folder) => {
    // Kept apart, so that a download that was cut goes on the next time.
    const downloads = join(programsFolder(options.cacheDir), "downloads");
    await mkdir(downloads, { recursive: true });
    const archive = await downloadMongod({
      folder: downloads,
      onProgress: progressOf(options),
      signal: options.signal,
      ...options.mongod,
    }).catch(async (error: unknown) => {
      if (error instanceof LocalDatabaseError && error.reason === "damaged") await rm(downloads, { recursive: true, force: true });
      throw error;
    });
    const made = await unpackMongod(archive, folder, options);
    await rm(downloads, { recursive: true, force: true });
    return made;
  });
}

async function fetchSecantus(options: FetchOptions, wheels?: string): Promise<Program> {
  return await install(options, async (folder) => {
    const { searchPath, signal } = options;
    const program = await installSecantus({ folder, searchPath, wheels, onProgress: progressOf(options), signal });
    return { kind: "secantusd-py", name: `secantusdb-${SECANTUS_VERSION}`, program };
  });
}

async function takeCarried(from: string, options: FetchOptions): Promise<Program> {
  const found = await stat(from).catch((cause: Error) => {
    throw new LocalDatabaseError("no-program", `${from}: expected a file or folder, got none`, { cause });
  });
  if (found.isDirectory()) return await fetchSecantus(options, from);
  if (/\.(?:tgz|tar|tar\.gz)$/i.test(from)) {
    return await install(options, async (folder) => {
      const names = await unpackTar(from, folder, (name) => name === "mongod" || name.endsWith(".whl"), options.signal).catch(
        (cause: Error) => {
          throw cause instanceof LocalDatabaseError
            ? cause
            : new LocalDatabaseError("damaged", `${from}: expected an archive, got: ${cause.message}`, { cause });
        },
      );
      if (names.includes("mongod")) return await nameMongod(folder);
      if (names.length === 0)
        throw new LocalDatabaseError("no-program", `${from}: expected mongod or wheels of SecantusDB in it, got neither`);
      const { searchPath, signal } = options;
      const program = await installSecantus({
        folder: join(folder, "environment"),
        searchPath,
        wheels: folder,
        onProgress: progressOf(options),
        signal,
      });
      return { kind: "secantusd-py", name: `secantusdb-${SECANTUS_VERSION}`, program: join("environment", program) };
    });
  }
  return await install(options, async (folder) => {
    const name = basename(from);
    await copyFile(from, join(folder, name));
    await chmod(join(folder, name), 0o755);
    await checkRuns(join(folder, name));
    return { kind: kindOf(name), name: `${name}-${(await sha256Of(from)).slice(0, 8)}`, program: name };
  });
}

interface Made {
  readonly kind: ProgramKind;
  /** Of its folder. */
  readonly name: string;
  /** Path of the program in the folder. */
  readonly program: string;
}

async function unpackMongod(archive: string, folder: string, options: FetchOptions): Promise<Made> {
  progressOf(options)("MongoDB: unpacking");
  const names = await unpackTar(archive, folder, (name) => name === "mongod", options.signal);
  if (names.length === 0) throw new LocalDatabaseError("damaged", `${basename(archive)}: expected mongod in it, got none`);
  return await nameMongod(folder);
}

async function nameMongod(folder: string): Promise<Made> {
  const told = await checkRuns(join(folder, "mongod"));
  return { kind: "mongod", name: `mongod-${/v(\d+\.\d+\.\d+)/.exec(told)?.[1] ?? "unknown"}`, program: "mongod" };
}

/** A program for another system, or without its libraries, is found out now and not at three in the morning. */
async function checkRuns(path: string): Promise<string> {
  try {
    return (await promisify(execFile)(path, ["--version"], { timeout: 30_000 })).stdout;
  } catch (cause) {
    const reason = (cause as Error).message.split("\n").slice(0, 3).join(" ");
    throw new LocalDatabaseError("no-program", `${basename(path)}: expected a program that runs on this machine, got: ${reason}`, {
      cause,
    });
  }
}

const TEMPORARY = /^tmp-(\d+)-/;

/** Makes a program in a folder beside its place and moves it there at the end, so that two who fetch at once don't disturb each other. */
async function install(options: FetchOptions, make: (folder: string) => Promise<Made>): Promise<Program> {
  const all = programsFolder(options.cacheDir);
  const folder = join(all, `tmp-${process.pid}-${randomBytes(4).toString("hex")}`);
  await mkdir(folder, { recursive: true });
  try {
    const { kind, name, program } = await make(folder);
    throwIfAborted(options.signal);
    await writeFile(join(folder, INSTALLED_FILE), `${JSON.stringify({ kind, program })}\n`);
    const place = join(all, name);
    const there = await readInstalled(place);
    if (there !== null) return there;
    await rm(place, { recursive: true, force: true });
    await rename(folder, place).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
    await syncFolder(all);
    const installed = await readInstalled(place);
    if (installed === null) throw new LocalDatabaseError("damaged", `${place}: expected the program that was just put there, got none`);
    return installed;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Removes what killed processes have left half made. */
async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch((): string[] => [])) {
    const pid = TEMPORARY.exec(name)?.[1];
    if (pid !== undefined && (await identifyProcess(Number(pid))) === null) await rm(join(folder, name), { recursive: true, force: true });
  }
}
