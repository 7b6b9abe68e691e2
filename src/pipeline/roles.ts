import { attributeChannels } from "./asr/attribute.ts";
import type { VoiceSpeech } from "./asr/port.ts";
import { type Lean, leanOf } from "./role-wording.ts";
import { totalMs, union } from "./timeline.ts";
import type { CallMetadata, ChannelSound, Language, Layout, NoTranscript, Role, RoleSource, Span, Transcript, Utterance } from "./types.ts";

export interface RoleInput {
  readonly layout: Layout;
  readonly channels: readonly ChannelSound[];
  readonly transcript: Transcript | NoTranscript;
  readonly metadata: CallMetadata;
  /** What the user said: the agent's channel, or that callsift should find it. */
  readonly option: 0 | 1 | "auto";
  readonly language: Language;
  /** When the call was answered (after ring-back); speech before it is not the parties'. */
  readonly answeredAtMs?: number;
  /** The two voices of a channel that carries both people, where they could be told apart. */
  readonly voices?: readonly VoiceSpeech[];
}

export interface RoleAssignment {
  /** null where the sides cannot be told, or share a channel. */
  readonly agentChannel: number | null;
  /** The agent's label, where the sides share a channel and are told apart by speakers; else null. */
  readonly agentSpeaker: string | null;
  readonly roleSource: RoleSource;
  /** 0–1: how sure it is who is who; 0 where nobody is. */
  readonly roleConfidence: number;
  /** With role and channel on every utterance where they are known. */
  readonly transcript: Transcript | NoTranscript;
}

/** Two sources that contradict each other leave this much. */
const CONTRADICTED = 0.5;
/** Shares of talking time that must agree before labels or channels decide. */
const MAJORITY = 0.7;

/**
 * Which channel is the agent, by the first that tells: option, metadata (or legs: the agent's file is channel 0), the transcript
 * (its labels, else its wording), who speaks first after the call was answered.
 *
 * The order decides the sound. Words follow it where the transcript gives a channel; a role that a transcript gives without a
 * channel stays as it was written, since its author knew who spoke. Where the two contradict each other the confidence says so.
 *
 * Where both parties share a channel (`mixed`, `dual-mono`) no channel is the agent's, whatever option or metadata say; roles then
 * stand on the utterances only.
 */
export function assignRoles(input: RoleInput): RoleAssignment {
  const { layout, channels, transcript } = input;
  const utterances = "utterances" in transcript ? transcript.utterances : [];
  const apart = (layout === "split" || layout === "one-sided") && channels.length > 1;
  if (!apart) return rolesOnWordsOnly(input, utterances);
  const placed = attributeChannels(utterances, layout, channels);
  const onChannels = utterances.map((utterance, i): Utterance => ({ ...utterance, channel: placed.channels[i] ?? null }));
  const labelled = byLabels(onChannels, channels, placed.fit);
  const worded = byWording(onChannels, input);
  const decided = byOption(input) ?? byMetadata(input) ?? labelled ?? worded ?? byFirstSpeech(input);
  if (!decided)
    return {
      agentChannel: null,
      agentSpeaker: null,
      roleSource: "none",
      roleConfidence: 0,
      transcript: withUtterances(transcript, onChannels),
    };
  const contradicted =
    (labelled !== null && labelled.agentChannel !== decided.agentChannel) ||
    (labelled === null && worded !== null && worded.roleConfidence > 0.8 && worded.agentChannel !== decided.agentChannel);
  return {
    agentChannel: decided.agentChannel,
    agentSpeaker: null,
    roleSource: decided.roleSource,
    roleConfidence: round(contradicted ? Math.min(decided.roleConfidence, CONTRADICTED) : decided.roleConfidence),
    transcript: withUtterances(
      transcript,
      onChannels.map((utterance, i) => withRole(utterance, decided, utterances[i]?.channel ?? null)),
    ),
  };
}

interface Decision {
  readonly agentChannel: number;
  readonly roleSource: Exclude<RoleSource, "none">;
  readonly roleConfidence: number;
}

function byOption({ option }: RoleInput): Decision | null {
  return option === "auto" ? null : { agentChannel: option, roleSource: "option", roleConfidence: 1 };
}

function byMetadata({ metadata }: RoleInput): Decision | null {
  const agentChannel = metadata.legs ? 0 : metadata.agentChannel;
  return agentChannel === undefined ? null : { agentChannel, roleSource: "metadata", roleConfidence: 1 };
}

/** Roles that the transcript names, on the channels it names or that its times fit. */
function byLabels(utterances: readonly Utterance[], channels: readonly ChannelSound[], fit: number | null): Decision | null {
  const votes = new Map<number, number>();
  for (const { role, channel, startMs, endMs } of utterances) {
    if (role === null || channel === null) continue;
    const agentChannel = role === "agent" ? channel : otherChannel(channel, channels);
    if (agentChannel !== null) votes.set(agentChannel, (votes.get(agentChannel) ?? 0) + Math.max(1, endMs - startMs));
  }
  const total = [...votes.values()].reduce((sum, ms) => sum + ms, 0);
  const [agentChannel, ms] = [...votes].sort((a, b) => b[1] - a[1])[0] ?? [0, 0];
  if (total === 0 || ms < MAJORITY * total) return null;
  // A fit of 1 is seldom reached: people talk over each other, and recognisers pad their times.
  const sure = fit === null ? 1 : Math.min(1, 0.6 + fit / 2);
  return { agentChannel, roleSource: "transcript", roleConfidence: sure * (ms / total) };
}

/** With two sides there is one other; with more the one that speaks most. */
function otherChannel(channel: number, channels: readonly ChannelSound[]): number | null {
  const others = channels.filter((other) => other.channel !== channel).sort((a, b) => totalMs(b.speech) - totalMs(a.speech));
  return others[0]?.channel ?? null;
}

/** How agents talk against how customers talk, channel by channel. */
function byWording(utterances: readonly Utterance[], { channels, answeredAtMs }: RoleInput): Decision | null {
  const leans = channels
    .map(({ channel }) => ({
      channel,
      lean: leanOf(
        utterances.filter((utterance) => utterance.channel === channel),
        answeredAtMs,
      ),
    }))
    .filter(({ lean }) => lean.utterances > 0)
    .sort((a, b) => b.lean.score - a.lean.score);
  const [best, next] = [leans[0], leans.at(-1)];
  if (!best || !next) return null;
  if (leans.length === 1) {
    const role = roleAlone(best.lean);
    const agentChannel = role === "customer" ? otherChannel(best.channel, channels) : best.channel;
    return role === null || agentChannel === null ? null : wordingDecision(agentChannel, Math.abs(best.lean.score));
  }
  const margin = best.lean.score - next.lean.score;
  return margin >= LEAST_MARGIN ? wordingDecision(best.channel, margin) : null;
}

/** Points of wording between the sides below which it could be chance: one greeting, or two service phrases. */
const LEAST_MARGIN = 2;

/** Without the other side to compare with, a side must show more. */
const LEAST_ALONE = 1.5 * LEAST_MARGIN;

function roleAlone({ score }: Lean): Role | null {
  return score >= LEAST_ALONE ? "agent" : score <= -LEAST_ALONE ? "customer" : null;
}

function wordingDecision(agentChannel: number, margin: number): Decision {
  return { agentChannel, roleSource: "transcript", roleConfidence: certainty(margin) };
}

/** 0.75 at the least margin, towards 0.98 as evidence adds up. */
function certainty(margin: number): number {
  return 0.98 - 0.23 * Math.exp(-(margin - LEAST_MARGIN) / 3);
}

const OUTBOUND = /^(?:out|呼出|外呼|去电)/i;
const LEAST_ONSET_MS = 300;
/** Who starts so close together started together. */
const LEAST_LEAD_MS = 200;
const FIRST_SPEECH_CONFIDENCE = 0.6;

/**
 * Inbound, the agent greets first once the call is answered; outbound, the customer answers (喂？) and the agent is the other.
 * Only a guess: callers do say 喂 first.
 */
function byFirstSpeech({ layout, channels, metadata, answeredAtMs = 0 }: RoleInput): Decision | null {
  if (layout !== "split") return null;
  const onsets = channels
    .flatMap(({ channel, speech }) => {
      const first = speech.find(([startMs, endMs]) => endMs - Math.max(startMs, answeredAtMs) >= LEAST_ONSET_MS);
      return first ? [{ channel, startMs: Math.max(first[0], answeredAtMs) }] : [];
    })
    .sort((a, b) => a.startMs - b.startMs);
  const [first, second] = onsets;
  if (!first || !second || second.startMs - first.startMs < LEAST_LEAD_MS) return null;
  return { agentChannel: (isOutbound(metadata) ? second : first).channel, roleSource: "speech", roleConfidence: FIRST_SPEECH_CONFIDENCE };
}

function isOutbound({ direction }: CallMetadata): boolean {
  return OUTBOUND.test(direction?.trim() ?? "");
}

/** The role of the utterance's channel; a label without a channel of its own stays. */
function withRole(utterance: Utterance, { agentChannel, roleSource }: Decision, givenChannel: number | null): Utterance {
  const { role, channel } = utterance;
  const bound = givenChannel !== null && (roleSource === "option" || roleSource === "metadata");
  if (role !== null && !bound) return utterance;
  return channel === null ? utterance : { ...utterance, role: channel === agentChannel ? "agent" : "customer" };
}

/** Both parties on one channel: the transcript's own roles, or what its speakers say, or which of two voices speaks first. */
function rolesOnWordsOnly(input: RoleInput, utterances: readonly Utterance[]): RoleAssignment {
  const { transcript, answeredAtMs, voices = [] } = input;
  const nobody = { agentChannel: null, agentSpeaker: null };
  if (utterances.some(({ role }) => role !== null)) return { ...nobody, roleSource: "transcript", roleConfidence: 1, transcript };
  // A voice whose words were not understood is a speaker all the same.
  const speakers = new Map<string, Utterance[]>(voices.map(({ speaker }) => [speaker, []]));
  for (const utterance of utterances) {
    const key = keyOf(utterance);
    if (key !== null) speakers.set(key, [...(speakers.get(key) ?? []), utterance]);
  }
  const decided = speakers.size === 2 ? (speakerByWording(speakers, answeredAtMs) ?? speakerByFirstTurn(speakers, input)) : null;
  if (!decided) return { ...nobody, roleSource: "none", roleConfidence: 0, transcript };
  const named = utterances.map((utterance): Utterance => {
    const key = keyOf(utterance);
    return key === null ? utterance : { ...utterance, role: key === decided.key ? "agent" : "customer" };
  });
  const isLabel = voices.some(({ speaker }) => speaker === decided.key) || utterances.some(({ speaker }) => speaker === decided.key);
  return {
    agentChannel: null,
    agentSpeaker: isLabel ? decided.key : null,
    roleSource: decided.roleSource,
    roleConfidence: round(decided.roleConfidence),
    transcript: withUtterances(transcript, named),
  };
}

interface SpeakerDecision {
  readonly key: string;
  readonly roleSource: "transcript" | "speech";
  readonly roleConfidence: number;
}

/** Who spoke: the label, else the channel; null where neither is known. */
function keyOf({ speaker, channel }: Utterance): string | null {
  return speaker ?? (channel === null ? null : `channel ${channel}`);
}

function speakerByWording(speakers: ReadonlyMap<string, readonly Utterance[]>, answeredAtMs: number | undefined): SpeakerDecision | null {
  const leans = [...speakers].map(([key, said]) => ({ key, lean: leanOf(said, answeredAtMs) })).sort((a, b) => b.lean.score - a.lean.score);
  const [best, next] = leans;
  if (!best || !next) return null;
  const margin = best.lean.score - next.lean.score;
  const isAlone = leans.some(({ lean }) => lean.utterances === 0);
  if (margin < (isAlone ? LEAST_ALONE : LEAST_MARGIN)) return null;
  return { key: best.key, roleSource: "transcript", roleConfidence: certainty(margin) };
}

/** Pauses inside a turn, ms. */
const TURN_PAUSE_MS = 300;
/** Of two voices told apart in one channel, shorter turns are given to the wrong one too often. */
const LEAST_TURN_MS = 1000;

/** As `byFirstSpeech`, for two voices that were told apart in one channel; others' labels say too little of how they were found. */
function speakerByFirstTurn(
  speakers: ReadonlyMap<string, readonly Utterance[]>,
  { metadata, answeredAtMs = 0, voices = [] }: RoleInput,
): SpeakerDecision | null {
  if (![...speakers.keys()].every((key) => key.startsWith("voice-"))) return null;
  const onsets = [...speakers]
    .flatMap(([key, said]) => {
      const speech = voices.find(({ speaker }) => speaker === key)?.speech ?? said.map(({ startMs, endMs }): Span => [startMs, endMs]);
      const first = union(speech, TURN_PAUSE_MS).find(([startMs, endMs]) => endMs - Math.max(startMs, answeredAtMs) >= LEAST_TURN_MS);
      return first ? [{ key, startMs: Math.max(first[0], answeredAtMs) }] : [];
    })
    .sort((a, b) => a.startMs - b.startMs);
  const [first, second] = onsets;
  if (!first || !second || second.startMs - first.startMs < LEAST_LEAD_MS) return null;
  return { key: (isOutbound(metadata) ? second : first).key, roleSource: "speech", roleConfidence: FIRST_SPEECH_CONFIDENCE };
}

function withUtterances(transcript: Transcript | NoTranscript, utterances: readonly Utterance[]): Transcript | NoTranscript {
  return "utterances" in transcript ? { ...transcript, utterances } : transcript;
}

/** Two decimals: enough for people, and the same on every machine. */
function round(confidence: number): number {
  return Math.round(confidence * 100) / 100;
}
