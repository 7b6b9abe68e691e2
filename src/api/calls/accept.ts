import type { Call } from "../../models/calls.ts";
import { newCallId } from "../../models/ids.ts";
import { CallsiftError } from "../../pipeline/errors.ts";
import type { ApiDeps } from "../deps.ts";
import type { Received } from "./received.ts";

/**
 * Makes a call of what was received: in the database for good before this returns. The queue is told, but not waited for: what it misses, the reconciler finds.
 */
export async function acceptCall(
  { name, stored, metadata, givenTranscript }: Received,
  tenant: string,
  deps: ApiDeps,
): Promise<{ readonly call: Call; readonly duplicate: boolean }> {
  const { models, files } = deps;
  const { key, sha256, bytes } = stored;
  const accepted = await models.calls.accept({
    id: newCallId(),
    tenant,
    sha256,
    name,
    bytes,
    recording: { key },
    givenTranscript,
    lane: "upload",
    metadata,
  });
  if (accepted.duplicate) return accepted;
  // The same bytes of a call that was being deleted meanwhile may have gone with it.
  const isThere = await files.size(key).then(
    () => true,
    (error: unknown) => {
      if (error instanceof CallsiftError && error.code === "recording/gone") return false;
      throw error;
    },
  );
  if (!isThere) {
    await models.calls.bury(accepted.call.id);
    throw new CallsiftError("request/conflict", "a call with the same recording was deleted at this moment; hand it in again");
  }
  enqueue(accepted.call, deps);
  return accepted;
}

/** Tells the queue of a call; a queue that cannot be reached is no reason to refuse it. */
export function enqueue({ id, tenant, lane, recipe, attempts, crashes }: Call, { schedule, log }: Pick<ApiDeps, "schedule" | "log">): void {
  const stage = recipe === null ? ("listen" as const) : ("score" as const);
  schedule.enqueue({ id, tenant, lane, stage, attempts, crashes }).catch((error: unknown) => {
    log.warn({ call: id, err: error }, "the queue was not told of a call; the reconciler will find it");
  });
}
