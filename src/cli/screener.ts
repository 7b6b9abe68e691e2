import { basename, dirname, join } from "node:path";
import { findTranscript } from "../pipeline/asr/import.ts";
import type { RawFormat, RecordingSource } from "../pipeline/audio/open.ts";
import { CallsiftError } from "../pipeline/errors.ts";
import { findMetadata } from "../pipeline/metadata.ts";
import type { Policies } from "../pipeline/policies.ts";
import type { Screening } from "../pipeline/screening.ts";
import { type StageOptions, score } from "../pipeline/stages.ts";
import type { CallMetadata, Language } from "../pipeline/types.ts";
import type { CallFile } from "./collect.ts";
import { type HearingOptions, openHearing } from "./hearing.ts";

export interface ScreenerOptions extends HearingOptions {
  readonly policies: Policies;
  /** By the `file` column: a path as given, or a bare file name. */
  readonly metadata: ReadonlyMap<string, CallMetadata>;
  readonly raw: RawFormat | null;
  readonly language: Language | "auto";
  readonly agentChannel: 0 | 1 | "auto";
}

/** Screens calls one by one or side by side; holds the engines they share. */
export interface Screener extends AsyncDisposable {
  /** @throws CallsiftError */
  screen(call: CallFile, options?: StageOptions): Promise<Screening>;
}

/**
 * Opens a screener.
 *
 * @throws CallsiftError `asr/not-available`
 */
export async function openScreener(options: ScreenerOptions): Promise<Screener> {
  const { engine, policies } = options;
  const hearing = await openHearing(options);
  return {
    async screen(call, stageOptions) {
      const metadata = await metadataOf(call, options.metadata);
      const transcriptPath = engine === "none" ? null : await findTranscript(call.path, stageOptions?.signal);
      const { policyFor } = policies;
      const ingested = {
        source: sourceOf(call, metadata, options.raw),
        metadata,
        transcriptPath,
        agentChannel: options.agentChannel,
        language: options.language,
      };
      return score(await hearing.hear(ingested, { ...stageOptions, policyFor }), { policyFor });
    },
    [Symbol.asyncDispose]: () => hearing[Symbol.asyncDispose](),
  };
}

/** What lies beside the recording, and over it what the table says. */
async function metadataOf(call: CallFile, table: ReadonlyMap<string, CallMetadata>): Promise<CallMetadata> {
  const row = table.get(call.path.toString()) ?? table.get(call.name) ?? table.get(basename(call.name));
  return { ...(await findMetadata(call.path)), ...row };
}

function sourceOf(call: CallFile, { legs }: CallMetadata, raw: RawFormat | null): RecordingSource {
  if (call.legsOnly && !legs) throw new CallsiftError("metadata/invalid", `${call.name}: expected legs that name the recordings, got none`);
  const folder = dirname(call.path.toString());
  return {
    name: call.name,
    path: call.path,
    ...(legs && { legs: { agent: join(folder, legs.agent), customer: join(folder, legs.customer) } }),
    ...(raw && { raw }),
  };
}
