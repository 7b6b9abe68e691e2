import Type, { type Static } from "typebox";
import { CallsiftError } from "../errors.ts";
import type { TextMatch } from "../text/index-text.ts";
import type { Detection, Hearing, Span, Utterance } from "../types.ts";
import { type Detect, defineOperator, type OperatorCall } from "./define.ts";
import { canHide, checked, heardDetection, heardOnly, isSpoilt, meets, WORDS_DOUBTFUL } from "./hearings.ts";
import { extentWithin, NO_TRANSCRIPT, noSpeech, speechOf } from "./speech.ts";
import { compileWindow, type FindWindows, utterancesIn, WindowOption } from "./window.ts";
import { compileWording, type PhraseList, roleOf, soundOption, whoOption, wordingOption } from "./wording.ts";

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
    unconfirmed: { zh: "转写为“{quote}”，再听一遍没有听到", en: 'written "{quote}", but not heard when listened to again' },
    heard: { zh: "听起来说了“{wording}”（转写为“{quote}”）", en: 'sounds as if "{wording}" was said (written "{quote}")' },
    absent: { zh: "没有说规定用语", en: "none of the expected phrases was said" },
    "too-few": { zh: "只说了 {count} 次，至少应为 {limit} 次", en: "said {count} times, at least {limit} expected" },
    "too-many": { zh: "说了 {count} 次，至多应为 {limit} 次", en: "said {count} times, at most {limit} expected" },
  },
  prepare(options) {
    if (options.mode === "count" && options.minCount === undefined && options.maxCount === undefined) {
      throw new CallsiftError("rules/invalid", 'mode "count": expected minCount or maxCount, got neither');
    }
    const phrases = phrasesOf(options);
    const windows = compileWindow(options.window, options.role);
    const judge = { present: judgePresent, absent: judgeAbsent, count: judgeCount }[options.mode];
    const detect = judge(options, phrases, windows);
    return (call) => (call.text ? detect(call) : NO_TRANSCRIPT);
  },
  listensFor(options) {
    const { mode, minCount, maxCount } = options;
    const { phrases } = phrasesOf(options);
    return [
      ...(mode === "present" || (mode === "count" && maxCount !== undefined) ? [{ purpose: "said", phrases } as const] : []),
      ...(mode === "absent" || (mode === "count" && minCount !== undefined) ? [{ purpose: "missing", phrases } as const] : []),
    ];
  },
});

function phrasesOf({ phrases, sound, mode, ignoreFillers, wholeUtterance, except }: PhraseOptions): PhraseList {
  return compileWording(phrases, { sound: sound ?? mode === "absent", ignoreFillers, wholeUtterance, ...(except ? { except } : {}) });
}

type Judge = (options: PhraseOptions, phrases: PhraseList, windows: FindWindows) => Detect;

const judgePresent: Judge = (options, phrases, windows) => (call) => {
  const searched = options.window ? (windows(call) ?? []) : null;
  const matches = new Map<string, TextMatch>();
  for (const window of searched ?? [undefined]) {
    for (const match of phrases.find(call, options.role, window)) matches.set(`${match.utterance}:${match.start}`, match);
  }
  const written = [...matches.values()];
  const heard = new Set((searched ?? [undefined]).flatMap((within) => heardIn(call, phrases, options, within)));
  const found = [
    ...written.map((match) => toDetection(call, match, options)),
    ...[...heard].filter((one) => !written.some((match) => meets(match, one))).map(heardDetection),
  ];
  if (found.length === 0 && phrases.has(call.language) && isSpoilt(call, options.role, searched ?? undefined)) return WORDS_DOUBTFUL;
  return found.sort((a, b) => a.startMs - b.startMs);
};

function heardIn(call: OperatorCall, phrases: PhraseList, { role }: PhraseOptions, within?: Span, orUnknown = false): Hearing[] {
  return heardOnly(call, phrases, role, { orUnknown, ...(within && { within }) });
}

const judgeAbsent: Judge = (options, phrases, windows) => (call) => {
  if (!phrases.has(call.language))
    return { notAssessed: "no-wording", detail: `the rule lists no phrases for language "${call.language}"` };
  const found = windows(call);
  if (!found || speechOf(call, options.role).length === 0) return noSpeech(options.role);
  let silent = 0;
  let hidden = 0;
  const detections: Detection[] = [];
  for (const window of found) {
    if (phrases.find(call, options.role, window).length > 0 || heardIn(call, phrases, options, window, true).length > 0) continue;
    const utterances = utterancesIn(call, options.role, window);
    if (canHide(call, options.role, window, options.window?.at)) hidden++;
    else if (utterances.length === 0) silent++;
    else detections.push(absence(call, options, window, utterances));
  }
  if (hidden > 0 && detections.length === 0) return WORDS_DOUBTFUL;
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
  let hidden = false;
  const detections = found.flatMap((window): Detection[] => {
    const matches = phrases.find(call, options.role, window);
    const count = countOf(matches, options);
    if (options.minCount !== undefined && count < options.minCount) {
      const heard = heardIn(call, phrases, options, window, true).filter((one) => !matches.some((match) => meets(match, one)));
      if (countOf([...matches, ...heard], options) >= options.minCount) return [];
      hidden ||= canHide(call, options.role, window);
      if (canHide(call, options.role, window)) return [];
      const { data, ...rest } = absence(call, options, window, utterancesIn(call, options.role, window));
      return [{ ...rest, data: { ...data, kind: "too-few", count, limit: options.minCount } }];
    }
    const head = matches[0];
    const tail = matches.at(-1);
    if (options.maxCount === undefined) return [];
    if (count <= options.maxCount || !head || !tail) {
      hidden ||= phrases.has(call.language) && isSpoilt(call, options.role, [window]);
      return [];
    }
    const weak = matches.filter((match) => !isWeak(call, match, options)).length <= options.maxCount;
    const confidence = matches.reduce((sum, match) => sum + checked(call, match).confidence, 0) / matches.length;
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
  return hidden && detections.length === 0 ? WORDS_DOUBTFUL : detections;
};

/** How often something was said, or how many different things were. */
function countOf(said: readonly { readonly phrase: string }[], { countOf }: PhraseOptions): number {
  return countOf === "times" ? said.length : new Set(said.map(({ phrase }) => phrase)).size;
}

function isWeak(call: OperatorCall, match: TextMatch, { minConfidence }: PhraseOptions): boolean {
  const { confidence, disagrees } = checked(call, match);
  return match.by === "sound" || disagrees || confidence < minConfidence;
}

function toDetection(call: OperatorCall, match: TextMatch, options: PhraseOptions): Detection {
  const { confidence, disagrees, data } = checked(call, match);
  const kind = match.by === "sound" ? "by-sound" : disagrees ? "unconfirmed" : null;
  return {
    role: match.role,
    startMs: match.startMs,
    endMs: match.endMs,
    quote: match.quote,
    confidence,
    ...(isWeak(call, match, options) ? { weak: true } : {}),
    data: { ...(kind && { kind }), phrase: match.phrase, match: match.by, ...data },
  };
}

function meanConfidence(utterances: readonly Utterance[]): number {
  if (utterances.length === 0) return 1;
  return utterances.reduce((sum, { confidence }) => sum + (confidence ?? 1), 0) / utterances.length;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
