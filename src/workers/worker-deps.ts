import type { Config } from "../config.ts";
import type { Stage } from "../models/calls.ts";
import type { Models } from "../models/models.ts";
import type { RecordingFiles } from "../models/recording-files.ts";
import type { ErrorCode } from "../pipeline/errors.ts";
import type { Deps, Ingested, StageOptions, Transcribed } from "../pipeline/stages.ts";
import type { Timings } from "../pipeline/types.ts";

/** The engines that calls are heard with. */
export interface Hearing {
  /** @throws CallsiftError `audio/…`, `transcript/…`, `asr/…`, `weights/…`, `aborted` */
  hear(call: Ingested, options: StageOptions & Pick<Deps, "policyFor">): Promise<Transcribed>;
  /** The recipe of calls that come with a transcript, or without. */
  recipeFor(hasTranscript: boolean): Promise<string>;
}

/** The part of pino's logger that workers use; never given words or numbers of a call. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** For metrics. */
export type WorkerEvent =
  | {
      readonly kind: "heard";
      readonly call: string;
      readonly durationMs: number;
      readonly tookMs: number;
      readonly timings: Omit<Timings, "scoreMs" | "totalMs">;
    }
  | { readonly kind: "scored"; readonly call: string; readonly tookMs: number }
  | { readonly kind: "failed"; readonly call: string; readonly stage: Stage; readonly code: ErrorCode }
  | { readonly kind: "later"; readonly call: string; readonly stage: Stage; readonly code: ErrorCode }
  | { readonly kind: "delivered"; readonly ok: boolean };

export interface WorkerDeps {
  readonly models: Models;
  readonly files: RecordingFiles;
  readonly hearing: Hearing;
  readonly config: Config;
  /** null: this process alone keeps the order of the work. */
  readonly redisUrl: string | null;
  readonly log: Log;
  readonly onEvent?: (event: WorkerEvent) => void;
}
