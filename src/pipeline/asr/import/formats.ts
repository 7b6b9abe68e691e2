import { CallsiftError } from "../../errors.ts";
import { amazonCallAnalytics } from "./amazon-call-analytics.ts";
import { amazonTranscribe } from "./amazon-transcribe.ts";
import { callsift } from "./callsift.ts";
import { funasr } from "./funasr.ts";
import type { ImportedTranscript, TranscriptFormat } from "./imported.ts";
import { openai } from "./openai.ts";
import type { Source } from "./source.ts";
import { srt } from "./srt.ts";
import { webvtt } from "./webvtt.ts";

/** In the order they are tried; a file's content decides, never its name. */
export const TRANSCRIPT_FORMATS: readonly TranscriptFormat[] = [
  callsift,
  amazonCallAnalytics,
  amazonTranscribe,
  funasr,
  openai,
  webvtt,
  srt,
];

/** The format of a transcript, or undefined where it is none. */
export function formatOf(source: Source): TranscriptFormat | undefined {
  return TRANSCRIPT_FORMATS.find((format) => format.detect(source));
}

/**
 * A transcript file's content as it was written, not yet held against a recording.
 *
 * @throws CallsiftError `transcript/unreadable`, `transcript/invalid`
 */
export function parseTranscript(source: Source): ImportedTranscript {
  const format = formatOf(source);
  if (format) return format.parse(source);
  const known = TRANSCRIPT_FORMATS.map(({ name }) => name).join(", ");
  throw new CallsiftError(
    "transcript/unreadable",
    `expected one of ${known}; got ${source.json === undefined ? "text" : "JSON"} of no such shape`,
  );
}
