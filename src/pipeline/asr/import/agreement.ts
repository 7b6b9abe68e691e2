import { lengthOf, overlap, totalMs, union } from "../../timeline.ts";
import type { Sound, Span } from "../../types.ts";
import type { ImportedUtterance } from "./imported.ts";

/**
 * How well the times of a transcript go with the speech heard: the correlation (phi coefficient) of "the transcript has words now"
 * and "speech is heard now", over the sides of the call apart where both are known. Coverage alone tells little: in a call that is
 * 80 % speech, any other call's transcript covers 80 % of it.
 *
 * Limits from simulated calls with pauses, coarse cues, clock offsets to 0.3 s and 5 % of speech missed. By side, transcripts of the
 * call itself came to 0.51 or more at any length (0.48 with one side leaking wholly into the other); those of another call stayed
 * below 0.35 in nine of ten calls of 16 turns, in 19 of 20 of 24 turns and in all but 1 % of 48. Without sides only calls from
 * 2 min on can be told (0.18 or more against 0.11).
 */
export interface Agreement {
  /** −1 to 1. */
  readonly correlation: number;
  /** Below this it is another call's. */
  readonly least: number;
}

const BY_SIDE = { least: 0.35, utterances: 5, windowMs: 20_000 };
const AS_A_WHOLE = { least: 0.1, utterances: 5, windowMs: 120_000 };
/** A side that is speech, or words, nearly always has no pattern to compare. */
const MOST_FILLED = 0.9;

/** The correlation and its limit, null where the call is too short or too uniform to tell. */
export function agreement(utterances: readonly ImportedUtterance[], { layout, channels }: Sound, durationMs: number): Agreement | null {
  const spans = utterances.map(({ startMs, endMs }): Span => [startMs, endMs]);
  const speech = channels.flatMap((channel) => channel.speech);
  const everything = union([...spans, ...speech], durationMs);
  const window = everything[0];
  if (!window) return null;
  const windowMs = lengthOf(window);
  const whole = phi([count(spans, speech, windowMs)]);
  const sides = layout === "split" ? bySide(utterances, channels.slice(0, 2), windowMs) : null;
  if (sides !== null && utterances.length >= BY_SIDE.utterances && windowMs >= BY_SIDE.windowMs)
    return { correlation: Math.max(sides, whole ?? sides), least: BY_SIDE.least };
  if (sides === null && whole !== null && utterances.length >= AS_A_WHOLE.utterances && windowMs >= AS_A_WHOLE.windowMs)
    return { correlation: whole, least: AS_A_WHOLE.least };
  return null;
}

/** Of the two ways labels can lie on the channels, the better one. */
function bySide(utterances: readonly ImportedUtterance[], channels: Sound["channels"], windowMs: number): number | null {
  const labels = new Map<string, Span[]>();
  for (const { role, channel, speaker, startMs, endMs } of utterances) {
    const label = channel === null ? (role ?? speaker) : `channel ${channel}`;
    if (label === null) return null;
    const spans = labels.get(label);
    if (spans) spans.push([startMs, endMs]);
    else labels.set(label, [[startMs, endMs]]);
  }
  const [first, second] = [...labels.values()];
  const [left, right] = channels;
  if (labels.size !== 2 || !first || !second || !left || !right) return null;
  const straight = phi([count(first, left.speech, windowMs), count(second, right.speech, windowMs)]);
  const crossed = phi([count(first, right.speech, windowMs), count(second, left.speech, windowMs)]);
  return straight === null || crossed === null ? null : Math.max(straight, crossed);
}

interface Count {
  readonly bothMs: number;
  readonly wordsMs: number;
  readonly speechMs: number;
  readonly windowMs: number;
}

function count(words: readonly Span[], speech: readonly Span[], windowMs: number): Count {
  return { bothMs: totalMs(overlap(words, speech)), wordsMs: totalMs(union(words)), speechMs: totalMs(union(speech)), windowMs };
}

function phi(counts: readonly Count[]): number | null {
  if (counts.some(({ wordsMs, speechMs, windowMs }) => Math.max(wordsMs, speechMs) > MOST_FILLED * windowMs)) return null;
  const sum = (field: keyof Count) => counts.reduce((total, each) => total + each[field], 0);
  const [both, words, speech, window] = [sum("bothMs"), sum("wordsMs"), sum("speechMs"), sum("windowMs")];
  const spread = words * (window - words) * speech * (window - speech);
  return spread > 0 ? (both * window - words * speech) / Math.sqrt(spread) : null;
}
