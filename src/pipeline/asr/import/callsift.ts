import { channelOf, confidenceOf, fieldsOf, invalid, isFields, listOf, optionalString, spanOf, stringOf, utterancesOf } from "./fields.ts";
import type { ImportedUtterance, ImportedWord, TranscriptFormat } from "./imported.ts";

/** callsift's own JSON (contracts.md §3), also as `screen` writes it; fields beyond it are passed over. */
export const callsift: TranscriptFormat = {
  name: "callsift JSON",
  detect: ({ json }) => isFields(json) && "utterances" in json,
  parse: ({ json }) => {
    const fields = fieldsOf(json, "the transcript");
    return {
      language: optionalString(fields.language, "language"),
      utterances: utterancesOf(fields.utterances, "utterances").map((utterance, i) => parseUtterance(utterance, `utterances[${i}]`)),
    };
  },
};

function parseUtterance(value: unknown, where: string): ImportedUtterance {
  const fields = fieldsOf(value, where);
  const { role } = fields;
  if (role !== undefined && role !== null && role !== "agent" && role !== "customer")
    throw invalid(`${where}.role`, '"agent" or "customer"', role);
  return {
    where,
    role: role ?? null,
    channel: channelOf(fields.channel, `${where}.channel`),
    speaker: optionalString(fields.speaker, `${where}.speaker`),
    ...spanOf(fields, ["startMs", "endMs"], where, "ms"),
    text: stringOf(fields.text, `${where}.text`),
    confidence: confidenceOf(fields.confidence, `${where}.confidence`),
    // Times that callsift once estimated are estimated again: the sound may tell more now.
    words: fields.timing === "estimated" ? null : parseWords(fields.words, `${where}.words`),
  };
}

function parseWords(value: unknown, where: string): ImportedWord[] | null {
  if (value === undefined || value === null) return null;
  const words = listOf(value, where).map((entry, i) => {
    const fields = fieldsOf(entry, `${where}[${i}]`);
    return {
      text: stringOf(fields.text, `${where}[${i}].text`),
      ...spanOf(fields, ["startMs", "endMs"], `${where}[${i}]`, "ms"),
      confidence: confidenceOf(fields.confidence, `${where}[${i}].confidence`),
    };
  });
  return words.length > 0 ? words : null;
}
