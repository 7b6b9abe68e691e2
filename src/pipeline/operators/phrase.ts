import Type, { type Static } from "typebox";
import { CallsiftError } from "../errors.ts";
import type { Detection, Span, Utterance } from "../types.ts";
import { type Detect, defineOperator, type OperatorCall } from "./define.ts";
import { extentWithin, NO_TRANSCRIPT, noSpeech, speechOf } from "./speech.ts";
import { compileWindow, type FindWindows, utterancesIn, WindowOption } from "./window.ts";
import { compileWording, type PhraseList, type PhraseMatch, roleOf, soundOption, whoOption, wordingOption } from "./wording.ts";

const Options = Type.Object(
  {
    mode: Type.Enum(["present", "absent", "count"], {
      description:
        "present: a finding each time a phrase is said. absent: one where none is said. count: one where too few or too many are said.",
      default: "present",
    }),
    phrases: wordingOption("What is listened for."),
    except: Type.Optional(wordingOption("Longer phrases inside which a listed one doesn't count, e.g. 保证金 for 保证.")),
    role: whoOption("Whose words: agent, customer or any.", "agent"),
    window: Type.Optional(WindowOption),
    sound: Type.Optional(soundOption()),
    wholeUtterance: Type.Boolean({ description: "The phrase must be all that is said in an utterance, e.g. a bare 什么.", default: false }),
    ignoreFillers: Type.Boolean({ description: "Fillers inside a phrase (嗯, 啊, um) don't break it.", default: true }),
    minCount: Type.Optional(Type.Integer({ description: "count: fewer than this is a finding.", minimum: 1, maximum: 10_000 })),
    maxCount: Type.Optional(Type.Integer({ description: "count: more than this is a finding.", minimum: 0, maximum: 10_000 })),
    countOf: Type.Enum(["times", "phrases"], {
      description: "count: every time one is said, or how many different wordings are said.",
      default: "times",
    }),
    minConfidence: Type.Number({
      description: "Recogniser's confidence, 0 to 1, below which its words are weak evidence.",
      minimum: 0,
      maximum: 1,
      default: 0.5,
    }),
  },
  { additionalProperties: false },
);
type PhraseOptions = Static<typeof Options>;

/** Listed words said, not said, or said too often or too seldom, by one side in one part of the call. */
export const phrase = defineOperator({
  id: "phrase",
  description: {
    zh: "某一方在通话的某一段说了（或没有说、或说的次数不符）所列的话",
    en: "One side says, doesn't say, or says too often or too seldom, what is listed, in one part of the call",
  },
  options: Options,
  needs: ({ role }) => (role === "any" ? ["transcript"] : ["transcript", "roles"]),
  // A leak puts words in the other's mouth; what was not heard may lie in the sound that is lost.
  unfitFor({ mode, minCount, role, window }) {
    const fromLeaks = role === "any" ? [] : (["cross-talk"] as const);
    if (mode === "present" || (mode === "count" && minCount === undefined)) return fromLeaks;
    return [...fromLeaks, "drop-outs", "too-low", ...(window?.at === "first" ? [] : (["truncated"] as const))];
  },
  messages: {
    found: { zh: "说了“{quote}”", en: 'said "{quote}"' },
    "by-sound": { zh: "“{quote}”听起来像“{phrase}”", en: '"{quote}" sounds like "{phrase}"' },
    absent: { zh: "没有说规定用语", en: "none of the expected phrases was said" },
    "too-few": { zh: "只说了 {count} 次，至少应为 {limit} 次", en: "said {count} times, at least {limit} expected" },
    "too-many": { zh: "说了 {count} 次，至多应为 {limit} 次", en: "said {count} times, at most {limit} expected" },
  },
  prepare(options) {
    if (options.mode === "count" && options.minCount === undefined && options.maxCount === undefined) {
      throw new CallsiftError("rules/invalid", 'mode "count": expected minCount or maxCount, got neither');
    }
    const phrases = compileWording(options.phrases, {
      sound: options.sound ?? options.mode === "absent",
      ignoreFillers: options.ignoreFillers,
      wholeUtterance: options.wholeUtterance,
      ...(options.except ? { except: options.except } : {}),
    });
    const windows = compileWindow(options.window, options.role);
    const judge = { present: judgePresent, absent: judgeAbsent, count: judgeCount }[options.mode];
    const detect = judge(options, phrases, windows);
    return (call) => (call.text ? detect(call) : NO_TRANSCRIPT);
  },
});

type Judge = (options: PhraseOptions, phrases: PhraseList, windows: FindWindows) => Detect;

const judgePresent: Judge = (options, phrases, windows) => (call) => {
  if (!options.window) return phrases.find(call, options.role).map((match) => toDetection(match, options));
  const seen = new Set<string>();
  const found: Detection[] = [];
  for (const window of windows(call) ?? []) {
    for (const match of phrases.find(call, options.role, window)) {
      const key = `${match.utterance}:${match.start}`;
      if (!seen.has(key)) found.push(toDetection(match, options));
      seen.add(key);
    }
  }
  return found.sort((a, b) => a.startMs - b.startMs);
};

const judgeAbsent: Judge = (options, phrases, windows) => (call) => {
  if (!phrases.has(call.language))
    return { notAssessed: "no-wording", detail: `the rule lists no phrases for language "${call.language}"` };
  const found = windows(call);
  if (!found || speechOf(call, options.role).length === 0) return noSpeech(options.role);
  let silent = 0;
  const detections: Detection[] = [];
  for (const window of found) {
    const utterances = utterancesIn(call, options.role, window);
    if (utterances.length === 0) silent++;
    else if (phrases.find(call, options.role, window).length === 0) detections.push(absence(call, options, window, utterances));
  }
  // A role that speaks where the transcript has not a word: the recogniser failed there, not the agent.
  if (!options.window?.anchor && silent > 0) {
    return { notAssessed: "no-words", detail: "the transcript has no words in the part of the call that is searched" };
  }
  return detections;
};

function absence(call: OperatorCall, options: PhraseOptions, window: Span, utterances: readonly Utterance[]): Detection {
  const [startMs, endMs] = extentWithin(speechOf(call, options.role), window) ?? window;
  const confidence = meanConfidence(utterances);
  return {
    role: roleOf(options.role),
    startMs,
    endMs,
    quote: null,
    confidence: round(0.95 * confidence),
    ...(confidence < options.minConfidence ? { weak: true } : {}),
    data: { kind: "absent", searchedSeconds: round((endMs - startMs) / 1000) },
  };
}

const judgeCount: Judge = (options, phrases, windows) => (call) => {
  const found = windows(call);
  if (!found || speechOf(call, options.role).length === 0) return noSpeech(options.role);
  return found.flatMap((window): Detection[] => {
    const matches = phrases.find(call, options.role, window);
    const count = options.countOf === "times" ? matches.length : new Set(matches.map(({ phrase }) => phrase)).size;
    const utterances = utterancesIn(call, options.role, window);
    if (options.minCount !== undefined && count < options.minCount) {
      const { data, ...rest } = absence(call, options, window, utterances);
      return [{ ...rest, data: { ...data, kind: "too-few", count, limit: options.minCount } }];
    }
    const head = matches[0];
    const tail = matches.at(-1);
    if (options.maxCount === undefined || count <= options.maxCount || !head || !tail) return [];
    const weak = matches.filter((match) => !isWeak(match, options)).length <= options.maxCount;
    const confidence = matches.reduce((sum, match) => sum + match.confidence, 0) / matches.length;
    return [
      {
        role: roleOf(options.role),
        startMs: head.startMs,
        endMs: tail.endMs,
        quote: head.quote,
        confidence: round(confidence),
        ...(weak ? { weak } : {}),
        data: { kind: "too-many", count, limit: options.maxCount },
      },
    ];
  });
};

function isWeak(match: PhraseMatch, { minConfidence }: PhraseOptions): boolean {
  return match.by === "sound" || match.confidence < minConfidence;
}

function toDetection(match: PhraseMatch, options: PhraseOptions): Detection {
  return {
    role: match.role,
    startMs: match.startMs,
    endMs: match.endMs,
    quote: match.quote,
    confidence: match.confidence,
    ...(isWeak(match, options) ? { weak: true } : {}),
    data: { ...(match.by === "sound" ? { kind: "by-sound" } : {}), phrase: match.phrase, match: match.by },
  };
}

function meanConfidence(utterances: readonly Utterance[]): number {
  if (utterances.length === 0) return 1;
  return utterances.reduce((sum, { confidence }) => sum + (confidence ?? 1), 0) / utterances.length;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
