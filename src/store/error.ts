/** Why there is no local database: no program, a folder that another process owns, a server that does not come up, a source out of reach, broken files, a stop on request. */
export type LocalDatabaseReason = "no-program" | "in-use" | "not-ready" | "unreachable" | "damaged" | "aborted";

/** A failure of the local database; callers give it a code of theirs. The message holds no password. */
export class LocalDatabaseError extends Error {
  readonly reason: LocalDatabaseReason;

  constructor(reason: LocalDatabaseReason, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "LocalDatabaseError";
    this.reason = reason;
  }
}

/** Throws an `aborted` LocalDatabaseError where the signal says so. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new LocalDatabaseError("aborted", "stopped on request", { cause: signal.reason });
}
