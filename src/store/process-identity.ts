import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

/** A process as it can be told from a later one of the same number. */
export interface ProcessIdentity {
  /** When it was started, in a form that only equality is asked of. */
  readonly startedAt: string;
  /** Its arguments, in one line. */
  readonly command: string;
}

/**
 * Looks a process up: in /proc where there is one, else by `ps`.
 *
 * @returns null where there is no such process, or one that has ended and is not yet waited for
 */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | null> {
  if (!Number.isSafeInteger(pid) || pid < 1) return null;
  return process.platform === "linux" ? await fromProc(pid) : await fromPs(pid);
}

async function fromProc(pid: number): Promise<ProcessIdentity | null> {
  try {
    const [stat, command, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, "utf8"),
      readFile(`/proc/${pid}/cmdline`, "utf8"),
      readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => ""),
    ]);
    // The second field, the name, may hold spaces and brackets; proc(5): after it, state is field 3 and the start in ticks since boot field 22.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, startTicks] = [fields[0], fields[19]];
    if (state === undefined || startTicks === undefined || state === "Z" || state === "X") return null;
    return { startedAt: `${boot.trim()}/${startTicks}`, command: command.split("\0").join(" ").trim() };
  } catch {
    return null;
  }
}

async function fromPs(pid: number): Promise<ProcessIdentity | null> {
  try {
    const { stdout } = await promisify(execFile)("ps", ["-o", "stat=", "-o", "lstart=", "-o", "command=", "-p", `${pid}`]);
    // lstart is five words: weekday, month, day, time, year.
    const match = /^\s*(\S+)\s+(\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(.*)$/s.exec(stdout);
    if (match === null || match[1]?.startsWith("Z")) return null;
    return { startedAt: match[2] ?? "", command: (match[3] ?? "").trim() };
  } catch {
    return null;
  }
}
