import Type from "typebox";
import { readingsOf } from "../text/pinyin.ts";
import type { Detection, Language, Span, Utterance } from "../types.ts";
import { defineOperator } from "./define.ts";
import { isSpoilt, WORDS_DOUBTFUL } from "./hearings.ts";
import { NO_TRANSCRIPT, toSeconds, utterancesOf } from "./speech.ts";
import { compileWording, phrasesFor, roleOption, type Wording, wordingOption } from "./wording.ts";
import { spanOfText, type TextRange } from "./words.ts";

const QUESTION_MARKERS = {
  zh: [
    "吗",
    "呢",
    "么",
    "什么",
    "多少",
    "请问",
    "哪",
    "怎么",
    "几",
    "谁",
    "是不是",
    "有没有",
    "能不能",
    "可不可以",
    "是否",
    "贵姓",
    "?",
    "？",
  ],
  en: [
    "?",
    "what",
    "which",
    "who",
    "when",
    "where",
    "why",
    "how",
    "could you",
    "can you",
    "would you",
    "may i",
    "can i",
    "do you",
    "did you",
    "have you",
    "are you",
    "is it",
    "is your",
  ],
} satisfies Wording;

/** What two different questions share: politeness and the form of a question. Taken out, what is asked about remains. */
const SCAFFOLDING = {
  zh: [
    "麻烦您再说一遍",
    "不好意思",
    "再说一遍",
    "再说一下",
    "说一下",
    "提供一下",
    "告诉我",
    "什么",
    "多少",
    "怎么",
    "哪个",
    "请问",
    "麻烦",
    "一下",
    "一遍",
    "您",
    "你",
    "我",
    "请",
    "再",
    "说",
    "的",
    "是",
    "吗",
    "呢",
    "吧",
    "啊",
    "嗯",
    "那",
    "好",
    "哦",
    "呃",
  ],
  en: [
    "the a an is are was were be do does did can could would will may might please you your me my i we our it that this what which who when where why how tell say again sorry so okay ok um uh and to of for have has just",
  ],
} satisfies Wording;

const CHECKS_OF_THE_LINE = {
  zh: ["还有其他", "还有什么", "还有别的", "听到", "听得到", "听得见", "听清"],
  en: ["anything else", "hear me", "are you there"],
} satisfies Wording;

const Options = Type.Object(
  {
    role: roleOption("Who asks.", "agent"),
    minTimes: Type.Integer({ description: "So many times the same question are a finding.", minimum: 2, maximum: 100, default: 3 }),
    minSimilarity: Type.Number({
      description: "How alike two questions must be to be the same, 0 to 1 (Dice's coefficient of what is asked about).",
      minimum: 0.1,
      maximum: 1,
      default: 0.6,
    }),
    minUnits: Type.Integer({
      description: "Shorter questions are left out, in Chinese characters or words of what is asked about.",
      minimum: 1,
      maximum: 100,
      default: 2,
    }),
    markers: wordingOption("A sentence with one of these is a question.", QUESTION_MARKERS),
    except: wordingOption("Questions that may be asked again, by a phrase in them.", CHECKS_OF_THE_LINE),
  },
  { additionalProperties: false },
);

interface Question {
  readonly text: string;
  readonly span: Span;
  readonly utterance: Utterance;
  readonly grams: ReadonlyMap<string, number>;
}

/**
 * One side asks the same thing again and again (domain.md D-14). Sentences that look like questions are compared by what they ask
 * about: character pairs (zh) or words (en) without politeness and question forms, by Dice's coefficient (Dice 1945, "Measures of
 * the amount of ecologic association between species"). The finding lies at the asking that made it too many; `data.askedAt` has all.
 */
export const repetition = defineOperator({
  id: "repetition",
  description: { zh: "反复询问同一个问题", en: "Asks the same thing again and again" },
  options: Options,
  needs: () => ["transcript", "roles"],
  unfitFor: () => ["cross-talk"],
  messages: { found: { zh: "同一问题问了 {times} 次：{askedAt}", en: "asked the same thing {times} times: {askedAt}" } },
  prepare(options) {
    const except = compileWording(options.except);
    const markersOf = (language: Language) => phrasesFor(options.markers, language).map((marker) => marker.normalize("NFKC"));
    const markers = { zh: markersOf("zh"), en: markersOf("en") } as const satisfies Record<Language, readonly string[]>;
    return (call) => {
      if (!call.text) return NO_TRANSCRIPT;
      const excepted = except.find(call, options.role);
      const groups: Question[][] = [];
      for (const utterance of utterancesOf(call, options.role)) {
        const skipped = excepted.filter((match) => call.text?.utterances[match.utterance] === utterance);
        for (const [start, end] of sentences(utterance.text)) {
          if (skipped.some((match) => match.start < end && start < match.end)) continue;
          const question = toQuestion(
            utterance,
            [start, end],
            { markers: markers[call.language], minUnits: options.minUnits },
            call.language,
          );
          if (!question) continue;
          const group = groups.find((members) =>
            members.some((member) => similarity(member.grams, question.grams) >= options.minSimilarity),
          );
          if (group) group.push(question);
          else groups.push([question]);
        }
      }
      const found = groups.flatMap((group): Detection[] => {
        const telling = group[options.minTimes - 1];
        if (!telling) return [];
        return [
          {
            role: options.role,
            startMs: telling.span[0],
            endMs: telling.span[1],
            quote: telling.text,
            confidence: Math.round((telling.utterance.confidence ?? 1) * 85) / 100,
            data: {
              times: group.length,
              limitTimes: options.minTimes,
              askedAt: group.map(({ span }) => `${toSeconds(span[0])} s`).join(", "),
            },
          },
        ];
      });
      return found.length === 0 && isSpoilt(call, options.role) ? WORDS_DOUBTFUL : found;
    };
  },
});

/** Where the sentences of a text lie; a question mark belongs to its sentence. */
function sentences(text: string): TextRange[] {
  return [...text.matchAll(/[^。．.！!？?；;\n]+[。．.！!？?；;\n]*/g)].map(
    (match): TextRange => [match.index, match.index + match[0].length],
  );
}

function toQuestion(
  utterance: Utterance,
  range: TextRange,
  { markers, minUnits }: { readonly markers: readonly string[]; readonly minUnits: number },
  language: Language,
): Question | null {
  const text = utterance.text.slice(...range).trim();
  const plain = text.normalize("NFKC").toLowerCase();
  if (!markers.some((marker) => plain.includes(marker))) return null;
  const units = language === "zh" ? core(plain, utterance.confidence !== null) : coreWords(plain);
  if (units.length < minUnits) return null;
  return { text, span: spanOfText(utterance, range), utterance, grams: language === "zh" ? count(pairs(units)) : count(units) };
}

/**
 * Characters of what is asked about; of recognised text their toneless sounds, since a recogniser writes 定单 where it wrote 订单 before, and only what follows
 * 请问, since it makes words of hesitations.
 */
function core(plain: string, recognised: boolean): string[] {
  let rest = recognised ? plain.slice(Math.max(0, plain.lastIndexOf("请问"))) : plain;
  for (const phrase of SCAFFOLDING.zh) rest = rest.replaceAll(phrase, "");
  const characters = [...rest].filter((character) => /[\p{L}\p{N}]/u.test(character));
  return recognised ? characters.map((character) => readingsOf(character)[0] ?? character) : characters;
}

function coreWords(plain: string): string[] {
  const form = new Set(SCAFFOLDING.en.flatMap((words) => words.split(" ")));
  return (plain.match(/[\p{L}\p{N}']+/gu) ?? []).filter((word) => !form.has(word));
}

function pairs(units: readonly string[]): string[] {
  return units.slice(1).map((unit, i) => `${units[i]} ${unit}`);
}

function count(grams: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const gram of grams) counts.set(gram, (counts.get(gram) ?? 0) + 1);
  return counts;
}

/** Dice's coefficient of two bags, 0 to 1. */
function similarity(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number {
  let shared = 0;
  let size = 0;
  for (const [gram, times] of a) {
    shared += Math.min(times, b.get(gram) ?? 0);
    size += times;
  }
  for (const times of b.values()) size += times;
  return size === 0 ? 0 : (2 * shared) / size;
}
