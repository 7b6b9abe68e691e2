import type { NoTranscript, Role, Transcript } from "./types.ts";

/** Who the agent is, by channel or by voice; null where that is not known. */
export interface Agent {
  readonly agentChannel: number | null;
  readonly agentSpeaker: string | null;
}

/** Gives doubtful stretches and hearings the role of their channel or voice, as `assignRoles` gives it to utterances. */
export function withStretchRoles(transcript: Transcript | NoTranscript, agent: Agent): Transcript | NoTranscript {
  if (!("utterances" in transcript)) return transcript;
  const { doubtful, hearings } = transcript;
  const named = <T extends { readonly channel: number | null; readonly speaker?: string }>(stretch: T): T & { role: Role | null } => ({
    ...stretch,
    role: roleOf(stretch, agent),
  });
  return { ...transcript, ...(doubtful && { doubtful: doubtful.map(named) }), ...(hearings && { hearings: hearings.map(named) }) };
}

function roleOf({ channel, speaker }: { readonly channel: number | null; readonly speaker?: string }, agent: Agent): Role | null {
  if (channel !== null && agent.agentChannel !== null) return channel === agent.agentChannel ? "agent" : "customer";
  if (speaker !== undefined && agent.agentSpeaker !== null) return speaker === agent.agentSpeaker ? "agent" : "customer";
  return null;
}
