import { SIMPLIFIED, TRADITIONAL } from "./tables.gen.ts";

/**
 * Text folded for matching, never for showing: NFKC, lower case, half width, simplified characters, one digit per digit character
 * of either script (一 = 幺 = １ = 1, 两 = 2), no punctuation. Spaces stay only between words of spaced scripts, one each.
 * Every unit is folded by itself, whatever stands around it, so a piece of text folds to a piece of the folded text: 一定 in a
 * phrase meets 一定 in a call, although both have become 1定. Numbers with 十百千万 are left as written; `numbers.ts` gives phrases
 * their other ways of writing.
 */
export interface Normalised {
  readonly text: string;
  /** For each UTF-16 unit of `text`, the half-open range of the original's UTF-16 units that it comes from. Ascending. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

/** Stands where text ends and nothing may match across. */
export const BREAK = 0;
export const SPACE = 0x20;

const UNKNOWN = 0;
const DROP = 1;
const SKIP = 2;
const DOT = 3;
const POINT = "点".charCodeAt(0);
const PERCENT = 0x25;
const KEYCAP = 0x20e3;
const DIGITS = ["零〇", "一幺", "二两", "三", "四", "五", "六", "七", "八", "九"];

/** Marks of one base are looked at together up to here (Unicode's Stream-Safe text has 30), so hostile text stays linear. */
const MAX_CLUSTER = 40;

const isMark = (character: string): boolean => /^\p{M}/u.test(character);
const isVariationSelector = (code: number): boolean => (code >= 0xfe00 && code <= 0xfe0f) || (code >= 0xe0100 && code <= 0xe01ef);

let foldTable: Uint16Array | undefined;
let simplifyTable: Uint16Array | undefined;

/** For each unit of CJK ideographs its simplified form; 0 outside U+3400–U+9FFF. */
function simplifyUnits(): Uint16Array {
  if (simplifyTable) return simplifyTable;
  const table = new Uint16Array(0x10000);
  for (let code = 0x3400; code <= 0x9fff; code++) table[code] = code;
  for (let i = 0; i < TRADITIONAL.length; i++) table[TRADITIONAL.charCodeAt(i)] = SIMPLIFIED.charCodeAt(i);
  simplifyTable = table;
  return table;
}

/** What becomes of each UTF-16 unit: a folded unit, or DROP, SKIP (inside a word), DOT, or UNKNOWN (the slow way). */
function foldUnits(): Uint16Array {
  if (foldTable) return foldTable;
  const table = simplifyUnits().slice();
  const punctuation = (from: number, to: number): void => {
    for (let code = from; code <= to; code++) if (/[\p{P}\p{S}\p{Z}\p{Cc}]/u.test(String.fromCharCode(code))) table[code] = DROP;
  };
  punctuation(0, 0x7f);
  punctuation(0x2010, 0x205e);
  punctuation(0x3000, 0x303f);
  punctuation(0xff01, 0xff65);
  for (let code = 0x30; code <= 0x39; code++) table[code] = code;
  for (let code = 0x61; code <= 0x7a; code++) table[code] = table[code - 32] = code;
  table[PERCENT] = PERCENT;
  for (const code of [0x27, 0x60, 0x2018, 0x2019, 0xff07]) table[code] = SKIP;
  table[0x2e] = table[0xff0e] = DOT;
  // Full width forms of what was set above.
  for (let code = 0x21; code <= 0x7e; code++) if ((table[code] ?? 0) > DOT) table[code + 0xfee0] = table[code] as number;
  DIGITS.forEach((forms, digit) => {
    for (const form of forms) table[form.charCodeAt(0)] = 0x30 + digit;
  });
  for (let i = 0; i < TRADITIONAL.length; i++) table[TRADITIONAL.charCodeAt(i)] = table[SIMPLIFIED.charCodeAt(i)] as number;
  foldTable = table;
  return table;
}

/** Whether a folded unit belongs to a script that puts spaces between words. */
export function isLetter(unit: number): boolean {
  if (unit < 0x80) return unit >= 0x61 && unit <= 0x7a;
  return !((unit >= 0x2e80 && unit <= 0xa4cf) || (unit >= 0xd800 && unit <= 0xdfff) || (unit >= 0xf900 && unit <= 0xfaff));
}

/** Whether a folded unit is a decimal digit. */
export function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit <= 0x39;
}

/** Folded units with where each comes from, growing as text is appended. */
export class UnitBuffer {
  readonly units: number[] = [];
  readonly from: number[] = [];
  readonly to: number[] = [];
  /** Where the words begin that the next unit goes on. */
  #wordsFrom = 0;
  /** Where the punctuation or space since the last unit began; -1 = there was none. */
  #dropped = -1;

  get length(): number {
    return this.units.length;
  }

  /** Says that text begins: as a new one, or after a space on the words before. */
  begin(joined: boolean, base: number): void {
    if (!joined) this.#wordsFrom = this.length;
    this.#dropped = joined ? base : -1;
  }

  /** Says that punctuation or space stands at `at`. */
  drop(at: number): void {
    if (this.#dropped < 0) this.#dropped = at;
  }

  /** Appends a unit of text; before it a space where one separates two words of spaced scripts. */
  add(unit: number, from: number, to: number): void {
    if (this.#dropped >= 0) {
      if (this.length > this.#wordsFrom && isLetter(unit) && isLetter(this.units[this.length - 1] as number)) {
        this.push(SPACE, this.#dropped, from);
      }
      this.#dropped = -1;
    }
    this.push(unit, from, to);
  }

  /** Whether the unit before is a digit with nothing dropped since. */
  followsDigit(): boolean {
    return this.#dropped < 0 && this.length > this.#wordsFrom && isDigit(this.units[this.length - 1] as number);
  }

  push(unit: number, from: number, to: number): void {
    this.units.push(unit);
    this.from.push(from);
    this.to.push(to);
  }
}

/**
 * Appends `text`, folded, its offsets counted from `base`. With `joined`, it goes on the words already in the buffer (a space is put
 * between two words of spaced scripts); otherwise what is there already does not matter.
 */
export function appendNormalised(buffer: UnitBuffer, text: string, base = 0, joined = false): void {
  const fold = foldUnits();
  buffer.begin(joined, base);
  for (let at = 0; at < text.length; ) {
    const known = fold[text.charCodeAt(at)] as number;
    const next = at + 1 < text.length ? text.charCodeAt(at + 1) : 0;
    // Only a unit outside the table can be a combining mark.
    if (known === UNKNOWN || (next >= 0x300 && fold[next] === UNKNOWN && isMark(codePointAt(text, at + 1)))) {
      const end = clusterEnd(text, at);
      appendCluster(buffer, fold, text.slice(at, end), base + at);
      at = end;
      continue;
    }
    if (known > DOT) buffer.add(known, base + at, base + at + 1);
    else if (known === DOT && buffer.followsDigit() && isDigit(fold[next] as number)) buffer.add(POINT, base + at, base + at + 1);
    else if (known !== SKIP) buffer.drop(base + at);
    at++;
  }
}

/** Folds a character that the table does not know, or a base with its marks. */
function appendCluster(buffer: UnitBuffer, fold: Uint16Array, cluster: string, from: number): void {
  const to = from + cluster.length;
  let letters = 0;
  for (const character of cluster.normalize("NFKC")) {
    const code = character.codePointAt(0) as number;
    if (/[\p{L}\p{N}]/u.test(character)) {
      const folded = character.toUpperCase().toLowerCase();
      for (let i = 0; i < folded.length; i++) {
        const known = fold[folded.charCodeAt(i)] as number;
        buffer.add(known > DOT ? known : folded.charCodeAt(i), from, to);
        letters++;
      }
    } else if (isMark(character)) {
      // An emoji's variation selector or a keycap's frame is no letter.
      if (letters === 0 || isVariationSelector(code) || code === KEYCAP) continue;
      for (let i = 0; i < character.length; i++) buffer.add(character.charCodeAt(i), from, to);
    } else if (code === PERCENT) buffer.add(PERCENT, from, to);
    else if (!/\p{Cf}/u.test(character)) buffer.drop(from);
  }
}

const codePointAt = (text: string, at: number): string => String.fromCodePoint(text.codePointAt(at) as number);

/** The end of the base character at `from` and the marks on it. */
function clusterEnd(text: string, from: number): number {
  let to = from + codePointAt(text, from).length;
  while (to < text.length && to - from < MAX_CLUSTER) {
    const code = text.charCodeAt(to);
    if (code < 0x300) break;
    const character = codePointAt(text, to);
    if (!isMark(character)) break;
    to += character.length;
  }
  return to;
}

/** A buffer as folded text. */
function normalisedOf({ units, from, to }: UnitBuffer): Normalised {
  let text = "";
  for (let at = 0; at < units.length; at += 8192) text += String.fromCharCode(...units.slice(at, at + 8192));
  return { text, starts: Int32Array.from(from), ends: Int32Array.from(to) };
}

/** The text folded for matching, each unit mapped back to the original. */
export function normalise(text: string): Normalised {
  const buffer = new UnitBuffer();
  appendNormalised(buffer, text);
  return normalisedOf(buffer);
}

/** The original's range behind `[start, end)` of the normalised text; an empty range stays empty. */
export function originalRange(normalised: Normalised, start: number, end: number): [start: number, end: number] {
  const { starts, ends } = normalised;
  const from = start < starts.length ? (starts[start] as number) : (ends.at(-1) ?? 0);
  return [from, end > start ? (ends[end - 1] as number) : from];
}

/**
 * Text folded for regular expressions: like `normalise`, but punctuation, spaces and digits stay as they are (in half width), so
 * that `\d`, `\s` and `[，。]` mean what their author expects. Characters and their order are kept.
 */
export function foldReadable(text: string): Normalised {
  const simplify = simplifyUnits();
  const buffer = new UnitBuffer();
  for (let at = 0; at < text.length; ) {
    const code = text.charCodeAt(at);
    const next = at + 1 < text.length ? text.charCodeAt(at + 1) : 0;
    const known = code < 0x80 ? code : (simplify[code] as number);
    if (known !== 0 && (next < 0x300 || simplify[next] !== 0 || !isMark(codePointAt(text, at + 1)))) {
      buffer.push(known >= 0x41 && known <= 0x5a ? known + 32 : known, at, at + 1);
      at++;
      continue;
    }
    const to = clusterEnd(text, at);
    const folded = text.slice(at, to).normalize("NFKC").toLowerCase();
    for (let i = 0; i < folded.length; i++) {
      const unit = folded.charCodeAt(i);
      buffer.push(simplify[unit] || unit, at, to);
    }
    at = to;
  }
  return normalisedOf(buffer);
}

/** Simplified form of each ideograph of a pattern, all else as it is. */
export function simplify(text: string): string {
  const table = simplifyUnits();
  let simple = "";
  for (let i = 0; i < text.length; i++) simple += String.fromCharCode(table[text.charCodeAt(i)] || text.charCodeAt(i));
  return simple;
}
