import { parseTranscript } from "../../src/pipeline/asr/import/formats.ts";
import { decodeSource } from "../../src/pipeline/asr/import/source.ts";
import { fitTranscript } from "../../src/pipeline/asr/import.ts";
import { CallsiftError, type ErrorCode } from "../../src/pipeline/errors.ts";
import type { ChannelSound, Layout, Sound, Span, Transcript } from "../../src/pipeline/types.ts";

/** One channel that speaks at these times. */
export function channel(index: number, speech: readonly Span[]): ChannelSound {
  return { channel: index, speech, speechLevels: [], speechLevelDb: -20, snrDb: 30 };
}

export function sound(layout: Layout, ...speech: readonly (readonly Span[])[]): Sound {
  return { layout, channels: speech.map((spans, i) => channel(i, spans)), tones: [], problems: [] };
}

/** The speech of the call in fixtures/transcripts, with the pauses that a detector finds inside it. */
export const AGENT_ZH: readonly Span[] = [
  [830, 1500],
  [1800, 3850],
  [8050, 9550],
  [15250, 17900],
  [20050, 22500],
];
export const CUSTOMER_ZH: readonly Span[] = [
  [4650, 7350],
  [18550, 19250],
];

/** Text or bytes as a transcript of a recording. */
export function read(content: string | Uint8Array, heard: Sound = sound("split", AGENT_ZH, CUSTOMER_ZH), durationMs = 24_000): Transcript {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const transcript = fitTranscript(parseTranscript(decodeSource(bytes)), { sound: heard, durationMs }, "auto");
  if ("status" in transcript) throw new Error(`expected a transcript, got: ${transcript.reason}`);
  return transcript;
}

/** The failure of an action, as code and message. */
export function failure(action: () => unknown): { code: ErrorCode; message: string } {
  try {
    action();
  } catch (error) {
    if (error instanceof CallsiftError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error("expected a failure, got none");
}
