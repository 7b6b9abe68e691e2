import { availableParallelism } from "node:os";
import { CallsiftError } from "../../errors.ts";
import { startThread } from "../../start-thread.ts";
import { finiteSound } from "../finite-sound.ts";
import { RECOGNISER_RATE, type Recogniser, type RecogniserOptions } from "../recogniser.ts";
import { readWhisperFolder } from "./inspect.ts";
import { createLanes } from "./lanes.ts";
import type { WorkerTask } from "./whisper-worker.ts";

export { inspectWhisper, type WhisperFacts } from "./inspect.ts";

export interface WhisperOptions extends RecogniserOptions {
  /** What Chinese text is made to follow on from: it then comes in simplified characters, with punctuation. null: nothing. */
  readonly prompt?: string | null;
  /** Texts that are followed side by side. 1 is a fifth faster, with about a twentieth more characters wrong (Whisper base). */
  readonly beams?: number;
}

/** Raised by hand whenever the decoding would give other text for the same sound. */
const VERSION = 5;
/** Whisper hears 30 s at once, the second of zeros after the piece among them. */
const MAX_PIECE_MS = 28_000;
const PROMPT = "以下是普通话的句子。";
const BEAMS = 2;

/**
 * Opens a Whisper in CTranslate2's format.
 *
 * @throws CallsiftError `weights/missing`, `weights/damaged`, `weights/foreign`, `aborted`
 */
export async function openWhisper({
  folder,
  lanes = availableParallelism(),
  prompt = PROMPT,
  beams = BEAMS,
  signal,
}: WhisperOptions): Promise<Recogniser> {
  const aborted = (cause?: unknown) => new CallsiftError("aborted", "stopped on request before the recogniser was open", { cause });
  if (signal?.aborted) throw aborted();
  const { model, weightsBytes } = await readWhisperFolder(folder);
  if (signal?.aborted) throw aborted();
  const places = Math.max(1, Math.floor(lanes));
  const threads = createLanes(
    () => startThread("./whisper-worker", import.meta.url, { workerData: { folder, prompt, beams } satisfies WorkerTask }),
    places,
  );
  const whenAborted = () => void threads[Symbol.asyncDispose]();
  signal?.addEventListener("abort", whenAborted, { once: true });
  try {
    await threads.open();
    // It may have come up all the same.
    if (signal?.aborted) throw aborted();
  } catch (error) {
    await threads[Symbol.asyncDispose]();
    throw signal?.aborted ? aborted(error) : error;
  } finally {
    signal?.removeEventListener("abort", whenAborted);
  }
  return {
    name: "whisper",
    model,
    recipe: `whisper/${VERSION} ${model}@${weightsBytes} beams/${beams} prompt/${JSON.stringify(prompt)}`,
    dropsHesitations: true,
    lanes: places,
    maxPieceMs: MAX_PIECE_MS,
    async hear(sound, options) {
      const mostSamples = (MAX_PIECE_MS * RECOGNISER_RATE) / 1000;
      if (sound.length === 0 || sound.length > mostSamples)
        throw new CallsiftError("asr/failed", `expected a piece of 1 to ${mostSamples} samples, got ${sound.length}`);
      return threads.hear(finiteSound(sound), options);
    },
    [Symbol.asyncDispose]: () => threads[Symbol.asyncDispose](),
  };
}
