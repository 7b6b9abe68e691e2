import { CallsiftError } from "../../errors.ts";

/** A transcript file's content, decoded once for all formats. */
export interface Source {
  readonly text: string;
  /** The parsed JSON, undefined where the text is none. */
  readonly json: unknown;
}

/** Far above any transcript, far below what exhausts the memory of JSON.parse. */
const LIMITS = { depth: 64, containers: 2_000_000, commas: 6_000_000, membersOfAnObject: 10_000 };

/**
 * Text of a transcript file: UTF-8 (with or without BOM) or UTF-16 with BOM.
 *
 * @throws CallsiftError `transcript/unreadable`, or `transcript/too-large` for JSON built to exhaust memory
 */
export function decodeSource(bytes: Uint8Array): Source {
  const text = decode(bytes);
  const first = /\S/.exec(text)?.[0];
  if (first !== "{" && first !== "[") return { text, json: undefined };
  guardJson(text);
  try {
    return { text, json: JSON.parse(text) as unknown };
  } catch (cause) {
    // A WebVTT or SRT file never begins with a bracket, so it is broken JSON and nothing else.
    throw new CallsiftError("transcript/unreadable", `expected JSON, got text that breaks off or is malformed (${reasonOf(cause)})`, {
      cause,
    });
  }
}

function decode(bytes: Uint8Array): string {
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : "utf-8";
  let text: string;
  try {
    text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new CallsiftError(
      "transcript/unreadable",
      `expected text in UTF-8, or in UTF-16 with a byte order mark; these bytes are not ${encoding}`,
      {
        cause,
      },
    );
  }
  if (text.includes("\0")) throw new CallsiftError("transcript/unreadable", "expected text, got a file with NUL characters");
  if (text.trim() === "") throw new CallsiftError("transcript/unreadable", "expected a transcript, got an empty file");
  return text;
}

/** Counts brackets before JSON.parse does: nesting and objects beyond reason are refused while they still cost nothing. */
function guardJson(text: string): void {
  const members: number[] = [];
  let containers = 0;
  let commas = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (inString) {
      if (code === BACKSLASH) i++;
      else if (code === QUOTE) inString = false;
    } else if (code === QUOTE) inString = true;
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      if (members.push(0) > LIMITS.depth)
        throw new CallsiftError("transcript/invalid", `expected JSON nested at most ${LIMITS.depth} deep, got deeper`);
      if (++containers > LIMITS.containers)
        throw new CallsiftError("transcript/too-large", `expected at most ${LIMITS.containers} JSON objects and arrays, got more`);
    } else if (code === COMMA) {
      if (++commas > LIMITS.commas)
        throw new CallsiftError("transcript/too-large", `expected at most ${LIMITS.commas} JSON values, got more`);
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) members.pop();
    else if (code === COLON) {
      const count = (members.pop() ?? 0) + 1;
      if (count > LIMITS.membersOfAnObject)
        throw new CallsiftError("transcript/too-large", `expected at most ${LIMITS.membersOfAnObject} fields in a JSON object, got more`);
      members.push(count);
    }
  }
}

const [QUOTE, BACKSLASH, COLON, COMMA] = [0x22, 0x5c, 0x3a, 0x2c];
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d];

function reasonOf(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return message.replace(/[\p{Cc}\p{Cs}]+/gu, " ").slice(0, 120);
}
