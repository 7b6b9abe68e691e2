import { createHash } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CallsiftError } from "../pipeline/errors.ts";
import type { FailedScreening, Screening } from "../pipeline/screening.ts";
import type { CallFile } from "./collect.ts";

/** A folder of results, one JSON file per recording, each there in whole or not at all. */
export interface ResultFolder {
  /** @throws CallsiftError `output/unwritable` */
  write(call: CallFile, result: Screening | FailedScreening): Promise<void>;
}

/**
 * Makes the folder.
 *
 * @throws CallsiftError `output/unwritable`
 */
export async function createResultFolder(folder: string): Promise<ResultFolder> {
  await makeFolder(folder);
  const written = new Map<string, string>();
  return {
    async write(call, result) {
      const source = call.path.toString("hex");
      let name = call.name;
      // Two folders given at once, or names that differ only in bytes that are no UTF-8, may share a name.
      if ((written.get(name) ?? source) !== source || Buffer.byteLength(name) > 240) name = `${shorten(name)}.${digest(source)}`;
      written.set(name, source);
      const path = join(folder, `${name}.json`);
      const temporary = join(dirname(path), `.${digest(source)}.tmp`);
      try {
        await mkdir(dirname(path), { recursive: true });
        await writeFile(temporary, `${JSON.stringify(result, null, 1)}\n`);
        await rename(temporary, path);
      } catch (cause) {
        await rm(temporary, { force: true });
        throw new CallsiftError("output/unwritable", `could not write ${path}: ${(cause as Error).message}`, { cause });
      }
    },
  };
}

async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((cause: Error) => {
    throw new CallsiftError("output/unwritable", `expected a folder to write to, got ${cause.message}`, { cause });
  });
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 8);
}

function shorten(name: string): string {
  return Buffer.byteLength(name) > 220 ? Array.from(name).slice(0, 70).join("") : name;
}
