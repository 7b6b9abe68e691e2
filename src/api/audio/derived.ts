import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../../config.ts";
import { openRecording } from "../../pipeline/audio/open.ts";
import type { ApiDeps } from "../deps.ts";
import { writePlayWav } from "./play-wav.ts";
import { openCallSource } from "./source.ts";

/** Made again when asked for: the oldest go where there are more bytes than this. */
const MAX_BYTES = 8 * 1024 ** 3;

/** What is made of recordings for browsers, kept below the data folder. */
export interface DerivedFiles {
  pathOf(callId: string): string;
  remove(callId: string): Promise<void>;
}

/** Names of derived files; `callId` must be an id, as it becomes part of a path. */
export function derivedFiles({ dataDir }: Pick<Config, "dataDir">): DerivedFiles {
  const pathOf = (callId: string): string => join(dataDir, "derived", `${callId}.wav`);
  return { pathOf, remove: async (callId) => await rm(pathOf(callId), { force: true }) };
}

/** A call's sound as browsers play it: made once, whoever asks at the same time. */
export interface PlayableSound {
  /** @throws CallsiftError `audio/…`, `recording/gone` */
  path(callId: string): Promise<string>;
}

/** Makes and keeps playable sound. */
export function createPlayableSound({ models, files, config, log }: Pick<ApiDeps, "models" | "files" | "config" | "log">): PlayableSound {
  const { pathOf } = derivedFiles(config);
  const making = new Map<string, Promise<string>>();
  return {
    async path(callId) {
      const path = pathOf(callId);
      const known = await stat(path).catch(() => null);
      if (known) return path;
      const running = making.get(callId) ?? make(callId, path).finally(() => making.delete(callId));
      making.set(callId, running);
      return await running;
    },
  };

  async function make(callId: string, path: string): Promise<string> {
    const folder = join(config.dataDir, "derived");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await using source = await openCallSource(callId, { models, files });
    await using opened = await openRecording(source.recording, {
      searchPath: config.searchPath,
      timeoutMs: config.decodeTimeoutMs,
      ...(config.ffmpegPath !== null && { ffmpegPath: config.ffmpegPath }),
      ...(config.tempDir !== null && { tempRoot: config.tempDir }),
    });
    await writePlayWav(opened.pcm, path);
    await sweep(folder, path).catch((error: unknown) => log.warn({ err: error }, "old derived sound was not removed"));
    return path;
  }
}

/** Keeps the folder small: by the time they were made, the oldest first, never the one that was just made. */
async function sweep(folder: string, keep: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".wav"));
  const found = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      const { size, mtimeMs } = await stat(path).catch(() => ({ size: 0, mtimeMs: 0 }));
      return { path, size, mtimeMs };
    }),
  );
  let bytes = found.reduce((sum, { size }) => sum + size, 0);
  for (const { path, size } of found.filter((one) => one.path !== keep).sort((a, b) => a.mtimeMs - b.mtimeMs)) {
    if (bytes <= MAX_BYTES) return;
    await rm(path, { force: true });
    bytes -= size;
  }
}
