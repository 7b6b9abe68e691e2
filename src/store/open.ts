import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type About, type DataFolder, openDataFolder, prepareStorage, readAbout, writeAbout, writeServerRecord } from "./data-folder.ts";
import { LocalDatabaseError, throwIfAborted } from "./error.ts";
import { fetchProgram } from "./fetch.ts";
import { freePort, isFree } from "./free-port.ts";
import { findOrphan } from "./orphan.ts";
import { claimFolder } from "./owner.ts";
import { createPassword, readPassword } from "./password.ts";
import { findProgram, type Program, type ProgramKind, type ProgramSources } from "./programs.ts";
import { keepRunning, type Run, startReady } from "./run-server.ts";
import { keyFile } from "./server-arguments.ts";
import { databaseUri, makeUser, openUri, type Patience, removeOtherUsers, versionOf, withServer } from "./server-client.ts";
import { adoptServer, type ServerProcess } from "./server-process.ts";

export interface LocalDatabaseOptions {
  /** The folder of callsift's data; the database's part is `database/` in it. */
  readonly dataDir: string;
  /** Default: that of last time where it is free, else any free one. */
  readonly port?: number | undefined;
  readonly programs: ProgramSources;
  /** callsift's own folder in the user's cache: programs are fetched into it. */
  readonly cacheDir: string;
  /** Told what is being fetched, a line at a time. */
  readonly onProgress?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The server's process is there, and takes a second until it answers: a good moment to load code. Not called where a server is taken over. */
  readonly onStarted?: (() => void) | undefined;
  /** Told what happens to the server later: that it died, that it is back. */
  readonly log?: ((line: string) => void) | undefined;
  /** Memory that the server keeps pages in, MB; default 256. */
  readonly cacheMegabytes?: number | undefined;
}

/** A running database that this process owns. Disposing of it stops the server in order. */
export interface LocalDatabase extends AsyncDisposable {
  /** With the password in it. It stays the same when the server is started again. */
  readonly uri: string;
  readonly program: { readonly kind: ProgramKind; readonly path: string; readonly version: string | null };
  readonly port: number;
  /** Of the server that runs now. */
  readonly pid: number;
}

const CACHE_MEGABYTES = 256;
const ADOPT_MS = 5000;

/**
 * Runs a MongoDB server of our own on a data folder: found, or fetched once; on the loopback interface, behind a password that lies in the folder; as a
 * replica set of one. It is started again when it dies, on the same port, so that the driver's own retries cover the gap. A server that a killed callsift
 * has left is taken over.
 *
 * @throws LocalDatabaseError of every reason
 */
export async function openLocalDatabase(options: LocalDatabaseOptions): Promise<LocalDatabase> {
  const folder = await openDataFolder(resolve(options.dataDir));
  const claim = await claimFolder(folder.path);
  try {
    const about = await readAbout(folder);
    const program = await programFor(about, options);
    const { run, server } = (await takeOver(folder, about, program, options)) ?? (await startFresh(folder, about, program, options));
    const version = await describe(run, server, options);
    const kept = keepRunning(run, server, options.log ?? (() => {}));
    return {
      uri: run.uri,
      program: { kind: program.kind, path: program.path, version },
      port: run.port,
      get pid() {
        return kept.pid;
      },
      [Symbol.asyncDispose]: async () => {
        await kept.stop();
        await claim[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await claim[Symbol.asyncDispose]();
    throw error;
  }
}

/** The program that made the files, where there are any; else the first that is found, else the first that can be fetched. */
async function programFor(about: About | null, { programs, cacheDir, onProgress, signal }: LocalDatabaseOptions): Promise<Program> {
  const found = await findProgram(programs, cacheDir, about?.kind);
  if (found !== null) return found;
  if (about?.kind === "secantusd-rs")
    throw new LocalDatabaseError(
      "no-program",
      "the files of this data folder were made by secantusd-rs, and no other program reads them: put it on the PATH again, or name it in CALLSIFT_MONGOD",
    );
  return await fetchProgram({ cacheDir, searchPath: programs.searchPath, onProgress, signal, ...(about && { kind: about.kind }) });
}

interface Running {
  readonly run: Run;
  readonly server: ServerProcess;
}

/** Takes over the server that a killed owner has left where it is as we would start it; else ends it. */
async function takeOver(folder: DataFolder, about: About | null, program: Program, options: LocalDatabaseOptions): Promise<Running | null> {
  const orphan = await findOrphan(folder);
  if (orphan === null) return null;
  const log = options.log ?? (() => {});
  const server = adoptServer(orphan.pid, orphan.startedAt);
  const password = await readPassword(folder.password);
  const fits = about?.signIn && orphan.program === program.path && (options.port ?? orphan.port) === orphan.port;
  if (password !== null && fits) {
    const run = runOf(folder, program, orphan.port, password, options);
    try {
      // Its answer to our password shows that it is ours.
      await withServer(run.uri, run.port, patienceFor(options), async () => {});
      log(`took over the database server ${orphan.pid}, whose callsift was killed`);
      return { run, server };
    } catch (error) {
      throwIfAborted(options.signal);
      log(`the database server ${orphan.pid}, whose callsift was killed, does not serve and is ended: ${(error as Error).message}`);
    }
  }
  await server.stop();
  return null;
}

async function startFresh(folder: DataFolder, about: About | null, program: Program, options: LocalDatabaseOptions): Promise<Running> {
  await prepareStorage(folder, program.kind);
  const there = await readPassword(folder.password);
  const password = there ?? (await createPassword(folder.password));
  if (options.port !== undefined && !(await isFree(options.port)))
    throw new LocalDatabaseError("not-ready", `port ${options.port}: expected it to be free on the loopback interface, got one in use`);
  const port = options.port ?? (await freePort(about?.port ?? undefined));
  const isNew = there === null || !about?.signIn;
  if (isNew) await makeSignIn(folder, program, port, password, options);
  const run = runOf(folder, program, port, password, options);
  await writeAbout(folder, { kind: program.kind, signIn: true, port });
  const server = await startReady(run, options.signal);
  try {
    if (isNew) await withServer(run.uri, run.port, patienceFor(options), removeOtherUsers);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { run, server };
}

/**
 * The first start: without sign-in, to make the one user. It takes half a second and is on the loopback interface, but what another user of this machine may
 * have made in it must not last: see `removeOtherUsers`.
 */
async function makeSignIn(
  folder: DataFolder,
  program: Program,
  lastPort: number,
  password: string,
  options: LocalDatabaseOptions,
): Promise<void> {
  // A mongod has its port written in its replica set's configuration; for the others it is one that nobody knows.
  const port = program.kind === "mongod" ? lastPort : await freePort();
  await writeAbout(folder, { kind: program.kind, signIn: false, port: null });
  if (program.kind === "mongod") await writeFile(keyFile(folder.path), randomBytes(96).toString("base64"), { mode: 0o600 });
  const run: Run = { ...runOf(folder, program, port, password, options), uri: openUri(port), signIn: false };
  const server = await startReady(run, options.signal);
  try {
    await withServer(run.uri, port, patienceFor(options), (client) => makeUser(client, password));
  } finally {
    await server.stop();
    await writeServerRecord(folder, null);
  }
}

function runOf(folder: DataFolder, program: Program, port: number, password: string, options: LocalDatabaseOptions): Run {
  return {
    folder,
    program,
    port,
    uri: databaseUri(program.kind, port, password),
    signIn: true,
    cacheMegabytes: options.cacheMegabytes ?? CACHE_MEGABYTES,
    searchPath: options.programs.searchPath,
    onStarted: options.onStarted,
  };
}

const patienceFor = ({ signal }: Pick<LocalDatabaseOptions, "signal">): Patience => ({ deadlineMs: ADOPT_MS, signal, ended: () => null });

async function describe(run: Run, server: ServerProcess, options: LocalDatabaseOptions): Promise<string | null> {
  try {
    return await withServer(run.uri, run.port, patienceFor(options), versionOf);
  } catch (error) {
    await server.stop();
    throw error;
  }
}
