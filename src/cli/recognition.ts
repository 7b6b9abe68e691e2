import type { Config } from "../config.ts";
import type { EngineOptions, SpeechServer } from "../pipeline/asr/port.ts";
import { CallsiftError } from "../pipeline/errors.ts";
import type { Language } from "../pipeline/types.ts";
import { lanesThatFit } from "../weights/lanes.ts";
import { preferredWeights } from "../weights/preferred.ts";
import { type InstalledWeights, installedWeights } from "../weights/store.ts";

/** What recognition has to work with on this machine. */
export interface Recognition {
  /** The installed weights that are used where the engine takes some. */
  readonly weights: InstalledWeights | null;
  readonly hasServer: boolean;
  /** For the engine that is opened. */
  readonly options: EngineOptions;
}

export interface RecognitionOptions {
  /** `auto`, or the name of an engine. */
  readonly engine: string;
  /** Name of installed weights; without it the preferred ones. */
  readonly weights?: string;
  readonly language: Language | "auto";
}

/**
 * Looks for weights and a server, for the engine that was asked for.
 *
 * @throws CallsiftError `weights/unknown`, `weights/damaged`, `asr/not-available`
 */
export async function findRecognition(config: Config, { engine, weights: wanted, language }: RecognitionOptions): Promise<Recognition> {
  const hasServer = config.openaiKey !== null || config.openaiBaseUrl !== null;
  const takesWeights = engine === "auto" || engine === "sherpa" || engine === "whisper";
  const installed = takesWeights ? await installedWeights(config.weightsDir) : [];
  const ready = installed.filter(({ state }) => state === "ready");
  const weights = wanted === undefined ? preferredOf(engine, ready, language) : namedOf(engine, installed, wanted);
  const server: SpeechServer | null = hasServer
    ? { baseUrl: config.openaiBaseUrl, apiKey: config.openaiKey, model: config.openaiModel }
    : null;
  // A Whisper judges wordings where the engine's own weights cannot.
  const second = weights?.manifest?.engine === "sherpa" ? preferredWeights(ready.filter(isWhisper), language)[0] : undefined;
  return {
    weights,
    hasServer,
    options: {
      ...(weights && { lanes: await lanesOf(weights) }),
      minConfidence: config.minConfidence,
      pieceTimeoutMs: config.asrTimeoutMs,
      searchPath: config.searchPath,
      ...(weights && { folder: weights.folder }),
      ...(server && { server }),
      ...(second && { judge: () => openJudge(second.folder) }),
    },
  };
}

/** At least one, since the figure is an estimate; what is wrong with the weights is said when they are opened. */
async function lanesOf(weights: InstalledWeights): Promise<number> {
  const count = await lanesThatFit(weights).then(
    (lanes) => lanes.count,
    () => 1,
  );
  return Math.max(1, count);
}

async function openJudge(folder: string) {
  const { openWhisper } = await import("../pipeline/asr/whisper/open.ts");
  return openWhisper({ folder, lanes: 1 });
}

function isWhisper({ manifest }: InstalledWeights): boolean {
  return manifest?.engine === "whisper";
}

function preferredOf(engine: string, ready: readonly InstalledWeights[], language: Language | "auto"): InstalledWeights | null {
  const fitting = engine === "auto" ? ready : ready.filter(({ manifest }) => manifest?.engine === engine);
  const [found = null] = preferredWeights(fitting, language);
  if (found || engine === "auto" || engine === "openai" || engine === "import" || engine === "none") return found;
  throw new CallsiftError(
    "asr/not-available",
    `expected installed weights for the engine ${engine}, found none: callsift models list shows what there is, callsift models pull fetches it`,
  );
}

function namedOf(engine: string, installed: readonly InstalledWeights[], name: string): InstalledWeights {
  const found = installed.find((weights) => weights.name === name);
  if (!found)
    throw new CallsiftError(
      "weights/unknown",
      `expected the name of installed weights (callsift models list), got ${JSON.stringify(name)}`,
    );
  if (found.state !== "ready") throw new CallsiftError("weights/damaged", `${name}: ${found.fault}`);
  if (engine !== "auto" && found.manifest?.engine !== engine)
    throw new CallsiftError(
      "asr/not-available",
      `expected weights for the engine ${engine}, got ${name}, which are for ${found.manifest?.engine}`,
    );
  return found;
}
