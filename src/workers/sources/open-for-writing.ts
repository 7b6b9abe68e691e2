import { readdir, readFile, readlink, stat } from "node:fs/promises";

/**
 * Which of these files some process of this machine has open for writing, as far as this user may see (Linux: /proc). A recorder may be silent for minutes in the middle of a call.
 *
 * @param paths resolved, without links
 */
export async function openForWriting(paths: ReadonlySet<string>): Promise<ReadonlySet<string>> {
  const open = new Set<string>();
  if (paths.size === 0) return open;
  const pids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const path = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => null);
      if (path !== null && paths.has(path) && !open.has(path) && (await isForWriting(pid, fd))) open.add(path);
    }
  }
  return open;
}

async function isForWriting(pid: string, fd: string): Promise<boolean> {
  const info = await readFile(`/proc/${pid}/fdinfo/${fd}`, "utf8").catch(() => "");
  const flags = Number.parseInt(/^flags:\s*([0-7]+)/m.exec(info)?.[1] ?? "0", 8);
  // O_WRONLY or O_RDWR.
  return (flags & 0o3) !== 0;
}

/** Size and time of last change; null where there is no such file any more. */
export async function stateOf(path: string): Promise<{ readonly bytes: number; readonly modifiedMs: number } | null> {
  const found = await stat(path).catch(() => null);
  return found?.isFile() ? { bytes: found.size, modifiedMs: found.mtimeMs } : null;
}
