import { SPACE_MARK, type TokenTable, toByteChars } from "./tokens.ts";
import type { HeardWord } from "./words.ts";

/** Spells texts in a recogniser's symbols. */
export interface Encoder {
  /**
   * The numbers of the symbols that spell the text; where it agrees with what was heard, from the front and from the back, those that were heard, so that two
   * texts differ only where they differ. null where no symbols spell it.
   */
  encode(text: string, heard: HeardSymbols): number[] | null;
}

export interface HeardSymbols {
  readonly ids: readonly number[];
  readonly words: readonly HeardWord[];
}

export function createEncoder({ symbols, spelling }: TokenTable): Encoder {
  const numbers = new Map<string, number>();
  let longest = 0;
  symbols.forEach((symbol, id) => {
    if (numbers.has(symbol)) return;
    numbers.set(symbol, id);
    longest = Math.max(longest, [...symbol].length);
  });
  return {
    encode(text, heard) {
      const units = unitsOf(heard);
      const letters = lettersOf(text);
      let front = 0;
      let from = 0;
      for (; front < units.length; front++) {
        const own = (units[front] as Unit).letters;
        if (!startsWith(letters, from, own)) break;
        from += own.length;
      }
      let back = units.length;
      let to = letters.length;
      for (; back > front; back--) {
        const own = (units[back - 1] as Unit).letters;
        if (to - own.length < from || !startsWith(letters, to - own.length, own)) break;
        to -= own.length;
      }
      const middle = spellAtoms(letters.slice(from, to), { numbers, longest, spelling });
      if (!middle) return null;
      return [...units.slice(0, front).flatMap(({ ids }) => ids), ...middle, ...units.slice(back).flatMap(({ ids }) => ids)];
    },
  };
}

interface Unit {
  readonly letters: readonly string[];
  readonly ids: readonly number[];
}

/** Words with the symbols from each to the next; words that share a symbol are one unit. */
function unitsOf({ ids, words }: HeardSymbols): Unit[] {
  const units: Unit[] = [];
  let letters: string[] = [];
  let from = 0;
  words.forEach((word, i) => {
    letters.push(...[...word.text]);
    const next = words[i + 1];
    if (next && next.from < word.to) return;
    const to = next?.from ?? ids.length;
    units.push({ letters, ids: ids.slice(from, to) });
    letters = [];
    from = to;
  });
  return units;
}

interface Letter {
  readonly char: string;
  readonly spaced: boolean;
}

function lettersOf(text: string): Letter[] {
  const letters: Letter[] = [];
  let spaced = false;
  for (const char of text) {
    if (/\s/u.test(char)) spaced = true;
    else {
      letters.push({ char, spaced });
      spaced = false;
    }
  }
  return letters;
}

function startsWith(letters: readonly Letter[], from: number, own: readonly string[]): boolean {
  return from + own.length <= letters.length && own.every((char, i) => letters[from + i]?.char === char);
}

interface Spelling {
  readonly numbers: ReadonlyMap<string, number>;
  readonly longest: number;
  readonly spelling: TokenTable["spelling"];
}

interface Atom {
  readonly char: string;
  /** A new word may begin here, with a mark or without. */
  readonly mayBegin: boolean;
  /** What it costs to write no mark, or one. */
  readonly plainCost: number;
  readonly markCost: number;
  readonly spaced: boolean;
}

const HAN = /\p{Script=Han}/u;
const LETTER = /[\p{L}\p{N}]/u;

/** The fewest symbols that spell the letters. Marks of punctuation that no symbol spells are passed over. */
function spellAtoms(letters: readonly Letter[], { numbers, longest, spelling }: Spelling): number[] | null {
  const atoms: Atom[] = letters.flatMap(({ char, spaced }, i) => {
    const before = letters[i - 1]?.char ?? "";
    const isHan = HAN.test(char);
    const mayBegin = isHan || spaced || !LETTER.test(before) || HAN.test(before);
    // Published models write the mark before words of letters; before each Chinese character only where they spell bytes.
    const prefersMark = spelling === "bytes" || !isHan;
    const chars = spelling === "bytes" ? [...toByteChars(char)] : [char];
    return chars.map((atom, k) => ({
      char: atom,
      mayBegin: k === 0 && mayBegin && LETTER.test(char),
      plainCost: k === 0 && mayBegin && prefersMark && LETTER.test(char) ? 0.1 : 0,
      markCost: prefersMark ? 0 : 0.1,
      spaced: k === 0 && spaced,
    }));
  });
  const cost = new Float64Array(atoms.length + 1).fill(Number.POSITIVE_INFINITY);
  const choice: { readonly ids: readonly number[]; readonly next: number }[] = [];
  cost[atoms.length] = 0;
  const offer = (at: number, price: number, next: number, ids: readonly number[]) => {
    const total = price + (cost[next] as number);
    if (total >= (cost[at] as number)) return;
    cost[at] = total;
    choice[at] = { ids, next };
  };
  for (let at = atoms.length - 1; at >= 0; at--) {
    const first = atoms[at] as Atom;
    let piece = "";
    for (let end = at; end < Math.min(atoms.length, at + longest); end++) {
      const atom = atoms[end] as Atom;
      if (end > at && atom.spaced) break;
      piece += atom.char;
      const plain = numbers.get(piece);
      if (plain !== undefined) offer(at, 1 + first.plainCost, end + 1, [plain]);
      const marked = first.mayBegin ? numbers.get(SPACE_MARK + piece) : undefined;
      if (marked !== undefined) offer(at, 1 + first.markCost, end + 1, [marked]);
    }
    const bytes = [...Buffer.from(first.char)].map((byte) => numbers.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`));
    if (spelling === "plain" && bytes.every((id): id is number => id !== undefined)) offer(at, 3 + bytes.length, at + 1, bytes);
    if (spelling === "plain" && /\p{P}/u.test(first.char)) offer(at, 5, at + 1, []);
  }
  if (!Number.isFinite(cost[0] as number)) return null;
  const ids: number[] = [];
  for (let at = 0; at < atoms.length; ) {
    const { ids: own, next } = choice[at] as (typeof choice)[number];
    ids.push(...own);
    at = next;
  }
  return ids;
}
