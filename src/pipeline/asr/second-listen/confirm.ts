import type { TextMatch } from "../../text/index-text.ts";
import type { Span, Utterance } from "../../types.ts";
import { type HeardPiece, RECOGNISER_RATE } from "../recogniser.ts";
import type { Judged, PlacedPiece, SecondListenOptions } from "./placed-piece.ts";
import { type Candidate, candidatesIn, isSaid, matchesIn, type Weighed, weighAll } from "./search.ts";
import type { ReadyPhrase } from "./wordings.ts";

/** What is heard again lies so far around the words. */
const AROUND_MS = 2_500;
/** Hits nearer than this are heard again together. */
const TOGETHER_MS = 1_500;
/** Silence put before a piece that cannot be cut otherwise. */
const LEAD_MS = 330;

interface Hit {
  readonly phrase: ReadyPhrase;
  readonly match: TextMatch;
}

/** Decodes again, cut otherwise and at another level, the seconds around phrases that the text has. */
export async function confirmHits(piece: PlacedPiece, hits: readonly Hit[], options: SecondListenOptions): Promise<Judged[]> {
  const judged: Judged[] = [];
  for (const near of together(hits)) {
    const last = near.reduce((endMs, { match }) => Math.max(endMs, match.endMs), 0);
    const sound = soundAround(piece, [(near[0] as Hit).match.startMs, last], options.recogniser.maxPieceMs);
    for (const { phrase, match, said, margin } of await hearAgain(sound, near, options)) {
      const { startMs, endMs, quote } = match;
      judged.push({ startMs, endMs, phrase: phrase.phrase.source, wording: quote, written: quote, check: "confirm", said, margin });
    }
  }
  return judged;
}

/** Hits side by side, in groups. */
function together(hits: readonly Hit[]): Hit[][] {
  const groups: Hit[][] = [];
  let reachMs = Number.NEGATIVE_INFINITY;
  for (const hit of [...hits].sort((a, b) => a.match.startMs - b.match.startMs)) {
    if (hit.match.startMs > reachMs + TOGETHER_MS) groups.push([]);
    groups.at(-1)?.push(hit);
    reachMs = Math.max(reachMs, hit.match.endMs);
  }
  return groups;
}

/** Begins and ends between words, never both where the piece does, and is twice or half as loud. */
function soundAround({ sound, startMs, utterances }: PlacedPiece, [fromMs, toMs]: Span, maxPieceMs: number): Float32Array {
  const lengthMs = (sound.length * 1000) / RECOGNISER_RATE;
  const words = utterances.flatMap((utterance: Utterance) => utterance.words);
  const begins = words.map((word) => word.startMs).filter((ms) => ms >= fromMs - AROUND_MS && ms <= fromMs);
  const ends = words.map((word) => word.endMs).filter((ms) => ms <= toMs + AROUND_MS && ms >= toMs);
  const first = words[0]?.startMs ?? startMs;
  const final = words.at(-1)?.endMs ?? startMs + lengthMs;
  // The words at the piece's own ends keep the pauses that are there.
  const begin = begins.length === 0 ? fromMs - AROUND_MS : Math.min(...begins) <= first ? startMs : Math.min(...begins);
  const end = ends.length === 0 ? toMs + AROUND_MS : Math.max(...ends) >= final ? startMs + lengthMs : Math.max(...ends);
  const at = (ms: number): number => Math.min(Math.max(Math.round(((ms - startMs) * RECOGNISER_RATE) / 1000), 0), sound.length);
  const cut = sound.subarray(at(begin), Math.max(at(end), at(begin) + 1));
  const whole = cut.length === sound.length && lengthMs + LEAD_MS <= maxPieceMs;
  const lead = whole ? Math.round((LEAD_MS * RECOGNISER_RATE) / 1000) : 0;
  const peak = cut.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  const gain = peak * 2 < 1 ? 2 : 0.5;
  const again = new Float32Array(lead + cut.length);
  for (let i = 0; i < cut.length; i++) again[lead + i] = (cut[i] as number) * gain;
  return again;
}

interface Heard extends Hit {
  readonly said: boolean;
  readonly margin: number | null;
}

/** Said where the second text has the phrase, as written or by sound, or where it is likely enough there. */
async function hearAgain(sound: Float32Array, hits: readonly Hit[], options: SecondListenOptions): Promise<Heard[]> {
  const { recogniser, language, signal, timeoutMs } = options;
  const heard = await recogniser.hear(sound, {
    language,
    keep: true,
    ...(signal && { signal }),
    ...(timeoutMs !== undefined && { timeoutMs }),
  });
  try {
    const results: Heard[] = [];
    for (const hit of hits) {
      results.push({ ...hit, ...(await judgeHit(hit.phrase, heard)) });
    }
    return results;
  } finally {
    heard.release();
  }
}

async function judgeHit(phrase: ReadyPhrase, heard: HeardPiece): Promise<Pick<Heard, "said" | "margin">> {
  const matches = matchesIn(heard.text, phrase.loud);
  if (matches.length === 0) {
    const best = await likeliest(heard, [phrase]);
    return { said: best !== null && isSaid(best), margin: best && rounded(best.margin) };
  }
  // 保证 is not said where 保证金 is, though 保证今 is written.
  const longer = await likeliest(heard, phrase.excepts, ({ start, end }) =>
    matches.some((match) => match.start < end && start < match.end),
  );
  return { said: longer === null || !isSaid(longer), margin: null };
}

/** The likeliest of what the text does not have but sounds like; null where there is none, or the engine cannot tell. */
async function likeliest(
  heard: HeardPiece,
  phrases: readonly ReadyPhrase[],
  fits: (candidate: Candidate) => boolean = () => true,
): Promise<Weighed | null> {
  if (!heard.weigh || heard.text === "") return null;
  const weighed = await weighAll(heard.text, candidatesIn(heard, phrases, () => []).filter(fits), heard.weigh);
  return weighed.sort((a, b) => b.margin - a.margin)[0] ?? null;
}

/** Two decimals; null for what is no number. */
export function rounded(margin: number): number | null {
  return Number.isFinite(margin) ? Math.round(margin * 100) / 100 : null;
}
