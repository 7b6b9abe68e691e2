import {
  channelOf,
  confidenceOf,
  type Fields,
  fieldsOf,
  invalid,
  isFields,
  listOf,
  spanOf,
  stringOf,
  timeOf,
  utterancesOf,
} from "./fields.ts";
import { type ImportedUtterance, type ImportedWord, NOBODY, type TranscriptFormat, type Voice } from "./imported.ts";
import { voiceOf } from "./voice.ts";
import { tokensOf } from "./words.ts";

/**
 * FunASR, times in ms: what `AutoModel.generate` returns (`sentence_info` with `spk` and `timestamp` pairs per character, or only
 * `text` and `timestamp`), and what its runtime server sends (`stamp_sents` with `text_seg`, `ts_list`, `punc`; `timestamp` as text).
 * Two results with a `channel` each are the two sides of a call.
 *
 * Source of the fields: FunASR's README and its websocket protocol page.
 */
export const funasr: TranscriptFormat = {
  name: "FunASR JSON",
  detect: ({ json }) => resultsOf(json).some(([result]) => isFields(result) && isResult(result)),
  parse: ({ json }) => {
    const results = resultsOf(json).map(([result, where]) => ({ fields: fieldsOf(result, where), where }));
    const unplaced = results.filter(({ fields }) => fields.channel === undefined);
    if (unplaced.length > 1)
      throw invalid("the transcript", "one result, or one with a `channel` for each side", `${results.length} results`);
    return {
      language:
        results
          .map(({ fields }) => /<\|(zh|en|yue)\|>/.exec(typeof fields.text === "string" ? fields.text : "")?.[1] ?? null)
          .find(Boolean) ?? null,
      utterances: results.flatMap(({ fields, where }) => parseResult(fields, where)),
    };
  },
};

/** One object, a list of them, or wrapped in `result`. */
function resultsOf(json: unknown): [result: unknown, where: string][] {
  if (Array.isArray(json)) return json.map((result, i) => [result, `[${i}]`]);
  if (isFields(json) && !isResult(json) && (isFields(json.result) || Array.isArray(json.result)))
    return resultsOf(json.result).map(([result, where]) => [result, `result${where === "the transcript" ? "" : where}`]);
  return [[json, "the transcript"]];
}

function isResult(fields: Fields): boolean {
  return (
    Array.isArray(fields.sentence_info) || Array.isArray(fields.stamp_sents) || (typeof fields.text === "string" && "timestamp" in fields)
  );
}

function parseResult(fields: Fields, at: string): ImportedUtterance[] {
  const prefix = at === "the transcript" ? "" : `${at}.`;
  const channel = channelOf(fields.channel, `${prefix}channel`);
  for (const field of ["sentence_info", "stamp_sents"]) {
    if (fields[field] === undefined || fields[field] === null) continue;
    const sentences = utterancesOf(fields[field], prefix + field);
    if (sentences.length > 0) return sentences.map((sentence, i) => parseSentence(sentence, `${prefix}${field}[${i}]`, channel));
  }
  const text = spokenText(stringOf(fields.text, `${prefix}text`));
  const pairs = pairsOf(fields.timestamp, `${prefix}timestamp`);
  if (pairs.length === 0) {
    if (text === "") return [];
    throw invalid(`${prefix}timestamp`, "times of the words", fields.timestamp);
  }
  return sentencesOf(text, pairs, at, { ...NOBODY, channel });
}

function parseSentence(value: unknown, where: string, channel: number | null): ImportedUtterance {
  const fields = fieldsOf(value, where);
  const written = stringOf(fields.text ?? fields.sentence ?? fields.text_seg, `${where}.text`);
  // The runtime writes a Chinese sentence with a space after each character, and its punctuation apart.
  const punctuation = fields.text_seg !== undefined && typeof fields.punc === "string" ? fields.punc : "";
  const text = spokenText(written) + punctuation;
  const times = fields.timestamp ?? fields.ts_list;
  return {
    where,
    ...voice(fields, where, channel),
    ...spanOf(fields, ["start", "end"], where, "ms"),
    text,
    confidence: confidenceOf(fields.confidence, `${where}.confidence`),
    words: times === undefined || times === null ? null : wordsOf(text, pairsOf(times, `${where}.timestamp`)),
  };
}

function voice(fields: Fields, where: string, channel: number | null): Voice {
  const own = channelOf(fields.channel, `${where}.channel`) ?? channel;
  const { spk } = fields;
  if (spk === undefined || spk === null) return { ...NOBODY, channel: own };
  if (typeof spk !== "number" && typeof spk !== "string") throw invalid(`${where}.spk`, "a speaker's number or name", spk);
  const named = typeof spk === "number" ? { ...NOBODY, speaker: `spk${spk}` } : voiceOf(spk);
  return { ...named, channel: named.channel ?? own };
}

/** `[[430, 670], …]`, also written as text. */
function pairsOf(value: unknown, where: string): [startMs: number, endMs: number][] {
  let list = value;
  if (typeof value === "string") {
    try {
      list = JSON.parse(value) as unknown;
    } catch {
      throw invalid(where, "pairs of times", value);
    }
  }
  return listOf(list ?? [], where).map((pair, i) => {
    const [start, end] = listOf(pair, `${where}[${i}]`);
    const startMs = timeOf(start, `${where}[${i}][0]`, "ms");
    const endMs = timeOf(end, `${where}[${i}][1]`, "ms");
    if (endMs < startMs) throw invalid(`${where}[${i}][1]`, `≥ its start ${startMs}`, endMs);
    return [startMs, endMs];
  });
}

/** One pair belongs to one character or word; numbers rewritten as digits break that, and then no word time is known. */
function wordsOf(text: string, pairs: readonly (readonly [number, number])[]): ImportedWord[] | null {
  const tokens = tokensOf(text);
  if (tokens.length !== pairs.length || tokens.length === 0) return null;
  return tokens.map((token, i) => ({ text: token.text, startMs: pairs[i]?.[0] ?? 0, endMs: pairs[i]?.[1] ?? 0, confidence: null }));
}

const SENTENCE = /[^。！？!?…；;]+[。！？!?…；;]*/gu;

/** A text with one time per word, cut to sentences; one utterance where the times don't fit the words. */
function sentencesOf(text: string, pairs: readonly (readonly [number, number])[], where: string, voice: Voice): ImportedUtterance[] {
  const whole = wordsOf(text, pairs);
  const span = { startMs: pairs[0]?.[0] ?? 0, endMs: pairs.reduce((latest, [, endMs]) => Math.max(latest, endMs), 0) };
  if (!whole) return [{ where, ...voice, ...span, text, confidence: null, words: null }];
  const utterances: ImportedUtterance[] = [];
  let at = 0;
  for (const [sentence] of text.matchAll(SENTENCE)) {
    const count = tokensOf(sentence).length;
    const words = whole.slice(at, at + count);
    const [first, last] = [words[0], words.at(-1)];
    if (!first || !last) continue;
    at += count;
    utterances.push({
      where: `${where}, sentence ${utterances.length + 1}`,
      ...voice,
      startMs: first.startMs,
      endMs: last.endMs,
      text: sentence.trim(),
      confidence: null,
      words,
    });
  }
  return utterances;
}

/** Without SenseVoice's tags (`<|zh|><|NEUTRAL|>`) and without the spaces that some models put after every Chinese character. */
function spokenText(text: string): string {
  return text
    .replace(/<\|[^<>|]{0,40}\|>/g, "")
    .replace(/(?<=\p{Script=Han})[ \t]+(?=\p{Script=Han})/gu, "")
    .trim();
}
