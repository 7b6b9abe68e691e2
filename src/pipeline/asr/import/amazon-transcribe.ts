import { confidenceOf, type Fields, fieldsOf, isFields, listOf, meanConfidence, optionalString, spanOf, stringOf } from "./fields.ts";
import { type ImportedUtterance, type ImportedWord, NOBODY, type TranscriptFormat, type Voice } from "./imported.ts";
import { voiceOf } from "./voice.ts";
import { joinWords } from "./words.ts";

/**
 * Amazon Transcribe's plain batch output: items in seconds written as text, with channels (`ch_0`, `ch_1`) or speakers (`spk_0`).
 *
 * Source of the fields: Amazon Transcribe Developer Guide, "Data input and output" and "Example channel identification output".
 */
export const amazonTranscribe: TranscriptFormat = {
  name: "Amazon Transcribe JSON",
  detect: ({ json }) =>
    isFields(json) && isFields(json.results) && (Array.isArray(json.results.items) || isFields(json.results.channel_labels)),
  parse: ({ json }) => {
    const results = fieldsOf(fieldsOf(json, "the transcript").results, "results");
    const speakers = speakersOf(results);
    const streams = streamsOf(results).map(({ items, where, label }) => turnsOf(items, where, label, speakers));
    return { language: optionalString(results.language_code, "results.language_code"), utterances: streams.flat() };
  },
};

interface Stream {
  readonly where: string;
  readonly items: readonly unknown[];
  readonly label: string | null;
}

/** With channel identification every channel is a list of its own; `results.items` then mixes them. */
function streamsOf(results: Fields): Stream[] {
  if (!isFields(results.channel_labels)) return [{ where: "results.items", items: listOf(results.items, "results.items"), label: null }];
  return listOf(results.channel_labels.channels, "results.channel_labels.channels").map((channel, i) => {
    const where = `results.channel_labels.channels[${i}]`;
    const fields = fieldsOf(channel, where);
    return {
      where: `${where}.items`,
      items: listOf(fields.items, `${where}.items`),
      label: optionalString(fields.channel_label, `${where}.channel_label`),
    };
  });
}

/** Speaker of each item by its start time, as older output keeps them apart from the items. */
function speakersOf(results: Fields): Map<string, string> {
  const speakers = new Map<string, string>();
  if (!isFields(results.speaker_labels)) return speakers;
  const where = "results.speaker_labels.segments";
  for (const [i, segment] of listOf(results.speaker_labels.segments ?? [], where).entries()) {
    for (const item of listOf(fieldsOf(segment, `${where}[${i}]`).items ?? [], `${where}[${i}].items`)) {
      const { start_time: start, speaker_label: label } = fieldsOf(item, `${where}[${i}].items`);
      if (typeof start === "string" && typeof label === "string") speakers.set(start, label);
    }
  }
  return speakers;
}

interface Turn {
  readonly where: string;
  readonly label: string | null;
  readonly words: ImportedWord[];
  readonly written: string[];
}

/** Silence that ends an utterance; the format has words only. */
const PAUSE_MS = 700;

function turnsOf(
  items: readonly unknown[],
  where: string,
  streamLabel: string | null,
  speakers: ReadonlyMap<string, string>,
): ImportedUtterance[] {
  const turns: Turn[] = [];
  for (const [i, item] of items.entries()) {
    const at = `${where}[${i}]`;
    const fields = fieldsOf(item, at);
    const best = fieldsOf(listOf(fields.alternatives, `${at}.alternatives`)[0], `${at}.alternatives[0]`);
    const content = stringOf(best.content, `${at}.alternatives[0].content`);
    const turn = turns.at(-1);
    if (fields.start_time === undefined || fields.type === "punctuation") {
      turn?.written.push(content);
      continue;
    }
    const span = spanOf(fields, ["start_time", "end_time"], at, "s", { text: true });
    const label =
      optionalString(fields.speaker_label, `${at}.speaker_label`) ??
      (typeof fields.start_time === "string" ? speakers.get(fields.start_time) : undefined) ??
      optionalString(fields.channel_label, `${at}.channel_label`) ??
      streamLabel;
    const word = { text: content, ...span, confidence: confidenceOf(best.confidence, `${at}.alternatives[0].confidence`, { text: true }) };
    const last = turn?.words.at(-1);
    if (turn && last && turn.label === label && span.startMs - last.endMs < PAUSE_MS) {
      turn.words.push(word);
      turn.written.push(content);
    } else turns.push({ where: at, label, words: [word], written: [content] });
  }
  return turns.map(({ where: at, label, words, written }) => ({
    where: at,
    ...voice(label),
    startMs: words[0]?.startMs ?? 0,
    endMs: words.reduce((end, { endMs }) => Math.max(end, endMs), 0),
    text: joinWords(written),
    confidence: meanConfidence(words.map(({ confidence }) => confidence)),
    words,
  }));
}

function voice(label: string | null): Voice {
  return label === null ? NOBODY : voiceOf(label);
}
