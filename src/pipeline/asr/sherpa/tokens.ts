/** The symbols of a recogniser, as its `tokens.txt` lists them: one a line, then its number. */
export interface TokenTable {
  /** By number. */
  readonly symbols: readonly string[];
  /** How the symbols spell text: `bytes` are icefall's, one character a byte; `bpe-marks` end in `@@` where the word goes on. */
  readonly spelling: "plain" | "bytes" | "bpe-marks";
}

/** The mark that sentencepiece writes in place of a space. */
export const SPACE_MARK = "\u2581";

/** icefall's characters of the bytes 0–255 (https://github.com/k2-fsa/icefall/blob/master/icefall/byte_utils.py). */
const BYTE_CHARS: readonly number[] = [
  [256, 287],
  [32, 126],
  [288, 305],
  [308, 318],
  [321, 328],
  [330, 382],
  [384, 422],
].flatMap(([from = 0, to = 0]) => Array.from({ length: to - from + 1 }, (_, i) => from + i));

const BYTE_OF = new Map(BYTE_CHARS.map((char, byte) => [char, byte]));

/** What text is as icefall's byte characters. */
export function toByteChars(text: string): string {
  return String.fromCodePoint(...[...Buffer.from(text)].map((byte) => BYTE_CHARS[byte] as number));
}

/** @throws RangeError that says what is wrong with it, by line */
export function parseTokens(text: string): TokenTable {
  const symbols: string[] = [];
  let line = 0;
  for (const row of text.split("\n")) {
    line++;
    const clean = row.endsWith("\r") ? row.slice(0, -1) : row;
    if (clean.trim() === "") continue;
    const [, symbol = "", number = ""] = /^(.*?)[ \t]+(\d+)[ \t]*$/u.exec(clean) ?? [];
    const id = Number(number);
    if (number === "" || id > 1_000_000) throw new RangeError(`expected a symbol and its number, got something else in line ${line}`);
    if (symbols[id] !== undefined) throw new RangeError(`the number ${id} is there twice, again in line ${line}`);
    // A symbol that is itself a space leaves the line nothing but its number.
    symbols[id] = symbol === "" ? " " : symbol;
  }
  if (symbols.length === 0) throw new RangeError("it is empty");
  const missing = Array.from(symbols, (symbol) => symbol === undefined).indexOf(true);
  if (missing >= 0) throw new RangeError(`the number ${missing} is missing`);
  return { symbols, spelling: spellingOf(symbols) };
}

function spellingOf(symbols: readonly string[]): TokenTable["spelling"] {
  if (symbols.some((symbol) => symbol.length > 2 && symbol.endsWith("@@"))) return "bpe-marks";
  const plain = symbols.filter((symbol) => !isSpecial(symbol)).map((symbol) => symbol.replaceAll(SPACE_MARK, ""));
  const inBytes = plain.every((symbol) => [...symbol].every((char) => BYTE_OF.has(char.codePointAt(0) as number)));
  // English alone would pass too, spelt the same either way.
  return inBytes && plain.some((symbol) => [...symbol].some((char) => (char.codePointAt(0) as number) >= 256)) ? "bytes" : "plain";
}

/** `<unk>`, `<blk>`, `<|zh|>` and their like: never text. */
export function isSpecial(symbol: string): boolean {
  return /^<.+>$/u.test(symbol) && byteOfFallback(symbol) === null;
}

/** The byte of `<0xE4>`; null for any other symbol. */
export function byteOfFallback(symbol: string): number | null {
  const [, hex] = /^<0x([\dA-Fa-f]{2})>$/u.exec(symbol) ?? [];
  return hex === undefined ? null : Number.parseInt(hex, 16);
}

/** What a symbol spells: its bytes, whether a new word begins with it, and whether the next symbol belongs to the same word. */
export interface Spelt {
  readonly bytes: Uint8Array;
  readonly beginsWord: boolean;
  readonly goesOn: boolean;
}

/** null for special symbols. */
export function spell(symbol: string, spelling: TokenTable["spelling"]): Spelt | null {
  const byte = byteOfFallback(symbol);
  if (byte !== null) return { bytes: Uint8Array.of(byte), beginsWord: false, goesOn: false };
  if (isSpecial(symbol)) return null;
  if (spelling === "bpe-marks") {
    const goesOn = symbol.length > 2 && symbol.endsWith("@@");
    return { bytes: Buffer.from(goesOn ? symbol.slice(0, -2) : symbol), beginsWord: false, goesOn };
  }
  // sherpa-onnx writes the mark as a space.
  const beginsWord = symbol.startsWith(SPACE_MARK) || symbol.startsWith(" ");
  const rest = beginsWord ? symbol.slice(1) : symbol;
  if (spelling === "plain") return { bytes: Buffer.from(rest.replaceAll(SPACE_MARK, " ")), beginsWord, goesOn: false };
  const bytes = [...rest].map((char) => BYTE_OF.get(char.codePointAt(0) as number)).filter((value) => value !== undefined);
  return { bytes: Uint8Array.from(bytes), beginsWord, goesOn: false };
}
