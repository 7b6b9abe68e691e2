import type { Call } from "../models/calls.ts";
import type { Models } from "../models/models.ts";
import type { RecordingFiles } from "../models/recording-files.ts";

export interface EraseDeps {
  readonly models: Pick<Models, "calls" | "transcripts" | "screenings" | "reviews">;
  readonly files: RecordingFiles;
  /** What was made of a recording to be played and drawn. */
  readonly derived: { remove(id: string): Promise<unknown> };
}

/** What went of a call. */
export interface Erased {
  readonly recordings: number;
  readonly bytes: number;
  readonly transcripts: number;
  readonly screenings: number;
  readonly reviews: number;
}

/**
 * Takes a call away for good: its bytes, words, results and reviews; a tombstone stays in the ledger. The call itself goes last, so that what is cut in between can be done again, and what a worker or a person saved meanwhile
 * goes with a second look.
 */
export async function eraseCall({ id, bytes }: Pick<Call, "id" | "bytes">, deps: EraseDeps): Promise<Erased> {
  const recordings = await removeRecording(id, deps);
  const first = await removeResults(id, deps);
  await deps.models.calls.bury(id);
  const second = await removeResults(id, deps);
  return {
    recordings,
    bytes: recordings > 0 ? bytes : 0,
    transcripts: first.transcripts + second.transcripts,
    screenings: first.screenings + second.screenings,
    reviews: first.reviews + second.reviews,
  };
}

/** Takes the bytes of a call away; how many files there were. */
export async function removeRecording(id: string, { models, files, derived }: EraseDeps): Promise<number> {
  const source = await models.calls.source(id);
  if (!source) return 0;
  const { recording } = source;
  const keys = "key" in recording ? [recording.key] : [recording.agentKey, recording.customerKey];
  let removed = 0;
  for (const key of keys) if (await files.remove(key)) removed++;
  await derived.remove(id);
  return removed;
}

async function removeResults(id: string, { models, derived }: EraseDeps): Promise<Pick<Erased, "transcripts" | "screenings" | "reviews">> {
  await derived.remove(id);
  return {
    transcripts: await models.transcripts.removeCall(id),
    screenings: await models.screenings.removeCall(id),
    reviews: await models.reviews.removeCall(id),
  };
}
