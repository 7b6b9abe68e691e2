import { isLetter, SPACE } from "../../pipeline/text/normalise.ts";
import { soundClasses } from "../../pipeline/text/pinyin.ts";

/** One Chinese character, digit or sign (a number: its UTF-16 unit), or a word of a spaced script. */
export type Token = number | string;

/** Where a token lies in its folded text, in UTF-16 units. */
export interface TokenPlace {
  readonly start: number;
  readonly end: number;
}

/** Calls back for each token of a folded text (see `normalise`). */
export function eachToken(folded: string, visit: (token: Token, start: number, end: number) => void): void {
  for (let at = 0; at < folded.length; ) {
    const unit = folded.charCodeAt(at);
    if (unit === SPACE) {
      at++;
      continue;
    }
    let end = at + 1;
    if (isLetter(unit)) {
      while (end < folded.length && folded.charCodeAt(end) !== SPACE && isLetter(folded.charCodeAt(end))) end++;
      visit(folded.slice(at, end), at, end);
    } else visit(unit, at, end);
    at = end;
  }
}

export function tokensOf(folded: string): Token[] {
  const tokens: Token[] = [];
  eachToken(folded, (token) => tokens.push(token));
  return tokens;
}

/** How many tokens a folded text has. */
export function countTokens(folded: string): number {
  let count = 0;
  let isWord = false;
  for (let at = 0; at < folded.length; at++) {
    const unit = folded.charCodeAt(at);
    const goesOn = isWord && unit !== SPACE && isLetter(unit);
    if (unit !== SPACE && !goesOn) count++;
    isWord = unit !== SPACE && isLetter(unit);
  }
  return count;
}

/** Places of all tokens, for marks and times. */
export function tokenPlaces(folded: string): TokenPlace[] {
  const places: TokenPlace[] = [];
  eachToken(folded, (_token, start, end) => places.push({ start, end }));
  return places;
}

/** A term of the index: one token, or two characters side by side. Below 2^32. */
export type Term = number;

/**
 * The term of one token. A character is its unit; a word is a hash between those and the pairs of CJK units, which no character reaches (30 bits: what is
 * shown is compared with the text all the same).
 */
export function singleTerm(token: Token): Term {
  return typeof token === "number" ? token : 0x400000 + (hashText(token) % 0x2d000000);
}

/** The term of two characters side by side; null where one of them is a word. */
export function pairTerm(left: Token, right: Token): Term | null {
  return typeof left === "number" && typeof right === "number" ? left * 0x10000 + right : null;
}

/** The characters of a term: [left, right], [0, single], or null for a word. */
export function unitsOfTerm(term: Term): readonly [left: number, right: number] | null {
  const left = Math.floor(term / 0x10000);
  if (left >= 0x40 && left < 0x2e80) return null;
  return [left, term % 0x10000];
}

/**
 * Where a term lies: 32 bits, of which the shards of a block take the first ones. Made of how its characters sound (their most common reading), so that all
 * that sounds the same lies together and is found by one look.
 */
export function placeOfTerm(term: Term): number {
  const units = unitsOfTerm(term);
  if (units === null) return mix(term, 0x9e37);
  return mix(soundOf(units[0]), soundOf(units[1]));
}

/** Where the pair lies whose characters sound so; by the classes of both. */
export function placeOfSounds(left: number, right: number): number {
  return mix(left, right);
}

/** A class of sound (its most common reading), or the unit itself, beyond all classes. */
export function soundOf(unit: number): number {
  const { at, classes } = soundClasses(0);
  const start = at[unit] as number;
  return start === 0 ? unit + 1024 : (classes[start + 1] as number);
}

/** By unit. */
const readingTable = new Array<readonly number[] | undefined>(0x10000);
const NO_READINGS: readonly number[] = [];

/** The readings of a unit as classes: all of a common character, of a rare one (whose other readings nobody uses) the first. */
export function readings(unit: number): readonly number[] {
  const known = readingTable[unit];
  if (known) return known;
  const { at, classes } = soundClasses(0);
  const start = at[unit] as number;
  const count = start === 0 ? 0 : isCommon(unit) ? (classes[start] as number) : 1;
  const own = count === 0 ? NO_READINGS : [...classes.subarray(start + 1, start + 1 + count)];
  readingTable[unit] = own;
  return own;
}

/** Units by reading: each unit under all of its readings. */
let unitsOfReading: ReadonlyMap<number, readonly number[]> | undefined;

/** The units that can be read as one of these. */
export function unitsReadAs(wanted: readonly number[]): number[] {
  if (!unitsOfReading) {
    const found = new Map<number, number[]>();
    for (let unit = 0; unit < 0x10000; unit++) {
      for (const own of readings(unit)) {
        const others = found.get(own);
        if (others) others.push(unit);
        else found.set(own, [unit]);
      }
    }
    unitsOfReading = found;
  }
  return wanted.flatMap((reading) => unitsOfReading?.get(reading) ?? []);
}

let commonUnits: ReadonlySet<number> | undefined;

/** Whether it is a digit or one of the 3,755 characters of everyday use (GB 2312, level 1). */
function isCommon(unit: number): boolean {
  if (!commonUnits) {
    const decoder = new TextDecoder("gbk");
    const found = new Set<number>();
    for (let row = 0xb0; row <= 0xd7; row++) {
      for (let cell = 0xa1; cell <= 0xfe; cell++) found.add(decoder.decode(new Uint8Array([row, cell])).charCodeAt(0));
    }
    commonUnits = found;
  }
  return commonUnits.has(unit) || unit < 0x3a;
}

/** FNV-1a over UTF-16 units, then mixed. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash >>> 0, text.length);
}

/** Two numbers spread over 32 bits (the finaliser of MurmurHash3). */
function mix(a: number, b: number): number {
  let h = Math.imul(a, 0x9e3779b1) ^ Math.imul(b + 0x7f4a7c15, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
