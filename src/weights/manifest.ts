import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Type, { type Static } from "typebox";
import Value from "typebox/value";
import { CallsiftError } from "../pipeline/errors.ts";

/** What names of weights may be made of: they become folder names and parts of addresses. */
export const WEIGHTS_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/i;

const FILE_NAME = "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$";

/** `manifest.json` beside the files: what they were when they came. */
export const Manifest = Type.Object({
  schema: Type.Literal("callsift.weights/1"),
  name: Type.String({ pattern: WEIGHTS_NAME.source.replace("a-z0-9", "A-Za-z0-9") }),
  engine: Type.Union([Type.Literal("sherpa"), Type.Literal("whisper")]),
  family: Type.String(),
  languages: Type.Array(Type.String()),
  licence: Type.Union([Type.Null(), Type.Object({ name: Type.String(), url: Type.String() })]),
  /** Where they came from, for people. */
  source: Type.String(),
  addedAt: Type.String(),
  files: Type.Array(
    Type.Object({
      name: Type.String({ pattern: FILE_NAME }),
      bytes: Type.Integer({ minimum: 0 }),
      sha256: Type.String({ pattern: "^[0-9a-f]{64}$" }),
      /** The hash was known beforehand; else it is that of the first copy seen. */
      known: Type.Boolean(),
    }),
    { minItems: 1, maxItems: 64 },
  ),
});
export type Manifest = Static<typeof Manifest>;

export const MANIFEST_FILE = "manifest.json";
/** A manifest is a few kilobytes; more is not one. */
const MAX_MANIFEST_BYTES = 64 * 1024;

/**
 * The manifest in that folder.
 *
 * @throws CallsiftError `weights/damaged`
 */
export async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, MANIFEST_FILE);
  const damaged = (came: string, cause?: unknown): CallsiftError =>
    new CallsiftError("weights/damaged", `expected a manifest of weights (${MANIFEST_FILE}), got ${came}`, { cause });
  try {
    if ((await stat(path)).size > MAX_MANIFEST_BYTES) throw damaged("a file far too large");
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    if (!Value.Check(Manifest, value)) throw damaged("another structure");
    return value;
  } catch (error) {
    if (error instanceof CallsiftError) throw error;
    throw damaged(error instanceof SyntaxError ? "no JSON" : String((error as NodeJS.ErrnoException).code ?? error), error);
  }
}

/** Writes it; call it last, a folder with a manifest is a whole one. */
export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  await writeFile(join(folder, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`);
}
