import { gaps, totalMs, union } from "../timeline.ts";
import type { ChannelSound, Layout, Role, Span } from "../types.ts";
import { createWithin, type Within } from "./within.ts";

/** What attribution needs of an utterance. */
export interface Placed {
  readonly role: Role | null;
  readonly channel: number | null;
  /** A diarisation label, where the transcript has neither role nor channel. */
  readonly speaker?: string | null;
  readonly startMs: number;
  readonly endMs: number;
}

export interface Attribution {
  /** Per utterance, in order: the channel it was spoken on, null where that cannot be told. */
  readonly channels: readonly (number | null)[];
  /**
   * How much better the labels (roles or speakers) fit the channels this way than the other way round: 1 is a perfect fit, 0 none.
   * null where nothing was matched by time.
   */
  readonly fit: number | null;
}

/** Utterances of one label, e.g. all of the agent's. */
interface Group {
  readonly members: number[];
  readonly spans: readonly Span[];
}

/** Below this the labels fit one channel hardly better than the other. */
const LEAST_FIT = 0.25;
/** An utterance without a label needs this share of its speech on one channel. */
const LEAST_SHARE = 0.65;

/** One channel's speech, ready to be asked about. */
interface Side {
  readonly channel: number;
  readonly speech: readonly Span[];
  readonly within: Within;
}

/**
 * On which channel each utterance was spoken: the one the transcript gives, else by time against each channel's own speech.
 * Labels (agent and customer, or two speakers) are matched as wholes, so that a few utterances over cross-talk or overlap don't
 * turn them; time at which both sides speak says nothing and is left out.
 */
export function attributeChannels(utterances: readonly Placed[], layout: Layout, sounds: readonly ChannelSound[]): Attribution {
  const channels = utterances.map(({ channel }) => channel);
  if ((layout !== "split" && layout !== "one-sided") || sounds.length < 2) return { channels, fit: null };
  const all = sounds.map(({ channel, speech }) => sideOf(channel, speech));
  const alone = sounds.map(({ channel, speech }) => {
    const others = sounds.filter((other) => other.channel !== channel).flatMap((other) => other.speech);
    const taken = createWithin(others);
    return sideOf(
      channel,
      speech.flatMap((span) => gaps(taken(span), span)),
    );
  });
  const matched = matchGroups(groupsOf(utterances), alone);
  for (const { group, channel } of matched.pairs) for (const member of group.members) channels[member] = channel;
  for (const [i, utterance] of utterances.entries()) {
    if (channels[i] !== null || keyOf(utterance) !== null) continue;
    channels[i] = likeliest([spanOf(utterance)], alone) ?? likeliest([spanOf(utterance)], all);
  }
  return { channels, fit: matched.fit };
}

function sideOf(channel: number, speech: readonly Span[]): Side {
  return { channel, speech, within: createWithin(speech) };
}

function keyOf({ role, speaker }: Placed): string | null {
  return role ?? (speaker === null || speaker === undefined ? null : `speaker ${speaker}`);
}

function groupsOf(utterances: readonly Placed[]): Group[] {
  const members = new Map<string, number[]>();
  for (const [i, utterance] of utterances.entries()) {
    const key = keyOf(utterance);
    if (key === null || utterance.channel !== null) continue;
    const known = members.get(key);
    if (known) known.push(i);
    else members.set(key, [i]);
  }
  return [...members.values()].map((indices) => ({ members: indices, spans: union(indices.map((i) => spanOf(utterances[i] as Placed))) }));
}

function spanOf({ startMs, endMs }: Placed): Span {
  return [startMs, endMs];
}

interface Match {
  readonly pairs: readonly { readonly group: Group; readonly channel: number }[];
  readonly fit: number | null;
}

function matchGroups(groups: readonly Group[], sounds: readonly Side[]): Match {
  const [first, second] = groups;
  if (!first) return { pairs: [], fit: null };
  const [left, right] = [...sounds]
    .sort((a, b) => totalMs(b.speech) - totalMs(a.speech))
    .slice(0, 2)
    .sort((a, b) => a.channel - b.channel);
  if (!second || groups.length > 2 || !left || !right) {
    const pairs = groups.flatMap((group) => {
      const channel = likeliest(group.spans, sounds);
      return channel === null ? [] : [{ group, channel }];
    });
    return { pairs, fit: pairs.length > 0 ? LEAST_SHARE : null };
  }
  const straightMs = sharedMs(first.spans, left) + sharedMs(second.spans, right);
  const crossedMs = sharedMs(first.spans, right) + sharedMs(second.spans, left);
  const totalSharedMs = straightMs + crossedMs;
  const fit = totalSharedMs > 0 ? Math.abs(straightMs - crossedMs) / totalSharedMs : 0;
  if (fit < LEAST_FIT) return { pairs: [], fit };
  const [ofFirst, ofSecond] = straightMs > crossedMs ? [left, right] : [right, left];
  return {
    pairs: [
      { group: first, channel: ofFirst.channel },
      { group: second, channel: ofSecond.channel },
    ],
    fit,
  };
}

function sharedMs(spans: readonly Span[], { within }: Side): number {
  return spans.reduce((sum, span) => sum + totalMs(within(span)), 0);
}

/** The channel that holds most of the speech within the spans, null where none clearly does. */
function likeliest(spans: readonly Span[], sounds: readonly Side[]): number | null {
  const shares = sounds.map((side) => ({ channel: side.channel, ms: sharedMs(spans, side) })).sort((a, b) => b.ms - a.ms);
  const total = shares.reduce((sum, { ms }) => sum + ms, 0);
  const best = shares[0];
  return best && total > 0 && best.ms >= LEAST_SHARE * total ? best.channel : null;
}
