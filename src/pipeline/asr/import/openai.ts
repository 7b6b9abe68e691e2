import { type Fields, fieldsOf, invalid, isFields, listOf, optionalString, spanOf, stringOf, utterancesOf } from "./fields.ts";
import { type ImportedUtterance, type ImportedWord, NOBODY, type TranscriptFormat } from "./imported.ts";
import { voiceOf } from "./voice.ts";
import { joinWords } from "./words.ts";

/**
 * OpenAI's `verbose_json` (and `diarized_json`), as the API, Whisper, faster-whisper and their kin write it: segments in seconds,
 * words at the top (API) or in each segment (Whisper).
 *
 * Source of the fields: OpenAI API reference, "Create transcription".
 */
export const openai: TranscriptFormat = {
  name: "OpenAI verbose_json",
  detect: ({ json }) => isFields(json) && typeof json.text === "string" && (Array.isArray(json.segments) || Array.isArray(json.words)),
  parse: ({ json }) => {
    const fields = fieldsOf(json, "the transcript");
    const words = fields.words === undefined || fields.words === null ? [] : parseWords(fields.words, "words");
    const segments = fields.segments === undefined || fields.segments === null ? null : utterancesOf(fields.segments, "segments");
    return {
      language: optionalString(fields.language, "language"),
      utterances: segments ? parseSegments(segments, words) : words.length > 0 ? sentencesOf(words) : [],
    };
  },
};

function parseSegments(segments: readonly unknown[], words: readonly ImportedWord[]): ImportedUtterance[] {
  let next = 0;
  return segments.flatMap((segment, i) => {
    const where = `segments[${i}]`;
    const fields = fieldsOf(segment, where);
    const { startMs, endMs } = spanOf(fields, ["start", "end"], where, "s");
    // The API's words are one list for all segments: each belongs to the segment that its middle lies in.
    const from = next;
    const last = i === segments.length - 1;
    while (next < words.length && (last || middleOf(words[next] as ImportedWord) < endMs)) next++;
    const own = fields.words === undefined || fields.words === null ? words.slice(from, next) : parseWords(fields.words, `${where}.words`);
    if (isSilence(fields)) return [];
    const speaker = optionalString(fields.speaker, `${where}.speaker`);
    const logprob = logprobOf(fields, where);
    return {
      where,
      ...(speaker === null ? NOBODY : voiceOf(speaker)),
      startMs,
      endMs,
      text: stringOf(fields.text, `${where}.text`),
      confidence: logprob === null ? null : Math.min(1, Math.exp(logprob)),
      words: own.length > 0 ? own : null,
    };
  });
}

function middleOf({ startMs, endMs }: ImportedWord): number {
  return (startMs + endMs) / 2;
}

/**
 * Words that Whisper made up over silence: no_speech_prob above 0.6 while avg_logprob is below −1, the thresholds of its own decoder.
 */
function isSilence({ no_speech_prob: noSpeech, avg_logprob: logprob }: Fields): boolean {
  return typeof noSpeech === "number" && typeof logprob === "number" && noSpeech > 0.6 && logprob < -1;
}

function logprobOf(fields: Fields, where: string): number | null {
  const { avg_logprob: logprob } = fields;
  if (logprob === undefined || logprob === null) return null;
  if (typeof logprob !== "number" || !Number.isFinite(logprob)) throw invalid(`${where}.avg_logprob`, "a number", logprob);
  return logprob;
}

function parseWords(value: unknown, where: string): ImportedWord[] {
  return listOf(value, where).map((entry, i) => {
    const fields = fieldsOf(entry, `${where}[${i}]`);
    const probability = fields.probability;
    return {
      text: stringOf(fields.word ?? fields.text, `${where}[${i}].word`),
      ...spanOf(fields, ["start", "end"], `${where}[${i}]`, "s"),
      confidence: typeof probability === "number" && probability >= 0 && probability <= 1 ? probability : null,
    };
  });
}

/** Asked for words only, the API sends no segments: a pause of 0.7 s begins a new utterance. */
function sentencesOf(words: readonly ImportedWord[]): ImportedUtterance[] {
  const groups: ImportedWord[][] = [];
  for (const word of words) {
    const group = groups.at(-1);
    const last = group?.at(-1);
    if (group && last && word.startMs - last.endMs < 700) group.push(word);
    else groups.push([word]);
  }
  return groups.map((group, i) => ({
    where: `words, group ${i + 1}`,
    ...NOBODY,
    startMs: group[0]?.startMs ?? 0,
    endMs: Math.max(...group.map(({ endMs }) => endMs)),
    text: joinWords(group.map(({ text }) => text)),
    confidence: null,
    words: group,
  }));
}
