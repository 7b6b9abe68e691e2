import type { Call } from "../models/calls.ts";
import type { Settings } from "../models/settings.ts";
import type { Triage } from "../pipeline/types.ts";
import { type EraseDeps, type Erased, eraseCall, removeRecording } from "./erase-call.ts";

const DAY_MS = 24 * 3_600_000;

export interface RetentionOptions {
  readonly tenant: string;
  readonly retention: Settings["retention"];
  /** Only calls of this outcome. */
  readonly queue?: Triage["queue"];
  /** Nothing is removed. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  readonly now?: Date;
}

/** What was removed because of its age, or would be. */
export interface RetentionReport {
  readonly dryRun: boolean;
  /** Calls of which only a tombstone is left. */
  readonly calls: number;
  readonly recordings: number;
  readonly bytes: number;
  /** Calls whose words were removed; their results stay. */
  readonly transcripts: number;
}

/** Removes recordings, words and whole calls that are older than they may be. A call that nobody has finished working on stays as it is. */
export async function applyRetention(options: RetentionOptions, deps: EraseDeps): Promise<RetentionReport> {
  const { retention, signal, dryRun } = options;
  const sums = { calls: 0, recordings: 0, bytes: 0, transcripts: 0 };
  const gone = new Set<string>();
  for await (const call of olderThan(retention.resultsDays, options, deps)) {
    if (signal.aborted) break;
    const erased = dryRun ? await whatIsThere(call, deps) : await eraseCall(call, deps);
    if (dryRun) gone.add(call.id);
    sums.calls++;
    sums.recordings += erased.recordings;
    sums.bytes += erased.bytes;
    sums.transcripts += erased.transcripts > 0 ? 1 : 0;
  }
  for await (const call of olderThan(retention.transcriptsDays, options, deps)) {
    if (signal.aborted) break;
    if (gone.has(call.id)) continue;
    const there = dryRun ? await hasWords(call, deps) : (await deps.models.transcripts.removeCall(call.id)) > 0;
    if (there) sums.transcripts++;
  }
  for await (const call of olderThan(retention.recordingsDays, options, deps)) {
    if (signal.aborted) break;
    if (gone.has(call.id)) continue;
    const recordings = dryRun ? (await recordingSize(call, deps)).files : await removeRecording(call.id, deps);
    sums.recordings += recordings;
    sums.bytes += recordings > 0 ? call.bytes : 0;
  }
  return { dryRun, ...sums };
}

/** What was removed of a customer's, where it was, and how much: for whoever asked for it. */
export interface DeletionReceipt extends Erased {
  readonly at: string;
  readonly calls: readonly string[];
}

/** Removes everything of one customer: each call with this number in its metadata, exactly as written there. */
export async function deleteCustomer(
  { tenant, customerNumber, dryRun }: { readonly tenant: string; readonly customerNumber: string; readonly dryRun: boolean },
  deps: EraseDeps,
): Promise<DeletionReceipt> {
  const calls: string[] = [];
  const sums = { recordings: 0, bytes: 0, transcripts: 0, screenings: 0, reviews: 0 };
  for await (const call of deps.models.calls.find({ tenant }, { customerNumber })) {
    const erased = dryRun ? await whatIsThere(call, deps) : await eraseCall(call, deps);
    calls.push(call.id);
    for (const part of Object.keys(sums) as (keyof typeof sums)[]) sums[part] += erased[part];
  }
  return { at: new Date().toISOString(), calls, ...sums };
}

async function* olderThan(
  days: number | null,
  { tenant, queue, now = new Date() }: RetentionOptions,
  { models }: EraseDeps,
): AsyncGenerator<Call> {
  if (days === null) return;
  const receivedBefore = new Date(now.getTime() - days * DAY_MS);
  for await (const call of models.calls.find({ tenant }, { receivedBefore, ...(queue && { queue }) }))
    if (call.status === "scored" || call.status === "failed") yield call;
}

async function whatIsThere(call: Call, deps: EraseDeps): Promise<Erased> {
  const { files, bytes } = await recordingSize(call, deps);
  const isScored = call.recipe !== null && call.policy !== null;
  return {
    recordings: files,
    bytes,
    transcripts: (await hasWords(call, deps)) ? 1 : 0,
    screenings: isScored ? 1 : 0,
    reviews: (await deps.models.reviews.latest(call.id)) === null ? 0 : 1,
  };
}

async function hasWords({ id, recipe }: Call, { models }: EraseDeps): Promise<boolean> {
  return recipe !== null && (await models.transcripts.getPacked([{ callId: id, recipe }])).size > 0;
}

async function recordingSize({ id }: Call, { models, files }: EraseDeps): Promise<{ readonly files: number; readonly bytes: number }> {
  const source = await models.calls.source(id);
  if (!source) return { files: 0, bytes: 0 };
  const { recording } = source;
  const keys = "key" in recording ? [recording.key] : [recording.agentKey, recording.customerKey];
  const sizes = await Promise.all(keys.map((key) => files.size(key).catch(() => null)));
  const there = sizes.filter((size) => size !== null);
  return { files: there.length, bytes: there.reduce((sum, size) => sum + size, 0) };
}
