import { CallsiftError } from "../../errors.ts";
import { overlap, totalMs, union } from "../../timeline.ts";
import type { Sound, Span } from "../../types.ts";
import { createWithin } from "../within.ts";
import { agreement } from "./agreement.ts";
import type { ImportedUtterance } from "./imported.ts";

/** Clocks of recorders and recognisers differ by this much at most. */
const TOLERANCE_MS = 1_000;

/**
 * Utterances within the recording: what ends at most 1 s late is cut, what ends later is of another call.
 *
 * @throws CallsiftError `transcript/mismatch`
 */
export function clipToRecording(utterances: readonly ImportedUtterance[], durationMs: number): ImportedUtterance[] {
  return utterances.map((utterance) => {
    if (utterance.endMs <= durationMs) return utterance;
    if (utterance.endMs > durationMs + TOLERANCE_MS)
      throw new CallsiftError(
        "transcript/mismatch",
        `${utterance.where}: expected times within the recording of ${durationMs} ms, got an end at ${utterance.endMs} ms`,
      );
    return { ...utterance, startMs: Math.min(utterance.startMs, durationMs), endMs: durationMs };
  });
}

/**
 * Two utterances of one side at once: a second's touch is normal, one inside another is no account of what was said.
 * Utterances without role, channel or speaker may be of two sides, and are left alone.
 *
 * @param utterances ascending by start
 * @throws CallsiftError `transcript/invalid`
 */
export function refuseOverlaps(utterances: readonly ImportedUtterance[]): void {
  const open = new Map<string, ImportedUtterance[]>();
  for (const utterance of utterances) {
    const side = sideOf(utterance);
    if (side === null) continue;
    // Few can stay open: each overlaps the next by at most half of the shorter.
    const still = (open.get(side) ?? []).filter(({ endMs }) => endMs > utterance.startMs + TOLERANCE_MS);
    for (const earlier of still) {
      const sharedMs = Math.min(earlier.endMs, utterance.endMs) - utterance.startMs;
      const shorterMs = Math.min(earlier.endMs - earlier.startMs, utterance.endMs - utterance.startMs);
      if (sharedMs > TOLERANCE_MS && sharedMs > shorterMs / 2)
        throw new CallsiftError(
          "transcript/invalid",
          `${utterance.where}: expected utterances of one side (${side}) one after the other, got ${sharedMs} ms shared with ${earlier.where}`,
        );
    }
    still.push(utterance);
    open.set(side, still);
  }
}

function sideOf({ role, channel, speaker }: ImportedUtterance): string | null {
  if (channel !== null) return `channel ${channel}`;
  return role ?? (speaker === null ? null : `speaker ${speaker}`);
}

/** Fewer utterances, or less speech, prove nothing either way. */
const LEAST = { utterances: 3, speechMs: 3_000 };
/** Shares of a transcript of this recording are well above. */
const LEAST_SHARE = 0.3;

/**
 * Holds the transcript's times against the speech heard.
 *
 * @throws CallsiftError `transcript/mismatch` where they are of different calls
 */
export function refuseOtherCall(utterances: readonly ImportedUtterance[], sound: Sound, durationMs: number): void {
  const speech = relevantSpeech(utterances, sound);
  const speechMs = totalMs(speech);
  if (utterances.length < LEAST.utterances || speechMs < LEAST.speechMs) return;
  const written = union(utterances.map(({ startMs, endMs }): Span => [startMs, endMs]));
  const covered = totalMs(overlap(speech, written)) / speechMs;
  const within = createWithin(speech);
  const heard = utterances.filter(({ startMs, endMs }) => totalMs(within([startMs, endMs])) > 0).length / utterances.length;
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  if (heard < LEAST_SHARE)
    throw otherCall(`expected speech where the transcript has words, got it in ${percent(heard)} of the ${utterances.length} utterances`);
  if (covered < LEAST_SHARE)
    throw otherCall(`expected the transcript to cover the speech heard (${speechMs} ms), got ${percent(covered)} of it covered`);
  const fit = agreement(utterances, sound, durationMs);
  if (fit !== null && fit.correlation < fit.least)
    throw otherCall(`expected utterances that begin and end with the speech heard, got a correlation of ${fit.correlation.toFixed(2)}`);
}

function otherCall(what: string): CallsiftError {
  return new CallsiftError("transcript/mismatch", `${what}: it seems to be of another call`);
}

/** All speech; of a transcript with one side only, the speech of the channel it fits. */
function relevantSpeech(utterances: readonly ImportedUtterance[], { channels }: Sound): Span[] {
  const all = union(channels.flatMap(({ speech }) => speech));
  const sides = new Set(utterances.map(sideOf));
  if (sides.size !== 1 || sides.has(null) || channels.length < 2) return all;
  const written = utterances.map(({ startMs, endMs }): Span => [startMs, endMs]);
  const best = channels.map(({ speech }) => ({ speech, ms: totalMs(overlap(speech, written)) })).sort((a, b) => b.ms - a.ms)[0];
  return best && best.ms > 0 ? union(best.speech) : all;
}
