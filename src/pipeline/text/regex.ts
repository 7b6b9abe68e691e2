import { RE2JS, RE2JSException } from "re2js";
import { CallsiftError } from "../errors.ts";
import { simplify } from "./normalise.ts";
import { badPattern, MAX_PATTERN } from "./pattern.ts";

/** A regular expression that runs in time linear in the text (RE2: no back-references, no look-around). */
export interface Regex {
  /** Non-empty matches from left to right, as offsets into `text`. */
  matches(text: string): [start: number, end: number][];
}

/**
 * Characters that the search for further matches of one expression may read in one text: each match is linear, but finding all of
 * them can read the rest of the text again for each. Real utterances stay far below.
 */
const READ_LIMIT = 1_000_000;

/** Whether a pattern is written as a regular expression, `/…/`. */
export function isRegex(pattern: string): boolean {
  return pattern.length > 2 && pattern.startsWith("/") && pattern.endsWith("/");
}

/** Compiles `/…/`: matched without case on text as `foldReadable` gives it. Throws CallsiftError `rules/invalid`. */
export function compileRegex(pattern: string): Regex {
  if (pattern.length > MAX_PATTERN) throw badPattern(pattern, MAX_PATTERN, `at most ${MAX_PATTERN} characters, got ${pattern.length}`);
  // Characters at the ends of a range such as [一-龥] stay, so that the range does.
  const source = pattern.slice(1, -1).replace(/(?<!-)[\u3400-\u9fff]+(?!-)/g, simplify);
  const compiled = compile(pattern, source);
  return {
    matches(text) {
      const found: [number, number][] = [];
      const matcher = compiled.matcher(text);
      for (let read = text.length; matcher.find(); read += text.length - matcher.end()) {
        if (matcher.end() > matcher.start()) found.push([matcher.start(), matcher.end()]);
        if (read > READ_LIMIT) break;
      }
      return found;
    },
  };
}

function compile(pattern: string, source: string): RE2JS {
  try {
    return RE2JS.compile(source, RE2JS.CASE_INSENSITIVE);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    // RE2JS names the fault and the faulty piece, not its place; the flag it puts before the whole is none of the author's.
    const { error: fault, input } = error as { error?: unknown; input?: unknown };
    const piece = typeof input === "string" ? input.replace(/^\(\?i\)/, "") : "";
    const { message } = badPattern(pattern, Math.max(0, pattern.indexOf(piece)), "a regular expression of RE2");
    throw new CallsiftError("rules/invalid", `${message}, got: ${typeof fault === "string" ? fault : error.message}`, { cause: error });
  }
}
