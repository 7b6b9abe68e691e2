import { isLetter, normalise, SPACE } from "../../src/pipeline/text/normalise.ts";
import { parseNumber } from "../../src/pipeline/text/numbers.ts";
import { readingsOf } from "../../src/pipeline/text/pinyin.ts";

/** Edits against what was really said. */
export interface ErrorCount {
  readonly edits: number;
  /** Units of what was really said. */
  readonly units: number;
}

/**
 * Text as error rates compare it: folded as rules see it (繁→简, no punctuation, 一 = 1), and numbers as values in digits, however they were written:
 * 三百六十八, 368; 两万四, 24000; 百分之八十, 80%; 一点五, 1.5.
 */
export function comparable(text: string): string {
  const folded = normalise(text).text;
  return folded.replace(/百分之([0-9点十百千万]+)/g, "$1%").replace(/[0-9十百千万亿]+(?:点[0-9]+)?/g, (number) => {
    const [whole = "", fraction] = number.split("点") as [string, string | undefined];
    const value = numberIn(whole);
    return (value === null ? whole : String(value)) + (fraction === undefined ? "" : `点${fraction}`);
  });
}

/** A number with units as a value; null for digits as they are (a code, a telephone number) and for what is no number. */
function numberIn(number: string): number | null {
  if (!/[十百千万亿]/.test(number)) return null;
  // 十, 百, 万 alone are parts of words.
  if (number.length === 1) return number === "十" ? 10 : null;
  // 三百二, 两万四: the last digit counts tenths of the unit before it.
  const short = /^(.*)([百千万亿])([1-9])$/.exec(number);
  if (short) {
    const [, head = "", unit = "", tenth = ""] = short;
    const base = parseNumber(head + unit);
    return base === null ? null : base + (Number(tenth) * ({ 百: 100, 千: 1_000, 万: 10_000, 亿: 1e8 }[unit] ?? 0)) / 10;
  }
  return parseNumber(number);
}

/** Characters of Chinese, digits, and words of spaced scripts. */
export function charactersOf(text: string): string[] {
  const units: string[] = [];
  let inWord = false;
  for (const character of comparable(text)) {
    const code = character.charCodeAt(0);
    if (code === SPACE) inWord = false;
    else if (isLetter(code) && inWord) units.push(`${units.pop() ?? ""}${character}`);
    else {
      units.push(character);
      inWord = isLetter(code);
    }
  }
  return units;
}

/** Least number of insertions, deletions and substitutions (Levenshtein). */
export function editDistance<Unit>(a: readonly Unit[], b: readonly Unit[], same: (a: Unit, b: Unit) => boolean = Object.is): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  a.forEach((left, i) => {
    const next = [i + 1];
    b.forEach((right, j) => {
      const substituted = (row[j] as number) + (same(left, right) ? 0 : 1);
      next.push(Math.min(substituted, (row[j + 1] as number) + 1, (next[j] as number) + 1));
    });
    row = next;
  });
  return row[b.length] as number;
}

/** Characters wrong, missing and too many. */
export function characterErrors(said: string, heard: string): ErrorCount {
  const units = charactersOf(said);
  return { edits: editDistance(units, charactersOf(heard)), units: units.length };
}

/** As `characterErrors`, but characters that can be read as one toneless syllable are the same: what matching by sound sees. */
export function syllableErrors(said: string, heard: string): ErrorCount {
  const units = charactersOf(said);
  return { edits: editDistance(units, charactersOf(heard), soundsAlike), units: units.length };
}

function soundsAlike(a: string, b: string): boolean {
  if (a === b) return true;
  const readings = new Set(readingsOf(a));
  return readingsOf(b).some((reading) => readings.has(reading));
}

/** Edits over units of all texts together. */
export function rateOf(counts: readonly ErrorCount[]): number {
  const units = counts.reduce((sum, count) => sum + count.units, 0);
  return units === 0 ? Number.NaN : counts.reduce((sum, count) => sum + count.edits, 0) / units;
}
