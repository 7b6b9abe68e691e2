import type { RecordingFiles } from "../../models/recording-files.ts";
import { CallsiftError } from "../../pipeline/errors.ts";
import { derivedFiles } from "../audio/derived.ts";
import type { ApiDeps } from "../deps.ts";

/**
 * Removes a call's content everywhere; a tombstone stays for the ledger. What a worker writes down at this very moment is removed by the second round, after which
 * no worker can begin; a process that dies in between leaves a call that can be deleted again.
 */
export async function eraseCall(id: string, deps: Pick<ApiDeps, "models" | "files" | "config">): Promise<void> {
  const { models, files } = deps;
  const source = await models.calls.source(id);
  const keys = source ? Object.values(source.recording) : [];
  for (const key of keys) await removeFile(files, key);
  const remove = async (): Promise<void> => {
    await models.transcripts.removeCall(id);
    await models.screenings.removeCall(id);
    await models.reviews.removeCall(id);
    await derivedFiles(deps.config).remove(id);
  };
  await remove();
  await models.calls.bury(id);
  await remove();
}

/** What is gone already is what was wanted. */
async function removeFile(files: RecordingFiles, key: string): Promise<void> {
  try {
    await files.remove(key);
  } catch (error) {
    if (!(error instanceof CallsiftError && error.code === "recording/gone")) throw error;
  }
}
