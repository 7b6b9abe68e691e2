import type { Language } from "../types.ts";

/**
 * How much was said, as rates count it: Chinese characters (a digit counts as one, written either way; other scripts do not count), or
 * English words (don't and mm-hmm are one, a number is one).
 */
export function countUnits(text: string, language: Language): number {
  return language === "zh" ? countCharacters(text) : (text.match(/[\p{L}\p{N}]+(?:['’.,-][\p{L}\p{N}]+)*/gu)?.length ?? 0);
}

const CHARACTER = /[\p{Script=Han}\p{Nd}]/u;

/** Asks the tables of Unicode, which are slow, only about what is neither a common ideograph nor ASCII nor the usual punctuation. */
function countCharacters(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if ((code >= 0x4e00 && code <= 0x9fa5) || (code >= 0x30 && code <= 0x39)) count++;
    else if (code >= 0x80 && code !== 0x3001 && code !== 0x3002 && code !== 0xff0c && code !== 0xff1f) {
      const character = String.fromCodePoint(text.codePointAt(at) as number);
      if (CHARACTER.test(character)) count++;
      at += character.length - 1;
    }
  }
  return count;
}
