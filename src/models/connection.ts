import mongoose, { type Connection } from "mongoose";
import { CallsiftError } from "../pipeline/errors.ts";

const { MongoNetworkError, MongoServerSelectionError } = mongoose.mongo;

/** A database that is being started again is waited for this long; our own is back within seconds. */
const SELECTION_MS = 30_000;

/**
 * Connects to a MongoDB server, whoever runs it. Writes are answered once a majority has them in its journal; what the driver can safely send a second
 * time after a broken connection, it does.
 *
 * @throws CallsiftError `store/unreachable`
 */
export async function openConnection(uri: string, { signal }: { readonly signal?: AbortSignal } = {}): Promise<Connection> {
  signal?.throwIfAborted();
  const connection = mongoose.createConnection();
  const stop = () => void connection.destroy();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    return await connection.openUri(uri, {
      appName: "callsift",
      autoIndex: false,
      autoCreate: false,
      // Waiting is the driver's task, which knows what may be sent twice; mongoose's own queue would give up sooner.
      bufferCommands: false,
      serverSelectionTimeoutMS: SELECTION_MS,
      writeConcern: { w: "majority", journal: true },
      retryWrites: true,
      retryReads: true,
      ignoreUndefined: true,
      maxPoolSize: 50,
    });
  } catch (error) {
    await connection.destroy().catch(() => undefined);
    signal?.throwIfAborted();
    throw toStoreError(error);
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

/** The error as `store/unreachable` where the database could not be reached or broke off, else as it is. */
export function toStoreError(error: unknown): unknown {
  if (!isUnreachable(error)) return error;
  // The driver's own message names hosts and may name the user.
  return new CallsiftError("store/unreachable", "expected an answer of the database, got none: it is away or broke off", { cause: error });
}

/** By name: the driver's connection pool and mongoose keep these classes to themselves. */
const UNREACHABLE = new Set([
  "MongoNotConnectedError",
  "MongoTopologyClosedError",
  "MongoClientClosedError",
  "MongoPoolClosedError",
  "MongoWaitQueueTimeoutError",
  "MongooseServerSelectionError",
]);

/** Codes of a server that is going down or is no primary any more. */
const GOING = new Set([6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436]);

function isUnreachable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // A pool that is cleared while a request waits in it throws one of several kinds of network error.
  if (error instanceof MongoNetworkError || error instanceof MongoServerSelectionError || UNREACHABLE.has(error.name)) return true;
  if ("code" in error && typeof error.code === "number" && GOING.has(error.code)) return true;
  return error.cause !== undefined && error.cause !== error && isUnreachable(error.cause);
}

type Callable = (...args: unknown[]) => unknown;

/** The same store, whose functions and streams fail with `store/unreachable` where the database is away. */
export function guarded<Store extends object>(store: Store): Store {
  return new Proxy(store, {
    get(target, name, receiver) {
      const value: unknown = Reflect.get(target, name, receiver);
      return typeof value === "function" ? guardedCall((...args) => (value as Callable).apply(target, args)) : value;
    },
  });
}

function guardedCall(call: Callable): Callable {
  return (...args) => {
    const result = call(...args);
    if (result instanceof Promise) return result.catch(rethrow);
    return isStream(result) ? guardedStream(result) : result;
  };
}

function rethrow(error: unknown): never {
  throw toStoreError(error);
}

function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

async function* guardedStream(stream: AsyncIterable<unknown>): AsyncIterable<unknown> {
  try {
    yield* stream;
  } catch (error) {
    rethrow(error);
  }
}
