import { readFileSync } from "node:fs";

/** Of the list of words, made by scripts/build-word-list.ts. */
export const WORDS_PATH = new URL("./words-zh.txt", import.meta.url);
/** Its text. */
export function readWordList(): string {
  return readFileSync(WORDS_PATH, "utf8");
}

/** Characters of a word at most. */
export const LONGEST_WORD = 6;

/** Natural logarithm of the share of a character that is in no word of the list. */
const UNKNOWN = -16;
/**
 * What a character of Chinese costs on average, so that with this added for each, texts of several lengths can be compared. 5.3 on half a of the benchmark's sentences; a
 * little more, since Whisper rather leaves words out of noisy sound.
 */
const MEAN_COST = 5.5;
const HAN = /\p{Script=Han}/u;

/** The end of a text, with how well it can be taken apart into common words. */
export interface Worded {
  /** Last characters since the last that is not Chinese, at most `LONGEST_WORD`. */
  readonly tail: string;
  /** Score of the best parting that ends before each character of `tail`, and after its last. */
  readonly ends: readonly number[];
  /** Natural logarithm of how common the words are, with the mean added for each character: positive for a text of common words. */
  readonly score: number;
  /** The same where the last word may still go on. */
  readonly openScore: number;
}

/** How common the words of a Chinese text are; what is not Chinese counts nothing. */
export interface WordModel {
  readonly start: Worded;
  /** A text with one simplified character more. */
  next(text: Worded, character: string): Worded;
}

/**
 * A model of single words (unigrams): the best parting of a text into words (Viterbi), kept up character by character, with the most common word that begins so for the
 * last one, which may not be whole yet. 52,000 words and how often each was counted come from jieba (THIRD_PARTY.md), what people say on service calls from us.
 *
 * @param list a line for each cost, ascending, as scripts/build-word-list.ts writes it
 */
export function createWordModel(list: string): WordModel {
  const { places, whole, begun } = parseList(list);
  const start: Worded = { tail: "", ends: [0], score: 0, openScore: 0 };
  return {
    start,
    next({ tail, ends, score }, character) {
      if (!HAN.test(character)) return { tail: "", ends: [score], score, openScore: score };
      const longer = (tail + character).slice(-LONGEST_WORD);
      const starts = ends.slice(-longer.length);
      let best = score + UNKNOWN + MEAN_COST;
      let open = best;
      for (let length = 1; length <= longer.length; length++) {
        const place = places.get(longer.slice(-length));
        if (place === undefined) continue;
        const before = (starts[longer.length - length] as number) + length * MEAN_COST;
        best = Math.max(best, before + (whole[place] as number));
        open = Math.max(open, before + (begun[place] as number));
      }
      return { tail: longer, ends: [...starts, best], score: best, openScore: open };
    },
  };
}

interface WordList {
  /** Of each word, and of each beginning of one. */
  readonly places: ReadonlyMap<string, number>;
  /** Natural logarithms; -Infinity where it is no word itself. */
  readonly whole: readonly number[];
  /** Of the most common word that begins so. */
  readonly begun: readonly number[];
}

function parseList(list: string): WordList {
  const places = new Map<string, number>();
  const whole: number[] = [];
  const begun: number[] = [];
  for (const line of list.split("\n")) {
    const [cost, ...words] = line.split(" ");
    for (const word of words) {
      for (let length = 1; length <= word.length; length++) {
        const beginning = word.slice(0, length);
        const place = places.get(beginning) ?? places.size;
        places.set(beginning, place);
        // Costs ascend: whoever came first is the most common.
        begun[place] ??= -Number(cost);
        whole[place] ??= Number.NEGATIVE_INFINITY;
        if (length === word.length) whole[place] = -Number(cost);
      }
    }
  }
  return { places, whole, begun };
}
