import { union } from "../timeline.ts";
import type { Role, Span, ToneKind, Utterance } from "../types.ts";
import type { OperatorCall, Unjudged } from "./define.ts";
import type { Who } from "./wording.ts";

/** Who spoke when, as operators see it. */

/** One side speaks until the other does. */
export interface Turn {
  readonly role: Role | null;
  readonly startMs: number;
  readonly endMs: number;
}

/** The utterances of that side, in order of start; empty without a transcript. */
export const utterancesOf = oncePerCall((call, who): readonly Utterance[] => {
  const utterances = call.text?.utterances ?? [];
  return who === "any" ? utterances : utterances.filter(({ role }) => role === who);
});

/** Speech of that side, disjoint and ascending: as heard where the sides are apart, else where the transcript says that it spoke, in whatever words. */
export const speechOf = oncePerCall((call, who): readonly Span[] => {
  if (who === "any") {
    const heard = allSpeech(call);
    if (heard.length > 0) return heard;
  } else if (call.speech) return union(call.speech[who]);
  const doubtful = "utterances" in call.transcript ? (call.transcript.doubtful ?? []) : [];
  const own = doubtful.filter(({ role, doubt }) => (who === "any" || role === who) && doubt !== "no-speech" && doubt !== "credits");
  return union([...utterancesOf(call, who), ...own].map(({ startMs, endMs }): Span => [startMs, endMs]));
});

/** Time in which anybody speaks, on whichever channel. */
export function allSpeech(call: OperatorCall): readonly Span[] {
  return heardSpeech(call, "any");
}

const heardSpeech = oncePerCall((call): readonly Span[] => {
  const sides = call.speech ? [...call.speech.agent, ...call.speech.customer] : [];
  return union([...call.channels.flatMap(({ speech }) => speech), ...sides]);
});

/** Hundreds of rules ask the same of one call; the answer is kept as long as the call is, so that each costs microseconds. */
function oncePerCall<T extends object>(derive: (call: OperatorCall, who: Who) => T): (call: OperatorCall, who: Who) => T {
  const known = new WeakMap<OperatorCall, Partial<Record<Who, T>>>();
  return (call, who) => {
    const answers = known.get(call) ?? {};
    const answer = answers[who] ?? derive(call, who);
    answers[who] = answer;
    known.set(call, answers);
    return answer;
  };
}

/** From the first to the last moment of the spans; null where there are none. Spans are disjoint and ascending. */
export function extentOf(spans: readonly Span[]): Span | null {
  const head = spans[0];
  const tail = spans.at(-1);
  return head && tail ? [head[0], tail[1]] : null;
}

/** From the first to the last moment inside the window; null where the spans, disjoint and ascending, leave it empty. */
export function extentWithin(spans: readonly Span[], [fromMs, toMs]: Span): Span | null {
  const head = spans.find(([startMs, endMs]) => endMs > fromMs && startMs < toMs);
  const tail = spans.findLast(([startMs, endMs]) => endMs > fromMs && startMs < toMs);
  return head && tail ? [Math.max(head[0], fromMs), Math.min(tail[1], toMs)] : null;
}

/** When that side has said its first `ms` of speech; the end of its speech where it says less. */
export function firstSpeechEndMs(call: OperatorCall, who: Who, ms: number): number {
  let leftMs = ms;
  for (const [startMs, endMs] of speechOf(call, who)) {
    if (endMs - startMs >= leftMs) return startMs + leftMs;
    leftMs -= endMs - startMs;
  }
  return speechOf(call, who).at(-1)?.[1] ?? 0;
}

/** When that side begins its last `ms` of speech; the start of its speech where it says less. */
export function lastSpeechStartMs(call: OperatorCall, who: Who, ms: number): number {
  const speech = speechOf(call, who);
  let leftMs = ms;
  for (let i = speech.length - 1; i >= 0; i--) {
    const [startMs, endMs] = speech[i] as Span;
    if (endMs - startMs >= leftMs) return endMs - leftMs;
    leftMs -= endMs - startMs;
  }
  return speech[0]?.[0] ?? 0;
}

/** Turns of that side by the transcript: its utterances in a row, until the other side's. */
export const turnsOf = oncePerCall((call, who): readonly Turn[] => {
  const turns: { role: Role | null; startMs: number; endMs: number }[] = [];
  for (const { role, startMs, endMs } of utterancesOf(call, "any")) {
    const turn = turns.at(-1);
    if (turn && turn.role === role) turn.endMs = Math.max(turn.endMs, endMs);
    else turns.push({ role, startMs, endMs });
  }
  return who === "any" ? turns : turns.filter(({ role }) => role === who);
});

/** Off-time inside one sounding of a tone, ms: the 4 s between rings, the quiet bars of hold music. */
const CADENCE_MS = { "ring-back": 5000, busy: 1000, dtmf: 3000, fax: 3000, beep: 0, music: 3000 } satisfies Record<ToneKind, number>;

/** Where a tone of these kinds sounds on any channel, its cadence taken as one. */
export function toneSpans(call: OperatorCall, kinds: readonly ToneKind[]): Span[] {
  return union(
    kinds.flatMap((kind) =>
      union(
        call.tones.filter((tone) => tone.kind === kind).map(({ startMs, endMs }): Span => [startMs, endMs]),
        CADENCE_MS[kind],
      ),
    ),
  );
}

const NO_SPEECH = {
  agent: { notAssessed: "no-agent-speech", detail: "the agent never speaks" },
  customer: { notAssessed: "no-customer-speech", detail: "the customer never speaks" },
  any: { notAssessed: "no-speech", detail: "nobody speaks" },
} satisfies Record<Who, Unjudged>;

/** That side never speaks, so there is nothing to judge. */
export function noSpeech(who: Who): Unjudged {
  return NO_SPEECH[who];
}

/** The sides cannot be told apart; operators that say `sides` in `needs` are normally never asked about such a call. */
export const SIDES_UNKNOWN: Unjudged = { notAssessed: "sides-unknown", detail: "the speech of agent and customer cannot be told apart" };

/** There are no words at all; as `SIDES_UNKNOWN`. */
export const NO_TRANSCRIPT: Unjudged = { notAssessed: "no-transcript", detail: "there are no words of this call" };

export function otherRole(role: Role): Role {
  return role === "agent" ? "customer" : "agent";
}

/** Milliseconds as seconds with one decimal, for data that people read. */
export function toSeconds(ms: number): number {
  return Math.round(ms / 100) / 10;
}

/** Seconds of an option as whole milliseconds. */
export function toMs(seconds: number): number {
  return Math.round(seconds * 1000);
}
