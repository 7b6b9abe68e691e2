import { constants } from "node:fs";
import { copyFile, readdir, stat } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { CallsiftError } from "../pipeline/errors.ts";
import { CATALOGUE, type CatalogueEntry } from "./catalogue.ts";
import type { Got } from "./download.ts";
import { hashFile } from "./hash-file.ts";
import { type Inspected, inspectWeights } from "./inspect.ts";
import { WEIGHTS_NAME, writeManifest } from "./manifest.ts";
import { checkSpace } from "./space.ts";
import { findWeights, type InstalledWeights } from "./store.ts";
import { archiveKind, unpackArchive } from "./unpack.ts";
import { openWorkFolder } from "./work-folder.ts";

export interface AddOptions {
  readonly weightsDir: string;
  /** What they are to be called; by default as in the catalogue where they are known, else as the folder or archive. */
  readonly name?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** For tests. */
  readonly deps?: { readonly catalogue?: readonly CatalogueEntry[]; readonly freeBytes?: (folder: string) => Promise<number> };
}

export interface Added {
  readonly weights: InstalledWeights;
  /** The catalogue knows these very bytes. */
  readonly known: boolean;
}

/** What belongs to weights; samples, scripts and pictures that come with releases don't. */
const KINDS = new Set([".onnx", ".data", ".bin", ".txt", ".json", ".model", ".mvn", ".yaml"]);
/** What callsift itself writes beside weights in its store, which may be carried from one machine to another. */
const OWN_FILES = /^(manifest\.json|callsift-way\.json|signed-[0-9a-f]+\.onnx)$/;
const MAX_UNPACKED_BYTES = 16 * 1024 ** 3;
/** Weights hardly compress; a file that grows more than this is made to fill disks. */
const MAX_RATIO = 40;
const MAX_DEPTH = 3;
const MAX_FILES = 64;

/**
 * Puts weights that were carried in by hand into the store: a folder, an archive, or the files one by one. They are copied.
 *
 * @throws CallsiftError `weights/missing` (no such path), `weights/foreign`, `weights/damaged`, `weights/unsafe-archive`, `weights/no-space`,
 *   `usage/invalid`, `output/unwritable`, `aborted`
 */
export async function addWeights(paths: readonly string[], { weightsDir, name, signal, deps = {} }: AddOptions): Promise<Added> {
  if (name !== undefined && !WEIGHTS_NAME.test(name))
    throw new CallsiftError("usage/invalid", `expected a name of letters, digits, dots and dashes, got ${JSON.stringify(name)}`);
  const catalogue = deps.catalogue ?? CATALOGUE;
  await using work = await openWorkFolder(weightsDir);
  const { files, title } = await collect(paths, work.scratch, { signal, ...deps });
  await checkSpace(weightsDir, await bytesOf(files), deps.freeBytes);
  const copied = new Map<string, Got>();
  for (const path of files) {
    signal?.throwIfAborted();
    const to = join(work.files, basename(path));
    await copyFile(path, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL).catch((cause: NodeJS.ErrnoException) => {
      throw copyError(cause, basename(path));
    });
    copied.set(basename(path), await hashFile(to, signal));
  }

  const entry = catalogue.find((one) => isSame(one, copied)) ?? null;
  const called = name ?? entry?.name ?? nameOf(title);
  const claimed = catalogue.find((one) => one.name === called);
  if (claimed && claimed !== entry) throw differs(claimed, copied);
  const inspected = await inspectWeights(work.files, entry?.engine);
  await writeManifest(work.files, manifestOf(called, entry, inspected, copied, title));
  await work.publish(called);
  return { weights: await findWeights(weightsDir, called), known: entry !== null };
}

function manifestOf(name: string, entry: CatalogueEntry | null, inspected: Inspected, copied: ReadonlyMap<string, Got>, title: string) {
  return {
    schema: "callsift.weights/1" as const,
    name,
    engine: inspected.engine,
    family: entry?.family ?? inspected.family,
    languages: [...(entry?.languages ?? inspected.languages)],
    licence: entry && { name: entry.licence.name, url: entry.licence.url },
    source: `added by hand: ${title}`,
    addedAt: new Date().toISOString(),
    files: [...copied].map(([file, got]) => ({
      name: file,
      ...got,
      known: entry?.files.some((one) => one.name === file && one.sha256 !== null) ?? false,
    })),
  };
}

/** The files that are the weights, and what the whole is called. */
async function collect(
  paths: readonly string[],
  scratch: string,
  { signal, freeBytes }: { signal?: AbortSignal | undefined; freeBytes?: (folder: string) => Promise<number> },
): Promise<{ files: string[]; title: string }> {
  const found = await Promise.all(
    paths.map(async (path) => {
      const about = await stat(path).catch((cause: NodeJS.ErrnoException) => {
        throw new CallsiftError("weights/missing", `expected a folder, an archive or files of weights, got ${cause.code} for ${path}`, {
          cause,
        });
      });
      return { path, about };
    }),
  );
  const title = basename((found.find(({ about }) => about.isDirectory()) ?? found[0])?.path ?? "");
  const files: string[] = [];
  for (const { path, about } of found) {
    if (about.isDirectory()) files.push(...(await filesIn(await modelFolder(path))));
    else if (!about.isFile()) throw new CallsiftError("weights/foreign", `expected a folder or a file, got something else: ${path}`);
    else if ((await archiveKind(path)) === null) files.push(path);
    else {
      const maxBytes = Math.min(MAX_UNPACKED_BYTES, about.size * MAX_RATIO + 64 * 1024 ** 2);
      await checkSpace(scratch, about.size, freeBytes);
      await unpackArchive(path, scratch, { place: (inside) => (KINDS.has(extname(inside)) ? inside : null), maxBytes, signal });
      files.push(...(await filesIn(await modelFolder(scratch))));
    }
  }
  if (files.length > MAX_FILES)
    throw new CallsiftError("weights/foreign", `expected weights of at most ${MAX_FILES} files, got ${files.length}`);
  return { files, title };
}

/** The one folder at or below this one that has weights in it. */
async function modelFolder(top: string): Promise<string> {
  const found: string[] = [];
  async function look(folder: string, depth: number): Promise<void> {
    const entries = await readdir(folder, { withFileTypes: true });
    if (entries.some(({ name }) => name === "model.bin" || name.endsWith(".onnx"))) found.push(folder);
    else if (depth < MAX_DEPTH) for (const entry of entries) if (entry.isDirectory()) await look(join(folder, entry.name), depth + 1);
  }
  await look(top, 0);
  const [first, second] = found;
  if (first === undefined)
    throw new CallsiftError("weights/foreign", "expected weights (model.bin, or an .onnx file with tokens.txt), got neither");
  if (second !== undefined)
    throw new CallsiftError("weights/foreign", "expected weights of one model, got several folders with some; add them one by one");
  return first;
}

async function filesIn(folder: string): Promise<string[]> {
  const files: string[] = [];
  const names = (await readdir(folder)).sort();
  for (const name of names) {
    // Where a release has a model in both sizes, only the small one is ever opened.
    if (name.endsWith(".onnx") && names.includes(name.replace(/(\.int8)?\.onnx$/, ".int8.onnx")) && !name.endsWith(".int8.onnx")) continue;
    const path = join(folder, name);
    // Followed where they are links: the caches of other programs keep their files so.
    if (KINDS.has(extname(name)) && !OWN_FILES.test(name) && (await stat(path)).isFile()) files.push(path);
  }
  return files;
}

async function bytesOf(files: readonly string[]): Promise<number> {
  let sum = 0;
  for (const path of files) sum += (await stat(path)).size;
  return sum;
}

/** These very bytes are what the catalogue names; a hash it does not know it cannot hold against them. */
function isSame({ files }: CatalogueEntry, copied: ReadonlyMap<string, Got>): boolean {
  return (
    files.some(({ sha256 }) => sha256 !== null) &&
    files.every(({ name, bytes, sha256 }) => {
      const got = copied.get(name);
      return got !== undefined && got.bytes === bytes && (sha256 === null || got.sha256 === sha256);
    })
  );
}

function differs({ name, files }: CatalogueEntry, copied: ReadonlyMap<string, Got>): CallsiftError {
  const told = "give another --name if they are other weights on purpose";
  for (const file of files) {
    const got = copied.get(file.name);
    if (got === undefined) return new CallsiftError("weights/damaged", `${name}: expected ${file.name}, it is missing; ${told}`);
    if (got.bytes !== file.bytes)
      return new CallsiftError("weights/damaged", `${name}: ${file.name}: expected ${file.bytes} bytes, got ${got.bytes}; ${told}`);
    if (file.sha256 !== null && got.sha256 !== file.sha256)
      return new CallsiftError("weights/damaged", `${name}: ${file.name}: expected sha256 ${file.sha256}, got ${got.sha256}; ${told}`);
  }
  return new CallsiftError("weights/damaged", `${name}: expected the catalogue's files, got others; ${told}`);
}

function nameOf(title: string): string {
  const name = title
    .replace(/\.(tar(\.(bz2|gz))?|tgz|tbz2?|zip|onnx|bin)$/i, "")
    .replace(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[^A-Za-z0-9]+/, "")
    .slice(0, 64);
  return name === "" ? "weights" : name;
}

function copyError(cause: NodeJS.ErrnoException, file: string): CallsiftError {
  if (cause.code === "ENOSPC" || cause.code === "EDQUOT") return new CallsiftError("weights/no-space", "the disk is full", { cause });
  if (cause.code === "EEXIST") return new CallsiftError("weights/foreign", `expected each file once, got ${file} twice`, { cause });
  return new CallsiftError("output/unwritable", `${file} cannot be copied: ${cause.code}`, { cause });
}
