import { createHash } from "node:crypto";
import type { Transcriber } from "./asr/port.ts";
import type { Listener } from "./audio/listen.ts";
import { type OpenedRecording, type OpenOptions, openRecording, type RecordingSource } from "./audio/open.ts";
import { measure } from "./metrics.ts";
import { assignRoles, type RoleAssignment } from "./roles.ts";
import { type Earlier, judge } from "./rules/judge.ts";
import { listenedPhrases } from "./rules/listened-phrases.ts";
import type { Policy } from "./rules/policy.ts";
import { score as scoreForm } from "./scoring/score.ts";
import type { Screening } from "./screening.ts";
import { withStretchRoles } from "./stretch-roles.ts";
import { indexTranscript } from "./text/index-text.ts";
import { totalMs } from "./timeline.ts";
import { triage } from "./triage.ts";
import type { CallMetadata, HeardCall, Language, NoTranscript, Recording, Role, Sound, Span, Timings, Transcript } from "./types.ts";
import type { TwoVoices, VoiceSplit, VoiceSplitter } from "./voices/port.ts";

/**
 * Raised by hand whenever the same sound and words would give other spans, roles or findings than before:
 * stored results of an older pipeline are then known as such.
 */
export const PIPELINE_VERSION = 1;

/** A recording that is known, with what was said of it; nothing of it is decoded yet. */
export interface Ingested {
  readonly source: RecordingSource;
  readonly metadata: CallMetadata;
  readonly transcriptPath: string | Uint8Array | null;
  readonly agentChannel: 0 | 1 | "auto";
  readonly language: Language | "auto";
}

/** Its samples can be read, and have been listened to once: spans, tones, problems. */
export interface Transcoded extends Ingested, AsyncDisposable {
  readonly opened: OpenedRecording;
  readonly sound: Sound;
  readonly vadMs: number;
  /** Of the pass over the samples, the speech detector apart. */
  readonly levelsMs: number;
}

/**
 * Its words and roles are known as far as they can be. Plain JSON without samples: it can be stored, and scored again under other rules
 * without listening to the recording again.
 */
export interface Transcribed {
  readonly recording: Recording;
  /** Hash of what spans and words came from. */
  readonly recipe: string;
  readonly call: HeardCall;
  readonly roleConfidence: number;
  /** null where the sides have channels of their own, or nobody tried. */
  readonly voices: Screening["audio"]["voices"];
  readonly timings: Omit<Timings, "scoreMs" | "totalMs">;
}

/** What the stages need of the world; opened once, shared by all calls. */
export interface Deps {
  readonly listener: Listener;
  readonly transcriber: Transcriber;
  /** Tells the voices of mono calls apart; without it they stay `mixed`. */
  readonly voices?: VoiceSplitter;
  /** The rules of the call's language, with the form. */
  readonly policyFor: (language: Language) => Policy;
  readonly open?: Omit<OpenOptions, "signal">;
}

export interface StageOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds of sound listened to so far. */
  readonly onProgress?: (doneMs: number) => void;
}

/** Of a call whose words are recognised here, the share of the work that is done once it was listened to. */
const LISTEN_SHARE = 0.03;

/**
 * Samples per channel, and one pass over them: levels, speech, tones, the channel doctor.
 *
 * @throws CallsiftError `audio/…`, `vad/unavailable`, `aborted`
 */
export async function transcode(call: Ingested, deps: Deps, options: StageOptions = {}): Promise<Transcoded> {
  const opened = await openRecording(call.source, { ...deps.open, ...(options.signal && { signal: options.signal }) });
  try {
    const share = deps.transcriber.hearsSound ? LISTEN_SHARE : 1;
    const heard = await deps.listener.listen(opened.pcm, {
      ...(options.signal && { signal: options.signal }),
      ...(options.onProgress && { onProgress: (doneMs) => options.onProgress?.(doneMs * share) }),
      problems: opened.problems,
      truncated: opened.problems.some((problem) => problem.code === "truncated"),
    });
    return {
      ...call,
      opened,
      sound: heard.sound,
      vadMs: heard.vadMs,
      levelsMs: heard.listenMs - heard.vadMs,
      [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
    };
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Words with times, and which side is the agent.
 *
 * @throws CallsiftError `transcript/…`, `asr/…`, `aborted`
 */
export async function transcribe(transcoded: Transcoded, deps: Deps, options: StageOptions = {}): Promise<Transcribed> {
  const startedAt = performance.now();
  const { metadata, opened, sound } = transcoded;
  const signal = options.signal ? { signal: options.signal } : {};
  const voices = await tellVoices(transcoded, deps, signal);
  const { durationMs } = opened.recording;
  const found = await deps.transcriber.transcribe(
    {
      name: transcoded.source.name,
      pcm: opened.pcm,
      durationMs,
      sound,
      metadata,
      transcriptPath: transcoded.transcriptPath,
      ...(voices?.kind === "two-voices" && { voices: voices.voices }),
    },
    {
      language: transcoded.language,
      ...signal,
      listenFor: (language) => listenedPhrases(deps.policyFor(language).rules, language),
      onProgress: (share) => options.onProgress?.((LISTEN_SHARE + (1 - LISTEN_SHARE) * share) * durationMs),
    },
  );
  const language = transcoded.language === "auto" ? languageOf(found) : transcoded.language;
  const roles = assignRoles({
    layout: sound.layout,
    channels: sound.channels,
    transcript: found,
    metadata,
    option: transcoded.agentChannel,
    language,
    answeredAtMs: answeredAt(sound),
    ...(voices?.kind === "two-voices" && { voices: voices.voices }),
  });
  return {
    recording: opened.recording,
    recipe: recipeOf(deps),
    roleConfidence: roles.roleConfidence,
    voices: voicesOf(voices),
    timings: {
      probeMs: Math.round(opened.probeMs),
      transcodeMs: Math.round(opened.transcodeMs + transcoded.levelsMs),
      vadMs: Math.round(transcoded.vadMs),
      transcribeMs: Math.round(performance.now() - startedAt),
    },
    call: {
      language,
      durationMs,
      layout: sound.layout,
      roleSource: roles.roleSource,
      agentChannel: roles.agentChannel,
      metadata,
      problems: sound.problems,
      tones: sound.tones,
      channels: sound.channels,
      speech: speechByRole(sound, roles, voices),
      transcript: withStretchRoles(roles.transcript, roles),
    },
  };
}

/** What a call was judged to be before; its figures stay, since no rule has a say in them. */
export type EarlierScreening = Earlier & Pick<Screening, "metrics">;

/**
 * Findings, points and place in the queue: pure, milliseconds, and the same for the same call and policy.
 *
 * @param earlier what other rules found in the same call, where that is at hand: the same, sooner
 */
export function score(
  transcribed: Transcribed,
  { policyFor }: Pick<Deps, "policyFor">,
  earlier: EarlierScreening | null = null,
): Screening {
  const startedAt = performance.now();
  const { call, recording, recipe, roleConfidence, voices } = transcribed;
  const policy = policyFor(call.language);
  const text = "utterances" in call.transcript ? indexTranscript(call.transcript.utterances) : null;
  const { findings, notAssessed } = judge({ ...call, text }, policy, { roleConfidence, earlier });
  const points = scoreForm(policy.form, { findings, notAssessed, rules: policy.rules });
  const placed = triage({
    findings,
    notAssessed,
    score: points,
    layout: call.layout,
    problems: call.problems,
    metadata: call.metadata,
    rules: policy.rules,
  });
  const timings = { ...transcribed.timings, scoreMs: Math.round(performance.now() - startedAt) };
  return {
    schema: "callsift.screening/1",
    recording,
    status: "scored",
    error: null,
    recipe,
    policy: policyHash(policy),
    audio: {
      layout: call.layout,
      agentChannel: call.agentChannel,
      roleSource: call.roleSource,
      roleConfidence,
      problems: call.problems,
      tones: call.tones,
      voices,
      channels: call.channels.map(({ channel, speech, speechLevelDb, snrDb }) => ({ channel, speech, speechLevelDb, snrDb })),
    },
    speech: call.speech,
    transcript: call.transcript,
    metrics: earlier?.metrics ?? measure(call),
    findings,
    notAssessed,
    score: points,
    triage: placed,
    timings: { ...timings, totalMs: Object.values(timings).reduce((sum, ms) => sum + ms, 0) },
  };
}

/** The whole way in process: `score ∘ transcribe ∘ transcode`. */
export async function screen(call: Ingested, deps: Deps, options: StageOptions = {}): Promise<Screening> {
  await using transcoded = await transcode(call, deps, options);
  return score(await transcribe(transcoded, deps, options), deps);
}

/** The recipe of calls that are heard with these. */
export function recipeOf({ listener, transcriber, voices }: Pick<Deps, "listener" | "transcriber" | "voices">): string {
  return recipeHash(listener.recipe, transcriber.recipe, transcriber.hearsSound ? voices?.recipe : undefined);
}

/** Names what spans and words came from; a stored transcript of another recipe is another transcript. */
export function recipeHash(detector: string, recogniser: string, voices?: string): string {
  return sha256(JSON.stringify([PIPELINE_VERSION, detector, recogniser, ...(voices === undefined ? [] : [voices])]));
}

/** Names the rules and the form; a screening of another policy is another screening. */
export function policyHash(policy: Policy): string {
  const known = policyHashes.get(policy) ?? sha256(policy.canonical);
  policyHashes.set(policy, known);
  return known;
}

/** One policy judges thousands of calls. */
const policyHashes = new WeakMap<Policy, string>();

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function voicesOf(voices: VoiceSplit | null): Screening["audio"]["voices"] {
  if (!voices) return null;
  if (voices.kind === "two-voices") return { told: true, ...voices.confidence, reason: null };
  return { told: false, silhouette: voices.silhouette, eigengap: voices.eigengap, reason: voices.reason };
}

function languageOf(transcript: Transcript | NoTranscript): Language {
  return "utterances" in transcript ? transcript.language : "zh";
}

/** When the call was answered as far as the sound tells: after the last ring. */
function answeredAt(sound: Sound): number {
  return Math.max(0, ...sound.tones.filter(({ kind }) => kind === "ring-back").map(({ endMs }) => endMs));
}

/** The voices of a call whose two people share a channel, where its words are recognised here: roles come from what each voice says. */
async function tellVoices(
  { opened, sound }: Transcoded,
  { voices, transcriber }: Deps,
  options: { signal?: AbortSignal },
): Promise<VoiceSplit | null> {
  const [first] = sound.channels;
  const isShared = sound.layout === "mixed" || sound.layout === "dual-mono";
  if (!voices || !transcriber.hearsSound || !isShared || !first) return null;
  return voices.split(opened.pcm, sound, { channel: first.channel, ...options });
}

function speechByRole(
  sound: Sound,
  { agentChannel, agentSpeaker }: RoleAssignment,
  voices: VoiceSplit | null,
): Record<Role, readonly Span[]> | null {
  if (voices?.kind === "two-voices" && agentSpeaker !== null) return speechByVoice(voices, agentSpeaker);
  const agent = sound.channels.find(({ channel }) => channel === agentChannel);
  if (sound.layout !== "split" || !agent) return null;
  // More than two channels: the other side is whoever else speaks most (the doctor has named the rest `extra-channels`).
  const customer = sound.channels.filter((other) => other !== agent).sort((a, b) => totalMs(b.speech) - totalMs(a.speech))[0];
  return customer ? { agent: agent.speech, customer: customer.speech } : null;
}

function speechByVoice({ voices }: TwoVoices, agentSpeaker: string): Record<Role, readonly Span[]> {
  const [one, two] = voices;
  return one.speaker === agentSpeaker ? { agent: one.speech, customer: two.speech } : { agent: two.speech, customer: one.speech };
}
