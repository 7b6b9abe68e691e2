import type { Language } from "../types.ts";
import { isDigit, isLetter, normalise } from "./normalise.ts";
import { numberVariants } from "./numbers.ts";
import { addGaps, badPattern, expandPattern, type Gap, type RawBranch } from "./pattern.ts";
import { type SoundOptions, soundClasses, soundMask } from "./pinyin.ts";
import { compileRegex, isRegex, type Regex } from "./regex.ts";

export interface PhraseOptions {
  /** Also find what sounds the same: without tones, and with what the options name as one. Chinese only. Default: no. */
  readonly sound?: boolean | SoundOptions;
  /** Pass over hesitations (嗯, 那个, um) inside the phrase. Default: yes. */
  readonly ignoreFillers?: boolean;
  /** A match inside one of these longer phrases does not count: 保证 except 保证金. Patterns too; compiled ones where several phrases share them. */
  readonly except?: readonly (string | CompiledPhrase)[];
  /** The phrase must be all that was said in the utterance, hesitations aside. */
  readonly wholeUtterance?: boolean;
  /** What the phrase is written in; an English one is never matched by sound. Default: Chinese, or both. */
  readonly language?: Language;
}

/** A phrase ready to be looked up. Made by `compilePhrase`; what is inside is for `index-text.ts`. */
export interface CompiledPhrase {
  readonly source: string;
  readonly ignoreFillers: boolean;
  readonly wholeUtterance: boolean;
  readonly bySound: boolean;
  readonly except: readonly CompiledPhrase[];
  /** None for a regular expression. */
  readonly branches: readonly Branch[];
  /** For each branch the `pairKey` of a pair that it cannot be written without; 0 where it has no pair. */
  readonly writtenKeys: Int32Array;
  /** For each branch that can be heard, in a row: its index, the mask of a piece (see `soundMask`), how many `soundPairKey`s follow, and these; it needs one of them. */
  readonly heardKeys: Int32Array;
  readonly regex: Regex | null;
}

/** Pieces of text with gaps between. */
export interface Branch {
  readonly pieces: readonly Piece[];
  /** One less than the pieces. */
  readonly gaps: readonly Gap[];
  /** What may come before and after in a whole utterance. */
  readonly lead: Gap;
  readonly trail: Gap;
  /** Can be heard: a piece of at least two syllables. */
  readonly bySound: boolean;
  /** Units of all pieces. */
  readonly length: number;
}

/** Folded text to be found as it is. */
export interface Piece {
  readonly units: Uint16Array;
  /** Keys of `pairKey` for units i and i + 1. */
  readonly pairs: Int32Array;
  /** A neighbour of this kind would make it another word or number. */
  readonly before: Edge;
  readonly after: Edge;
  /** null: as written only. */
  readonly sound: PieceSound | null;
}

/** `letter`: no letter beside it; `digit`: no digit; `number`: neither digit nor 十百千万亿; `any`: whatever. */
export type Edge = "letter" | "digit" | "number" | "any";

export interface PieceSound {
  /** Which sounds count as one, see `soundMask`. */
  readonly mask: number;
  /** For each unit the classes of its readings. */
  readonly classes: readonly (readonly number[])[];
  /** For units i and i + 1 the keys of `soundPairKey`, every pair of readings. */
  readonly pairs: readonly (readonly number[])[];
}

const NO_TEXT = "at least one letter, digit or Chinese character";
const NO_GAP: Gap = { min: 0, max: 0 };

/** One number for two units side by side. */
export function pairKey(left: number, right: number): number {
  return (left << 16) | right;
}

/** One number for two sounds side by side; never 0. */
export function soundPairKey(left: number, right: number): number {
  return ((left << 10) | right) + 1;
}

/**
 * Prepares a phrase: text in the language of `pattern.ts`, or `/a regular expression/` of RE2 (matched inside one utterance on
 * readable text, see `foldReadable`; never by sound). Throws CallsiftError `rules/invalid` that names the place of the fault.
 *
 * By sound means: as many syllables as the phrase has, each the same without tone. Pieces of one character must be written as they are;
 * pieces of two must agree without the options of `sound`; longer ones with them.
 */
export function compilePhrase(pattern: string, options: PhraseOptions = {}): CompiledPhrase {
  const { sound = false, ignoreFillers = true, except = [], wholeUtterance = false, language = "zh" } = options;
  const regex = isRegex(pattern) ? compileRegex(pattern) : null;
  const mask = sound === false || language === "en" ? null : soundMask(sound === true ? {} : sound);
  const branches = regex ? [] : expandPattern(pattern).flatMap((raw) => branchesOf(raw, mask));
  if (!regex && branches.length === 0) throw badPattern(pattern, 0, NO_TEXT);
  const rest: PhraseOptions = { sound, ignoreFillers, language };
  return {
    source: pattern,
    ignoreFillers,
    wholeUtterance,
    bySound: branches.some((branch) => branch.bySound),
    except: except.map((longer) => (typeof longer === "string" ? compilePhrase(longer, rest) : longer)),
    branches,
    writtenKeys: Int32Array.from(branches, ({ pieces }) => pieces.find(({ pairs }) => pairs.length > 0)?.pairs[0] ?? 0),
    heardKeys: Int32Array.from(branches.flatMap(heardKeysOf)),
    regex,
  };
}

function heardKeysOf({ pieces }: Branch, index: number): number[] {
  const sound = pieces.find((piece) => piece.sound)?.sound;
  const keys = sound?.pairs[0];
  return sound && keys ? [index, sound.mask, keys.length, ...keys] : [];
}

/**
 * Reads a pattern without preparing it.
 *
 * @throws CallsiftError `rules/invalid` as `compilePhrase` does
 */
export function checkPattern(pattern: string): void {
  if (isRegex(pattern)) compileRegex(pattern);
  else if (!expandPattern(pattern).some((branch) => branch.some((part) => typeof part === "string" && normalise(part).text !== "")))
    throw badPattern(pattern, 0, NO_TEXT);
}

/** A raw branch with its text folded, once for each way to write its numbers; none where it holds no text. */
function branchesOf(raw: RawBranch, mask: number | null): Branch[] {
  const texts: string[] = [];
  // gaps[i] stands before texts[i]; the last one at the end.
  const gaps: Gap[] = [NO_GAP];
  for (const part of raw) {
    const last = gaps.length - 1;
    if (typeof part !== "string") gaps[last] = addGaps(gaps[last] as Gap, part);
    else {
      const { text } = normalise(part);
      if (text === "") continue;
      texts.push(text);
      gaps.push(NO_GAP);
    }
  }
  const [written, ...otherwise] = waysOf(texts);
  if (!written || written.length === 0) return [];
  const branch = (ways: readonly string[], isWritten: boolean): Branch => {
    const pieces = ways.map((text) => pieceOf(text, mask, isWritten));
    return {
      pieces,
      gaps: gaps.slice(1, -1),
      lead: gaps[0] as Gap,
      trail: gaps.at(-1) as Gap,
      bySound: pieces.some((piece) => piece.sound !== null),
      length: pieces.reduce((sum, piece) => sum + piece.units.length, 0),
    };
  };
  return [branch(written, true), ...otherwise.map((ways) => branch(ways, false))];
}

/** All ways to write the texts of one branch, as written first; only that where a branch holds numbers in several texts. */
function waysOf(texts: readonly string[]): string[][] {
  const variants = texts.map((text) => numberVariants(text));
  const place = variants.findIndex((ways) => ways.length > 1);
  if (place < 0 || variants.some((ways, i) => i !== place && ways.length > 1)) return [[...texts]];
  return (variants[place] as string[]).map((way) => texts.map((text, i) => (i === place ? way : text)));
}

function pieceOf(text: string, mask: number | null, isWritten: boolean): Piece {
  const units = Uint16Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
  const hasLetters = units.some(isLetter);
  // A number written otherwise must be the whole number: 20 is not said in 二十四.
  const edge = (unit: number): Edge => {
    if (isLetter(unit)) return "letter";
    if (!isWritten && isNumeral(unit)) return "number";
    return hasLetters && isDigit(unit) ? "digit" : "any";
  };
  return {
    units,
    pairs: Int32Array.from({ length: units.length - 1 }, (_, i) => pairKey(units[i] as number, units[i + 1] as number)),
    before: edge(units[0] as number),
    after: edge(units.at(-1) as number),
    sound: mask === null ? null : pieceSound(units, units.length === 2 ? 0 : mask),
  };
}

/** How a piece sounds; null where it is too short, or not all Chinese. */
function pieceSound(units: Uint16Array, mask: number): PieceSound | null {
  if (units.length < 2) return null;
  const { at, classes: all, classOf } = soundClasses(mask);
  const classes: number[][] = [];
  for (let i = 0; i < units.length; i++) {
    const unit = units[i] as number;
    const start = at[unit] as number;
    if (start === 0) return null;
    const own = new Set(all.subarray(start + 1, start + 1 + (all[start] as number)));
    // In a row of digits 1 is also said yao (幺).
    if (unit === 0x31 && (isDigit(units[i - 1] ?? 0) || isDigit(units[i + 1] ?? 0))) own.add(classOf("yao"));
    classes.push([...own]);
  }
  const pairs = classes.slice(1).map((right, i) => (classes[i] as number[]).flatMap((a) => right.map((b) => soundPairKey(a, b))));
  return { mask, classes, pairs };
}

const NUMERALS = new Set(Array.from("0123456789十百千万亿", (character) => character.charCodeAt(0)));

/** Whether a folded unit can be part of a written number. */
export function isNumeral(unit: number): boolean {
  return NUMERALS.has(unit);
}
