import Type, { type Static } from "typebox";
import { clip, totalMs, union } from "../timeline.ts";
import type { Detection, Span } from "../types.ts";
import { defineOperator, type OperatorCall } from "./define.ts";
import { allSpeech, extentOf, toMs, turnsOf } from "./speech.ts";
import { compileWording, type PhraseList, type Wording, wordingOption } from "./wording.ts";

/** What answering machines and the network say instead of a person (domain.md D-22). */
const VOICEMAIL = {
  zh: [
    "嘀声后",
    "滴声后",
    "哔声后",
    "提示音后留言",
    "语音信箱",
    "语音留言",
    "留言请按",
    "您拨打的用户",
    "您拨打的电话",
    "您所拨打的",
    "您呼叫的用户",
    "暂时无法接通",
    "暂时无人接听",
    "已关机",
  ],
  en: [
    "leave a message",
    "leave your message",
    "leave your name",
    "after the tone",
    "after the beep",
    "at the tone",
    "voicemail",
    "voice mail",
    "mailbox",
    "the person you are calling",
    "the number you have dialed",
    "the number you dialed",
    "is not available to take your call",
    "can't take your call",
    "cannot take your call",
  ],
} satisfies Wording;

const CLASSES = ["fax", "voicemail", "no-speech", "one-sided", "too-short"] as const;
type CallClass = (typeof CLASSES)[number];

const Options = Type.Object(
  {
    classes: Type.Array(Type.Enum([...CLASSES]), {
      description:
        "Which classes are a finding; a call gets the first that fits, in the order fax, voicemail, no-speech, one-sided, too-short.",
      minItems: 1,
      uniqueItems: true,
      default: [...CLASSES],
    }),
    minSpeechSeconds: Type.Number({
      description: "no-speech: less speech than this on all sides together, in seconds.",
      minimum: 0,
      maximum: 3600,
      default: 1,
    }),
    minSideSpeechSeconds: Type.Number({
      description: "one-sided: one side speaks less than this, in seconds. A side that says one word is there.",
      minimum: 0,
      maximum: 3600,
      default: 0.3,
    }),
    minCallSeconds: Type.Number({ description: "too-short: a shorter recording, in seconds.", minimum: 0, maximum: 3600, default: 10 }),
    voicemail: wordingOption("voicemail: what a machine says, never the agent.", VOICEMAIL),
    voicemailSeconds: Type.Number({
      description: "voicemail: said within so many seconds of the first speech.",
      minimum: 1,
      maximum: 600,
      default: 30,
    }),
    maxVoicemailTurns: Type.Integer({
      description: "voicemail: more turns than this are a conversation.",
      minimum: 1,
      maximum: 100,
      default: 3,
    }),
  },
  { additionalProperties: false },
);

type Seen = Pick<Detection, "confidence" | "quote"> & { readonly span: Span; readonly weak?: boolean };

/** Sorts out calls that hold no conversation to judge (domain.md D-22). `data.class` says which kind. */
export const callClass = defineOperator({
  id: "call-class",
  description: {
    zh: "无法质检的通话：无人声、只有一方、过短、语音信箱、传真",
    en: "A call without a conversation to judge: no speech, one side only, too short, voicemail, fax",
  },
  options: Options,
  needs: () => [],
  unfitFor: () => [],
  messages: {
    found: { zh: "不是可质检的通话", en: "no conversation to judge" },
    fax: { zh: "传真", en: "a fax" },
    voicemail: { zh: "语音信箱或网络提示音", en: "voicemail or an announcement" },
    "no-speech": { zh: "无人声，共 {speechSeconds} 秒", en: "no speech, {speechSeconds} s in all" },
    "one-sided": { zh: "只有一方说话", en: "one side only" },
    "too-short": { zh: "通话只有 {callSeconds} 秒", en: "only {callSeconds} s long" },
  },
  prepare(options) {
    const voicemail = compileWording(options.voicemail);
    const judges = {
      fax: (call) => faxOf(call),
      voicemail: (call) => spokenVoicemail(call, voicemail, options) ?? beepedVoicemail(call, options),
      "no-speech": (call) => (totalMs(allSpeech(call)) < toMs(options.minSpeechSeconds) ? whole(call, 0.95) : null),
      "one-sided": (call) => oneSided(call, options),
      "too-short": (call) => (call.durationMs < toMs(options.minCallSeconds) ? whole(call, 1) : null),
    } satisfies Record<CallClass, (call: OperatorCall) => Seen | null>;
    const asked = CLASSES.filter((name) => options.classes.includes(name));
    return (call) => {
      for (const name of asked) {
        const seen = judges[name](call);
        if (!seen) continue;
        const { span, ...rest } = seen;
        return [
          {
            role: null,
            startMs: span[0],
            endMs: span[1],
            ...rest,
            data: { kind: name, class: name, callSeconds: call.durationMs / 1000, speechSeconds: totalMs(allSpeech(call)) / 1000 },
          },
        ];
      }
      return [];
    };
  },
});

function whole(call: OperatorCall, confidence: number): Seen {
  return { span: [0, call.durationMs], confidence, quote: null };
}

function faxOf(call: OperatorCall): Seen | null {
  const spans = union(call.tones.filter(({ kind }) => kind === "fax").map(({ startMs, endMs }): Span => [startMs, endMs]));
  // A modem's carrier may pass for speech; more than a few words beside it are a call that was put through to a fax later.
  const span = extentOf(spans);
  return span && totalMs(allSpeech(call)) < 5000 ? { span, confidence: 0.9, quote: null } : null;
}

function spokenVoicemail(
  call: OperatorCall,
  phrases: PhraseList,
  { voicemailSeconds, maxVoicemailTurns }: Static<typeof Options>,
): Seen | null {
  if (!call.text || turnsOf(call, "any").length > maxVoicemailTurns) return null;
  const startMs = extentOf(allSpeech(call))?.[0] ?? call.text.utterances[0]?.startMs ?? 0;
  const match = phrases.find(call, "any", [0, startMs + toMs(voicemailSeconds)]).find(({ role }) => role !== "agent");
  return match ? { span: [match.startMs, match.endMs], confidence: Math.round(match.confidence * 90) / 100, quote: match.quote } : null;
}

/** By sound alone: one side talks, a beep ends it, and that side is never heard again. */
function beepedVoicemail(call: OperatorCall, { voicemailSeconds }: Static<typeof Options>): Seen | null {
  for (const beep of call.tones) {
    if (beep.kind !== "beep" || beep.startMs > toMs(voicemailSeconds)) continue;
    const same = call.channels.find(({ channel }) => channel === beep.channel)?.speech ?? [];
    const others = call.channels.filter(({ channel }) => channel !== beep.channel).flatMap(({ speech }) => speech);
    const saidBeforeMs = totalMs(clip(same, [0, beep.startMs]));
    const ends = same.every(([, endMs]) => endMs <= beep.startMs + 500);
    const answered = clip(others, [0, beep.startMs]).length > 0;
    if (call.channels.length > 1 && saidBeforeMs >= 2000 && ends && !answered) {
      return { span: [beep.startMs, beep.endMs], confidence: 0.6, quote: null, weak: true };
    }
  }
  return null;
}

function oneSided(call: OperatorCall, { minSideSpeechSeconds }: Static<typeof Options>): Seen | null {
  const span = extentOf(allSpeech(call));
  if (!span) return null;
  if (call.layout === "one-sided") return { span, confidence: 0.95, quote: null };
  if (call.layout !== "split") return null;
  const quiet = call.channels.filter(({ speech }) => totalMs(speech) < toMs(minSideSpeechSeconds));
  return quiet.length > 0 ? { span, confidence: 0.9, quote: null } : null;
}
