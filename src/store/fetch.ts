import { LocalDatabaseError } from "./error.ts";
import type { Program, ProgramKind } from "./programs.ts";

export interface FetchOptions {
  /** callsift's own folder in the user's cache. */
  readonly cacheDir: string;
  /** Where `python3` is looked for. */
  readonly searchPath: string;
  /** A file or folder that was carried in; nothing is asked of the network then. */
  readonly from?: string | undefined;
  /** Only this one. */
  readonly kind?: ProgramKind | undefined;
  readonly onProgress?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Fetches a server program, once, into the user's cache. */
export async function fetchProgram(_options: FetchOptions): Promise<Program> {
  throw new LocalDatabaseError("unreachable", "not written yet");
}
