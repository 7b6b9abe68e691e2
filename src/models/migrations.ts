import { setTimeout as sleep } from "node:timers/promises";
import { type Connection, type Model, Schema } from "mongoose";
import { CallsiftError } from "../pipeline/errors.ts";
import { newId } from "./ids.ts";
import { isDuplicate, modelOf, STRICT } from "./model-of.ts";

/** A step that brings the documents of one version to the next. It may be broken off and run again, and processes of the version before may still be at work. */
export interface Migration {
  /** 1, 2, … without gaps. */
  readonly version: number;
  /** For the log and for people. */
  readonly name: string;
  readonly run: (connection: Connection) => Promise<void>;
}

/** All steps since the first release. */
export const MIGRATIONS: readonly Migration[] = [];

interface MigrationDocument {
  readonly _id: string;
  /** Of the documents that are there. */
  readonly version: number;
  /** Who is at it, and until when nobody else is. */
  readonly holder: string | null;
  readonly until: Date;
}

const schema = new Schema<MigrationDocument>(
  { _id: { type: String, required: true }, version: Number, holder: String, until: Date },
  STRICT,
);

const LEASE_MS = 15_000;
const PAUSE_MS = 200;

/**
 * Makes the indexes of all stores of this connection and brings documents forward, one process at a time; the others wait.
 *
 * @throws CallsiftError `config/invalid` where the data was written by a later callsift than this one
 */
export async function migrate(connection: Connection, migrations: readonly Migration[] = MIGRATIONS): Promise<void> {
  const model: Model<MigrationDocument> = modelOf(connection, "migrations", schema);
  const target = migrations.at(-1)?.version ?? 0;
  if (await isCurrent(connection, model, target)) return;
  const holder = newId();
  for (;;) {
    const held = await hold(model, holder, target);
    if (held.version > target) {
      throw new CallsiftError(
        "config/invalid",
        `expected data of version ${target} or earlier, got ${held.version}: it was written by a later callsift`,
      );
    }
    if (held.holder === holder) break;
    await sleep(PAUSE_MS);
  }
  const renewal = setInterval(() => void renew(model, holder).catch(() => undefined), LEASE_MS / 4);
  try {
    for (const name of Object.keys(connection.models)) await connection.models[name]?.createIndexes();
    const { version } = await current(model);
    for (const migration of migrations) {
      if (migration.version <= version) continue;
      await migration.run(connection);
      await model.updateOne({ _id: "documents", holder }, { $set: { version: migration.version } });
    }
  } finally {
    clearInterval(renewal);
    await model.updateOne({ _id: "documents", holder }, { $set: { holder: null, until: new Date(0) } });
  }
}

/** Whether there is nothing to do: then a start waits for nobody, not even for one that was killed while it held the place. */
async function isCurrent(connection: Connection, model: Model<MigrationDocument>, target: number): Promise<boolean> {
  const found = await model.findOne({ _id: "documents" }).lean<MigrationDocument>();
  if (found?.version !== target) return false;
  // A collection that is not there yet has no indexes, and is answered as an error by some servers.
  const isIndexed = async (name: string): Promise<boolean> => {
    const differing = await connection.models[name]?.diffIndexes({ indexOptionsToCreate: false }).catch(() => null);
    return differing?.toCreate.length === 0;
  };
  return (await Promise.all(Object.keys(connection.models).map(isIndexed))).every(Boolean);
}

/** Takes the place of who makes changes, where it is free; answers who has it. A database without documents has the latest version. */
async function hold(model: Model<MigrationDocument>, holder: string, target: number): Promise<MigrationDocument> {
  const now = new Date();
  try {
    await model.insertOne({ _id: "documents", version: target, holder: null, until: new Date(0) });
  } catch (error) {
    if (!isDuplicate(error)) throw error;
  }
  await model.updateOne(
    { _id: "documents", version: { $lte: target }, until: { $lt: now } },
    { $set: { holder, until: new Date(now.getTime() + LEASE_MS) } },
  );
  return await current(model);
}

async function renew(model: Model<MigrationDocument>, holder: string): Promise<void> {
  await model.updateOne({ _id: "documents", holder }, { $set: { until: new Date(Date.now() + LEASE_MS) } });
}

async function current(model: Model<MigrationDocument>): Promise<MigrationDocument> {
  const found = await model.findOne({ _id: "documents" }).lean<MigrationDocument>();
  if (found === null) throw new CallsiftError("store/damaged", "expected the document of migrations, got none: somebody removed it");
  return found;
}
