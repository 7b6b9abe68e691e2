import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BSON } from "mongodb";
import { LocalDatabaseError } from "./error.ts";

/** What an export says of itself, in `manifest.json`. */
export interface Manifest {
  readonly format: typeof FORMAT;
  /** ISO 8601. */
  readonly createdAt: string;
  /** Version of the server that it was taken from; null where it does not say. */
  readonly server: string | null;
  readonly collections: readonly DumpedCollection[];
}

/** One collection: `file` holds a document a line, in canonical Extended JSON. */
export interface DumpedCollection {
  readonly name: string;
  readonly file: string;
  readonly documents: number;
  readonly bytes: number;
  /** Of the file, hex. */
  readonly sha256: string;
  /** The sha256 of every document joined by exclusive or, hex: the same in any order, so a restored collection can be held against it. */
  readonly contents: string;
}

export const FORMAT = "callsift.database/1";
export const MANIFEST = "manifest.json";

/** A document as it lies in the database, with all its types: 1 and 1.0 stay apart. */
export function toDocument(raw: Uint8Array): BSON.Document {
  return BSON.deserialize(raw, { promoteValues: false, promoteLongs: false, promoteBuffers: false, bsonRegExp: true });
}

/** The same as one line. */
export function toLine(raw: Uint8Array): string {
  return BSON.EJSON.stringify(toDocument(raw), { relaxed: false });
}

/** The document of a line. */
export function fromLine(line: string): BSON.Document {
  const document: unknown = BSON.EJSON.parse(line, { relaxed: false });
  if (typeof document !== "object" || document === null || Array.isArray(document) || !("_id" in document))
    throw new Error(`expected a document with an _id, got ${line.slice(0, 60)}`);
  return document;
}

/** Adds documents up to one hash that does not depend on their order. */
export function createContentsHash(): { readonly add: (line: string) => void; readonly hex: () => string } {
  const sum = Buffer.alloc(32);
  return {
    add: (line) => {
      const hash = createHash("sha256").update(line).digest();
      for (let i = 0; i < sum.length; i++) sum.writeUInt8(sum.readUInt8(i) ^ hash.readUInt8(i), i);
    },
    hex: () => sum.toString("hex"),
  };
}

const HEX = /^[0-9a-f]{64}$/;
/** A name that is a file in the folder itself, and no other. */
const FILE = /^[\w-][\w.-]*\.ndjson$/;

/**
 * Reads the manifest of an export.
 *
 * @throws LocalDatabaseError `damaged`
 */
export async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, MANIFEST);
  let manifest: Partial<Manifest> | null;
  try {
    manifest = JSON.parse(await readFile(path, "utf8")) as Partial<Manifest> | null;
  } catch (cause) {
    throw new LocalDatabaseError("damaged", `${path}: expected the manifest of an export, got ${(cause as Error).message}`, { cause });
  }
  if (manifest?.format !== FORMAT)
    throw new LocalDatabaseError("damaged", `${path}: expected "format" to be ${FORMAT}, got ${JSON.stringify(manifest?.format)}`);
  const { collections } = manifest;
  if (!Array.isArray(collections) || !collections.every(isCollection))
    throw new LocalDatabaseError("damaged", `${path}: expected "collections" with name, file, documents, bytes, sha256 and contents each`);
  if (new Set(collections.map(({ name }) => name)).size !== collections.length)
    throw new LocalDatabaseError("damaged", `${path}: expected each collection once`);
  return { format: FORMAT, createdAt: String(manifest.createdAt), server: manifest.server ?? null, collections };
}

function isCollection(value: Partial<DumpedCollection> | null): value is DumpedCollection {
  if (typeof value !== "object" || value === null) return false;
  const { name, file, documents, bytes, sha256, contents } = value;
  return (
    typeof name === "string" &&
    name !== "" &&
    !name.startsWith("system.") &&
    typeof file === "string" &&
    FILE.test(file) &&
    Number.isSafeInteger(documents) &&
    Number.isSafeInteger(bytes) &&
    typeof sha256 === "string" &&
    HEX.test(sha256) &&
    typeof contents === "string" &&
    HEX.test(contents)
  );
}
