import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Logger, pino } from "pino";
import type { Config } from "../config.ts";
import type { Models } from "../models/models.ts";
import type { RecordingFiles } from "../models/recording-files.ts";
import { ofStore, openLocal } from "./local-database.ts";
import type { Terminal } from "./terminal.ts";

/** What every process of the service has: the database, with its rules and its first user, and the bytes of the recordings. */
export interface Service extends AsyncDisposable {
  readonly models: Models;
  readonly files: RecordingFiles;
  readonly log: Logger;
}

export interface ServiceOptions {
  readonly config: Config;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** Begins to load what the caller needs next; called again and again. */
  readonly load?: () => Promise<unknown>;
  /** A command that works beside a service that runs: its local database is used too. */
  readonly mayJoin?: boolean;
}

/** JSON lines on standard error. */
export function createLog({ logLevel }: Config): Logger {
  return pino({ name: "callsift", level: logLevel }, pino.destination(2));
}

/**
 * Opens database and recordings, and brings both to the state that this version expects.
 *
 * @throws CallsiftError `store/…`, `aborted`
 */
export async function openService({ config, terminal, signal, load: loadMore, mayJoin = false }: ServiceOptions): Promise<Service> {
  const log = createLog(config);
  await mkdir(config.dataDir, { recursive: true });
  const opened: AsyncDisposable[] = [];
  const close = async () => {
    for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
  };
  const keep = <T extends AsyncDisposable>(one: T): T => {
    opened.push(one);
    return one;
  };
  const load = () => {
    void loadMore?.().catch(() => undefined);
    const loading = Promise.all([import("../models/open.ts"), import("../api/auth/first-admin.ts"), import("../pipeline/policies.ts")]);
    loading.catch(() => undefined);
    return loading;
  };
  try {
    const running = config.mongodbUri ?? (mayJoin ? await runningDatabase(config) : null);
    const uri =
      running ??
      keep(await openLocal(config, { terminal, signal, log: (line) => log.warn({ part: "database" }, line), onStarted: load })).uri;
    const [{ openModels }, { createFirstAdmin }, { readBuiltins }] = await load();
    const models = keep(await openModels(uri, { signal }));
    await models.migrate();
    await models.policies.seed(await readBuiltins());
    const password = await createFirstAdmin(models, config);
    if (password !== null) terminal.stderr.write(`The user admin has been made. Its password, shown this once: ${password}\n`);
    return { models, files: await openFiles(config), log, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function runningDatabase({ dataDir }: Config): Promise<string | null> {
  const { findRunningDatabase } = await import("../store/join.ts");
  return await ofStore(findRunningDatabase(dataDir));
}

async function openFiles({ s3, dataDir, minFreeBytes }: Config): Promise<RecordingFiles> {
  if (s3 === null) {
    const { openDiskFiles } = await import("../models/recording-disk.ts");
    return openDiskFiles(dataDir, { minFreeBytes });
  }
  // Its client takes longer to load than all the rest.
  const { openObjectFiles } = await import("../models/recording-objects.ts");
  return openObjectFiles(s3, { tempDir: join(dataDir, "incoming") });
}
