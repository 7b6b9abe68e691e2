import Type, { type Static } from "typebox";
import { CallsiftError } from "../errors.ts";
import { defineOperator, type OperatorCall, type Unjudged } from "./define.ts";
import { canHide, heardOnly, WORDS_DOUBTFUL } from "./hearings.ts";
import { allSpeech, NO_TRANSCRIPT } from "./speech.ts";
import { compileWindow, utterancesIn, WindowOption } from "./window.ts";
import { compileWording, type PhraseList, soundOption, type Who, whoOption, wordingOption } from "./wording.ts";

/** At least so much of the end is played for a finding that concerns the whole call. */
const END_MS = 5000;

const FIELDS = [
  "hangupParty",
  "direction",
  "queue",
  "product",
  "team",
  "agentId",
  "agentName",
  "satisfaction",
  "startedAt",
  "answeredAt",
  "endedAt",
  "customerNumber",
  "tags",
  "durationSeconds",
  "ringSeconds",
] as const;

const Options = Type.Object(
  {
    field: Type.Enum([...FIELDS], {
      description: "Which field of the call's metadata; durationSeconds and ringSeconds (started to answered) are derived.",
      default: "hangupParty",
    }),
    in: Type.Optional(
      Type.Array(Type.Union([Type.String(), Type.Number()]), {
        description: "The field is one of these values; for tags: has one of them.",
        minItems: 1,
      }),
    ),
    min: Type.Optional(Type.Number({ description: "The field is a number of at least this." })),
    max: Type.Optional(Type.Number({ description: "The field is a number of at most this." })),
    unless: Type.Optional(
      Type.Object(
        {
          phrases: wordingOption("Words that excuse it."),
          role: whoOption("Who must say them: agent, customer or any.", "agent"),
          sound: soundOption(true),
          window: Type.Optional(WindowOption),
        },
        { additionalProperties: false, description: "No finding where this is said." },
      ),
    ),
  },
  { additionalProperties: false },
);
type MetadataOptions = Static<typeof Options>;

/** What is known of the call beside its sound has a listed value, e.g. the agent hung up and said no closing line (domain.md D-15). */
export const metadata = defineOperator({
  id: "metadata",
  description: {
    zh: "通话元数据符合所列条件，且没有说应说的话",
    en: "A field of the call's metadata has a listed value, and nothing said excuses it",
  },
  options: Options,
  // Words are needed only where the field fits, so a call that the customer ended is judged without them.
  needs: ({ field }) => (field === "hangupParty" ? ["hangup-party"] : []),
  unfitFor: ({ unless }) => (unless ? ["truncated"] : []),
  messages: { found: { zh: "{field} 为 {value}", en: "{field} is {value}" } },
  prepare(options) {
    const { field, unless } = options;
    if (options.in === undefined && options.min === undefined && options.max === undefined) {
      throw new CallsiftError("rules/invalid", "expected in, min or max, got none");
    }
    const excuse = unless && {
      role: unless.role,
      phrases: excuses(unless),
      windows: compileWindow(unless.window, unless.role),
    };
    return (call) => {
      const value = readField(call, field);
      if (value === null) return { notAssessed: "no-metadata", detail: `the metadata has no ${field}` };
      if (!fits(value, options)) return [];
      if (excuse) {
        const lacking = lackingWords(call, excuse.role);
        if (lacking) return lacking;
        const windows = excuse.windows(call) ?? [];
        if (windows.some((window) => excuse.phrases.find(call, excuse.role, window).length > 0)) return [];
        if (windows.some((within) => heardOnly(call, excuse.phrases, excuse.role, { within, orUnknown: true }).length > 0)) return [];
        if (windows.some((window) => canHide(call, excuse.role, window, unless?.window?.at))) return WORDS_DOUBTFUL;
        if (windows.length > 0 && !windows.some((window) => utterancesIn(call, excuse.role, window).length > 0)) {
          return { notAssessed: "no-words", detail: "the transcript has no words in the part of the call that is searched" };
        }
      }
      const lastSpeechMs = allSpeech(call).at(-1)?.[1] ?? call.durationMs;
      return [
        {
          role: value === "agent" || value === "customer" ? value : null,
          startMs: Math.max(0, Math.min(lastSpeechMs, call.durationMs - END_MS)),
          endMs: call.durationMs,
          quote: null,
          confidence: excuse ? 0.95 : 1,
          data: { field, value: typeof value === "object" ? value.join(", ") : value },
        },
      ];
    };
  },
  listensFor: ({ unless }) => (unless ? [{ purpose: "missing", phrases: excuses(unless).phrases }] : []),
});

function excuses({ phrases, sound }: NonNullable<MetadataOptions["unless"]>): PhraseList {
  return compileWording(phrases, { sound });
}

type FieldValue = string | number | readonly string[];

function readField(call: OperatorCall, field: MetadataOptions["field"]): FieldValue | null {
  if (field === "durationSeconds") return call.durationMs / 1000;
  if (field === "ringSeconds") {
    const { startedAt, answeredAt } = call.metadata;
    const seconds = startedAt && answeredAt ? (Date.parse(answeredAt) - Date.parse(startedAt)) / 1000 : Number.NaN;
    return Number.isFinite(seconds) ? seconds : null;
  }
  return call.metadata[field] ?? null;
}

function fits(value: FieldValue, { in: listed, min, max }: MetadataOptions): boolean {
  const values = typeof value === "object" ? value : [value];
  if (listed && !values.some((one) => listed.includes(one))) return false;
  if (min === undefined && max === undefined) return true;
  return typeof value === "number" && value >= (min ?? Number.NEGATIVE_INFINITY) && value <= (max ?? Number.POSITIVE_INFINITY);
}

function lackingWords(call: OperatorCall, role: Who): Unjudged | null {
  if (!call.text) return NO_TRANSCRIPT;
  const known = role === "any" || call.speech !== null || call.text.utterances.some((utterance) => utterance.role !== null);
  return known ? null : { notAssessed: "roles-unknown", detail: "which side is the agent is not known" };
}
