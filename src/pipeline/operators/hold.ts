import Type from "typebox";
import { clip, lengthOf, totalMs } from "../timeline.ts";
import type { Detection, Span } from "../types.ts";
import { defineOperator, type OperatorCall } from "./define.ts";
import { canHide } from "./hearings.ts";
import { allSpeech, NO_TRANSCRIPT, noSpeech, toMs, toneSpans, toSeconds } from "./speech.ts";
import { HOLD_NOTICES, holdNotices, NOT_HOLD_NOTICES, RETURN_LINES, waits } from "./waiting.ts";
import { compileWording, whoOption, wordingOption } from "./wording.ts";

/** Slack for a notice that is still being said, or whose words are timed late, when the music starts. */
const NOTICE_SLACK_MS = 2000;

/** Somebody is kept waiting, to music or in silence: without having been asked to, or too long (domain.md D-10). */
export const hold = defineOperator({
  id: "hold",
  description: {
    zh: "让对方等待（音乐或静默）前没有提示，或等待过久",
    en: "Somebody is kept waiting, to music or in silence, without a notice or too long",
  },
  options: Type.Object(
    {
      check: Type.Enum(["without-notice", "too-long"], { description: "What is a finding.", default: "without-notice" }),
      minSeconds: Type.Optional(
        Type.Number({
          description: "Waits longer than this are findings, in seconds. Without it 10 for without-notice, 60 for too-long.",
          minimum: 1,
          maximum: 86_400,
        }),
      ),
      silence: Type.Boolean({ description: "Silence of both sides is waiting too; false: hold music only.", default: true }),
      noticeSeconds: Type.Number({
        description: "How long before the wait a notice may end, in seconds.",
        minimum: 0,
        maximum: 3600,
        default: 90,
      }),
      notices: wordingOption("Hold notices.", HOLD_NOTICES),
      exceptNotices: wordingOption("Phrases inside which a hold notice doesn't count.", NOT_HOLD_NOTICES),
      noticeRole: whoOption("Whose notice counts: agent, customer or any.", "any"),
      returnLines: wordingOption("What is said on coming back.", RETURN_LINES),
      returnSeconds: Type.Number({
        description: "How soon after the wait a return line must start, in seconds.",
        minimum: 0,
        maximum: 600,
        default: 10,
      }),
      unlessReturnLine: Type.Boolean({ description: "too-long: no finding where a return line follows.", default: false }),
    },
    { additionalProperties: false },
  ),
  needs: ({ check, unlessReturnLine }) => (check === "without-notice" || unlessReturnLine ? ["transcript"] : []),
  unfitFor: () => ["drop-outs", "noise", "too-low"],
  messages: {
    found: { zh: "让对方等待了 {waitSeconds} 秒", en: "kept waiting for {waitSeconds} s" },
    "without-notice": { zh: "没有请对方稍等，让其等待了 {waitSeconds} 秒", en: "kept waiting for {waitSeconds} s without a notice" },
    "too-long": {
      zh: "等待 {waitSeconds} 秒，超过 {limitSeconds} 秒",
      en: "kept waiting for {waitSeconds} s, longer than {limitSeconds} s",
    },
  },
  prepare(options) {
    const { check, noticeRole, noticeSeconds, returnSeconds, silence, unlessReturnLine } = options;
    const notices = compileWording(options.notices, { except: options.exceptNotices });
    const returns = compileWording(options.returnLines);
    const minSeconds = options.minSeconds ?? { "without-notice": 10, "too-long": 60 }[check];

    const hasNotice = (spans: readonly Span[], [startMs]: Span) =>
      spans.some((notice) => notice[0] <= startMs + NOTICE_SLACK_MS && notice[1] >= startMs - toMs(noticeSeconds));
    const hasReturn = (call: OperatorCall, [, endMs]: Span) =>
      returns.find(call, "any", [endMs - NOTICE_SLACK_MS, endMs + toMs(returnSeconds)]).some(({ role }) => role !== "customer");

    return (call) => {
      if (call.layout === "one-sided") return { notAssessed: "one-sided", detail: "the other side may be speaking and was not recorded" };
      if (allSpeech(call).length === 0) return noSpeech("any");
      if (!call.text && (check === "without-notice" || unlessReturnLine)) return NO_TRANSCRIPT;
      const long = waits(call, { silence }).filter((wait) => lengthOf(wait) > toMs(minSeconds));
      if (long.length === 0) return [];
      const asked = holdNotices(call, notices, noticeRole);
      const music = toneSpans(call, ["music"]);
      return long
        .filter((wait) => (check === "without-notice" ? !hasNotice(asked, wait) : !(unlessReturnLine && hasReturn(call, wait))))
        .map((wait): Detection => {
          const [startMs, endMs] = wait;
          const notice = call.text ? hasNotice(asked, wait) : null;
          const hidden =
            check === "without-notice" && canHide(call, noticeRole, [startMs - toMs(noticeSeconds), startMs + NOTICE_SLACK_MS]);
          const toMusic = totalMs(clip(music, wait)) * 2 >= lengthOf(wait);
          return {
            role: null,
            startMs,
            endMs,
            quote: null,
            // Silence that nobody announced may be both sides thinking.
            confidence: toMusic || notice === true ? 0.95 : 0.85,
            ...(hidden ? { weak: true } : {}),
            data: {
              kind: check,
              waitSeconds: toSeconds(endMs - startMs),
              limitSeconds: minSeconds,
              music: toMusic,
              notice,
              returnLine: call.text ? hasReturn(call, wait) : null,
            },
          };
        });
    };
  },
});
