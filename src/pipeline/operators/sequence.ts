import Type, { type Static } from "typebox";
import { CallsiftError } from "../errors.ts";
import type { TextMatch } from "../text/index-text.ts";
import { lengthOf } from "../timeline.ts";
import type { Detection, Role } from "../types.ts";
import { type Detect, defineOperator, type OperatorCall } from "./define.ts";
import { canHide, heardOnly, isSpoilt, WORDS_DOUBTFUL } from "./hearings.ts";
import { extentOf, NO_TRANSCRIPT, noSpeech, speechOf, toMs, toSeconds, turnsOf } from "./speech.ts";
import { waits } from "./waiting.ts";
import { compileWording, type PhraseList, roleOf, roleOption, soundOption, type Who, whoOption, wordingOption } from "./wording.ts";

const Options = Type.Object(
  {
    mode: Type.Enum(["reply", "steps"], {
      description: "reply: after a trigger or a wait something must be said. steps: all steps must come, in their order.",
      default: "reply",
    }),
    trigger: Type.Optional(
      Type.Object(
        {
          role: whoOption("Who says it: agent, customer or any.", "customer"),
          phrases: wordingOption("What asks for the reply."),
          except: Type.Optional(wordingOption("Longer phrases inside which a listed one doesn't count.")),
          sound: soundOption(false),
        },
        { additionalProperties: false, description: "reply: what is said that asks for the reply." },
      ),
    ),
    wait: Type.Optional(
      Type.Object(
        {
          minSeconds: Type.Number({
            description: "Waits longer than this ask for the reply, in seconds.",
            minimum: 1,
            maximum: 86_400,
            default: 30,
          }),
          silence: Type.Boolean({ description: "Silence of both sides is waiting too; false: hold music only.", default: true }),
        },
        { additionalProperties: false, description: "reply: being kept waiting asks for the reply as well." },
      ),
    ),
    reply: Type.Optional(
      Type.Object(
        {
          role: roleOption("Who must reply.", "agent"),
          phrases: wordingOption("What counts as the reply."),
          except: Type.Optional(wordingOption("Longer phrases inside which a listed one doesn't count.")),
          sound: soundOption(true),
        },
        { additionalProperties: false, description: "reply: what must be said." },
      ),
    ),
    withinTurns: Type.Integer({
      description: "reply: in how many turns of the one who must reply.",
      minimum: 1,
      maximum: 1000,
      default: 3,
    }),
    withinSeconds: Type.Optional(Type.Number({ description: "reply: and within so many seconds.", minimum: 0.1, maximum: 86_400 })),
    once: Type.Boolean({ description: "reply: at most one finding a call, where the reply is first missing.", default: true }),
    steps: Type.Optional(
      Type.Array(
        Type.Object(
          {
            name: Type.String({ description: "What the step is called in findings.", minLength: 1, maxLength: 100 }),
            role: whoOption("Who takes it: agent, customer or any.", "agent"),
            phrases: wordingOption("What shows that it was taken."),
            sound: soundOption(true),
          },
          { additionalProperties: false },
        ),
        { description: "steps: what must be done, in order.", minItems: 1, maxItems: 100 },
      ),
    ),
    inOrder: Type.Boolean({ description: "steps: a step before its predecessor is a finding too.", default: true }),
  },
  { additionalProperties: false },
);
type SequenceOptions = Static<typeof Options>;

/** What must follow doesn't (domain.md D-08), or required steps are left out or taken in the wrong order (D-24). */
export const sequence = defineOperator({
  id: "sequence",
  description: {
    zh: "该有的回应没有跟上，或流程步骤缺失、颠倒",
    en: "An expected reply doesn't follow, or required steps are missing or out of order",
  },
  options: Options,
  needs: () => ["transcript", "roles"],
  unfitFor: () => ["drop-outs", "too-low", "cross-talk"],
  messages: {
    found: { zh: "没有按要求回应或执行流程", en: "an expected reply or step is missing" },
    "no-reply": { zh: "“{trigger}”之后 {turns} 轮内没有应有的回应", en: 'no expected reply within {turns} turns after "{trigger}"' },
    "no-reply-to-wait": {
      zh: "等待 {waitSeconds} 秒之后 {turns} 轮内没有应有的回应",
      en: "no expected reply within {turns} turns after a wait of {waitSeconds} s",
    },
    "missing-step": { zh: "缺少步骤：{step}", en: "missing step: {step}" },
    "out-of-order": { zh: "步骤顺序颠倒：{step} 应在 {after} 之后", en: "out of order: {step} belongs after {after}" },
  },
  prepare: (options) => (options.mode === "reply" ? prepareReply(options) : prepareSteps(options)),
  listensFor({ mode, reply, steps }) {
    const lists = mode === "reply" ? (reply ? [reply] : []) : (steps ?? []);
    return lists.map((list) => ({ purpose: "missing", phrases: compileReply(list).phrases }));
  },
});

/** A step that was taken, and when. */
interface Step {
  readonly name: string;
  readonly startMs: number;
}

interface Trigger {
  readonly startMs: number;
  readonly endMs: number;
  readonly quote: string | null;
  readonly role: Role | null;
  readonly confidence: number;
  readonly weak: boolean;
}

/** What must be said, compiled. */
function compileReply({ phrases, sound, except }: Pick<NonNullable<SequenceOptions["reply"]>, "phrases" | "sound" | "except">): PhraseList {
  return compileWording(phrases, { sound, ...(except ? { except } : {}) });
}

function prepareReply({ trigger, wait, reply, withinTurns, withinSeconds, once }: SequenceOptions): Detect {
  if (!reply) throw new CallsiftError("rules/invalid", 'mode "reply": expected reply, got none');
  if (!trigger && !wait) throw new CallsiftError("rules/invalid", 'mode "reply": expected a trigger or a wait, got neither');
  const asking =
    trigger && compileWording(trigger.phrases, { sound: trigger.sound, ...(trigger.except ? { except: trigger.except } : {}) });
  const answering = compileReply(reply);

  const triggersOf = (call: OperatorCall): Trigger[] => {
    const said = asking && trigger ? asking.find(call, trigger.role).map((match) => ({ ...match, weak: match.by === "sound" })) : [];
    const waited = wait ? waits(call, wait).filter((span) => lengthOf(span) > toMs(wait.minSeconds)) : [];
    return [...said, ...waited.map(([startMs, endMs]) => ({ startMs, endMs, quote: null, role: null, confidence: 0.9, weak: false }))].sort(
      (a, b) => a.startMs - b.startMs,
    );
  };

  return (call) => {
    if (!call.text) return NO_TRANSCRIPT;
    if (!answering.has(call.language))
      return { notAssessed: "no-wording", detail: `the rule lists no phrases for language "${call.language}"` };
    const turns = turnsOf(call, reply.role);
    const replies = [...answering.find(call, reply.role), ...heardOnly(call, answering, reply.role, { orUnknown: true })];
    const found: Detection[] = [];
    let hidden = trigger !== undefined && isSpoilt(call, trigger.role);
    let judgedUntilMs = 0;
    for (const asked of triggersOf(call)) {
      if (once && found.length > 0) break;
      // A second complaint while the first still waits for its apology is the same fault.
      if (asked.startMs < judgedUntilMs) continue;
      const due = turns.filter(({ endMs }) => endMs > asked.endMs).slice(0, withinTurns);
      const last = due.at(-1);
      // Nobody was left to reply, e.g. the customer hung up.
      if (!last) continue;
      const untilMs = Math.min(last.endMs, withinSeconds === undefined ? Number.POSITIVE_INFINITY : asked.endMs + toMs(withinSeconds));
      if (replies.some(({ startMs }) => startMs >= asked.startMs && startMs <= untilMs)) continue;
      judgedUntilMs = untilMs;
      if (canHide(call, reply.role, [asked.startMs, Math.max(untilMs, asked.startMs + 1)])) {
        hidden = true;
        continue;
      }
      found.push({
        role: reply.role,
        startMs: asked.startMs,
        endMs: Math.max(untilMs, asked.endMs),
        quote: asked.quote,
        confidence: Math.round(asked.confidence * 90) / 100,
        ...(asked.weak ? { weak: true } : {}),
        data:
          asked.quote === null
            ? { kind: "no-reply-to-wait", turns: due.length, waitSeconds: toSeconds(asked.endMs - asked.startMs) }
            : { kind: "no-reply", turns: due.length, trigger: asked.quote },
      });
    }
    return hidden && found.length === 0 ? WORDS_DOUBTFUL : found;
  };
}

function prepareSteps({ steps, inOrder }: SequenceOptions): Detect {
  if (!steps) throw new CallsiftError("rules/invalid", 'mode "steps": expected steps, got none');
  const compiled = steps.map(({ name, role, phrases, sound }) => ({ name, role, list: compileReply({ phrases, sound }) }));
  return (call) => {
    if (!call.text) return NO_TRANSCRIPT;
    const found: Detection[] = [];
    let hidden = false;
    let before: Step = { name: "", startMs: 0 };
    for (const { name, role, list } of compiled) {
      const speech = extentOf(speechOf(call, role));
      if (!speech) return noSpeech(role);
      const taken = stepsTaken(call, list, role);
      const head = taken[0];
      if (!head && canHide(call, role, [0, call.durationMs])) {
        hidden = true;
        continue;
      }
      if (!head) {
        found.push({
          role: roleOf(role),
          startMs: speech[0],
          endMs: speech[1],
          quote: null,
          confidence: 0.9,
          data: { kind: "missing-step", step: name },
        });
        continue;
      }
      const { name: after, startMs: dueMs } = before;
      const inTurn = taken.find(({ startMs }) => startMs >= dueMs);
      if (inOrder && !inTurn) {
        found.push({
          role: roleOf(role),
          startMs: head.startMs,
          endMs: head.endMs,
          quote: head.quote,
          confidence: Math.round(head.confidence * 90) / 100,
          ...(head.by === "sound" ? { weak: true } : {}),
          data: { kind: "out-of-order", step: name, after },
        });
      }
      before = { name, startMs: inTurn?.startMs ?? dueMs };
    }
    return hidden && found.length === 0 ? WORDS_DOUBTFUL : found.sort((a, b) => a.startMs - b.startMs);
  };
}

/** Where a step was taken: as written, or as heard in the sound alone, which is weak evidence of its place. */
function stepsTaken(
  call: OperatorCall,
  list: PhraseList,
  role: Who,
): Pick<TextMatch, "startMs" | "endMs" | "quote" | "confidence" | "by">[] {
  const heard = heardOnly(call, list, role, { orUnknown: true });
  const taken = heard.map(({ startMs, endMs, written }) => ({ startMs, endMs, quote: written, confidence: 0.5, by: "sound" as const }));
  return [...list.find(call, role), ...taken].sort((a, b) => a.startMs - b.startMs);
}
