import type { Language } from "../types.ts";

/**
 * How much was said, as rates count it: Chinese characters (a digit counts as one, written either way; other scripts do not count), or
 * English words (don't and mm-hmm are one, a number is one).
 */
export function countUnits(text: string, language: Language): number {
  const unit = language === "zh" ? /[\p{Script=Han}\p{Nd}]/gu : /[\p{L}\p{N}]+(?:['’.,-][\p{L}\p{N}]+)*/gu;
  return text.match(unit)?.length ?? 0;
}
