import { totalMs } from "../timeline.ts";
import type { Doubt, Language, Span } from "../types.ts";
import { tokensOf } from "./import/words.ts";
import type { HeardPiece } from "./recogniser.ts";

/** What text is held against: the sound it was heard in. */
export interface HeardIn {
  /** Speech of the piece, disjoint. */
  readonly speech: readonly Span[];
  readonly language: Language;
}

/** A recogniser that says so with this probability heard nobody (measured on Whisper base: above it 66 of 66 pieces without speech, none of 117 with). */
const NO_SPEECH = 0.4;
/** Nobody speaks faster for a whole piece, nor slower for 3 s of speech; characters (zh) or words (en) a second. */
const FASTEST = { zh: 9, en: 6 } as const satisfies Record<Language, number>;
const SLOWEST = { zh: 1, en: 0.5 } as const satisfies Record<Language, number>;
/** Fewer units, or less speech, prove nothing about the pace. */
const LEAST = { units: 8, slowMs: 3_000 };
/** Letters of scripts that the call's languages do not use, as a share of all. */
const MOST_FOREIGN = 0.2;

/**
 * Whether the text of a whole piece is known for an invention, by the text and the sound together; null where nothing speaks against it.
 * Weak confidence is another matter, and judged utterance by utterance.
 */
export function doubtOf(heard: Omit<HeardPiece, "weigh" | "release">, { speech, language }: HeardIn): Doubt | null {
  const text = heard.text.trim();
  const speechMs = totalMs(speech);
  if (text === "") return null;
  if (heard.noSpeech !== null && heard.noSpeech > NO_SPEECH) return "no-speech";
  if (heard.looped || isLoop(text)) return "loop";
  if (heard.prompted) return "prompt";
  if (isCredit(text)) return "credits";
  if (foreignShare(text, language) > MOST_FOREIGN) return "foreign-script";
  const units = unitsOf(text);
  const seconds = speechMs / 1000;
  if (units >= LEAST.units && units > FASTEST[language] * seconds) return "too-much-text";
  if (speechMs >= LEAST.slowMs && units < SLOWEST[language] * seconds) return "too-little-text";
  return null;
}

/** Characters and words; a number is read digit by digit at the slowest. */
function unitsOf(text: string): number {
  return tokensOf(text).reduce((sum, token) => sum + (/^\p{N}+$/u.test(token.text) ? token.text.length : 1), 0);
}

/** What Whisper and its kin learned from the ends of films and videos, and write into noise. */
const CREDITS = [
  /字幕(?:由|by|製作|制作|组|組|志愿者|志願者|翻译|翻譯|提供)/iu,
  /(?:中文|简体|繁體|繁体)字幕/u,
  /(?:不吝|多多)?(?:点赞|點贊|點讚).{0,6}(?:订阅|訂閱|转发|轉發)/u,
  /打赏支持|明镜与点点|明鏡與點點|优优独播|優優獨播|YoYo Television/iu,
  /(?:谢谢|感谢|謝謝|感謝)(?:大家)?(?:的)?(?:收看|观看|觀看|收听|收聽)/u,
  /(?:请|請)(?:订阅|訂閱)(?:我的|我们的|我們的)?(?:频道|頻道)/u,
  /(?:by|at) ?amara\.org|amara\.org/iu,
  /\b(?:thanks?|thank you) (?:so much )?for watching\b/iu,
  /\bsubtitles? (?:by|provided)\b|\b(?:like and|please) subscribe\b/iu,
  /^(?:作曲|作词|作詞|编曲|編曲|词曲|詞曲)[\s:：]/u,
] as const;

function isCredit(text: string): boolean {
  return CREDITS.some((credit) => credit.test(text));
}

/** Times that the same few characters stand one after another before they are a loop: phone numbers and 好好好好 are not. */
const MOST_REPEATS = { short: 8, long: 4 };
/** Characters from which a repeated stretch is a long one. */
const LONG = 4;

/** Whether a stretch of the text is said again and again without anything between. */
function isLoop(text: string): boolean {
  const plain = tokensOf(text).map((token) => token.text.toLowerCase());
  for (let length = 1; length <= 20; length++) {
    const most = length >= LONG ? MOST_REPEATS.long : MOST_REPEATS.short;
    let same = 0;
    for (let i = length; i < plain.length; i++) {
      // Digits may repeat: 八八八八八八八八 is a telephone number.
      same = plain[i] === plain[i - length] && !/^[\d零〇一二三四五六七八九幺]+$/u.test(plain[i] as string) ? same + 1 : 0;
      if (same >= length * (most - 1)) return true;
    }
  }
  return false;
}

/** Letters that belong to neither Chinese nor Latin script; for English, Chinese ones too. */
function foreignShare(text: string, language: Language): number {
  const letters = text.match(/\p{L}/gu) ?? [];
  const own = language === "zh" ? /[\p{Script=Han}\p{Script=Latin}]/u : /\p{Script=Latin}/u;
  return letters.length === 0 ? 0 : letters.filter((letter) => !own.test(letter)).length / letters.length;
}
