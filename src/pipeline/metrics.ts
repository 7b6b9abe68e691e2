import { countUnits } from "./text/index-text.ts";
import { gaps, overlap, totalMs, union } from "./timeline.ts";
import type { HeardCall, Metrics, Role, Span } from "./types.ts";

/** Pauses up to this long belong to a turn, ms. */
const PAUSE_MS = 600;

/** Figures of a call that are no fault by themselves: talk shares, silence, pace, turns (domain.md D-23). Pure. */
export function measure(call: HeardCall): Metrics {
  const { speech } = call;
  const all = union([...call.channels.flatMap((channel) => channel.speech), ...(speech ? [...speech.agent, ...speech.customer] : [])]);
  const head = all[0];
  const tail = all.at(-1);
  const silences = head && tail ? gaps(all, [head[0], tail[1]]) : [];
  const sides = speech ?? spokenSides(call);
  return {
    agentTalkMs: speech ? totalMs(union(speech.agent)) : null,
    customerTalkMs: speech ? totalMs(union(speech.customer)) : null,
    overlapMs: speech ? totalMs(overlap(speech.agent, speech.customer)) : null,
    silenceMs: totalMs(silences),
    longestSilenceMs: silences.reduce((longest, [startMs, endMs]) => Math.max(longest, endMs - startMs), 0),
    firstAgentSpeechMs: sides ? (union(sides.agent)[0]?.[0] ?? null) : null,
    agentCharsPerMinute: agentPace(call, sides?.agent ?? []),
    turns: sides ? countTurns(sides) : null,
    ...(speech && call.layout !== "split" && { estimated: true as const }),
  };
}

/** Where the transcript says that each side spoke; null where it doesn't say who. */
function spokenSides({ transcript }: HeardCall): Readonly<Record<Role, Span[]>> | null {
  if (!("utterances" in transcript)) return null;
  const sides: Record<Role, Span[]> = { agent: [], customer: [] };
  for (const { role, startMs, endMs } of transcript.utterances) if (role) sides[role].push([startMs, endMs]);
  return sides.agent.length + sides.customer.length > 0 ? sides : null;
}

function agentPace({ transcript, language }: HeardCall, agentSpeech: readonly Span[]): number | null {
  const talkMs = totalMs(union(agentSpeech));
  if (!("utterances" in transcript) || talkMs === 0) return null;
  let units = 0;
  for (const { role, text } of transcript.utterances) if (role === "agent") units += countUnits(text, language);
  return Math.round((units * 60_000) / talkMs);
}

/** How often the floor changes hands, plus one: stretches of one side in order of their start. */
function countTurns(sides: Readonly<Record<Role, readonly Span[]>>): number {
  const starts = (["agent", "customer"] as const).flatMap((role) => union(sides[role], PAUSE_MS).map(([startMs]) => ({ role, startMs })));
  starts.sort((a, b) => a.startMs - b.startMs || (a.role < b.role ? -1 : 1));
  return starts.filter(({ role }, i) => starts[i - 1]?.role !== role).length;
}
