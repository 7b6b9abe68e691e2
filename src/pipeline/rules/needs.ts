import type { Need, OperatorCall } from "../operators/define.ts";
import type { HeardCall, Language, ProblemCode, Role } from "../types.ts";

/** Why a rule can say nothing about a call. */
export interface Unknown {
  /** A code of REASONS, or one of an operator's own. */
  readonly reason: string;
  readonly detail?: string;
}

/** The reasons that this room and the operators give, worded for people. */
export const REASONS = {
  "unusable-call": { zh: "不是有效通话", en: "The call is no conversation" },
  "no-speech": { zh: "录音中没有人声", en: "Nobody speaks in the recording" },
  "no-transcript": { zh: "没有转写文本", en: "There is no transcript" },
  "roles-unknown": { zh: "无法确定哪一方是坐席", en: "It is not known which side is the agent" },
  "sides-mixed": { zh: "双方声音混在同一声道，无法分开", en: "Both sides are mixed in one channel" },
  "one-sided": { zh: "只录到一方的声音", en: "Only one side was recorded" },
  "word-times-estimated": { zh: "转写文本没有逐字时间", en: "The transcript has no times of words" },
  "no-hangup-party": { zh: "元数据中没有挂机方", en: "The metadata don't say who hung up" },
  "audio-unfit": { zh: "录音质量不足以作为依据", en: "The sound is unfit as evidence" },
  language: { zh: "规则适用于其他语言", en: "The rule is for calls in another language" },
  "sides-unknown": { zh: "无法分清双方的声音", en: "The two sides cannot be told apart" },
  "no-agent-speech": { zh: "坐席没有说话", en: "The agent never speaks" },
  "no-customer-speech": { zh: "客户没有说话", en: "The customer never speaks" },
  "no-words": { zh: "该段通话没有转写文本", en: "The transcript has no words in that part of the call" },
  "words-doubtful": { zh: "识别的文字不可靠", en: "The recogniser is not sure of its words" },
  "no-wording": { zh: "规则没有该语言的用语", en: "The rule lists no phrases in the call's language" },
  "too-little-speech": { zh: "讲话太少，无法判断", en: "Too little speech to judge by" },
  "hesitations-dropped": { zh: "识别引擎会略去语气词，无法统计", en: "The recogniser leaves hesitations out of its text" },
  "no-metadata": { zh: "元数据中没有该字段", en: "The metadata lack the field" },
  "no-such-rule": { zh: "评分项所绑定的规则未启用", en: "The rule that the item is bound to is not in force" },
} as const satisfies Record<string, Readonly<Record<Language, string>>>;

/** Problems that concern both sides whichever channel is named: a leak puts words in the other's mouth. */
const BOTH_SIDES: readonly ProblemCode[] = ["cross-talk"];

/** What the call lacks of what an operator must know, the most telling lack first; null where it lacks nothing. */
export function lack(
  call: OperatorCall,
  { needs, unfitFor, role }: { readonly needs: readonly Need[]; readonly unfitFor: readonly ProblemCode[]; readonly role: Role | null },
): Unknown | null {
  const ofPeople = needs.some((need) => need !== "hangup-party");
  if (ofPeople && isSpeechless(call)) return { reason: "no-speech" };
  for (const need of NEEDS) {
    const lacking = needs.includes(need) ? CHECKS[need](call) : null;
    if (lacking) return lacking;
  }
  const unfit = call.problems.filter((problem) => problem.unfit && unfitFor.includes(problem.code) && concerns(problem, role, call));
  if (unfit.length === 0) return null;
  return {
    reason: "audio-unfit",
    detail: unfit.map(({ code, channel, detail }) => `${code}${channel === null ? "" : ` (channel ${channel})`}: ${detail}`).join("; "),
  };
}

/** Whether nothing in the call can be held for speech. */
export function isSpeechless(call: HeardCall): boolean {
  if ("utterances" in call.transcript && call.transcript.utterances.length > 0) return false;
  return call.layout === "silent" || (call.channels.length > 0 && call.channels.every(({ speech }) => speech.length === 0));
}

const NEEDS = ["transcript", "word-times", "sides", "roles", "hangup-party"] as const satisfies readonly Need[];

const CHECKS = {
  transcript: ({ transcript }) => ("utterances" in transcript ? null : { reason: "no-transcript", detail: transcript.reason }),
  "word-times": ({ transcript }) => {
    if (!("utterances" in transcript)) return { reason: "no-transcript", detail: transcript.reason };
    return transcript.utterances.some(({ timing }) => timing === "estimated") ? { reason: "word-times-estimated" } : null;
  },
  sides: (call) => {
    if (call.speech) return null;
    if (call.layout === "one-sided") return { reason: "one-sided" };
    return call.layout === "split" ? { reason: "roles-unknown" } : { reason: "sides-mixed", detail: `layout ${call.layout}` };
  },
  // A mixed recording may have a transcript that says who speaks.
  roles: (call) => {
    if (call.speech) return null;
    const spoken = "utterances" in call.transcript ? call.transcript.utterances : [];
    return spoken.some(({ role }) => role !== null) ? null : { reason: "roles-unknown" };
  },
  "hangup-party": ({ metadata }) => (metadata.hangupParty ? null : { reason: "no-hangup-party" }),
} as const satisfies Record<Need, (call: OperatorCall) => Unknown | null>;

/** A problem of one side's channel leaves the other side's evidence as it is. */
function concerns(problem: { code: ProblemCode; channel: number | null }, role: Role | null, call: OperatorCall): boolean {
  if (role === null || problem.channel === null || call.speech === null || BOTH_SIDES.includes(problem.code)) return true;
  return (problem.channel === call.agentChannel) === (role === "agent");
}
