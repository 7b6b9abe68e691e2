import { clip, gaps, subtract, union } from "../timeline.ts";
import type { Span, ToneKind } from "../types.ts";
import type { OperatorCall } from "./define.ts";
import { allSpeech, extentOf, toneSpans } from "./speech.ts";
import type { PhraseList, Who, Wording } from "./wording.ts";

/** Time in which nobody speaks, and what excuses it. */

/** How agents ask to wait (domain.md D-10). */
export const HOLD_NOTICES = {
  zh: [
    "稍等",
    "稍候",
    "请稍后",
    "等一下",
    "等一会",
    "等会儿",
    "等我一下",
    "等等",
    "请等待",
    "耐心等待",
    "不要挂",
    "别挂",
    "请勿挂",
    "保持通话",
    "保持在线",
  ],
  en: [
    "one moment",
    "just a moment",
    "a moment please",
    "moment please",
    "give me a moment",
    "bear with me",
    "please hold",
    "hold on",
    "hang on",
    "hold the line",
    "stay on the line",
    "on hold",
    "please wait",
    "one second",
    "just a second",
    "one minute",
    "just a minute",
    "a couple of minutes",
    "while I check",
    "while I look",
  ],
} satisfies Wording;

/** Looks like a notice, and is thanks for waiting or an announcement of something else. */
export const NOT_HOLD_NOTICES = {
  zh: [
    "感谢您的耐心等待",
    "谢谢您的耐心等待",
    "感谢您耐心等待",
    "谢谢您耐心等待",
    "请稍后为",
    "请稍后对",
    "请稍后再",
    "请稍后给",
    "不用等一下",
    "不用稍等",
  ],
  en: ["thank you for being on hold", "sorry for putting you on hold", "on hold for so long"],
} satisfies Wording;

/** How agents come back from a hold (domain.md D-10). */
export const RETURN_LINES = {
  zh: ["久等", "感谢您的等待", "谢谢您的等待", "感谢您的耐心等待", "谢谢您的耐心等待", "感谢您耐心等待"],
  en: [
    "thank you for holding",
    "thanks for holding",
    "thank you for waiting",
    "thanks for waiting",
    "sorry to keep you waiting",
    "sorry to have kept you waiting",
    "sorry for the wait",
    "thank you for your patience",
    "thanks for your patience",
  ],
} satisfies Wording;

/** Sounds that say that the line lives and somebody waits: neither speech nor dead air. A lone beep says nothing. */
export const WAITING_TONES = ["ring-back", "busy", "dtmf", "fax", "music"] as const satisfies readonly ToneKind[];

/** Sounds of a call that is being put through. */
const CALL_PROGRESS_TONES = ["ring-back", "busy", "fax"] as const satisfies readonly ToneKind[];

/** Stretches between the first and the last speech in which nobody speaks. */
export function quietSpans(call: OperatorCall): Span[] {
  const speech = allSpeech(call);
  const extent = extentOf(speech);
  return extent ? gaps(speech, extent) : [];
}

/**
 * Where somebody is kept waiting: hold music (whatever is said into it) and silence of both sides, joined. Ringing is neither, and
 * what comes before the first word is not the agent's; music after the last one is a hold that nobody came back from.
 */
export function waits(call: OperatorCall, { silence }: { readonly silence: boolean }): Span[] {
  const extent = extentOf(allSpeech(call));
  if (!extent) return [];
  const music = clip(toneSpans(call, ["music"]), [extent[0], Math.max(extent[1], call.durationMs)]);
  const quiet = quietSpans(call).filter((gap) => silence || music.some((tone) => tone[0] < gap[1] && gap[0] < tone[1]));
  return subtract(union([...quiet, ...music]), toneSpans(call, CALL_PROGRESS_TONES)).map((wait) => withoutClicks(wait, music));
}

/** Putting through to music and back takes a moment; it is not what somebody waited. */
const CLICK_MS = 2000;

function withoutClicks([startMs, endMs]: Span, music: readonly Span[]): Span {
  const played = extentOf(clip(music, [startMs, endMs]));
  if (!played) return [startMs, endMs];
  return [played[0] - startMs <= CLICK_MS ? played[0] : startMs, endMs - played[1] <= CLICK_MS ? played[1] : endMs];
}

/** When that side, or one that is not known, asks to wait: from the notice to the end of its utterance. */
export function holdNotices(call: OperatorCall, notices: PhraseList, who: Who): Span[] {
  return notices
    .find(call, "any")
    .filter(({ role }) => who === "any" || role === null || role === who)
    .map(({ utterance, startMs, endMs }): Span => [startMs, call.text?.utterances[utterance]?.endMs ?? endMs]);
}
