import { CallsiftError } from "../errors.ts";
import { importEngine } from "./import.ts";
import { noneEngine } from "./none.ts";
import type { AsrEngine, EngineOptions } from "./port.ts";
import type { Recogniser, RecogniserOptions } from "./recogniser.ts";

/** 0–1; the mean probability of a character below which words are no evidence: every third one or more is wrong there (docs/benchmarks.md). */
export const MIN_CONFIDENCE = 0.5;
/** A piece of 20 s takes some seconds; a machine that is so busy that it takes this long has failed, ms. */
export const PIECE_TIMEOUT_MS = 120_000;

/** An engine that hears sound piece by piece. Its library is loaded when it is opened: importing this file costs nothing. */
function soundEngine(about: Omit<AsrEngine, "open">, openRecogniser: (options: EngineOptions) => Promise<Recogniser>): AsrEngine {
  return {
    ...about,
    async open(options) {
      const { createSoundTranscriber } = await import("./sound-transcriber.ts");
      return createSoundTranscriber(await openRecogniser(options), {
        minConfidence: options.minConfidence ?? MIN_CONFIDENCE,
        pieceTimeoutMs: options.pieceTimeoutMs ?? PIECE_TIMEOUT_MS,
        judge: options.judge ?? null,
      });
    },
  };
}

/** What all that hear sound here give. */
const HEARS = { wordTimes: true, confidence: true, languages: ["zh", "en"] } as const satisfies AsrEngine["capabilities"];

function withWeights(name: string, { folder, lanes, signal }: EngineOptions): RecogniserOptions {
  if (!folder)
    throw new CallsiftError(
      "asr/not-available",
      `expected installed weights for the engine ${name}, found none: callsift models list shows which`,
    );
  return { folder, ...(lanes !== undefined && { lanes }), ...(signal && { signal }) };
}

/** The engines this build has; another one is a line here and a line in the conformance suite. */
export const ENGINES = {
  import: importEngine,
  sherpa: soundEngine({ name: "sherpa", license: "Apache-2.0", capabilities: HEARS }, async (options) =>
    (await import("./sherpa/open.ts")).openSherpa(withWeights("sherpa", options)),
  ),
  whisper: soundEngine({ name: "whisper", license: "MIT", capabilities: HEARS }, async (options) =>
    (await import("./whisper/open.ts")).openWhisper(withWeights("whisper", options)),
  ),
  // The model's licence is the server's affair.
  openai: soundEngine(
    { name: "openai", license: "LicenseRef-server", capabilities: HEARS },
    async ({ server, lanes, searchPath, signal }) => {
      if (!server)
        throw new CallsiftError("asr/not-available", "expected OPENAI_API_KEY or OPENAI_BASE_URL to be set for the engine openai");
      const { openOpenai } = await import("./openai/open.ts");
      return openOpenai({
        ...server,
        ...(lanes !== undefined && { lanes }),
        ...(searchPath !== undefined && { searchPath }),
        ...(signal && { signal }),
      });
    },
  ),
  none: noneEngine,
} as const satisfies Record<string, AsrEngine>;

export type EngineName = keyof typeof ENGINES;

/** What `auto` decides by. */
export interface EngineChoice {
  readonly transcriptPath: string | Uint8Array | null;
  /** The engine of the weights that are installed and preferred. */
  readonly weights?: "sherpa" | "whisper" | null;
  /** A key or an address of a speech server is set. */
  readonly hasServer?: boolean;
}

/**
 * The engine of that name; `auto` takes the transcript beside the recording where there is one, else installed weights, else the server that
 * the user has set, else none.
 *
 * @throws CallsiftError `asr/not-available`
 */
export function pickEngine(name: string, { transcriptPath, weights = null, hasServer = false }: EngineChoice): AsrEngine {
  if (name === "auto") return ENGINES[transcriptPath !== null ? "import" : (weights ?? (hasServer ? "openai" : "none"))];
  if (Object.hasOwn(ENGINES, name)) return ENGINES[name as EngineName];
  throw new CallsiftError(
    "asr/not-available",
    `expected an engine that is known (auto, ${Object.keys(ENGINES).join(", ")}), got ${JSON.stringify(name)}`,
  );
}
