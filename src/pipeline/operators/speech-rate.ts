import Type, { type Static } from "typebox";
import { countUnits } from "../text/index-text.ts";
import { clip, totalMs, union } from "../timeline.ts";
import type { Detection, Language, Span, Utterance } from "../types.ts";
import { defineOperator, type OperatorCall } from "./define.ts";
import { NO_TRANSCRIPT, toMs, utterancesOf } from "./speech.ts";
import { roleOption } from "./wording.ts";

/** Limits of one language, in Chinese characters or words. */
function limits(unit: string, minPerMinute: number, maxPerMinute: number, minUnits: number) {
  return Type.Object(
    {
      minPerMinute: Type.Number({
        description: `Slowest pace that is no finding, in ${unit} a minute.`,
        minimum: 0,
        maximum: 2000,
        default: minPerMinute,
      }),
      maxPerMinute: Type.Number({
        description: `Fastest pace that is no finding, in ${unit} a minute.`,
        minimum: 1,
        maximum: 2000,
        default: maxPerMinute,
      }),
      minUnits: Type.Integer({ description: `Shorter utterances are left out, in ${unit}.`, minimum: 1, maximum: 1000, default: minUnits }),
    },
    { additionalProperties: false, default: {} },
  );
}

const Options = Type.Object(
  {
    role: roleOption("Whose pace.", "agent"),
    zh: limits("Chinese characters", 180, 300, 8),
    en: limits("words", 110, 180, 5),
    per: Type.Enum(["call", "utterance"], {
      description: "call: the mean of all counted utterances, one finding. utterance: each by itself.",
      default: "call",
    }),
    pauseSeconds: Type.Number({
      description: "Pauses inside an utterance up to this long count as speaking, in seconds.",
      minimum: 0,
      maximum: 10,
      default: 0.6,
    }),
    minSpeechSeconds: Type.Number({
      description: "Less counted speech than this is too little to judge a call by, in seconds.",
      minimum: 0,
      maximum: 3600,
      default: 5,
    }),
  },
  { additionalProperties: false },
);

interface Paced {
  readonly utterance: Utterance;
  readonly units: number;
  readonly ms: number;
}

/** Speaks too fast or too slowly (domain.md D-12). Without word times an utterance's own, and the speech heard in it, are enough. */
export const speechRate = defineOperator({
  id: "speech-rate",
  description: { zh: "语速过快或过慢", en: "Speaks too fast or too slowly" },
  options: Options,
  needs: () => ["transcript", "roles"],
  unfitFor: () => ["drop-outs", "cross-talk"],
  messages: {
    found: { zh: "语速 {perMinute}/分钟", en: "pace {perMinute} a minute" },
    "too-fast": { zh: "语速过快：每分钟 {perMinute}，上限 {limitPerMinute}", en: "too fast: {perMinute} a minute, limit {limitPerMinute}" },
    "too-slow": { zh: "语速过慢：每分钟 {perMinute}，下限 {limitPerMinute}", en: "too slow: {perMinute} a minute, limit {limitPerMinute}" },
  },
  prepare(options) {
    return (call) => {
      if (!call.text) return NO_TRANSCRIPT;
      const paced = utterancesOf(call, options.role)
        .map((utterance) => pace(call, utterance, options))
        .filter(({ units, ms }) => units >= options[call.language].minUnits && ms > 0);
      if (options.per === "utterance") return paced.flatMap((one) => judge([one], one, options, call.language));
      const countedMs = paced.reduce((sum, { ms }) => sum + ms, 0);
      if (paced.length === 0 || countedMs < toMs(options.minSpeechSeconds)) {
        return { notAssessed: "too-little-speech", detail: `${Math.round(countedMs / 1000)} s in utterances long enough to be counted` };
      }
      const byPace = [...paced].sort((a, b) => perMinute([a]) - perMinute([b]));
      const fast = perMinute(paced) > options[call.language].maxPerMinute;
      const telling = fast ? byPace.at(-1) : byPace[0];
      return telling ? judge(paced, telling, options, call.language) : [];
    };
  },
});

/** Less of an utterance heard as speech than this, and its words and the sound tell different stories. */
const MIN_HEARD_SHARE = 0.6;

/** Time that was spoken, short pauses in it: by the words where their times are known, else by the sound, else all of it. 0: unknown. */
function pace(call: OperatorCall, utterance: Utterance, { role, pauseSeconds }: Static<typeof Options>): Paced {
  const { startMs, endMs, timing, text, words } = utterance;
  const units = countUnits(text, call.language);
  const pauseMs = toMs(pauseSeconds);
  const wordsMs = totalMs(
    union(
      words.map((word): Span => [word.startMs, word.endMs]),
      pauseMs,
    ),
  );
  if (timing === "exact" && (utterance.confidence === null || !call.speech)) return { utterance, units, ms: wordsMs };
  if (!call.speech) return { utterance, units, ms: endMs - startMs };
  const heardMs = totalMs(union(clip(call.speech[role], [startMs, endMs]), pauseMs));
  // A recogniser's words begin late and end early; the sound knows better.
  if (timing === "exact") return { utterance, units, ms: Math.max(wordsMs, heardMs) };
  return { utterance, units, ms: heardMs >= MIN_HEARD_SHARE * (endMs - startMs) ? heardMs : 0 };
}

/** Rates of recognised words are right to about this factor. */
const CLOSE = 1.05;

function perMinute(paced: readonly Paced[]): number {
  const units = paced.reduce((sum, one) => sum + one.units, 0);
  const ms = paced.reduce((sum, one) => sum + one.ms, 0);
  return (units * 60_000) / ms;
}

/** The pace of all, shown by the utterance that departs most from the limits. */
function judge(paced: readonly Paced[], { utterance }: Paced, options: Static<typeof Options>, language: Language): Detection[] {
  const { minPerMinute, maxPerMinute } = options[language];
  const rate = perMinute(paced);
  if (rate >= minPerMinute && rate <= maxPerMinute) return [];
  // A recogniser writes a character or two too many or too few: next to a limit that decides, and may not.
  const isClose = rate > maxPerMinute ? rate < maxPerMinute * CLOSE : rate * CLOSE > minPerMinute;
  const weak = isClose && paced.some((one) => one.utterance.confidence !== null);
  return [
    {
      role: options.role,
      startMs: utterance.startMs,
      endMs: utterance.endMs,
      quote: utterance.text,
      confidence: paced.length > 1 ? 0.9 : 0.7,
      ...(weak && { weak }),
      data: {
        kind: rate > maxPerMinute ? "too-fast" : "too-slow",
        perMinute: Math.round(rate),
        limitPerMinute: rate > maxPerMinute ? maxPerMinute : minPerMinute,
        unit: language === "zh" ? "characters" : "words",
        utterances: paced.length,
      },
    },
  ];
}
