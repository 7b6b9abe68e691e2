import Type from "typebox";
import { clip, gaps, lengthOf, subtract, totalMs, union } from "../timeline.ts";
import type { Detection, Span } from "../types.ts";
import { defineOperator } from "./define.ts";
import { canHide } from "./hearings.ts";
import { extentOf, otherRole, SIDES_UNKNOWN, toMs, toneSpans, toSeconds } from "./speech.ts";
import { HOLD_NOTICES, holdNotices, NOT_HOLD_NOTICES, WAITING_TONES } from "./waiting.ts";
import { compileWording, roleOption, wordingOption } from "./wording.ts";

/**
 * One side answers late: the other's turn ends, nobody speaks, and then this side starts (domain.md D-09). Where the other side
 * goes on itself, nothing was late. Long waits are dead air as well; the two rules count apart, as the contract has them.
 */
export const responseTime = defineOperator({
  id: "response-time",
  description: { zh: "一方说完后，另一方迟迟不回应", en: "One side's turn ends and the other is late to answer" },
  options: Type.Object(
    {
      role: roleOption("Who is to answer.", "agent"),
      maxSeconds: Type.Number({ description: "Longest wait that is no finding, in seconds.", minimum: 0.1, maximum: 600, default: 3 }),
      minTurnSeconds: Type.Number({
        description: "Shortest turn that asks for an answer, in seconds of speech; shorter ones are coughs and clicks.",
        minimum: 0,
        maximum: 60,
        default: 0.3,
      }),
      pauseSeconds: Type.Number({
        description: "Pauses up to this long belong to a turn, in seconds.",
        minimum: 0,
        maximum: 10,
        default: 0.6,
      }),
      noticeSeconds: Type.Number({
        description: "How long a hold notice excuses a late answer, in seconds from its end; 0: not at all.",
        minimum: 0,
        maximum: 3600,
        default: 90,
      }),
      notices: wordingOption("Hold notices; either side's excuse.", HOLD_NOTICES),
      exceptNotices: wordingOption("Phrases inside which a hold notice doesn't count.", NOT_HOLD_NOTICES),
    },
    { additionalProperties: false },
  ),
  needs: () => ["sides"],
  unfitFor: () => ["drop-outs", "noise", "too-low", "cross-talk"],
  messages: { found: { zh: "对方说完 {waitSeconds} 秒后才回应", en: "answered {waitSeconds} s after the other side's turn" } },
  prepare({ role, maxSeconds, minTurnSeconds, pauseSeconds, noticeSeconds, notices, exceptNotices }) {
    const phrases = compileWording(notices, { except: exceptNotices });
    const maxMs = toMs(maxSeconds);
    return (call) => {
      if (!call.speech) return SIDES_UNKNOWN;
      const own = union(call.speech[role]);
      const other = union(call.speech[otherRole(role)]);
      const speech = union([...own, ...other]);
      const ownEnds = new Set(own.map(([, endMs]) => endMs));
      const ownStarts = new Set(own.map(([startMs]) => startMs));
      const turnByEnd = new Map(union(other, toMs(pauseSeconds)).map((turn) => [turn[1], turn]));
      const late = gaps(speech, extentOf(speech) ?? [0, 0]).filter((gap) => {
        const turn = turnByEnd.get(gap[0]);
        if (!turn || ownEnds.has(gap[0]) || !ownStarts.has(gap[1]) || lengthOf(gap) <= maxMs) return false;
        return totalMs(clip(other, turn)) >= toMs(minTurnSeconds);
      });
      if (late.length === 0) return [];
      const tones = toneSpans(call, WAITING_TONES);
      const asked = holdNotices(call, phrases, "any");
      const excused = ([startMs]: Span) => asked.some((notice) => notice[0] < startMs && notice[1] + toMs(noticeSeconds) > startMs);
      return late
        .filter((gap) => totalMs(subtract([gap], tones)) > maxMs && !excused(gap))
        .map(
          ([startMs, endMs]): Detection => ({
            role,
            startMs,
            endMs,
            quote: null,
            confidence: call.text && !canHide(call, "any", [startMs - toMs(noticeSeconds), startMs]) ? 1 : 0.8,
            data: { waitSeconds: toSeconds(endMs - startMs), limitSeconds: maxSeconds },
          }),
        );
    };
  },
});
