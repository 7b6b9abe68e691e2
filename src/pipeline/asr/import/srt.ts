import { parseCues } from "./cues.ts";
import type { TranscriptFormat } from "./imported.ts";

/** SubRip: numbered cues with `00:00:01,000 --> 00:00:02,500`; the number may be missing, the comma may be a point. */
export const srt: TranscriptFormat = {
  name: "SRT",
  detect: ({ text }) => /^\s*(?:\d{1,9}[ \t]*\r?\n)?\s*-?[\d:.,]{5,20}[ \t]*-->/.test(text.slice(0, 1_000)),
  parse: ({ text }) => ({ language: null, utterances: parseCues(text, () => false) }),
};
