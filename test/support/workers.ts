import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { loadConfig } from "../../src/config.ts";
import type { Call, NewCall } from "../../src/models/calls.ts";
import { newCallId } from "../../src/models/ids.ts";
import type { Models } from "../../src/models/models.ts";
import { openDiskFiles } from "../../src/models/recording-disk.ts";
import type { RecordingFiles } from "../../src/models/recording-files.ts";
import { readBuiltins } from "../../src/pipeline/policies.ts";
import type { Transcribed } from "../../src/pipeline/stages.ts";
import type { Hearing, Log, WorkerDeps } from "../../src/workers/worker-deps.ts";
import { createTestFolder } from "./audio-files.ts";
import type { TestServer } from "./database.ts";
import { heardCall } from "./heard-call.ts";
import { openTestModels } from "./models.ts";

/** What a test of workers has: a database with the built-in rules, a folder for recordings, ears that are told what to hear. */
export interface WorkerWorld extends AsyncDisposable {
  readonly uri: string;
  readonly models: Models;
  readonly files: RecordingFiles;
  readonly deps: WorkerDeps;
  readonly folder: string;
  readonly logged: { readonly level: string; readonly message: string; readonly fields: Readonly<Record<string, unknown>> }[];
  /** Stores bytes of their own and accepts them as a call; its id. */
  accept(change?: Partial<NewCall>): Promise<string>;
  call(id: string): Promise<Call>;
}

export const RECIPE = "e".repeat(64);

/** Ears that hear every recording as one agent who says a forbidden thing. */
export function hearingOf(hear: (name: string, signal: AbortSignal | undefined) => Promise<void> = async () => {}): Hearing {
  return {
    recipeFor: async () => RECIPE,
    async hear(call, { signal }) {
      await hear(call.source.name, signal);
      signal?.throwIfAborted();
      return await heardOf(call.source.path as string, call.source.name);
    },
  };
}

/** A call of 20 s that was heard. */
export function transcribedOf(sha256: string, name = "call.wav"): Transcribed {
  const call = heardCall({
    utterances: [
      { role: "agent", startMs: 500, endMs: 4000, text: "您好，很高兴为您服务，请问有什么可以帮您" },
      { role: "customer", startMs: 5000, endMs: 8000, text: "我要投诉，你们的快递一直没有到" },
      { role: "agent", startMs: 9000, endMs: 12_000, text: "这不归我管，你自己想办法" },
    ],
  });
  return {
    recording: { name, sha256, bytes: 1000, codec: "pcm_s16le", sampleRate: 8000, channels: 2, durationMs: call.durationMs },
    recipe: RECIPE,
    call,
    roleConfidence: 1,
    voices: null,
    timings: { probeMs: 1, transcodeMs: 1, vadMs: 1, transcribeMs: 1 },
  };
}

async function heardOf(path: string, name: string): Promise<Transcribed> {
  const { readFile } = await import("node:fs/promises");
  return transcribedOf(
    createHash("sha256")
      .update(await readFile(path))
      .digest("hex"),
    name,
  );
}

let made = 0;

/** Opens it on a fresh database. */
export async function openWorkerWorld(server: TestServer, more: Partial<WorkerDeps> = {}): Promise<WorkerWorld> {
  const opened = await openTestModels(server);
  const { models } = opened;
  await models.policies.seed(await readBuiltins());
  const folder = createTestFolder();
  const files = openDiskFiles(folder.path);
  const logged: WorkerWorld["logged"] = [];
  const at =
    (level: string) =>
    (fields: object, message: string): void =>
      void logged.push({ level, message, fields: fields as Record<string, unknown> });
  const log: Log = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  const config = { ...loadConfig({}), dataDir: folder.path, minFreeBytes: 0, concurrency: 2, privateAddresses: true };
  const deps: WorkerDeps = { models, files, hearing: hearingOf(), config, redisUrl: null, log, ...more };
  return {
    uri: opened.uri,
    models,
    files,
    deps,
    folder: folder.path,
    logged,
    async accept(change = {}) {
      const stored = await files.put("default", "call.wav", Readable.from([Buffer.from(`recording ${made++} of ${process.pid}`)]), {
        maxBytes: 1e6,
      });
      const { call } = await models.calls.accept({
        id: newCallId(),
        tenant: "default",
        sha256: stored.sha256,
        bytes: stored.bytes,
        name: "call.wav",
        recording: { key: stored.key },
        givenTranscript: null,
        lane: "upload",
        metadata: {},
        ...change,
      });
      return call.id;
    },
    async call(id) {
      const call = await models.calls.get(id);
      if (!call) throw new Error(`expected the call ${id}, got none`);
      return call;
    },
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]();
      folder.remove();
    },
  };
}
