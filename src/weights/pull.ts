import { CallsiftError, toCallsiftError } from "../pipeline/errors.ts";
import { CATALOGUE, type CatalogueEntry, catalogueEntry, totalBytes } from "./catalogue.ts";
import { type Got, PATIENCE, type Patience } from "./download.ts";
import { fetchSource, nameOfSource, type PullProgress, sourcesOf } from "./fetch-source.ts";
import { inspectWeights } from "./inspect.ts";
import { type Manifest, writeManifest } from "./manifest.ts";
import type { PipOptions } from "./pip.ts";
import { findWeights, type InstalledWeights } from "./store.ts";
import { checkHashes } from "./verify.ts";
import { openWorkFolder, type WorkFolder } from "./work-folder.ts";

export interface PullOptions {
  readonly weightsDir: string;
  /** Address of a mirror that is asked first; null: none. */
  readonly mirror: string | null;
  readonly onProgress?: (progress: PullProgress) => void;
  /** Told of each source that was given up, with the reason. */
  readonly onGivenUp?: (source: string, reason: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** For tests. */
  readonly deps?: PullDeps;
}

export interface PullDeps {
  readonly catalogue?: readonly CatalogueEntry[];
  readonly patience?: Patience;
  readonly pip?: Pick<PipOptions, "python" | "timeoutMs">;
  readonly freeBytes?: (folder: string) => Promise<number>;
}

export interface Pulled {
  readonly weights: InstalledWeights;
  /** They were there, and whole: nothing was fetched. */
  readonly already: boolean;
  /** Files whose hash was not known beforehand, and is recorded now. */
  readonly recorded: readonly string[];
}

/**
 * Fetches weights of the catalogue into the store: source by source until one gives all files as they must be. Interrupted, it goes on at the next call
 * where it was; two at once do each their own work.
 *
 * @throws CallsiftError `weights/unknown`, `weights/unreachable`, `weights/damaged`, `weights/no-space`, `output/unwritable`, `aborted`
 */
export async function pullWeights(
  name: string,
  { weightsDir, mirror, onProgress, onGivenUp, signal, deps = {} }: PullOptions,
): Promise<Pulled> {
  const catalogue = deps.catalogue ?? CATALOGUE;
  const entry = catalogueEntry(name, catalogue);
  if (entry === null) {
    const known = catalogue.map((one) => one.name).join(", ");
    throw new CallsiftError("weights/unknown", `expected a name of the catalogue (${known}), got ${JSON.stringify(name)}`);
  }
  const there = await whole(weightsDir, entry, signal);
  if (there !== null) return { weights: there, already: true, recorded: [] };

  await using work = await openWorkFolder(weightsDir, { pull: name });
  const failures: { source: string; error: CallsiftError }[] = [];
  const unreachable = new Set<string>();
  for (const source of sourcesOf(entry, mirror)) {
    const label = nameOfSource(source);
    // Another address of a host that does not answer would cost the same wait again.
    if (unreachable.has(label)) continue;
    try {
      const got = await fetchSource(entry, source, work, {
        onProgress: onProgress ?? (() => {}),
        signal,
        patience: deps.patience ?? PATIENCE,
        pip: deps.pip ?? {},
        freeBytes: deps.freeBytes,
      });
      return { weights: await install(entry, label, got, work, weightsDir), already: false, recorded: recordedOf(entry) };
    } catch (error) {
      if (signal?.aborted) throw new CallsiftError("aborted", "stopped on request; the next pull goes on from here", { cause: error });
      const failure = toCallsiftError(error);
      if (!failure.code.startsWith("weights/") || failure.code === "weights/no-space") throw failure;
      if (failure.code === "weights/unreachable" && !/: status \d+$/.test(failure.message)) unreachable.add(label);
      failures.push({ source: label, error: failure });
      onGivenUp?.(label, reasonOf(label, failure));
    }
  }
  const reasons = failures
    .map(({ source, error }) => (error.message.includes(source) ? error.message : `${source}: ${error.message}`))
    .join("; ");
  const isAllUnreachable = failures.some(({ error }) => error.code === "weights/unreachable");
  throw new CallsiftError(
    isAllUnreachable ? "weights/unreachable" : (failures[0]?.error.code ?? "weights/unreachable"),
    `${name} could not be had: ${reasons}`,
  );
}

/** A failure's message without the source's name, which it may begin with. */
function reasonOf(source: string, { message }: CallsiftError): string {
  return message.startsWith(`${source}: `) ? message.slice(source.length + 2) : message;
}

/** The installed weights if their bytes are right; else null, and they are fetched again. */
async function whole(weightsDir: string, entry: CatalogueEntry, signal: AbortSignal | undefined): Promise<InstalledWeights | null> {
  const found = await findWeights(weightsDir, entry.name).catch((error: CallsiftError) => {
    if (error.code === "weights/unknown") return null;
    throw error;
  });
  if (found === null || found.state !== "ready") return null;
  return (await checkHashes(found, entry, signal)) === null ? found : null;
}

async function install(
  entry: CatalogueEntry,
  source: string,
  got: ReadonlyMap<string, Got>,
  work: WorkFolder,
  weightsDir: string,
): Promise<InstalledWeights> {
  // Hashes that were known vouch for their files; of all others only a look inside tells what came.
  if (entry.files.some(({ sha256 }) => sha256 === null)) await inspectWeights(work.files, entry.engine);
  const files = entry.files.map(({ name, sha256 }) => {
    const file = got.get(name);
    if (file === undefined) throw new Error(`no bytes of ${name}`);
    return { name, ...file, known: sha256 !== null };
  });
  const manifest: Manifest = {
    schema: "callsift.weights/1",
    name: entry.name,
    engine: entry.engine,
    family: entry.family,
    languages: [...entry.languages],
    licence: { name: entry.licence.name, url: entry.licence.url },
    source,
    addedAt: new Date().toISOString(),
    files,
  };
  await writeManifest(work.files, manifest);
  const folder = await work.publish(entry.name, async () => (await whole(weightsDir, entry, undefined)) !== null);
  return { name: entry.name, folder, manifest, bytes: totalBytes(files), state: "ready", fault: null };
}

const recordedOf = (entry: CatalogueEntry): string[] => entry.files.filter(({ sha256 }) => sha256 === null).map(({ name }) => name);
