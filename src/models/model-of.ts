import mongoose, { type Connection, type Model, type Schema, type SchemaOptions } from "mongoose";

/** Writes of truth are on the disks of a majority before they are answered. */
export const DURABLE = { w: "majority", j: true } as const;

/** What every schema has: ids are text made by us, unknown fields are a bug, indexes are made by `migrate()` only. */
export const STRICT = {
  strict: "throw",
  strictQuery: "throw",
  versionKey: false,
  minimize: false,
  autoIndex: false,
  autoCreate: false,
  id: false,
  writeConcern: DURABLE,
} as const satisfies SchemaOptions;

/** The connection's model of this name, made from the schema the first time. */
export function modelOf<T>(connection: Connection, name: string, schema: Schema<T>): Model<T> {
  return (connection.models[name] as Model<T> | undefined) ?? connection.model<T>(name, schema, name);
}

/**
 * Operators that we write ourselves, `{ $lt: until }`. Only what went through here is an operator: queries run with sanitizeFilter, so that an object
 * that came from outside is a value that nothing equals.
 */
export function op<T extends object>(operators: T): T {
  return mongoose.trusted(operators);
}

/** Options of each query: objects in values are never operators. */
export const SAFE = { sanitizeFilter: true } as const;

/** A new id: 24 hexadecimal digits that grow with time. */
export function newId(): string {
  return new mongoose.Types.ObjectId().toHexString();
}

/** Whether the database refused a write because a unique index has its key. */
export function isDuplicate(error: unknown): boolean {
  return typeof error === "object" && error !== null && (error as { code?: unknown }).code === 11000;
}

/** Whether all that went wrong with a bulk of writes, unordered, is that some documents were there already. */
export function isOnlyDuplicates(error: unknown): boolean {
  if (!(error instanceof mongoose.mongo.MongoBulkWriteError) || error.result.getWriteConcernError()) return false;
  const errors = [error.writeErrors].flat();
  return errors.length > 0 && errors.every(isDuplicate);
}
