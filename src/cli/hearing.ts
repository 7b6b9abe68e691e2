import type { Config } from "../config.ts";
import { pickEngine } from "../pipeline/asr/engines.ts";
import { silentTranscriber } from "../pipeline/asr/none.ts";
import type { Transcriber } from "../pipeline/asr/port.ts";
import type { Listener } from "../pipeline/audio/listen.ts";
import { CallsiftError } from "../pipeline/errors.ts";
import { type Deps, type Ingested, recipeOf, type StageOptions, type Transcribed, transcode, transcribe } from "../pipeline/stages.ts";
import { openVoices } from "../pipeline/voices/open.ts";
import type { VoiceSplitter } from "../pipeline/voices/port.ts";
import type { Recognition } from "./recognition.ts";

export interface HearingOptions {
  readonly config: Config;
  /** `auto`, or the name of an engine. */
  readonly engine: string;
  readonly listener: Listener;
  readonly recognition: Recognition;
}

export interface HearOptions extends StageOptions, Pick<Deps, "policyFor"> {}

/** Listens to recordings and writes down their words, one by one or side by side; holds the engines they share. */
export interface Hearing extends AsyncDisposable {
  /** @throws CallsiftError `audio/…`, `transcript/…`, `asr/…`, `weights/…`, `aborted` */
  hear(call: Ingested, options: HearOptions): Promise<Transcribed>;
  /** The recipe of calls that come with a transcript, or without. */
  recipeFor(hasTranscript: boolean): Promise<string>;
}

/**
 * Opens the engines that calls are heard with. An engine that was asked for is opened now: what is wrong with it is a mistake of the command, not of a recording.
 *
 * @throws CallsiftError `asr/not-available`, `weights/…`
 */
export async function openHearing({ config, engine, listener, recognition }: HearingOptions): Promise<Hearing> {
  const choice = { weights: recognition.weights?.manifest?.engine ?? null, hasServer: recognition.hasServer };
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
  async function depsFor(transcriptPath: string | Uint8Array | null): Promise<Omit<Deps, "policyFor">> {
    const transcriber = await openEngine(transcriptPath);
    if (transcriber.hearsSound) voices ??= openVoices();
    return { listener, transcriber, ...(voices && { voices: await voices }), open };
  }
  return {
    async hear(call, { policyFor, ...options }) {
      const deps = { ...(await depsFor(call.transcriptPath)), policyFor };
      await using transcoded = await transcode(call, deps, options);
      return await transcribe(transcoded, deps, options);
    },
    async recipeFor(hasTranscript) {
      return recipeOf(await depsFor(hasTranscript ? "call.transcript.json" : null));
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
