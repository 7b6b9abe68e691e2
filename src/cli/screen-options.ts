import type { Language } from "../pipeline/types.ts";

/** The options of `callsift screen`, as commander gives them. */
export interface ScreenOptions {
  readonly json?: true;
  readonly details?: true;
  readonly engine: "auto" | "sherpa" | "whisper" | "openai" | "import" | "none";
  readonly weights?: string;
  readonly language?: Language | "auto";
  readonly agentChannel: "0" | "1" | "auto";
  readonly form?: string;
  readonly rules?: readonly string[];
  readonly meta?: string;
  readonly raw?: string;
  readonly concurrency?: number;
  readonly out?: string;
}
