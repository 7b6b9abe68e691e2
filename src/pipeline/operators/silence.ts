import Type from "typebox";
import { lengthOf, subtract } from "../timeline.ts";
import type { Detection, Span } from "../types.ts";
import { defineOperator } from "./define.ts";
import { canHide } from "./hearings.ts";
import { allSpeech, noSpeech, toMs, toneSpans, toSeconds } from "./speech.ts";
import { HOLD_NOTICES, holdNotices, NOT_HOLD_NOTICES, quietSpans, WAITING_TONES } from "./waiting.ts";
import { compileWording, whoOption, wordingOption } from "./wording.ts";

/** Dead air: nobody speaks, and nothing explains why (domain.md D-09). Judged by sound, on mixed recordings too; words only excuse. */
export const silence = defineOperator({
  id: "silence",
  description: {
    zh: "双方都不说话，且不在等待提示之后、回铃音或等待音乐之中",
    en: "Neither side speaks, and no hold notice, ringing or hold music explains it",
  },
  options: Type.Object(
    {
      minSeconds: Type.Number({ description: "Shortest silence that is a finding, in seconds.", minimum: 0.5, maximum: 3600, default: 8 }),
      noticeSeconds: Type.Number({
        description: "How long a hold notice excuses silence, in seconds from its end; 0: not at all.",
        minimum: 0,
        maximum: 3600,
        default: 90,
      }),
      notices: wordingOption("Hold notices.", HOLD_NOTICES),
      exceptNotices: wordingOption("Phrases inside which a hold notice doesn't count.", NOT_HOLD_NOTICES),
      noticeRole: whoOption("Whose notice excuses: agent, customer or any.", "any"),
    },
    { additionalProperties: false },
  ),
  needs: () => [],
  unfitFor: () => ["drop-outs", "noise", "too-low"],
  messages: { found: { zh: "双方 {silenceSeconds} 秒没有说话", en: "neither side spoke for {silenceSeconds} s" } },
  prepare({ minSeconds, noticeSeconds, notices, exceptNotices, noticeRole }) {
    const phrases = compileWording(notices, { except: exceptNotices });
    return (call) => {
      if (call.layout === "one-sided") return { notAssessed: "one-sided", detail: "the other side may be speaking and was not recorded" };
      if (allSpeech(call).length === 0) return noSpeech("any");
      const gaps = quietSpans(call).filter((gap) => lengthOf(gap) >= toMs(minSeconds));
      if (gaps.length === 0) return [];
      const excused = holdNotices(call, phrases, noticeRole).map(([, endMs]): Span => [endMs, endMs + toMs(noticeSeconds)]);
      return subtract(gaps, [...toneSpans(call, WAITING_TONES), ...excused])
        .filter((gap) => lengthOf(gap) >= toMs(minSeconds))
        .map(
          ([startMs, endMs]): Detection => ({
            role: null,
            startMs,
            endMs,
            quote: null,
            // Without words that are sure a hold notice can't be ruled out.
            confidence: call.text && !canHide(call, noticeRole, [startMs - toMs(noticeSeconds), startMs]) ? 1 : 0.8,
            data: { silenceSeconds: toSeconds(endMs - startMs), limitSeconds: minSeconds },
          }),
        );
    };
  },
});
