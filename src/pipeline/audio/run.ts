import { accessSync, constants, statSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, isAbsolute, join } from "node:path";
import { CallsiftError } from "../errors.ts";
import { atExit } from "./at-exit.ts";

/** An ffmpeg program: the distribution's (kept safe by its updates), or the one that came from npm. */
export interface FoundFfmpeg {
  readonly path: string;
  readonly source: "system" | "bundled";
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The ffmpeg to use: the first in the folders of `searchPath` (as PATH is written), else the bundled one, else null. */
export function findFfmpeg(searchPath: string): FoundFfmpeg | null {
  const name = process.platform === "win32" ? "ffmpeg.exe" : "ffmpeg";
  for (const folder of searchPath.split(delimiter)) {
    const path = join(folder, name);
    // A relative folder would make the choice depend on where the command is run.
    if (isAbsolute(folder) && isProgram(path)) return { path, source: "system" };
  }
  return findBundledFfmpeg();
}

/** The program of `@ffmpeg-installer/ffmpeg`; null where it has none for this machine. */
export function findBundledFfmpeg(): FoundFfmpeg | null {
  try {
    const { path } = createRequire(import.meta.url)("@ffmpeg-installer/ffmpeg") as { path: string };
    return isProgram(path) ? { path, source: "bundled" } : null;
  } catch {
    return null;
  }
}

export interface FfmpegRun {
  readonly ffmpegPath: string;
  /** ffmpeg's working folder; every file name in `args` is inside it. */
  readonly folder: string;
  readonly args: readonly string[];
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Gets every line that ffmpeg writes to stderr. */
  onLine(line: string): void;
}

/** Behind the calls that ask for results. */
const NICENESS = 10;
/** How long a killed process may take to be gone: long only while it waits for a disk. */
const DEATH_MS = 2_000;

/** The part of a child process that is needed here. */
interface Child {
  readonly pid?: number | undefined;
  readonly exitCode: number | null;
}

interface LineRing {
  callback(listener: (line: string) => void): void;
}

/**
 * fluent-ffmpeg's own spawn step. Its public `run()` first starts ffmpeg twice to list formats and encoders (0.1 s), and gives
 * no way to put the run into a process group. The package is archived, so this will not change under us.
 */
interface Spawner {
  setFfmpegPath(path: string): void;
  _spawnFfmpeg(
    args: string[],
    options: { niceness: number; cwd: string; detached: boolean; stdio: readonly string[]; windowsHide: boolean },
    onStart: (child: Child, stdout: LineRing, stderr: LineRing) => void,
    onEnd: (error: Error | null) => void,
  ): void;
}

/**
 * Runs ffmpeg once, in a process group of its own that is killed as a whole on time-out, abort or exit of this process.
 *
 * @returns the exit code, null if something else killed it
 * @throws CallsiftError `aborted`, `audio/time-out`, `audio/no-decoder`
 */
export async function runFfmpeg(run: FfmpegRun): Promise<number | null> {
  const { default: createCommand } = await import("fluent-ffmpeg");
  if (run.signal?.aborted) throw aborted();
  const command = createCommand() as unknown as Spawner;
  return await new Promise<number | null>((resolve, reject) => {
    let child: Child | null = null;
    let stopped: CallsiftError | null = null;
    const kill = (): void => {
      if (!child?.pid) return;
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // Gone already.
      }
    };
    const forget = atExit(kill);
    let isSettled = false;
    const settle = (finish: () => void): void => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      run.signal?.removeEventListener("abort", onAbort);
      kill(); // nothing of the group outlives the run, whatever it started
      forget();
      finish();
    };
    const stop = (reason: CallsiftError): void => {
      stopped ??= reason;
      kill();
      setTimeout(() => settle(() => reject(reason)), DEATH_MS).unref();
    };
    const onAbort = (): void => stop(aborted());
    const timer = setTimeout(
      () => stop(new CallsiftError("audio/time-out", `expected decoding to end within ${run.timeoutMs} ms`)),
      Math.min(run.timeoutMs, 2 ** 31 - 1),
    );
    run.signal?.addEventListener("abort", onAbort, { once: true });
    const noDecoder = (error: unknown): CallsiftError =>
      new CallsiftError("audio/no-decoder", `ffmpeg could not be started: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    try {
      command.setFfmpegPath(run.ffmpegPath); // global in fluent-ffmpeg, but read in the same tick by the next line
      command._spawnFfmpeg(
        [...run.args],
        { niceness: NICENESS, cwd: run.folder, detached: true, stdio: ["ignore", "ignore", "pipe"], windowsHide: true },
        (started, _stdout, stderr) => {
          child = started;
          stderr.callback(run.onLine);
        },
        (error) => {
          settle(() => {
            if (stopped) reject(stopped);
            else if (error && !child?.pid) reject(noDecoder(error));
            else resolve(child?.exitCode ?? null);
          });
        },
      );
    } catch (error) {
      settle(() => reject(noDecoder(error)));
    }
  });
}

function aborted(): CallsiftError {
  return new CallsiftError("aborted", "stopped on request");
}
