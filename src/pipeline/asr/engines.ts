import { CallsiftError } from "../errors.ts";
import { importEngine } from "./import.ts";
import { noneEngine } from "./none.ts";
import type { AsrEngine } from "./port.ts";

/** The engines this build has; another one is a line here and a line in the conformance suite. */
export const ENGINES = { import: importEngine, none: noneEngine } as const satisfies Record<string, AsrEngine>;

export type EngineName = keyof typeof ENGINES;

/** What `auto` decides by. */
export interface EngineChoice {
  readonly transcriptPath: string | Uint8Array | null;
}

/**
 * The engine of that name; `auto` takes the transcript beside the recording where there is one, else none.
 *
 * @throws CallsiftError `asr/not-available`
 */
export function pickEngine(name: string, { transcriptPath }: EngineChoice): AsrEngine {
  if (name === "auto") return transcriptPath === null ? ENGINES.none : ENGINES.import;
  const engine = Object.hasOwn(ENGINES, name) ? ENGINES[name as EngineName] : undefined;
  if (engine) return engine;
  throw new CallsiftError(
    "asr/not-available",
    `expected an engine that is installed (auto, ${Object.keys(ENGINES).join(", ")}), got ${JSON.stringify(name)}`,
  );
}
