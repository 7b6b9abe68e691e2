import { Redis } from "ioredis";
import { CallsiftError } from "../pipeline/errors.ts";

/** All that callsift keeps in Redis begins with this. */
export const PREFIX = "callsift";
const PING_MS = 2_000;
const RECONNECT_MS = 2_000;

/**
 * A connection for commands that answer at once or fail: while Redis is away nothing waits for it.
 *
 * @param onTrouble told what breaks; ioredis connects again by itself
 */
export function connectForCommands(url: string, onTrouble: (error: Error) => void): Redis {
  const redis = new Redis(url, { maxRetriesPerRequest: 1, enableOfflineQueue: false, connectTimeout: PING_MS, retryStrategy });
  return redis.on("error", onTrouble);
}

/** A connection for a worker, whose commands wait until Redis is back. */
export function connectForWork(url: string, onTrouble: (error: Error) => void): Redis {
  return new Redis(url, { maxRetriesPerRequest: null, retryStrategy }).on("error", onTrouble);
}

/** @throws CallsiftError `queue/unreachable` */
export async function pingQueue(redis: Redis): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${PING_MS} ms`)), PING_MS);
  });
  try {
    await Promise.race([redis.ping(), late]);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CallsiftError("queue/unreachable", `expected Redis to answer, got: ${why}`, { cause });
  } finally {
    clearTimeout(timer);
  }
}

function retryStrategy(times: number): number {
  return Math.min(50 * 2 ** times, RECONNECT_MS);
}
