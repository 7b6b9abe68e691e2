import { CallsiftError } from "../../errors.ts";

/** Ids of the tokens that steer Whisper. */
export interface SpecialTokens {
  readonly endOfText: number;
  readonly start: number;
  readonly transcribe: number;
  readonly translate: number;
  readonly startOfPrevious: number;
  readonly noSpeech: number;
  readonly noTimestamps: number;
  readonly chinese: number;
  readonly english: number;
}

/** Whisper's tokens. */
export interface Tokenizer {
  readonly special: SpecialTokens;
  /** What a token of text writes; nothing for special ones. */
  bytes(token: number): Uint8Array;
  /** Ids of a text, by byte-pair encoding. */
  encode(text: string): number[];
}

/** What of tokenizer.json (of the package `tokenizers`) is read. */
interface TokenizerFile {
  readonly model?: { readonly type?: unknown; readonly vocab?: unknown; readonly merges?: unknown };
  readonly added_tokens?: unknown;
}

/** GPT-2's pieces of text that tokens never cross; the white space is Unicode's, not JavaScript's. */
const SPACE = String.raw`\p{White_Space}`;
const PIECES = new RegExp(
  String.raw`'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}+| ?[^${SPACE}\p{L}\p{N}]+|${SPACE}+(?!\P{White_Space})|${SPACE}+`,
  "gu",
);

/** GPT-2's printable stand-in of each byte. */
function standIns(): string[] {
  let next = 256;
  const isPrintable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
}

/**
 * Reads a tokenizer.json.
 *
 * @param name of the file, for messages
 * @throws CallsiftError `weights/damaged`, `weights/foreign` where it is not that of a multilingual Whisper
 */
export function readTokenizer(json: string, name: string): Tokenizer {
  const foreign = (found: string) =>
    new CallsiftError("weights/foreign", `${name}: expected the tokens of a multilingual Whisper, found ${found}`);
  const file = parse(json, name);
  const vocabulary = file.model?.vocab;
  if (file.model?.type !== "BPE" || !isRecord(vocabulary)) throw foreign("no byte-pair encoding");
  const merges = mergesOf(file.model.merges);
  if (!merges) throw foreign("no list of merges");

  const ids = new Map<string, number>();
  for (const [token, id] of Object.entries(vocabulary)) {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id > 1_000_000)
      throw foreign(`a token ${JSON.stringify(token)} of id ${JSON.stringify(id)}`);
    ids.set(token, id);
  }
  const special = specialTokens(file.added_tokens, foreign);
  const characters = standIns();
  const byteOf = new Map(characters.map((character, byte) => [character, byte]));
  // Kept as they stand: 50,000 arrays of bytes would keep the garbage collector busy.
  const written: (string | undefined)[] = [];
  for (const [token, id] of ids) if (id < special.endOfText && [...token].every((character) => byteOf.has(character))) written[id] = token;

  let ranks: Map<string, number> | undefined;
  const known = new Map<string, readonly number[]>();
  function encodePiece(piece: string): readonly number[] {
    const before = known.get(piece);
    if (before) return before;
    ranks ??= new Map(merges?.map((pair, rank) => [pair, rank]));
    const parts = [...Buffer.from(piece)].map((byte) => characters[byte] as string);
    for (;;) {
      let best = Number.POSITIVE_INFINITY;
      let at = -1;
      for (let i = 0; i + 1 < parts.length; i++) {
        const rank = ranks.get(`${parts[i]} ${parts[i + 1]}`);
        if (rank !== undefined && rank < best) [best, at] = [rank, i];
      }
      if (at < 0) break;
      parts.splice(at, 2, `${parts[at]}${parts[at + 1]}`);
    }
    const encoded = parts.flatMap((part) => ids.get(part) ?? []);
    if (known.size < 10_000) known.set(piece, encoded);
    return encoded;
  }
  return {
    special,
    bytes: (token) => Uint8Array.from(written[token] ?? "", (character) => byteOf.get(character) as number),
    encode: (text) => (text.match(PIECES) ?? []).flatMap(encodePiece),
  };
}

function parse(json: string, name: string): TokenizerFile {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (cause) {
    throw new CallsiftError("weights/damaged", `${name}: expected JSON, found something that is not, or is cut`, { cause });
  }
  if (!isRecord(parsed)) throw new CallsiftError("weights/foreign", `${name}: expected a tokenizer, found other JSON`);
  return parsed;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Each as `left right`; newer files have pairs. */
function mergesOf(list: unknown): string[] | null {
  if (!Array.isArray(list) || list.length === 0) return null;
  const merges: string[] = [];
  for (const entry of list as unknown[]) {
    const merge = Array.isArray(entry) && entry.length === 2 ? entry.join(" ") : entry;
    if (typeof merge !== "string") return null;
    merges.push(merge);
  }
  return merges;
}

function specialTokens(list: unknown, foreign: (found: string) => CallsiftError): SpecialTokens {
  const ids = new Map<string, number>();
  for (const token of Array.isArray(list) ? (list as unknown[]) : []) {
    if (isRecord(token) && typeof token.content === "string" && typeof token.id === "number") ids.set(token.content, token.id);
  }
  const id = (...names: readonly string[]): number => {
    const found = names.map((name) => ids.get(`<|${name}|>`)).find((one) => one !== undefined);
    if (found === undefined) throw foreign(`no token <|${names[0]}|>`);
    return found;
  };
  return {
    endOfText: id("endoftext"),
    start: id("startoftranscript"),
    transcribe: id("transcribe"),
    translate: id("translate"),
    startOfPrevious: id("startofprev"),
    // Named nocaptions in the files of the older ones.
    noSpeech: id("nospeech", "nocaptions"),
    noTimestamps: id("notimestamps"),
    chinese: id("zh"),
    english: id("en"),
  };
}
