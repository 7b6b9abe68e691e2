import { CallsiftError, type ErrorCode } from "../pipeline/errors.ts";
import { EXIT, type Terminal } from "./terminal.ts";

/**
 * Runs work that Ctrl-C and SIGTERM stop in an orderly way.
 *
 * @param failures - Codes of failures where the command was right, but the world was not: those are exit code 3.
 */
export async function interruptible(
  { stderr }: Terminal,
  failures: ReadonlySet<ErrorCode>,
  work: (signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const interrupt = new AbortController();
  const stop = (): void => interrupt.abort();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    return await work(interrupt.signal);
  } catch (error) {
    if (!(error instanceof CallsiftError) || !(interrupt.signal.aborted || failures.has(error.code))) throw error;
    stderr.write(`callsift: ${error.code}: ${error.message}\n`);
    return interrupt.signal.aborted ? EXIT.interrupted : EXIT.someFailed;
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}
