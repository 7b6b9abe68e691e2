import Type from "typebox";
import { isBackChannel } from "../text/fillers.ts";
import { clip, lengthOf, overlap, totalMs, union } from "../timeline.ts";
import type { Detection, Span } from "../types.ts";
import { defineOperator } from "./define.ts";
import { extentOf, otherRole, SIDES_UNKNOWN, toMs, toSeconds } from "./speech.ts";
import { roleOption } from "./wording.ts";
import { spokenWithin } from "./words.ts";

/** Without words: nobody's 嗯 or 对对对 lasts longer than this, ms … */
const LONGEST_BACK_CHANNEL_MS = 800;
/** … in one breath. */
const BREATH_MS = 300;

/**
 * One side starts to speak into the other's turn and keeps on (domain.md D-11). Times come from the sound, because word times of
 * recognisers are too rough; words only tell back-channels (嗯, 好的, uh-huh) from taking the floor. Without words only short
 * ones are told by their length, so that confidence is lower.
 */
export const interruption = defineOperator({
  id: "interruption",
  description: {
    zh: "对方正在说话时插入并继续说下去（应答语不算）",
    en: "Starts to speak while the other side is speaking, and goes on; back-channels don't count",
  },
  options: Type.Object(
    {
      role: roleOption("Who interrupts.", "agent"),
      minSpokenSeconds: Type.Number({
        description: "How long the other side must have spoken in its turn before, in seconds.",
        minimum: 0,
        maximum: 60,
        default: 1,
      }),
      minOverlapSeconds: Type.Number({ description: "Shortest time both speak, in seconds.", minimum: 0.1, maximum: 60, default: 0.5 }),
      minTurnSeconds: Type.Number({
        description: "Shortest speech of the interrupting turn, in seconds from its onset.",
        minimum: 0,
        maximum: 60,
        default: 1,
      }),
      pauseSeconds: Type.Number({
        description: "Pauses up to this long belong to a turn, in seconds.",
        minimum: 0,
        maximum: 5,
        default: 0.6,
      }),
      backChannels: Type.Boolean({ description: "Back-channels count as interruptions too.", default: false }),
    },
    { additionalProperties: false },
  ),
  needs: () => ["sides"],
  unfitFor: () => ["cross-talk", "noise"],
  messages: {
    found: { zh: "对方说话时插话，重叠 {overlapSeconds} 秒", en: "spoke into the other side's turn, {overlapSeconds} s at once" },
  },
  prepare({ role, minSpokenSeconds, minOverlapSeconds, minTurnSeconds, pauseSeconds, backChannels }) {
    return (call) => {
      if (!call.speech) return SIDES_UNKNOWN;
      // Voices told apart on one channel never share time, whoever talks over whom.
      if (call.layout !== "split") return { notAssessed: "sides-mixed", detail: "in one channel it cannot be heard who talks over whom" };
      const own = call.speech[role];
      const other = call.speech[otherRole(role)];
      const otherTurns = union(other, toMs(pauseSeconds));
      return union(own, toMs(pauseSeconds)).flatMap((turn): Detection[] => {
        const onsetMs = turn[0];
        const otherTurn = otherTurns.find(([startMs, endMs]) => startMs < onsetMs && onsetMs < endMs);
        if (!otherTurn) return [];
        const spokenMs = totalMs(clip(other, [otherTurn[0], onsetMs]));
        const both = overlap(clip(own, turn), clip(other, [onsetMs, otherTurn[1]]));
        const turnMs = totalMs(clip(own, turn));
        if (spokenMs < toMs(minSpokenSeconds) || totalMs(both) < toMs(minOverlapSeconds) || turnMs < toMs(minTurnSeconds)) return [];
        const span: Span = [onsetMs, extentOf(both)?.[1] ?? turn[1]];
        const words = spokenWithin(call, role, span);
        const listens =
          words === ""
            ? union(clip(own, turn), BREATH_MS).every((breath) => lengthOf(breath) <= LONGEST_BACK_CHANNEL_MS)
            : isBackChannel(words, call.language);
        if (listens && !backChannels) return [];
        return [
          {
            role,
            startMs: span[0],
            endMs: span[1],
            quote: words === "" ? null : words,
            confidence: words === "" ? 0.6 : 0.9,
            data: { overlapSeconds: toSeconds(totalMs(both)), spokenSeconds: toSeconds(spokenMs), turnSeconds: toSeconds(turnMs) },
          },
        ];
      });
    };
  },
});
