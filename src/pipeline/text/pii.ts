import { isDigit, normalise } from "./normalise.ts";

export const PERSONAL_KINDS = ["mobile", "id-card", "bank-card", "email"] as const;
export type PersonalKind = (typeof PERSONAL_KINDS)[number];

/** Personal data in a text, as UTF-16 offsets into it, half-open. */
export interface PersonalSpan {
  readonly kind: PersonalKind;
  readonly start: number;
  readonly end: number;
}

/**
 * Personal data of mainland China in a text, disjoint, in order: mobile numbers (with +86 too), resident identity cards (18 characters with
 * the check digit of GB 11643, a real date of birth), bank cards (13 to 19 digits, Luhn of ISO/IEC 7812-1), e-mail addresses. Digits may be
 * Chinese (一三八…, 幺), wide, or set apart by spaces and hyphens; @ and the dot may be spoken (艾特, 点).
 */
export function findPersonalData(text: string): PersonalSpan[] {
  const found = [...numbersIn(text), ...emailsIn(text)].sort((a, b) => a.start - b.start || b.end - a.end);
  return found.filter(({ start }, i) => found.slice(Math.max(0, i - 4), i).every((before) => before.end <= start));
}

/** Digits written without a break, in one script. */
interface DigitRun {
  readonly digits: string[];
  readonly starts: number[];
  readonly ends: number[];
  /** Nothing but spaces and hyphens lies between this run and the one before. */
  readonly near: boolean;
  readonly chinese: boolean;
}

/** Of the shortest number that is looked for, and of the longest with one character to spare. */
const MIN_DIGITS = 11;
const MAX_DIGITS = 20;
/** Runs that one number may be set apart into: 6222 0212 3456 7890 123. */
const MAX_RUNS = 6;

function numbersIn(text: string): PersonalSpan[] {
  const runs = digitRuns(text);
  const found: PersonalSpan[] = [];
  for (let first = 0; first < runs.length; ) {
    let used = 1;
    for (let last = Math.min(first + MAX_RUNS, runs.length) - 1; last >= first; last--) {
      if (!runs.slice(first + 1, last + 1).every(({ near }) => near)) continue;
      const span = numberOf(runs.slice(first, last + 1));
      if (!span) continue;
      found.push(span);
      used = last - first + 1;
      break;
    }
    first += used;
  }
  return found;
}

function digitRuns(text: string): DigitRun[] {
  const { text: folded, starts, ends } = normalise(text);
  const runs: DigitRun[] = [];
  let previousEnd = -1;
  for (let i = 0; i < folded.length; i++) {
    const run = runs.at(-1);
    const start = starts[i] as number;
    const end = ends[i] as number;
    // The check digit of an identity card: X, spoken 叉.
    const isX = (folded[i] === "x" || folded[i] === "叉") && previousEnd === start;
    if (!isDigit(folded.charCodeAt(i)) && !isX) continue;
    const chinese = isX ? (run?.chinese ?? false) : /^\p{Script=Han}/u.test(text.slice(start, end));
    if (run && previousEnd === start && run.chinese === chinese && run.digits.at(-1) !== "x") {
      run.digits.push(isX ? "x" : (folded[i] as string));
      run.starts.push(start);
      run.ends.push(end);
    } else if (!isX) {
      const near = run !== undefined && /^[\s\-‐-―－]*$/u.test(text.slice(previousEnd, start));
      runs.push({ digits: [folded[i] as string], starts: [start], ends: [end], near, chinese });
    }
    previousEnd = end;
  }
  return runs;
}

/** What the runs together are; a Chinese 一 or 两 after the number may belong to the next word (…五六七八一直). */
function numberOf(runs: readonly DigitRun[]): PersonalSpan | null {
  const length = runs.reduce((sum, run) => sum + run.digits.length, 0);
  if (length < MIN_DIGITS || length > MAX_DIGITS) return null;
  const digits = runs.flatMap((run) => run.digits).join("");
  const starts = runs.flatMap((run) => run.starts);
  const ends = runs.flatMap((run) => run.ends);
  const spare = runs.at(-1)?.chinese && /[12]$/.test(digits) ? 1 : 0;
  for (let drop = 0; drop <= spare; drop++) {
    const number = digits.slice(0, digits.length - drop);
    const kind = kindOf(number);
    if (kind) return { kind, start: starts[0] as number, end: ends[number.length - 1] as number };
  }
  return null;
}

function kindOf(number: string): PersonalKind | null {
  if (/^(?:(?:00)?86)?1[3-9]\d{9}$/.test(number)) return "mobile";
  if (isIdentityCard(number)) return "id-card";
  return /^\d{13,19}$/.test(number) && isLuhn(number) ? "bank-card" : null;
}

/** GB 11643: 17 digits weighted, modulo 11. */
function isIdentityCard(number: string): boolean {
  const found = /^[1-9]\d{5}((?:18|19|20)\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\d{3}[\dx]$/.exec(number);
  if (!found) return false;
  const weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
  const sum = weights.reduce((total, weight, i) => total + weight * Number(number[i]), 0);
  return "10x98765432"[sum % 11] === number[17];
}

function isLuhn(number: string): boolean {
  let sum = 0;
  for (let i = 0; i < number.length; i++) {
    const digit = Number(number.at(-1 - i));
    sum += i % 2 === 0 ? digit : digit > 4 ? digit * 2 - 9 : digit * 2;
  }
  // A row of zeros is no card.
  return sum % 10 === 0 && /[1-9]/.test(number);
}

/** Longest local part and domain that are looked at (RFC 5321). */
const MAX_LOCAL = 64;
const MAX_DOMAIN = 255;

function emailsIn(text: string): PersonalSpan[] {
  const found: PersonalSpan[] = [];
  for (const sign of text.matchAll(/[@＠]|艾特/gu)) {
    const at = sign.index;
    const after = at + sign[0].length;
    const local = /[\w.%+\-０-９Ａ-Ｚａ-ｚ零〇一二三四五六七八九幺两点]+\s?$/u.exec(text.slice(Math.max(0, at - MAX_LOCAL), at));
    const domain =
      /^\s?[\w\-０-９Ａ-Ｚａ-ｚ零〇一二三四五六七八九幺两]+(?:\s?[.．点]\s?[\w\-Ａ-Ｚａ-ｚ]+)*[.．点]\s?[A-Za-zＡ-Ｚａ-ｚ]{2,24}/u.exec(
        text.slice(after, after + MAX_DOMAIN),
      );
    if (!local || !domain) continue;
    // A sentence's 点 or dot before the address is no part of it.
    const kept = local[0].replace(/^[.点]+/u, "");
    if (kept.trim() !== "") found.push({ kind: "email", start: at - kept.length, end: after + domain[0].length });
  }
  return found;
}
