import { CallsiftError } from "../errors.ts";

/**
 * The pattern language of phrases:
 *
 * | written | means |
 * |---|---|
 * | `投诉你们` | these characters, whatever punctuation, width, script of digits or 繁简 |
 * | `你{0..4}投诉` | from 0 to 4 characters between; in text of a spaced script, words |
 * | `你*投诉` | the same as `{0..12}` |
 * | `不?清楚` | exactly one character between (only between two characters: `谁?` and `who? me` hold a question mark) |
 * | `(投诉\|举报)你们` | one of these |
 * | `[的]` | may be left out |
 * | `\*` | the next character as it is |
 *
 * The whole is multiplied out into branches: text, gap, text, gap, … .
 */
export interface Gap {
  /** Characters or words, both ends included. */
  readonly min: number;
  readonly max: number;
}
export type RawBranch = readonly (string | Gap)[];

/** UTF-16 units in a pattern. */
export const MAX_PATTERN = 1000;
/** Branches a pattern may multiply out to. */
const MAX_BRANCHES = 256;
const MAX_DEPTH = 8;
const MAX_GAP = 60;
const SIGNS = "()[]{}|*?\\";
const STAR: Gap = { min: 0, max: 12 };
const ONE: Gap = { min: 1, max: 1 };

/** The failure that names the pattern, the place (counted from 1) and what was expected there. */
export function badPattern(pattern: string, at: number, expected: string): CallsiftError {
  const shown = pattern.length > 60 ? `${pattern.slice(0, 60)}…` : pattern;
  return new CallsiftError("rules/invalid", `phrase "${shown}", character ${at + 1}: expected ${expected}`);
}

/** Multiplies a pattern out. Throws CallsiftError `rules/invalid` where it is none, or too large. */
export function expandPattern(pattern: string): RawBranch[] {
  if (pattern.length > MAX_PATTERN) throw badPattern(pattern, MAX_PATTERN, `at most ${MAX_PATTERN} characters, got ${pattern.length}`);
  let at = 0;

  const alternatives = (depth: number, close: string): RawBranch[] => {
    if (depth > MAX_DEPTH) throw badPattern(pattern, at, `at most ${MAX_DEPTH} brackets inside each other`);
    const all: RawBranch[] = [];
    for (;;) {
      const start = at;
      const branches = sequence(depth);
      if (branches.every((branch) => branch.length === 0)) throw badPattern(pattern, start, "text; what may be left out is written [text]");
      all.push(...branches);
      if (all.length > MAX_BRANCHES) throw tooMany(start);
      if (pattern[at] === "|") at++;
      else if (at >= pattern.length && close !== "") throw badPattern(pattern, at, `"${close}"`);
      else return all;
    }
  };

  const tooMany = (where: number): CallsiftError =>
    badPattern(pattern, where, `at most ${MAX_BRANCHES} ways to read the pattern; split it into several phrases`);

  const sequence = (depth: number): RawBranch[] => {
    let branches: RawBranch[] = [[]];
    const follow = (choices: readonly RawBranch[], where: number): void => {
      if (branches.length * choices.length > MAX_BRANCHES) throw tooMany(where);
      branches = branches.flatMap((branch) => choices.map((choice) => joined(branch, choice)));
    };
    while (at < pattern.length) {
      const start = at;
      const character = pattern[at] as string;
      if (character === "|") break;
      if (character === ")" || character === "]") {
        if (depth > 0) break;
        throw badPattern(pattern, at, `"${character === ")" ? "(" : "["}" before this "${character}"`);
      }
      at++;
      if (character === "(" || character === "[") {
        const close = character === "(" ? ")" : "]";
        const choices = alternatives(depth + 1, close);
        if (pattern[at] !== close) throw badPattern(pattern, at, `"${close}"`);
        at++;
        follow(character === "(" ? choices : [...choices, []], start);
      } else if (character === "{") follow([[gapAt(start)]], start);
      else if (character === "}") throw badPattern(pattern, start, '"{" before this "}"');
      else if (character === "*") follow([[STAR]], start);
      else if (character === "?" && standsBetween(pattern, start)) follow([[ONE]], start);
      else if (character === "\\") {
        if (at >= pattern.length) throw badPattern(pattern, at, 'a character after "\\"');
        at++;
        follow([[pattern[at - 1] as string]], start);
      } else {
        // Plain text up to the next sign, in one step.
        while (at < pattern.length && !SIGNS.includes(pattern[at] as string)) at++;
        follow([[pattern.slice(start, at)]], start);
      }
    }
    return branches;
  };

  const gapAt = (start: number): Gap => {
    const found = /^\{(\d{1,3})(?:\.\.(\d{1,3}))?\}/.exec(pattern.slice(start, start + 12));
    if (!found) throw badPattern(pattern, start, "a gap such as {0..4} or {3}");
    const min = Number(found[1]);
    const max = Number(found[2] ?? found[1]);
    if (min > max || max > MAX_GAP) throw badPattern(pattern, start, `a gap from less to more, at most ${MAX_GAP}`);
    at = start + found[0].length;
    return { min, max };
  };

  return alternatives(0, "");
}

/** A question mark in the middle of a word or clause is a wildcard; at an end, or before a space, it is punctuation. */
function standsBetween(pattern: string, at: number): boolean {
  const before = pattern[at - 1];
  const after = pattern[at + 1];
  return before !== undefined && after !== undefined && !/[\s(|[]/.test(before) && !/[\s)|\]]/.test(after);
}

/** Two branches one after the other, text that meets text and gaps that meet gaps made one. */
function joined(left: RawBranch, right: RawBranch): RawBranch {
  const [first, ...rest] = right;
  const last = left.at(-1);
  if (first === undefined) return left;
  if (typeof last === "string" && typeof first === "string") return [...left.slice(0, -1), last + first, ...rest];
  if (typeof last === "object" && typeof first === "object") return [...left.slice(0, -1), addGaps(last, first), ...rest];
  return [...left, ...right];
}

/** The gap of two gaps with nothing between. */
export function addGaps(a: Gap, b: Gap): Gap {
  return { min: a.min + b.min, max: a.max + b.max };
}
