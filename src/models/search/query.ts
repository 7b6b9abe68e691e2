import { CallsiftError } from "../../pipeline/errors.ts";
import { normalise } from "../../pipeline/text/normalise.ts";
import type { Role } from "../../pipeline/types.ts";
import { type Token, tokensOf } from "./tokens.ts";

/** Words side by side in one utterance, of one side or of whoever (null). */
export interface Phrase {
  readonly kind: "phrase";
  readonly tokens: readonly Token[];
  readonly role: Role | null;
}

/** A question to a call; `near`: both within so many characters or words of each other. */
export type Query =
  | Phrase
  | { readonly kind: "and" | "or"; readonly parts: readonly Query[] }
  | { readonly kind: "not"; readonly part: Query }
  | { readonly kind: "near"; readonly left: Query; readonly right: Query; readonly within: number };

/** The most that a query may have: more is refused before anything is looked up. */
export const QUERY_LIMITS = { length: 1000, depth: 16, phrases: 32, tokens: 64, near: 100 } as const;

/** Of a NEAR without a number. */
export const DEFAULT_NEAR = 10;

type Sign =
  | { readonly is: "word"; readonly at: number; readonly text: string; readonly quoted: boolean }
  | { readonly is: "role"; readonly at: number; readonly role: Role }
  | { readonly is: "near"; readonly at: number; readonly within: number }
  | { readonly is: "and" | "or" | "not" | "(" | ")" | "end"; readonly at: number };

/** Positions count UTF-16 units of the query from 0, messages from 1. */
function bad(position: number, expected: string): CallsiftError {
  return new CallsiftError("search/bad-query", `query, character ${position + 1}: expected ${expected}`, { details: { position } });
}

/**
 * Reads a query: words and "phrases in quotes", `AND` (also where nothing stands between), `OR`, `NOT`, `( )`, `NEAR/n`, `agent:` and `customer:` before a
 * phrase or group. NOT binds tightest, then NEAR, AND, OR. Quotes, brackets and colons may be of either width.
 *
 * @throws CallsiftError `search/bad-query` with `details.position`
 */
export function parseQuery(text: string): Query {
  if (text.length > QUERY_LIMITS.length) throw bad(QUERY_LIMITS.length, `at most ${QUERY_LIMITS.length} characters, got ${text.length}`);
  const signs = signsOf(text);
  let next = 0;
  let phrases = 0;
  const peek = (): Sign => signs[next] as Sign;

  const either = (role: Role | null, depth: number): Query => {
    const parts = [both(role, depth)];
    while (peek().is === "or") {
      next++;
      parts.push(both(role, depth));
    }
    return parts.length === 1 ? (parts[0] as Query) : { kind: "or", parts };
  };

  const both = (role: Role | null, depth: number): Query => {
    const parts = [beside(role, depth)];
    for (;;) {
      const { is } = peek();
      if (is === "and") next++;
      else if (is === "or" || is === ")" || is === "end") break;
      parts.push(beside(role, depth));
    }
    return parts.length === 1 ? (parts[0] as Query) : { kind: "and", parts };
  };

  const beside = (role: Role | null, depth: number): Query => {
    const start = peek().at;
    let left = primary(role, depth);
    for (let sign = peek(); sign.is === "near"; sign = peek()) {
      next++;
      const at = peek().at;
      const right = primary(role, depth);
      if (!isPlace(left)) throw bad(start, "a phrase, or phrases joined by OR, before NEAR");
      if (!isPlace(right)) throw bad(at, "a phrase, or phrases joined by OR, after NEAR");
      left = { kind: "near", left, right, within: sign.within };
    }
    return left;
  };

  const primary = (role: Role | null, depth: number): Query => {
    const sign = peek();
    if (depth > QUERY_LIMITS.depth) throw bad(sign.at, `at most ${QUERY_LIMITS.depth} levels of brackets and NOT`);
    next++;
    if (sign.is === "word") return phrase(sign, role);
    if (sign.is === "not") return { kind: "not", part: primary(role, depth + 1) };
    if (sign.is === "role") {
      if (role !== null && role !== sign.role) throw bad(sign.at, `nothing of the ${sign.role} inside of what the ${role} said`);
      const { is, at } = peek();
      if (is !== "word" && is !== "(") throw bad(at, `a phrase or "(" after "${sign.role}:"`);
      return primary(sign.role, depth + 1);
    }
    if (sign.is === "(") {
      const inner = either(role, depth + 1);
      const end = peek();
      if (end.is !== ")") throw bad(end.at, '")"');
      next++;
      return inner;
    }
    throw bad(
      sign.at,
      sign.is === "end" && signs.length === 1 ? "a word or a phrase" : "a word, a phrase in quotes or a group in brackets",
    );
  };

  const phrase = ({ at, text: written }: Extract<Sign, { is: "word" }>, role: Role | null): Phrase => {
    if (++phrases > QUERY_LIMITS.phrases) throw bad(at, `at most ${QUERY_LIMITS.phrases} words and phrases`);
    const tokens = tokensOf(normalise(written).text);
    if (tokens.length === 0) throw bad(at, "at least one letter, digit or Chinese character");
    if (tokens.length > QUERY_LIMITS.tokens) throw bad(at, `a phrase of at most ${QUERY_LIMITS.tokens} characters or words`);
    return { kind: "phrase", tokens, role };
  };

  const query = either(null, 0);
  const rest = peek();
  if (rest.is !== "end") throw bad(rest.at, 'the end, or "(" before this ")"');
  if (!isBounded(query)) throw bad(0, "something that is to be found beside what is not: NOT only takes away");
  return query;
}

/** All phrases, also those under NOT. */
export function phrasesOf(query: Query): Phrase[] {
  if (query.kind === "phrase") return [query];
  if (query.kind === "not") return phrasesOf(query.part);
  return (query.kind === "near" ? [query.left, query.right] : query.parts).flatMap(phrasesOf);
}

/** Whether it names places of a call, which can be near each other. */
function isPlace(query: Query): boolean {
  if (query.kind === "or") return query.parts.every(isPlace);
  return query.kind === "phrase" || query.kind === "near";
}

/** Whether each call that it is true of has one of its phrases. */
function isBounded(query: Query): boolean {
  if (query.kind === "and") return query.parts.some(isBounded);
  if (query.kind === "or") return query.parts.every(isBounded);
  return query.kind !== "not";
}

const QUOTES: Readonly<Record<string, string>> = { '"': '"', "“": "”", "”": "”", "„": "”", "＂": "＂", "「": "」", "『": "』", "«": "»" };
const SPACES = /\s/u;
const OPERATORS: Readonly<Record<string, "and" | "or" | "not">> = { AND: "and", OR: "or", NOT: "not" };

function signsOf(text: string): Sign[] {
  const signs: Sign[] = [];
  for (let at = 0; at < text.length; ) {
    const character = text[at] as string;
    if (SPACES.test(character)) at++;
    else if (character === "(" || character === "（") signs.push({ is: "(", at: at++ });
    else if (character === ")" || character === "）") signs.push({ is: ")", at: at++ });
    else if (Object.hasOwn(QUOTES, character)) {
      const close = closingQuote(text, at);
      signs.push({ is: "word", at, text: text.slice(at + 1, close), quoted: true });
      at = close + 1;
    } else at = bareSign(text, at, signs);
  }
  signs.push({ is: "end", at: text.length });
  return signs;
}

/** Where the quote that opens at `at` is closed. */
function closingQuote(text: string, at: number): number {
  const opening = text[at] as string;
  // People mix the marks of either width.
  const closing = opening === '"' || opening === "＂" || "“”„".includes(opening) ? /["”“＂]/u : new RegExp(QUOTES[opening] as string, "u");
  const length = text.slice(at + 1).search(closing);
  if (length < 0) throw bad(at, `a closing ${QUOTES[opening]} for this ${opening}`);
  return at + 1 + length;
}

/** Adds the word, operator or role that begins at `at`; answers with where it ends. */
function bareSign(text: string, at: number, signs: Sign[]): number {
  let end = at;
  while (end < text.length && !isStop(text[end] as string)) end++;
  const written = text.slice(at, end);
  const role = /^(agent|customer)[:：]/iu.exec(written);
  if (role) {
    signs.push({ is: "role", at, role: (role[1] as string).toLowerCase() as Role });
    return at + role[0].length;
  }
  if (Object.hasOwn(OPERATORS, written)) signs.push({ is: OPERATORS[written] as "and" | "or" | "not", at });
  else if (/^NEAR(\/|$)/u.test(written)) signs.push({ is: "near", at, within: withinOf(written, at) });
  else if (/[*＊]/u.test(written)) {
    throw bad(at + written.search(/[*＊]/u), "whole words: there are no wildcards; a shorter phrase finds more");
  } else signs.push({ is: "word", at, text: written, quoted: false });
  return end;
}

const isStop = (character: string): boolean => SPACES.test(character) || "()（）".includes(character) || Object.hasOwn(QUOTES, character);

function withinOf(written: string, at: number): number {
  if (written === "NEAR") return DEFAULT_NEAR;
  const digits = written.slice("NEAR/".length);
  const within = Number(digits);
  if (!/^\d{1,4}$/u.test(digits) || within < 1 || within > QUERY_LIMITS.near) {
    throw bad(at + "NEAR/".length, `a number from 1 to ${QUERY_LIMITS.near} after "NEAR/"`);
  }
  return within;
}
