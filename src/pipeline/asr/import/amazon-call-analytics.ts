import {
  confidenceOf,
  type Fields,
  fieldsOf,
  isFields,
  listOf,
  meanConfidence,
  optionalString,
  spanOf,
  stringOf,
  timeOf,
  utterancesOf,
} from "./fields.ts";
import { type ImportedUtterance, type ImportedWord, NOBODY, type TranscriptFormat, type Voice } from "./imported.ts";
import { voiceOf } from "./voice.ts";

/**
 * Amazon Transcribe Call Analytics, and Amazon Connect Contact Lens which shares its shape: turns with `ParticipantRole`, times in
 * ms, words as `Items` whose `Confidence` is text.
 *
 * Source of the fields: Amazon Transcribe Developer Guide, "Post-call analytics output".
 */
export const amazonCallAnalytics: TranscriptFormat = {
  name: "Amazon Transcribe Call Analytics JSON",
  detect: ({ json }) => isFields(json) && Array.isArray(json.Transcript),
  parse: ({ json }) => {
    const fields = fieldsOf(json, "the transcript");
    const roles = participantsOf(fields);
    return {
      language: optionalString(fields.LanguageCode, "LanguageCode"),
      utterances: utterancesOf(fields.Transcript, "Transcript").map((turn, i) => parseTurn(turn, `Transcript[${i}]`, roles)),
    };
  },
};

function parseTurn(value: unknown, where: string, roles: ReadonlyMap<string, string>): ImportedUtterance {
  const fields = fieldsOf(value, where);
  const items = fields.Items === undefined || fields.Items === null ? [] : listOf(fields.Items, `${where}.Items`);
  const words = items.flatMap((item, i) => parseItem(fieldsOf(item, `${where}.Items[${i}]`), `${where}.Items[${i}]`));
  return {
    where,
    ...participantOf(fields, where, roles),
    ...spanOf(fields, ["BeginOffsetMillis", "EndOffsetMillis"], where, "ms"),
    text: stringOf(fields.Content, `${where}.Content`),
    confidence: meanConfidence(words.map(({ confidence }) => confidence)),
    words: words.length > 0 ? words : null,
  };
}

/** Punctuation is an item without times. */
function parseItem(fields: Fields, where: string): ImportedWord[] {
  if (fields.Type === "punctuation" || fields.BeginOffsetMillis === undefined) return [];
  // Some items have no end: they end where they begin.
  const span =
    fields.EndOffsetMillis === undefined
      ? {
          startMs: timeOf(fields.BeginOffsetMillis, `${where}.BeginOffsetMillis`, "ms"),
          endMs: timeOf(fields.BeginOffsetMillis, where, "ms"),
        }
      : spanOf(fields, ["BeginOffsetMillis", "EndOffsetMillis"], where, "ms");
  return [
    {
      text: stringOf(fields.Content, `${where}.Content`),
      ...span,
      confidence: confidenceOf(fields.Confidence, `${where}.Confidence`, { text: true }),
    },
  ];
}

function participantOf(fields: Fields, where: string, roles: ReadonlyMap<string, string>): Voice {
  const role = optionalString(fields.ParticipantRole, `${where}.ParticipantRole`);
  const id = optionalString(fields.ParticipantId, `${where}.ParticipantId`);
  const label = role ?? (id === null ? null : (roles.get(id) ?? id));
  return label === null ? NOBODY : voiceOf(label);
}

/** Contact Lens names the roles once, by participant id. */
function participantsOf(fields: Fields): Map<string, string> {
  const roles = new Map<string, string>();
  if (!Array.isArray(fields.Participants)) return roles;
  for (const participant of fields.Participants as readonly unknown[]) {
    if (!isFields(participant)) continue;
    const { ParticipantId: id, ParticipantRole: role } = participant;
    if (typeof id === "string" && typeof role === "string") roles.set(id, role);
  }
  return roles;
}
