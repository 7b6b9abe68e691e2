import Type, { type Static } from "typebox";
import { CallsiftError } from "../errors.ts";
import type { Span } from "../types.ts";
import type { OperatorCall } from "./define.ts";
import { firstSpeechEndMs, lastSpeechStartMs, speechOf, toMs, turnsOf, utterancesOf } from "./speech.ts";
import { compileWording, soundOption, type Who, whoOption, wordingOption } from "./wording.ts";

const Anchor = Type.Object(
  {
    phrases: wordingOption("What is said at the anchor."),
    role: whoOption("Who says it: agent, customer or any.", "any"),
    except: Type.Optional(wordingOption("Phrases inside which the anchor's don't count.")),
    sound: soundOption(false),
    hit: Type.Integer({
      description: "Which time it is said: 1 the first, 2 the second, -1 the last, 0 each time.",
      minimum: -1000,
      maximum: 1000,
      default: 0,
    }),
  },
  { additionalProperties: false, description: "What the window lies before, after or around." },
);

/** Which part of a call is searched. */
export const WindowOption = Type.Object(
  {
    at: Type.Enum(["first", "last", "before", "after", "around"], {
      description: "The first or last part of the call, or the part before, after or around an anchor.",
    }),
    of: Type.Enum(["speech", "call"], {
      description: "Whether `seconds` of a first or last part counts the role's own speech or the time of the call.",
      default: "speech",
    }),
    seconds: Type.Optional(Type.Number({ description: "Length, in seconds.", minimum: 0.1, maximum: 86_400 })),
    turns: Type.Optional(Type.Integer({ description: "Length, in turns of the role.", minimum: 1, maximum: 10_000 })),
    anchor: Type.Optional(Anchor),
  },
  { additionalProperties: false, description: "Part of the call that is searched; the whole call without it." },
);
export type WindowOptions = Static<typeof WindowOption>;

/** The windows of a call in order of time; null where the role's speech that it is counted in is missing. */
export type FindWindows = (call: OperatorCall) => Span[] | null;

const isAnchored = (at: WindowOptions["at"]): boolean => at === "before" || at === "after" || at === "around";

/** Prepares a rule's window. Throws CallsiftError `rules/invalid` where its parts don't fit together. */
export function compileWindow(options: WindowOptions | undefined, who: Who): FindWindows {
  if (!options) return (call) => (call.durationMs > 0 ? [[0, call.durationMs]] : null);
  if (options.seconds === undefined && options.turns === undefined) {
    throw new CallsiftError("rules/invalid", `window at "${options.at}": expected seconds or turns, got neither`);
  }
  if (!isAnchored(options.at)) {
    if (options.anchor) throw new CallsiftError("rules/invalid", `window at "${options.at}": an anchor fits only before, after or around`);
    return options.at === "first" ? firstWindow(options, who) : lastWindow(options, who);
  }
  return anchoredWindows(options, who);
}

function firstWindow({ of, seconds, turns }: WindowOptions, who: Who): FindWindows {
  return (call) => {
    if (speechOf(call, who).length === 0) return null;
    let endMs = call.durationMs;
    if (seconds !== undefined) endMs = of === "call" ? toMs(seconds) : firstSpeechEndMs(call, who, toMs(seconds));
    if (turns !== undefined) endMs = Math.min(endMs, turnsOf(call, who)[turns - 1]?.endMs ?? endMs);
    return [[0, Math.min(endMs, call.durationMs)]];
  };
}

function lastWindow({ of, seconds, turns }: WindowOptions, who: Who): FindWindows {
  return (call) => {
    if (speechOf(call, who).length === 0) return null;
    let startMs = 0;
    if (seconds !== undefined) startMs = of === "call" ? call.durationMs - toMs(seconds) : lastSpeechStartMs(call, who, toMs(seconds));
    if (turns !== undefined) startMs = Math.max(startMs, turnsOf(call, who).at(-turns)?.startMs ?? startMs);
    return [[Math.max(startMs, 0), call.durationMs]];
  };
}

function anchoredWindows({ at, seconds, turns, anchor }: WindowOptions, who: Who): FindWindows {
  if (!anchor) throw new CallsiftError("rules/invalid", `window at "${at}": expected an anchor, got none`);
  const phrases = compileWording(anchor.phrases, { sound: anchor.sound, ...(anchor.except ? { except: anchor.except } : {}) });
  const startBefore = (call: OperatorCall, atMs: number): number => {
    let startMs = seconds === undefined ? 0 : Math.max(atMs - toMs(seconds), 0);
    if (turns !== undefined) {
      const turn = turnsOf(call, who)
        .filter((earlier) => earlier.startMs < atMs)
        .at(-turns);
      startMs = Math.max(startMs, turn?.startMs ?? startMs);
    }
    return startMs;
  };
  const endAfter = (call: OperatorCall, atMs: number): number => {
    let endMs = seconds === undefined ? call.durationMs : Math.min(atMs + toMs(seconds), call.durationMs);
    if (turns !== undefined) {
      const turn = turnsOf(call, who).filter((later) => later.endMs > atMs)[turns - 1];
      endMs = Math.min(endMs, turn?.endMs ?? endMs);
    }
    return endMs;
  };
  return (call) => {
    const hits = phrases.find(call, anchor.role);
    const chosen = anchor.hit === 0 ? hits : [hits.at(anchor.hit > 0 ? anchor.hit - 1 : anchor.hit)];
    return chosen.flatMap((hit): Span[] => {
      if (!hit) return [];
      if (at === "before") return [[startBefore(call, hit.startMs), hit.startMs]];
      if (at === "after") return [[hit.endMs, endAfter(call, hit.endMs)]];
      return [[startBefore(call, hit.startMs), endAfter(call, hit.endMs)]];
    });
  };
}

/** That side's utterances at least partly inside the window. */
export function utterancesIn(call: OperatorCall, who: Who, [startMs, endMs]: Span) {
  return utterancesOf(call, who).filter((utterance) => utterance.startMs < endMs && utterance.endMs > startMs);
}
