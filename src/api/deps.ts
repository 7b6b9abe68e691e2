import type { Readable } from "node:stream";
import type { FastifyBaseLogger } from "fastify";
import type { Registry } from "prom-client";
import type { Config } from "../config.ts";
import type { Models } from "../models/models.ts";
import type { RecordingFiles } from "../models/recording-files.ts";
import type { Rescore } from "../models/rescore.ts";
import type { Schedule } from "../models/schedule.ts";

/** All that the API needs of the rest of the process. */
export interface ApiDeps {
  readonly models: Models;
  readonly files: RecordingFiles;
  readonly schedule: Schedule;
  readonly config: Config;
  readonly log: FastifyBaseLogger;
  readonly rescore: Rescore;
  /** Fetches a recording of an allowed host, private addresses and redirects checked. Without it no recording is taken by its address. */
  readonly fetchRecording?: (url: string, signal: AbortSignal) => Promise<Readable>;
  /** What workers of this process measure into; /metrics shows it beside the API's own. */
  readonly registry?: Registry;
  readonly version: string;
  /** For tests of slow clients; default `TIMEOUTS`. */
  readonly timeouts?: ApiTimeouts;
}

export interface ApiTimeouts {
  /** Until all headers of a request are there. */
  readonly headersMs: number;
  /** Until all of a request is there: an upload of the largest recording over a slow line. */
  readonly requestMs: number;
  /** Without a byte in either direction. */
  readonly idleMs: number;
  /** How often the first two are looked at. */
  readonly checkMs: number;
}

export const TIMEOUTS: ApiTimeouts = { headersMs: 20_000, requestMs: 3_600_000, idleMs: 60_000, checkMs: 5_000 };
