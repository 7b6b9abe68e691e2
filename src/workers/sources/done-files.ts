import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";

/** What makes a file the same one as before. */
export interface FileMark {
  /** Relative to the folder that is looked through. */
  readonly name: string;
  readonly bytes: number;
  readonly modifiedMs: number;
}

/** Files that are stored already, remembered over restarts, so that a million of them need not be read again. */
export interface DoneFiles extends AsyncDisposable {
  readonly size: number;
  has(mark: FileMark): boolean;
  /** Lost in a crash, it costs no more than reading the file again: the database knows it by its hash. */
  add(mark: FileMark): Promise<void>;
}

const LINE = 16;

/** Opens the list at `path`, a line of 16 characters a file; a line that a crash has cut is passed over. */
export async function openDoneFiles(path: string): Promise<DoneFiles> {
  await mkdir(dirname(path), { recursive: true });
  const text = await readFile(path, "latin1").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  const done = new Set(text.split("\n").filter((line) => line.length === LINE));
  const file: FileHandle = await open(path, "a");
  if (text !== "" && !text.endsWith("\n")) await file.write("\n");
  return {
    get size() {
      return done.size;
    },
    has: (mark) => done.has(lineOf(mark)),
    async add(mark) {
      const line = lineOf(mark);
      if (done.has(line)) return;
      done.add(line);
      await file.write(`${line}\n`);
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

/** 96 bits: of a million files, no two come out alike. */
function lineOf({ name, bytes, modifiedMs }: FileMark): string {
  return createHash("sha256").update(`${name}\0${bytes}\0${modifiedMs}`).digest("base64url").slice(0, LINE);
}
