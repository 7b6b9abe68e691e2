import type { Span } from "../types.ts";

/** A stretch of one speaker's sound that a recogniser hears at once. */
export interface Piece {
  /** Of the sound, a little silence around the speech included. */
  readonly startMs: number;
  readonly endMs: number;
  /** The speaker's speech in it: disjoint, ascending. */
  readonly speech: readonly Span[];
  /** It goes on, over a short overlap, where the one before was cut inside speech. */
  readonly continues: boolean;
}

export interface PieceOptions {
  /** Pieces are filled up to here. */
  readonly targetMs: number;
  /** A piece shorter than this takes the next stretch even if that makes it longer than the target. */
  readonly leastMs: number;
  /** Longest piece. */
  readonly mostMs: number;
  /** Never over a longer silence than this. */
  readonly gapMs: number;
  /** Sound before and after the speech: recognisers miss onsets that begin at once. */
  readonly padMs: number;
  /** Sound that both pieces hear where speech had to be cut. */
  readonly overlapMs: number;
}

/** Recognisers are at their best with 8 to 12 s, and twice as slow with 2 s (docs/benchmarks.md). */
export const PIECE_DEFAULTS: PieceOptions = {
  targetMs: 12_000,
  leastMs: 8_000,
  mostMs: 20_000,
  gapMs: 1_500,
  padMs: 200,
  overlapMs: 600,
};

/** Where a stretch that is too long is cut: the quietest moment between the two, ms. */
export type QuietestMs = (fromMs: number, toMs: number) => number;

/**
 * Gathers one speaker's speech into pieces.
 *
 * @param speech disjoint, ascending
 * @param durationMs of the recording: no piece reaches beyond
 */
export function planPieces(
  speech: readonly Span[],
  durationMs: number,
  quietestMs: QuietestMs,
  options: Partial<PieceOptions> = {},
): Piece[] {
  const settings = { ...PIECE_DEFAULTS, ...options };
  const { targetMs, leastMs, gapMs, mostMs } = settings;
  const longestMs = mostMs - 2 * settings.padMs;
  const pieces: Piece[] = [];
  let gathered: Span[] = [];
  const close = () => {
    if (gathered.length > 0) pieces.push(...padded(gathered, pieces.at(-1), durationMs, settings));
    gathered = [];
  };
  for (const span of speech) {
    const startMs = gathered[0]?.[0];
    const endMs = gathered.at(-1)?.[1];
    if (startMs !== undefined && endMs !== undefined) {
      const lengthMs = span[1] - startMs;
      const fits = lengthMs <= targetMs || (endMs - startMs < leastMs && lengthMs <= longestMs);
      if (span[0] - endMs > gapMs || !fits) close();
    }
    if (span[1] - span[0] <= longestMs) gathered.push(span);
    else {
      const cuts = cutSpan(span, quietestMs, settings);
      pieces.push(...cuts.map((piece) => ({ ...piece, endMs: Math.min(piece.endMs, durationMs) })));
    }
  }
  close();
  return pieces;
}

function padded(speech: readonly Span[], before: Piece | undefined, durationMs: number, { padMs }: PieceOptions): Piece[] {
  const head = speech[0];
  const tail = speech.at(-1);
  if (!head || !tail) return [];
  return [
    {
      // Not into what the piece before has heard as speech.
      startMs: Math.max(0, head[0] - padMs, Math.min(before?.speech.at(-1)?.[1] ?? 0, head[0])),
      endMs: Math.min(durationMs, tail[1] + padMs),
      speech,
      continues: false,
    },
  ];
}

/** A stretch without any pause, in pieces that overlap a little about its quietest moments. */
function cutSpan([startMs, endMs]: Span, quietestMs: QuietestMs, { targetMs, leastMs, mostMs, padMs, overlapMs }: PieceOptions): Piece[] {
  const half = overlapMs / 2;
  const pieces: Piece[] = [];
  let fromMs = startMs;
  while (endMs - fromMs > mostMs - 2 * padMs - half) {
    // What is left must not become a stump either.
    const latestMs = Math.min(fromMs + mostMs - padMs - overlapMs, endMs - leastMs / 2);
    const cutMs = Math.round(quietestMs(fromMs + leastMs, Math.max(Math.min(latestMs, fromMs + targetMs + leastMs / 2), fromMs + leastMs)));
    pieces.push(cutPiece(fromMs, cutMs, pieces.length > 0));
    fromMs = cutMs;
  }
  pieces.push(cutPiece(fromMs, endMs, true));
  return pieces;

  function cutPiece(pieceStartMs: number, pieceEndMs: number, continues: boolean): Piece {
    const isLast = pieceEndMs === endMs;
    return {
      startMs: Math.max(0, continues ? pieceStartMs - half : pieceStartMs - padMs),
      endMs: isLast ? pieceEndMs + padMs : pieceEndMs + half,
      speech: [[pieceStartMs, pieceEndMs]],
      continues,
    };
  }
}
