import { basename, dirname, join } from "node:path";
import type { Config } from "../config.ts";
import { pickEngine } from "../pipeline/asr/engines.ts";
import { findTranscript } from "../pipeline/asr/import.ts";
import { silentTranscriber } from "../pipeline/asr/none.ts";
import type { Transcriber } from "../pipeline/asr/port.ts";
import type { Listener } from "../pipeline/audio/listen.ts";
import type { RawFormat, RecordingSource } from "../pipeline/audio/open.ts";
import { CallsiftError } from "../pipeline/errors.ts";
import { findMetadata } from "../pipeline/metadata.ts";
import type { Policies } from "../pipeline/policies.ts";
import type { Screening } from "../pipeline/screening.ts";
import { type StageOptions, screen } from "../pipeline/stages.ts";
import type { CallMetadata, Language } from "../pipeline/types.ts";
import { openVoices } from "../pipeline/voices/open.ts";
import type { VoiceSplitter } from "../pipeline/voices/port.ts";
import type { CallFile } from "./collect.ts";
import type { Recognition } from "./recognition.ts";

export interface ScreenerOptions {
  readonly config: Config;
  readonly policies: Policies;
  /** By the `file` column: a path as given, or a bare file name. */
  readonly metadata: ReadonlyMap<string, CallMetadata>;
  readonly raw: RawFormat | null;
  /** `auto`, or the name of an engine. */
  readonly engine: string;
  readonly recognition: Recognition;
  readonly language: Language | "auto";
  readonly agentChannel: 0 | 1 | "auto";
  readonly listener: Listener;
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
  const { config, policies, engine, listener, recognition } = options;
  const choice = { weights: recognition.weights?.manifest?.engine ?? null, hasServer: recognition.hasServer };
  // Opened now and not with the first call: what is wrong with it is a mistake of the command, not of a recording.
  const transcribers = new Map<string, Promise<Transcriber>>();
  const openEngine = (transcriptPath: string | Uint8Array | null): Promise<Transcriber> => {
    const picked = pickEngine(engine, { transcriptPath, ...choice });
    const opening = transcribers.get(picked.name) ?? picked.open(recognition.options).catch(withoutWords);
    transcribers.set(picked.name, opening);
    return opening;
  };
  if (engine !== "auto") await openEngine(null);

  /** An engine that was asked for must open; one that was only found may not cost the call what its sound alone tells. */
  function withoutWords(error: unknown): Transcriber {
    if (engine !== "auto" || !(error instanceof CallsiftError)) throw error;
    return silentTranscriber(`${error.code}: ${error.message}`);
  }
  let voices: Promise<VoiceSplitter> | null = null;
  const open = {
    searchPath: config.searchPath,
    timeoutMs: config.decodeTimeoutMs,
    ...(config.ffmpegPath && { ffmpegPath: config.ffmpegPath }),
    ...(config.tempDir && { tempRoot: config.tempDir }),
  };
  return {
    async screen(call, stageOptions) {
      const metadata = await metadataOf(call, options.metadata);
      const transcriptPath = engine === "none" ? null : await findTranscript(call.path, stageOptions?.signal);
      const transcriber = await openEngine(transcriptPath);
      if (transcriber.hearsSound) voices ??= openVoices();
      return screen(
        {
          source: sourceOf(call, metadata, options.raw),
          metadata,
          transcriptPath,
          agentChannel: options.agentChannel,
          language: options.language,
        },
        { listener, transcriber, ...(voices && { voices: await voices }), policyFor: policies.policyFor, open },
        stageOptions,
      );
    },
    async [Symbol.asyncDispose]() {
      for (const opening of [...transcribers.values(), ...(voices === null ? [] : [voices])]) {
        // What did not open has been told to whoever asked for it.
        const opened = await opening.catch(() => null);
        await opened?.[Symbol.asyncDispose]();
      }
    },
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
