import type { RecordingSource } from "../../pipeline/audio/open.ts";
import { fileName } from "../../pipeline/beside.ts";
import { CallsiftError } from "../../pipeline/errors.ts";
import type { ApiDeps } from "../deps.ts";

/** A call's stored bytes as files of this machine, let go of when disposed. */
export interface CallSource extends AsyncDisposable {
  readonly recording: RecordingSource;
}

/**
 * Opens what is stored of a call.
 *
 * @throws CallsiftError `recording/gone`
 */
export async function openCallSource(callId: string, { models, files }: Pick<ApiDeps, "models" | "files">): Promise<CallSource> {
  const source = await models.calls.source(callId);
  if (!source) throw new CallsiftError("recording/gone", "the recording of this call is not stored any more");
  const { recording } = source;
  if ("key" in recording) {
    const local = await files.local(recording.key);
    return { recording: { name: fileName(local.path), path: local.path }, [Symbol.asyncDispose]: () => local[Symbol.asyncDispose]() };
  }
  const agent = await files.local(recording.agentKey);
  const customer = await files.local(recording.customerKey).catch(async (error: unknown) => {
    await agent[Symbol.asyncDispose]();
    throw error;
  });
  return {
    recording: { name: fileName(agent.path), path: agent.path, legs: { agent: agent.path, customer: customer.path } },
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      await customer[Symbol.asyncDispose]();
    },
  };
}
