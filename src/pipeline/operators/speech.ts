import { first, last, union } from "../timeline.ts";
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
export function utterancesOf(call: OperatorCall, who: Who): readonly Utterance[] {
  const utterances = call.text?.utterances ?? [];
  return who === "any" ? utterances : utterances.filter(({ role }) => role === who);
}

/** Speech of that side: as heard where the sides are apart, else where the transcript says that it spoke. */
export function speechOf(call: OperatorCall, who: Who): Span[] {
  if (who === "any") {
    const heard = allSpeech(call);
    if (heard.length > 0) return heard;
  } else if (call.speech) return union(call.speech[who]);
  return union(utterancesOf(call, who).map(({ startMs, endMs }): Span => [startMs, endMs]));
}

/** Time in which anybody speaks, on whichever channel. */
export function allSpeech(call: OperatorCall): Span[] {
  const sides = call.speech ? [...call.speech.agent, ...call.speech.customer] : [];
  return union([...call.channels.flatMap(({ speech }) => speech), ...sides]);
}

/** From the first to the last moment of the spans; null where there are none. Spans are disjoint and ascending. */
export function extentOf(spans: readonly Span[]): Span | null {
  const head = spans[0];
  const tail = spans.at(-1);
  return head && tail ? [head[0], tail[1]] : null;
}

/** The stretch in which that side says its first `ms` of speech. */
export function firstSpeech(call: OperatorCall, who: Who, ms: number): Span | null {
  return extentOf(first(speechOf(call, who), ms));
}

/** The stretch in which that side says its last `ms` of speech. */
export function lastSpeech(call: OperatorCall, who: Who, ms: number): Span | null {
  return extentOf(last(speechOf(call, who), ms));
}

/** Turns by the transcript: utterances of one role in a row. */
export function turnsOf(utterances: readonly Utterance[]): Turn[] {
  const turns: { role: Role | null; startMs: number; endMs: number }[] = [];
  for (const { role, startMs, endMs } of utterances) {
    const turn = turns.at(-1);
    if (turn && turn.role === role) turn.endMs = Math.max(turn.endMs, endMs);
    else turns.push({ role, startMs, endMs });
  }
  return turns;
}

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
