import { parseNumber } from "./numbers.ts";

/** Characters that numbers are spoken with. */
const SPOKEN = "零〇一幺二两三四五六七八九十百千万亿";
const DIGITS = new Map(
  ["零〇", "一幺", "二两", "三", "四", "五", "六", "七", "八", "九"].flatMap((forms, digit) =>
    [...forms].map((form) => [form, String(digit)] as const),
  ),
);
const NUMBER = new RegExp(`(百分之)?([${SPOKEN}]+)(?:点([零〇一幺二两三四五六七八九]+))?`, "gu");
/** A row of digits from here on is a code or a telephone number; shorter ones are often words (三三两两, 一五一十). */
const LEAST_CODE = 5;

/**
 * Text as people read it: numbers written in digits (三百二十元 → 320元, 一三八… → 138…, 百分之五 → 5%), the rest as it is. For showing only: rules match on the
 * normalised text, in which both are one.
 */
export function displayText(text: string): string {
  return text.replace(NUMBER, (written: string, percent: string | undefined, whole: string, fraction: string | undefined) => {
    const value = digitsFor(whole, percent !== undefined || fraction !== undefined);
    if (value === null) return written;
    const decimals = fraction ? `.${digitsOf(fraction)}` : "";
    return `${value}${decimals}${percent ? "%" : ""}`;
  });
}

/** @param inNumber something beside it says that it is a number, so that single digits are too */
function digitsFor(spoken: string, inNumber: boolean): string | null {
  if (inNumber && spoken === "百") return "100";
  const folded = digitsOf(spoken);
  if (/^\d+$/.test(folded)) return spoken.length >= LEAST_CODE || (inNumber && spoken.length === 1) ? folded : null;
  // 十, 百, 万 alone are parts of words: 十分, 百姓, 万一.
  if (folded.length < 2) return inNumber ? asText(parseNumber(folded)) : null;
  return asText(parseNumber(folded));
}

/** Round ten thousands keep their unit, as they are written. */
function asText(value: number | null): string | null {
  if (value === null) return null;
  if (value >= 1e8 && value % 1e8 === 0) return `${value / 1e8}亿`;
  return value >= 1e4 && value % 1e4 === 0 ? `${value / 1e4}万` : String(value);
}

function digitsOf(spoken: string): string {
  return [...spoken].map((character) => DIGITS.get(character) ?? character).join("");
}
