import type { HeardToken } from "../recogniser.ts";
import { spell, type TokenTable } from "./tokens.ts";

/** A symbol that was recognised. */
export interface Recognised {
  readonly symbol: string;
  /** When it began, ms from the start of the piece; null where the model gives no times. */
  readonly startMs: number | null;
  /** Natural log-probability; null where the engine gives none. */
  readonly logProb: number | null;
}

/** A character or word, and the recognised symbols it is spelt by. */
export interface HeardWord extends HeardToken {
  readonly from: number;
  /** Index after the last. */
  readonly to: number;
}

export interface HeardWords {
  readonly text: string;
  readonly words: readonly HeardWord[];
}

/** One character lasts no longer than this, whatever the silence behind it, ms. */
const LONGEST_CHARACTER_MS = 320;
/** The last symbol of a word, likewise. */
const LONGEST_LAST_MS = 400;

interface Character {
  readonly char: string;
  readonly spaced: boolean;
  readonly from: number;
  readonly to: number;
}

/** Joins symbols (characters, parts of words, single bytes) to characters and words with times and confidence; special symbols spell nothing. */
export function joinSymbols(recognised: readonly Recognised[], spelling: TokenTable["spelling"], lengthMs: number): HeardWords {
  const groups: Character[][] = [];
  for (const character of charactersOf(recognised, spelling)) {
    const last = groups.at(-1);
    if (last && joins(last, character)) last.push(character);
    else groups.push([character]);
  }
  // Punctuation before any word has none to follow.
  const [first, second] = groups;
  if (first && second && first.every(({ char }) => !SPOKEN.test(char))) groups.splice(0, 2, [...first, ...second]);
  const words = groups.map((group, i): HeardWord => wordOf(group, groups[i + 1], recognised, lengthMs));
  const text = groups.map((group, i) => (i > 0 && isSpaced(groups[i - 1] as Character[], group) ? " " : "") + textOf(group)).join("");
  return { text, words };
}

const HAN = /^\p{Script=Han}$/u;
/** Written without spaces, each character a word of its own. */
const SINGLE = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]$/u;
const SPOKEN = /[\p{L}\p{N}]/u;

function joins(group: readonly Character[], { char, spaced }: Character): boolean {
  // Marks belong to the word before them.
  if (!SPOKEN.test(char)) return true;
  const spoken = group.filter((one) => SPOKEN.test(one.char));
  const last = spoken.at(-1);
  if (spaced || !last) return false;
  if (SINGLE.test(char) || SINGLE.test(last.char)) return false;
  // Only marks that stand inside words may lie between: don't, 3.5, 50%.
  const between = group.slice(group.indexOf(last) + 1);
  return between.every((one) => /['’.\-&]/u.test(one.char) && !one.spaced);
}

function isSpaced(before: readonly Character[], after: readonly Character[]): boolean {
  const last = before.at(-1)?.char ?? "";
  const first = after[0]?.char ?? "";
  if (HAN.test(last) && HAN.test(first)) return false;
  // Full-width marks carry their own space.
  if (/^[\u3000-\u303f\uff00-\uffef]$/u.test(last)) return false;
  return (after[0]?.spaced ?? false) || (/[\p{L}\p{N}]/u.test(last) && !SINGLE.test(last) && !SINGLE.test(first));
}

function textOf(group: readonly Character[]): string {
  return group.map(({ char }) => char).join("");
}

function wordOf(
  group: readonly Character[],
  next: readonly Character[] | undefined,
  recognised: readonly Recognised[],
  lengthMs: number,
): HeardWord {
  const from = group[0]?.from ?? 0;
  const to = group.at(-1)?.to ?? from;
  const spoken = group.filter(({ char }) => SPOKEN.test(char));
  const first = spoken[0] ?? group[0];
  const last = spoken.at(-1) ?? group.at(-1);
  const own = recognised.slice(first?.from ?? from, last?.to ?? to);
  const startMs = own[0]?.startMs ?? null;
  const lastMs = own.at(-1)?.startMs ?? null;
  const nextMs = next ? (recognised[next[0]?.from ?? to]?.startMs ?? null) : null;
  return { text: textOf(group), from, to, confidence: confidenceOf(own), ...times(startMs, lastMs, nextMs, own.length, lengthMs) };
}

function times(
  startMs: number | null,
  lastMs: number | null,
  nextMs: number | null,
  symbols: number,
  lengthMs: number,
): Pick<HeardToken, "startMs" | "endMs"> {
  if (startMs === null || lastMs === null) return { startMs: null, endMs: null };
  const longest = symbols > 1 ? LONGEST_LAST_MS : LONGEST_CHARACTER_MS;
  const end = Math.min(lastMs + longest, nextMs ?? Number.POSITIVE_INFINITY, lengthMs);
  const start = Math.max(0, Math.min(Math.round(startMs), Math.floor(lengthMs)));
  return { startMs: start, endMs: Math.max(start, Math.round(end)) };
}

/** Product of the symbols' probabilities: all of them must be right. */
function confidenceOf(own: readonly Recognised[]): number | null {
  let sum = 0;
  for (const { logProb } of own) {
    if (logProb === null) return null;
    sum += logProb;
  }
  return Math.min(1, Math.exp(sum));
}

/** The characters that the symbols spell; bytes are joined until they are one, and those that never are spell nothing. */
function charactersOf(recognised: readonly Recognised[], spelling: TokenTable["spelling"]): Character[] {
  const characters: Character[] = [];
  let pending: number[] = [];
  let pendingFrom = 0;
  let spaced = false;
  let goesOn = false;
  let before: "ascii" | "other" | null = null;
  recognised.forEach(({ symbol }, i) => {
    const spelt = spell(symbol, spelling);
    if (!spelt) {
      pending = [];
      return;
    }
    if (spelt.beginsWord) {
      spaced = true;
      pending = [];
    }
    if (spelling === "bpe-marks" && spelt.bytes.length > 0) {
      const kind = (spelt.bytes[0] as number) < 0x80 ? "ascii" : "other";
      // Words of letters stand apart from everything, as sherpa-onnx writes them.
      if (!goesOn && before !== null && (kind === "ascii" || before === "ascii")) spaced = true;
      before = kind;
      goesOn = spelt.goesOn;
    }
    if (pending.length === 0) pendingFrom = i;
    pending.push(...spelt.bytes);
    const { text, rest } = takeText(pending);
    for (const char of text) {
      if (/\s/u.test(char)) spaced = true;
      else {
        characters.push({ char, spaced, from: pendingFrom, to: i + 1 });
        spaced = false;
      }
      pendingFrom = i;
    }
    pending = rest;
  });
  return characters;
}

/** Whole characters of UTF-8 at the front of the bytes, and the begun one at their end; stray bytes are left out. */
function takeText(bytes: readonly number[]): { text: string; rest: number[] } {
  let whole = bytes.length;
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] as number;
    if (byte < 0x80) break;
    if (byte >= 0xc0) {
      const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      if (needs > back) whole = bytes.length - back;
      break;
    }
  }
  const text = Buffer.from(bytes.slice(0, whole)).toString().replaceAll("\ufffd", "");
  return { text, rest: bytes.slice(whole) };
}
