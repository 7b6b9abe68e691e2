import { parseDocument } from "yaml";
import { CallsiftError } from "../errors.ts";

/** A rule file or form larger than this is no rule file: 2 MiB of text. */
export const MAX_TEXT_LENGTH = 2 * 1024 * 1024;
/** Objects and lists inside each other; conditions nest at most 8 deep, and each level takes two. */
const MAX_DEPTH = 64;
/** What the YAML reader is given, see `crowding`. */
const MAX_FLOW = 100;
const MAX_PROPERTIES = 500;
const MAX_INDENTATION = 200;
const MAX_INDICATORS = 64;
/** How many nodes aliases may stand for, so that ten lines of `&a [*b, *b]` cannot fill the memory. */
const MAX_ALIASES = 100;

/**
 * Plain data from JSON or YAML 1.2 text (JSON is read far faster): no custom tags, no merge keys, no repeated keys; aliases, size and
 * depth are bounded.
 *
 * @param where what to call the text in messages, e.g. its file name
 * @throws CallsiftError `rules/invalid` or `form/invalid`, with the line where there is one
 */
export function parseData(text: string, where: string, code: "rules/invalid" | "form/invalid"): unknown {
  if (text.length > MAX_TEXT_LENGTH) {
    throw new CallsiftError(code, `${where}: at most ${MAX_TEXT_LENGTH} characters expected, ${text.length} came`);
  }
  const clean = text.replace(/^\uFEFF/, "");
  let value: unknown;
  try {
    value = JSON.parse(clean);
  } catch {
    value = parseYaml(clean, where, code);
  }
  if (deeperThan(value, MAX_DEPTH)) {
    throw new CallsiftError(code, `${where}: at most ${MAX_DEPTH} lists and objects inside each other expected`);
  }
  return value;
}

function parseYaml(text: string, where: string, code: "rules/invalid" | "form/invalid"): unknown {
  const crowded = crowding(text);
  if (crowded) throw new CallsiftError(code, `${where}: ${crowded}`);
  try {
    const document = parseDocument(text, { version: "1.2", schema: "core", merge: false, uniqueKeys: true, logLevel: "silent" });
    const [problem] = [...document.errors, ...document.warnings];
    if (problem) throw new CallsiftError(code, `${where}: YAML or JSON expected; ${problem.message.split("\n")[0]}`);
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    if (error instanceof CallsiftError) throw error;
    // Too many aliases, or lists so deep that the reader's stack ends.
    throw new CallsiftError(code, `${where}: YAML or JSON expected; ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

/** Also true for a list that an alias puts into itself. */
function deeperThan(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return depth === 0 || Object.values(value).some((entry) => deeperThan(entry, depth - 1));
}

/**
 * Why the text is not for the YAML reader, which recurses and looks ahead: deep or crowded nesting would take it minutes, or its
 * stack, and with that the process. Far above what a rule file needs; what passes is bounded again by MAX_DEPTH.
 */
function crowding(text: string): string | null {
  if (deepestFlow(text) > MAX_FLOW) return `at most ${MAX_FLOW} brackets inside each other expected`;
  if ((text.match(/(?<![^\s[{,])[&!]\S*\s/g)?.length ?? 0) > MAX_PROPERTIES) return `at most ${MAX_PROPERTIES} anchors and tags expected`;
  for (const [i, line] of text.split("\n").entries()) {
    const [indentation = ""] = /^[ \t]*/.exec(line) ?? [];
    if (indentation.length > MAX_INDENTATION) return `line ${i + 1}: indented by at most ${MAX_INDENTATION} expected`;
    const [indicators = ""] = /^(?:[-?:][ \t]+)*/.exec(line.slice(indentation.length)) ?? [];
    if (indicators.length > MAX_INDICATORS) return `line ${i + 1}: fewer lists inside each other expected`;
  }
  return null;
}

/** How deep `[` and `{` nest, those in strings counted too. */
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
