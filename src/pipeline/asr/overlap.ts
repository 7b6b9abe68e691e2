import { normalise } from "../text/normalise.ts";
import type { PieceText } from "./assemble.ts";
import type { HeardToken } from "./recogniser.ts";

/** Tokens about the cut that are compared: what fits into the shared sound, and a little of error in the times. */
const MOST_SHARED = 8;
/** The same token lies at the same time in both pieces, to this much. */
const TOLERANCE_MS = 500;

/**
 * Two pieces that heard the same short stretch about a cut, so that each of its words stands in one of them only: where both wrote the same words
 * there, they are parted in the middle of those; otherwise each word belongs to the side of the cut that its middle lies on.
 */
export function partOverlap(before: PieceText, after: PieceText): [PieceText, PieceText] {
  const cutMs = after.piece.speech[0]?.[0] ?? after.piece.startMs;
  const left = before.heard.tokens;
  const right = after.heard.tokens;
  const shared = sharedRun(before, after);
  const [leftEnd, rightStart] = shared ?? [
    firstAtOrAfter(left, cutMs - before.piece.startMs) ?? left.length,
    firstAtOrAfter(right, cutMs - after.piece.startMs) ?? (right.some(isTimed) ? right.length : 0),
  ];
  return [withTokens(before, left.slice(0, leftEnd)), withTokens(after, right.slice(rightStart))];
}

function withTokens(piece: PieceText, tokens: readonly HeardToken[]): PieceText {
  return { ...piece, heard: { ...piece.heard, tokens } };
}

function isTimed({ startMs, endMs }: HeardToken): boolean {
  return startMs !== null && endMs !== null;
}

function middleOf({ startMs, endMs }: HeardToken): number | null {
  return startMs === null || endMs === null ? null : (startMs + endMs) / 2;
}

function firstAtOrAfter(tokens: readonly HeardToken[], ms: number): number | null {
  const at = tokens.findIndex((token) => (middleOf(token) ?? Number.NEGATIVE_INFINITY) >= ms);
  return at < 0 ? null : at;
}

/** Where to part the longest run of tokens that ends the first piece and begins the second one: `[end of the first, start of the second]`. */
function sharedRun(before: PieceText, after: PieceText): [number, number] | null {
  const left = before.heard.tokens;
  const right = after.heard.tokens;
  const offset = Math.max(0, left.length - MOST_SHARED);
  const same = (i: number, j: number): boolean => {
    const a = left[i] as HeardToken;
    const b = right[j] as HeardToken;
    const plain = normalise(a.text).text;
    if (plain === "" || plain !== normalise(b.text).text) return false;
    const [aMs, bMs] = [middleOf(a), middleOf(b)];
    return aMs === null || bMs === null || Math.abs(aMs + before.piece.startMs - (bMs + after.piece.startMs)) <= TOLERANCE_MS;
  };
  let best: { i: number; j: number; length: number } | null = null;
  for (let i = offset; i < left.length; i++) {
    for (let j = 0; j < Math.min(MOST_SHARED, right.length); j++) {
      let length = 0;
      while (i + length < left.length && j + length < right.length && same(i + length, j + length)) length++;
      if (length > (best?.length ?? 0)) best = { i, j, length };
    }
  }
  if (!best) return null;
  const half = Math.ceil(best.length / 2);
  return [best.i + half, best.j + half];
}
