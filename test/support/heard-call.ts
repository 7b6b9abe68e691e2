import type { OperatorCall } from "../../src/pipeline/operators/define.ts";
import { indexTranscript } from "../../src/pipeline/text/index-text.ts";
import type { ChannelSound, DoubtfulStretch, HeardCall, Hearing, Role, Span, Utterance, Word } from "../../src/pipeline/types.ts";

/** An utterance as cases write it: who, when, what. */
export type ShortUtterance = Pick<Utterance, "startMs" | "endMs" | "text"> & Partial<Utterance>;

/** A call as cases write it: of a HeardCall only what matters. */
export interface ShortCall extends Partial<Omit<HeardCall, "transcript" | "channels">> {
  readonly channels?: readonly Partial<ChannelSound>[];
  /** Without it the call has no transcript. */
  readonly utterances?: readonly ShortUtterance[];
  readonly doubtful?: readonly DoubtfulStretch[];
  readonly hearings?: readonly Hearing[];
}

/**
 * The whole call: channel 0 is the agent's, speech is where utterances are unless given, words are spread evenly over their
 * utterance, and the recording ends a second after the last sound.
 */
export function heardCall(short: ShortCall): HeardCall {
  const { language = "zh", utterances, channels: shortChannels = [], doubtful, hearings, ...rest } = short;
  const layout = rest.layout ?? "split";
  const full = utterances?.map((utterance) => fillUtterance(utterance, language));
  const side = (role: Role): Span[] => (full ?? []).filter((one) => one.role === role).map(({ startMs, endMs }): Span => [startMs, endMs]);
  const speech = rest.speech !== undefined ? rest.speech : layout === "split" ? { agent: side("agent"), customer: side("customer") } : null;
  const agentChannel = rest.agentChannel !== undefined ? rest.agentChannel : speech ? 0 : null;
  const base = speech
    ? [speech.agent, speech.customer]
    : layout === "split"
      ? [[], []]
      : [(full ?? []).map(({ startMs, endMs }): Span => [startMs, endMs])];
  const channels = Array.from({ length: Math.max(base.length, shortChannels.length) }, (_, channel): ChannelSound => {
    const spans = speech && agentChannel === 1 ? [...base].reverse()[channel] : base[channel];
    return { channel, speech: spans ?? [], speechLevels: [], speechLevelDb: null, snrDb: null, ...shortChannels[channel] };
  });
  const lastMs = Math.max(0, ...channels.flatMap((one) => one.speech.map(([, endMs]) => endMs)), ...(full ?? []).map(({ endMs }) => endMs));
  return {
    durationMs: lastMs + 1000,
    roleSource: "option",
    metadata: {},
    problems: [],
    tones: [],
    ...rest,
    language,
    layout,
    agentChannel,
    speech,
    channels,
    transcript: full
      ? { engine: "import", model: null, language, utterances: full, ...(doubtful && { doubtful }), ...(hearings && { hearings }) }
      : { status: "not-available", reason: "no words in this case" },
  };
}

/** The call as operators get it. */
export function operatorCall(short: ShortCall): OperatorCall {
  const call = heardCall(short);
  return { ...call, text: "utterances" in call.transcript ? indexTranscript(call.transcript.utterances) : null };
}

function fillUtterance(short: ShortUtterance, language: HeardCall["language"]): Utterance {
  const { startMs, endMs, text } = short;
  const parts = language === "en" ? (text.match(/[\p{L}\p{N}'-]+/gu) ?? []) : (text.match(/[\p{Script=Han}]|[\p{L}\p{N}]+/gu) ?? []);
  const at = (i: number) => Math.round(startMs + ((endMs - startMs) * i) / parts.length);
  const words = parts.map((part, i): Word => ({ text: part, startMs: at(i), endMs: at(i + 1) }));
  const role = short.role ?? null;
  return { channel: role === null ? null : role === "agent" ? 0 : 1, confidence: null, words, timing: "exact", ...short, role };
}
