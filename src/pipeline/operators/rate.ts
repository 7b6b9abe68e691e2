import Type from "typebox";
import { FILLERS, HESITATIONS } from "../text/fillers.ts";
import { totalMs } from "../timeline.ts";
import type { Language } from "../types.ts";
import { defineOperator, type OperatorCall, type Unjudged } from "./define.ts";
import { isSpoilt, WORDS_DOUBTFUL } from "./hearings.ts";
import { NO_TRANSCRIPT, noSpeech, speechOf, toMs, toSeconds } from "./speech.ts";
import { compileWording, roleOf, whoOption, wordingOption } from "./wording.ts";

const HESITATIONS_DROPPED: Unjudged = {
  notAssessed: "hesitations-dropped",
  detail: "the recogniser leaves hesitations out of its text",
};

function dropsHesitations({ transcript }: OperatorCall): boolean {
  return "utterances" in transcript && transcript.dropsHesitations === true;
}

function isHesitation(phrase: string, language: Language): boolean {
  return (HESITATIONS[language] as readonly string[]).includes(phrase);
}

/** Listed words said too often for the time that a side speaks; once or twice is no fault. */
export const rate = defineOperator({
  id: "rate",
  description: { zh: "所列词语在一方讲话中每分钟出现过多", en: "Listed words come too often in a minute of one side's speech" },
  options: Type.Object(
    {
      phrases: wordingOption("What is counted; fillers without it.", { zh: [...FILLERS.zh], en: [...FILLERS.en] }),
      except: Type.Optional(wordingOption("Longer phrases inside which a listed one doesn't count.")),
      role: whoOption("Whose words and speech: agent, customer or any.", "agent"),
      maxPerMinute: Type.Number({
        description: "Most that are no finding, per minute of that side's speech.",
        minimum: 0,
        maximum: 1000,
        default: 12,
      }),
      minSpeechSeconds: Type.Number({
        description: "Less speech than this is taken for as much, in seconds, so that a few words in a short call don't make a rate.",
        minimum: 1,
        maximum: 3600,
        default: 15,
      }),
    },
    { additionalProperties: false },
  ),
  needs: ({ role }) => (role === "any" ? ["transcript"] : ["transcript", "roles"]),
  unfitFor: ({ role }) => (role === "any" ? ["drop-outs"] : ["drop-outs", "cross-talk"]),
  messages: {
    found: {
      zh: "每分钟 {perMinute} 次（上限 {limitPerMinute}）：{words}",
      en: "{perMinute} a minute (limit {limitPerMinute}): {words}",
    },
  },
  prepare({ phrases, except, role, maxPerMinute, minSpeechSeconds }) {
    const list = compileWording(phrases, { ignoreFillers: false, ...(except ? { except } : {}) });
    return (call) => {
      if (!call.text) return NO_TRANSCRIPT;
      const speechMs = totalMs(speechOf(call, role));
      if (speechMs === 0) return noSpeech(role);
      const matches = list.find(call, role);
      const perMinute = (matches.length * 60_000) / Math.max(speechMs, toMs(minSpeechSeconds));
      const head = matches[0];
      const tail = matches.at(-1);
      if (!head || !tail || perMinute <= maxPerMinute) {
        if (dropsHesitations(call) && list.phrases(call.language).some(({ source }) => isHesitation(source, call.language)))
          return HESITATIONS_DROPPED;
        return list.has(call.language) && isSpoilt(call, role) ? WORDS_DOUBTFUL : [];
      }
      const counts = new Map<string, number>();
      for (const { phrase } of matches) counts.set(phrase, (counts.get(phrase) ?? 0) + 1);
      const words = [...counts].sort((a, b) => b[1] - a[1]).map(([word, count]) => `${word}×${count}`);
      const confidence = matches.reduce((sum, match) => sum + match.confidence, 0) / matches.length;
      return [
        {
          role: roleOf(role),
          startMs: head.startMs,
          endMs: tail.endMs,
          quote: null,
          confidence: Math.round(confidence * 90) / 100,
          data: {
            perMinute: Math.round(perMinute * 10) / 10,
            limitPerMinute: maxPerMinute,
            count: matches.length,
            speechSeconds: toSeconds(speechMs),
            words: words.slice(0, 5).join(" "),
          },
        },
      ];
    };
  },
});
