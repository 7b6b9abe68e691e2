import { readdir, readFile, stat } from "node:fs/promises";
import { CallsiftError } from "../pipeline/errors.ts";
import { isRecordingName, isRecordingOf, META_ENDING as META } from "../pipeline/recording-names.ts";

/** One call to screen: a recording, or a metadata file that names the two legs of one. */
export interface CallFile {
  /** As given on the command line, or relative to the folder that was; for people and file names. */
  readonly name: string;
  /** The bytes of the path: names need not be valid UTF-8. */
  readonly path: Buffer;
  /** The path is a `…meta.json` whose `legs` are the recording. */
  readonly legsOnly: boolean;
}

/**
 * The calls behind the arguments: files as they are, folders with all recordings below them, sorted by name.
 *
 * @throws CallsiftError `usage/invalid` for a folder without recordings
 */
export async function collectCalls(paths: readonly Buffer[]): Promise<CallFile[]> {
  const calls: CallFile[] = [];
  for (const path of paths) {
    const found = await stat(path).catch(() => null);
    if (!found?.isDirectory()) {
      const name = baseName(path);
      calls.push({ name, path, legsOnly: name.endsWith(META) });
      continue;
    }
    const inside = await collectFolder(path, "");
    if (inside.length === 0) throw new CallsiftError("usage/invalid", `expected recordings in the folder ${path}, found none`);
    calls.push(...inside);
  }
  return calls;
}

async function collectFolder(folder: Buffer, prefix: string): Promise<CallFile[]> {
  const entries = await readdir(folder, { withFileTypes: true, encoding: "buffer" });
  entries.sort((a, b) => Buffer.compare(a.name, b.name));
  const names = new Set(entries.map(({ name }) => name.toString()));
  const calls: CallFile[] = [];
  const legs = new Set<string>();
  for (const entry of entries) {
    const name = entry.name.toString();
    if (name.startsWith(".")) continue;
    const path = Buffer.concat([folder, Buffer.from("/"), entry.name]);
    if (entry.isDirectory()) calls.push(...(await collectFolder(path, `${prefix}${name}/`)));
    else if (isRecordingName(name)) calls.push({ name: prefix + name, path, legsOnly: false });
    else if (name.endsWith(META) && ![...names].some((other) => isRecordingOf(other, name))) {
      const named = await legsNamedIn(path);
      if (!named) continue;
      for (const leg of named) legs.add(prefix + leg);
      calls.push({ name: prefix + name.slice(0, -META.length), path, legsOnly: true });
    }
  }
  return calls.filter(({ name, legsOnly }) => legsOnly || !legs.has(name));
}

/** Only to keep the legs of a call from being screened a second time on their own; faults are named when the call is read. */
async function legsNamedIn(path: Buffer): Promise<readonly string[] | null> {
  try {
    const { legs } = JSON.parse(await readFile(path, "utf8")) as { legs?: { agent?: unknown; customer?: unknown } };
    return legs ? [String(legs.agent), String(legs.customer)] : null;
  } catch {
    return null;
  }
}

function baseName(path: Buffer): string {
  return path.subarray(path.lastIndexOf("/") + 1).toString();
}

/**
 * The bytes of command-line arguments. Node decodes arguments as UTF-8, which loses a name in another encoding (GBK, say);
 * on Linux the kernel still has the bytes.
 */
export async function argumentBytes(args: readonly string[]): Promise<Buffer[]> {
  if (!args.some((arg) => arg.includes("\uFFFD"))) return args.map((arg) => Buffer.from(arg));
  const line = await readFile("/proc/self/cmdline").catch(() => Buffer.alloc(0));
  const raw: Buffer[] = [];
  for (let start = 0, end = line.indexOf(0); end >= 0; start = end + 1, end = line.indexOf(0, start)) raw.push(line.subarray(start, end));
  // Each is used once, in order: two names that differ only in broken bytes decode to the same text.
  return args.map((arg) => {
    const at = raw.findIndex((bytes) => bytes.toString() === arg);
    return at < 0 ? Buffer.from(arg) : (raw.splice(at, 1)[0] as Buffer);
  });
}
