import type { CallsiftError, ErrorCode } from "./errors.ts";
import type {
  AudioProblem,
  Finding,
  Layout,
  Metrics,
  NoTranscript,
  NotAssessed,
  Recording,
  Role,
  RoleSource,
  Score,
  Span,
  Timings,
  Tone,
  Transcript,
  Triage,
} from "./types.ts";

/** One screened call, as it leaves callsift (`callsift.screening/1`, contracts.md §2). */
export interface Screening {
  readonly schema: "callsift.screening/1";
  readonly recording: Recording;
  readonly status: "scored";
  readonly error: null;
  /** Hash of what the words and spans came from: pipeline version, detector, recogniser and their options. */
  readonly recipe: string;
  /** Hash of the rules and the form. */
  readonly policy: string;
  readonly audio: {
    readonly layout: Layout;
    readonly agentChannel: number | null;
    readonly roleSource: RoleSource;
    /** 0–1: how sure it is which side is the agent. */
    readonly roleConfidence: number;
    readonly problems: readonly AudioProblem[];
    readonly tones: readonly Tone[];
    /** Whether the two voices of a mono call could be told apart, and how clearly; null where the sides have channels of their own, or nobody tried. */
    readonly voices: {
      readonly told: boolean;
      readonly silhouette: number | null;
      readonly eigengap: number | null;
      readonly reason: string | null;
    } | null;
    readonly channels: readonly {
      readonly channel: number;
      readonly speech: readonly Span[];
      readonly speechLevelDb: number | null;
      readonly snrDb: number | null;
    }[];
  };
  readonly speech: Readonly<Record<Role, readonly Span[]>> | null;
  readonly transcript: Transcript | NoTranscript;
  readonly metrics: Metrics;
  readonly findings: readonly Finding[];
  readonly notAssessed: readonly NotAssessed[];
  readonly score: Score;
  readonly triage: Triage;
  readonly timings: Timings;
}

/** A call that could not be screened, with the reason; the rest of its run is not touched by it. */
export interface FailedScreening {
  readonly schema: "callsift.screening/1";
  readonly recording: { readonly name: string };
  readonly status: "failed";
  readonly error: { readonly code: ErrorCode; readonly message: string };
}

/** The record of a failure. */
export function failedScreening(name: string, error: CallsiftError): FailedScreening {
  return {
    schema: "callsift.screening/1",
    recording: { name },
    status: "failed",
    error: { code: error.code, message: error.message },
  };
}
