import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import type { CallStore, Lane, NewCall } from "../../models/calls.ts";
import { newCallId } from "../../models/ids.ts";
import type { RecordingFiles } from "../../models/recording-files.ts";
import { decodeSource } from "../../pipeline/asr/import/source.ts";
import { findTranscript } from "../../pipeline/asr/import.ts";
import { fileName, readSmallFile } from "../../pipeline/beside.ts";
import { CallsiftError } from "../../pipeline/errors.ts";
import { findMetadata } from "../../pipeline/metadata.ts";
import type { CallMetadata } from "../../pipeline/types.ts";
import type { FileMark } from "./done-files.ts";
import type { FoundCall } from "./found-call.ts";
import type { NamePattern } from "./name-pattern.ts";

export interface TakeInDeps {
  readonly models: { readonly calls: Pick<CallStore, "accept"> };
  readonly files: RecordingFiles;
  readonly tenant: string;
  readonly lane: Lane;
  readonly maxBytes: number;
  readonly pattern: NamePattern | null;
}

export interface TakenIn {
  readonly id: string;
  /** The same bytes were there already. */
  readonly duplicate: boolean;
  /** What in the name was not as the pattern expects; the call is taken all the same. */
  readonly nameFault: string | null;
}

/** As large as a transcript may be (pipeline/asr/import.ts). */
const MAX_TRANSCRIPT_BYTES = 32 * 1024 * 1024;

/**
 * Stores a call of a folder with all that is known of it: what its name says, over it what lies beside it, over that `row`. Once it resolves the call survives a crash.
 *
 * @throws CallsiftError `metadata/invalid`, `transcript/…`, `audio/…`, `request/too-large`, `output/no-space`, `store/unreachable`, `aborted`
 */
export async function takeIn(call: FoundCall, row: CallMetadata, deps: TakeInDeps, signal: AbortSignal): Promise<TakenIn> {
  const reading = deps.pattern?.read(call.name);
  const fromName = reading && "metadata" in reading ? reading.metadata : {};
  // Where the legs lie is of no use any more once they are stored.
  const { legs: _legs, ...metadata } = { ...fromName, ...(await findMetadata(call.path, signal)), ...row };
  const givenTranscript = await transcriptBeside(call.path, signal);
  const stored = call.legs ? await putLegs(call.legs, deps, signal) : await putFile(call.path, deps, signal);
  const accepted = await deps.models.calls.accept({
    id: newCallId(),
    tenant: deps.tenant,
    ...stored,
    name: fileName(call.legs ? call.name : call.path),
    givenTranscript,
    lane: deps.lane,
    metadata,
  });
  // A deletion of the same bytes may have run between storing and accepting.
  if (!accepted.duplicate && !(await isThere(stored.recording, deps.files)))
    await (call.legs ? putLegs(call.legs, deps, signal) : putFile(call.path, deps, signal));
  return { id: accepted.call.id, duplicate: accepted.duplicate, nameFault: reading && "fault" in reading ? reading.fault : null };
}

/** Name, size and time of all files that make the call. */
export async function markOf(call: FoundCall): Promise<FileMark> {
  const files = call.legs ? [call.path, call.legs.agent, call.legs.customer] : [call.path];
  const stats = await Promise.all(files.map((path) => stat(path).catch(unreadable)));
  return {
    name: call.name,
    bytes: stats.reduce((sum, { size }) => sum + size, 0),
    modifiedMs: Math.max(...stats.map(({ mtimeMs }) => mtimeMs)),
  };
}

type Stored = Pick<NewCall, "recording" | "sha256" | "bytes">;

async function putFile(path: string, { files, tenant, maxBytes }: TakeInDeps, signal: AbortSignal): Promise<Stored> {
  const found = await stat(path).catch(unreadable);
  if (!found.isFile()) throw new CallsiftError("audio/not-a-file", `expected a file, got something else: ${fileName(path)}`);
  if (found.size === 0) throw new CallsiftError("audio/empty", `expected a recording, got a file of 0 bytes: ${fileName(path)}`);
  const { key, sha256, bytes } = await files.put(tenant, fileName(path), createReadStream(path), { maxBytes, signal });
  return { recording: { key }, sha256, bytes };
}

/** The hash is that of both files one after the other, as `Recording.sha256`. */
async function putLegs({ agent, customer }: NonNullable<FoundCall["legs"]>, deps: TakeInDeps, signal: AbortSignal): Promise<Stored> {
  const [one, two] = [await putFile(agent, deps, signal), await putFile(customer, deps, signal)];
  const hash = createHash("sha256");
  for (const path of [agent, customer]) {
    await pipeline(createReadStream(path), async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) hash.update(chunk);
    });
  }
  return { recording: { agentKey: keyOf(one), customerKey: keyOf(two) }, sha256: hash.digest("hex"), bytes: one.bytes + two.bytes };
}

function keyOf({ recording }: Stored): string {
  return "key" in recording ? recording.key : recording.agentKey;
}

async function isThere(recording: Stored["recording"], files: RecordingFiles): Promise<boolean> {
  const keys = "key" in recording ? [recording.key] : [recording.agentKey, recording.customerKey];
  try {
    for (const key of keys) await files.size(key);
    return true;
  } catch (error) {
    if (error instanceof CallsiftError && error.code === "recording/gone") return false;
    throw error;
  }
}

async function transcriptBeside(path: string, signal: AbortSignal): Promise<NewCall["givenTranscript"]> {
  const beside = await findTranscript(path, signal);
  if (beside === null) return null;
  const name = fileName(beside);
  const file = await readSmallFile(beside, MAX_TRANSCRIPT_BYTES, signal);
  if (file.status === "read") return { name, text: decodeSource(file.bytes).text };
  if (file.status === "too-large")
    throw new CallsiftError("transcript/too-large", `${name}: expected at most ${MAX_TRANSCRIPT_BYTES} bytes, got ${file.size}`);
  throw new CallsiftError(
    "transcript/unreadable",
    `${name}: expected a file that can be read, got ${file.status === "missing" ? "none" : file.why}`,
  );
}

function unreadable(cause: NodeJS.ErrnoException): never {
  if (cause.code === "ENOENT" || cause.code === "ENOTDIR")
    throw new CallsiftError("audio/not-found", "expected a file, found none", { cause });
  throw new CallsiftError("audio/forbidden", `expected a file that can be read, got ${cause.code}`, { cause });
}
