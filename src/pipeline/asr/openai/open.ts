import { CallsiftError } from "../../errors.ts";
import type { SpeechServer } from "../port.ts";
import { type HeardPiece, type HearOptions, RECOGNISER_RATE, type Recogniser } from "../recogniser.ts";
import { readAddress } from "./address.ts";
import { readAnswer } from "./answer.ts";
import { createAsk } from "./ask.ts";
import { CLOCK, type Clock } from "./clock.ts";
import { createLanes } from "./lanes.ts";
import { openSoundFileWriter } from "./sound-file.ts";
import { createSpeechFetch } from "./speech-fetch.ts";

export interface OpenaiOptions extends SpeechServer {
  /** Requests at once. */
  readonly lanes?: number;
  /** Folders in which ffmpeg is looked for. */
  readonly searchPath?: string;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

/** Raised by hand whenever the same server would give other words. */
const ENGINE_VERSION = 1;
const DEFAULT_LANES = 4;
/** What Whisper and its kin take in at once, ms; in FLAC a twentieth of the 25 MB that OpenAI allows. */
const MAX_PIECE_MS = 30_000;
/** Of a piece, where the caller sets none, ms. */
const DEFAULT_TIMEOUT_MS = 120_000;
/** Whisper then writes simplified characters and punctuation. Measured on Whisper alone, so nothing else is asked to follow on from it. */
const PROMPT = "以下是普通话的句子。";
const SAMPLES_PER_MS = RECOGNISER_RATE / 1000;
/** The package's own time-out must never be first: ours says what it is. */
const NEVER_MS = 2 ** 31 - 1;

/**
 * Opens a server of the OpenAI transcription protocol (https://platform.openai.com/docs/api-reference/audio/createTranscription): every piece of sound goes there. The
 * server is not asked anything yet. Cannot weigh texts.
 *
 * @throws CallsiftError `asr/not-available`, `aborted`
 */
export async function openOpenai(options: OpenaiOptions): Promise<Recogniser> {
  const { model, lanes: laneCount = DEFAULT_LANES, searchPath = "", clock = CLOCK } = options;
  const address = readAddress(options);
  if (options.signal?.aborted) throw aborted();
  const { default: OpenAI } = await import("openai");
  const client = new OpenAI({
    baseURL: address.baseUrl,
    // All that the package would else read from the environment. The key is added where the request leaves.
    apiKey: "added-later",
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    logLevel: "off",
    maxRetries: 0,
    timeout: NEVER_MS,
    fetch: createSpeechFetch(address.authorization),
  });
  const ask = createAsk({ client, model, clock, secrets: address.secrets });
  const writer = await openSoundFileWriter(searchPath);
  const places = Math.max(1, Math.floor(laneCount));
  const lanes = createLanes(places);
  const inHand = new Map<AbortController, Promise<unknown>>();
  const isWhisper = /whisper/i.test(model);
  let isClosed = false;

  async function hearPiece(sound: Float32Array, { language, timeoutMs = DEFAULT_TIMEOUT_MS }: HearOptions, stop: AbortController) {
    const timer = setTimeout(
      () => stop.abort(new CallsiftError("asr/time-out", `expected the speech server to answer within ${timeoutMs} ms`)),
      Math.min(timeoutMs, NEVER_MS),
    );
    try {
      const deadlineMs = clock.nowMs() + timeoutMs;
      const file = await writer.write(sound, stop.signal);
      stop.signal.throwIfAborted();
      const prompt = language === "zh" && isWhisper ? PROMPT : null;
      return readAnswer(await ask({ file, language, prompt, signal: stop.signal, deadlineMs }), sound.length / SAMPLES_PER_MS, prompt);
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    name: "openai",
    model,
    recipe: `openai/${ENGINE_VERSION} ${model} server/${address.fingerprint}`,
    // Most such servers run a Whisper, which does.
    dropsHesitations: true,
    lanes: places,
    maxPieceMs: MAX_PIECE_MS,
    async hear(sound, hearOptions) {
      if (isClosed || hearOptions.signal?.aborted) throw aborted();
      const stop = new AbortController();
      const onAbort = (): void => stop.abort(aborted());
      hearOptions.signal?.addEventListener("abort", onAbort, { once: true });
      const work = lanes.run(() => hearPiece(sound, hearOptions, stop), stop.signal);
      const settled = work.catch(() => undefined);
      inHand.set(stop, settled);
      try {
        const heard: HeardPiece = { ...(await orStop(work, stop.signal)), weigh: null, release: () => undefined };
        return heard;
      } finally {
        hearOptions.signal?.removeEventListener("abort", onAbort);
        void settled.then(() => inHand.delete(stop));
      }
    },
    async [Symbol.asyncDispose]() {
      isClosed = true;
      for (const stop of inHand.keys()) stop.abort(aborted());
      await Promise.all(inHand.values());
      await writer[Symbol.asyncDispose]();
    },
  };
}

function aborted(): CallsiftError {
  return new CallsiftError("aborted", "stopped on request");
}

/** The work's outcome, or the signal's reason at once, whatever the work is still busy with. */
async function orStop<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort: (() => void) | undefined;
  const stopped = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([work, stopped]);
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    if (onAbort) signal.removeEventListener("abort", onAbort);
  }
}
