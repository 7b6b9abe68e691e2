import { parseDocument } from "yaml";
import { CallsiftError } from "../errors.ts";

/** A rule file or form larger than this is no rule file: 2 MiB of text. */
export const MAX_TEXT_LENGTH = 2 * 1024 * 1024;
/** Objects and lists inside each other; conditions nest at most 8 deep, and each level takes two. */
const MAX_DEPTH = 64;
/** How many nodes aliases may stand for, so that ten lines of `&a [*b, *b]` cannot fill the memory. */
const MAX_ALIASES = 100;

/**
 * Plain data from YAML 1.2 or JSON text: no custom tags, no merge keys, no repeated keys, bounded aliases, size and depth.
 *
 * @param where what to call the text in messages, e.g. its file name
 * @throws CallsiftError `rules/invalid` or `form/invalid`, with the line where there is one
 */
export function parseData(text: string, where: string, code: "rules/invalid" | "form/invalid"): unknown {
  if (text.length > MAX_TEXT_LENGTH) {
    throw new CallsiftError(code, `${where}: at most ${MAX_TEXT_LENGTH} characters expected, ${text.length} came`);
  }
  const clean = text.replace(/^\uFEFF/, "");
  if (deepestFlow(clean) > MAX_DEPTH) throw tooDeep(code, where);
  let value: unknown;
  try {
    const document = parseDocument(clean, { version: "1.2", schema: "core", merge: false, uniqueKeys: true, logLevel: "silent" });
    const [problem] = [...document.errors, ...document.warnings];
    if (problem) throw new CallsiftError(code, `${where}: YAML or JSON expected; ${problem.message.split("\n")[0]}`);
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    if (error instanceof CallsiftError) throw error;
    // Too many aliases, or lists so deep that the reader's stack ends.
    throw new CallsiftError(code, `${where}: YAML or JSON expected; ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  if (deeperThan(value, MAX_DEPTH)) throw tooDeep(code, where);
  return value;
}

function tooDeep(code: "rules/invalid" | "form/invalid", where: string): CallsiftError {
  return new CallsiftError(code, `${where}: at most ${MAX_DEPTH} lists and objects inside each other expected`);
}

/** Also true for a list that an alias puts into itself. */
function deeperThan(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return depth === 0 || Object.values(value).some((entry) => deeperThan(entry, depth - 1));
}

/** How deep `[` and `{` nest, strings counted too: a bound that is checked before the reader recurses. */
function deepestFlow(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x5b || c === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (c === 0x5d || c === 0x7d) depth = Math.max(0, depth - 1);
  }
  return deepest;
}
