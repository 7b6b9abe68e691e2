import { parseCues } from "./cues.ts";
import type { TranscriptFormat } from "./imported.ts";

const HEADER = /^WEBVTT(?=[ \t\r\n]|$)/;

/** WebVTT (W3C): cues labelled `agent:` / `客户：` or with voice tags `<v Agent>`; NOTE, STYLE and REGION blocks are passed over. */
export const webvtt: TranscriptFormat = {
  name: "WebVTT",
  detect: ({ text }) => HEADER.test(text),
  parse: ({ text }) => {
    // The header block ends at the first empty line, and may carry `Language: zh`.
    const headerEnd = /\r?\n\s*\r?\n|\r\s*\r/.exec(text)?.index ?? text.length;
    const language = /^language:\s*([\w-]+)/im.exec(text.slice(0, Math.min(headerEnd, 2_000)))?.[1] ?? null;
    return { language, utterances: parseCues(text, (line) => HEADER.test(line) || /^(?:NOTE|STYLE|REGION)(?=\s|$)/.test(line)) };
  },
};
