import { energy } from "./energy.ts";
import type { VadEngine } from "./port.ts";
import { silero } from "./silero.ts";

/** The speech detectors by name. */
export const VAD_ENGINES = { silero, energy } as const satisfies {
  readonly [Name in VadEngine["name"]]: VadEngine & { readonly name: Name };
};
