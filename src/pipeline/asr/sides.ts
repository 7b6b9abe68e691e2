import { gaps, subtract, union } from "../timeline.ts";
import type { Span } from "../types.ts";
import type { ToTranscribe } from "./port.ts";

/** One speaker to be heard alone. */
export interface Side {
  /** The channel that is listened to. */
  readonly soundChannel: number;
  /** As utterances carry it: null where the channel does not tell who speaks. */
  readonly channel: number | null;
  readonly speaker: string | null;
  /** Disjoint, ascending. */
  readonly speech: readonly Span[];
  /** Where others are heard on this channel between this side's own speech: not for the recogniser's ears. */
  readonly mute: readonly Span[];
}

/**
 * The speakers of a call as far as they can be told apart: a channel each, or a voice each, or all of a mono call as one.
 * A recogniser never hears two of them at once.
 */
export function sidesOf({ sound, voices = [] }: Pick<ToTranscribe, "sound" | "voices">): Side[] {
  const { layout, channels } = sound;
  const apart = layout === "split" || layout === "one-sided";
  if (apart) {
    const leaks = sound.problems.some(({ code }) => code === "cross-talk");
    return channels.map(({ channel, speech }) => {
      const others = leaks ? channels.filter((other) => other.channel !== channel).flatMap((other) => other.speech) : [];
      return { soundChannel: channel, channel, speaker: null, speech, mute: subtract(others, speech) };
    });
  }
  const [first] = channels;
  if (!first) return [];
  if (voices.length > 0) {
    return voices.map(({ channel, speaker, speech }) => {
      const others = voices.filter((other) => other.speaker !== speaker).flatMap((other) => other.speech);
      return { soundChannel: channel, channel: null, speaker, speech, mute: subtract(others, speech) };
    });
  }
  // Both channels of a dual-mono recording hold the same: one is enough.
  return [{ soundChannel: first.channel, channel: null, speaker: null, speech: first.speech, mute: [] }];
}

/** The part of the mute spans that keeps clear of the side's own speech, whose edges are only known to some milliseconds. */
export function muteWithin(side: Side, window: Span): Span[] {
  const own = union(side.speech.map(([startMs, endMs]): Span => [startMs - EDGE_MS, endMs + EDGE_MS]));
  return gaps(own, window).flatMap((free) => subtract([free], gaps(side.mute, free)));
}

const EDGE_MS = 80;
