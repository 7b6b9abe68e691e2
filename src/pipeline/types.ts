/**
 * The plain data that flows through the pipeline. Every time is an integer number of milliseconds from the start of
 * the recording, every span is half-open.
 */

/** Half-open `[startMs, endMs)`, integer milliseconds from the start of the recording. */
export type Span = readonly [startMs: number, endMs: number];

export type Role = "agent" | "customer";
export type Language = "zh" | "en";
export type Severity = "notice" | "general" | "serious" | "fatal";
export type Layout = "split" | "mixed" | "dual-mono" | "one-sided" | "silent";
export type RoleSource = "option" | "metadata" | "transcript" | "speech" | "none";

/** Samples on disk that this process can read at random: a WAV-like body of one known encoding. */
export interface PcmFile {
  /** A path, as bytes where the name is not valid UTF-8. */
  readonly path: string | Uint8Array;
  readonly encoding: "u8" | "s16" | "s24" | "s32" | "f32" | "f64" | "mulaw" | "alaw";
  readonly bigEndian: boolean;
  /** Hz, native. */
  readonly sampleRate: number;
  readonly channels: number;
  /** Bytes from the start of the file to the first sample. */
  readonly dataOffset: number;
  /** Whole frames (one sample per channel) that are really in the file. */
  readonly frames: number;
}

/** What is known of a call beside its sound (contracts.md §3). */
export interface CallMetadata {
  readonly callId?: string;
  readonly agentId?: string;
  readonly agentName?: string;
  readonly team?: string;
  readonly queue?: string;
  readonly product?: string;
  readonly direction?: string;
  /** ISO 8601. */
  readonly startedAt?: string;
  readonly answeredAt?: string;
  readonly endedAt?: string;
  readonly customerNumber?: string;
  readonly hangupParty?: "agent" | "customer" | "system";
  readonly satisfaction?: number;
  readonly agentChannel?: 0 | 1;
  readonly tags?: readonly string[];
  /** Two one-channel files of one call, paths relative to the metadata file. */
  readonly legs?: { readonly agent: string; readonly customer: string };
}

export interface Recording {
  readonly name: string;
  /** Hex; of the legs' bytes one after the other (agent, customer) where the call has two files. */
  readonly sha256: string;
  readonly bytes: number;
  /** ffmpeg's name of the codec, e.g. `pcm_mulaw`. */
  readonly codec: string;
  /** Hz, native. */
  readonly sampleRate: number;
  readonly channels: number;
  readonly durationMs: number;
}

export const PROBLEM_CODES = [
  "clipping",
  "dc-offset",
  "too-low",
  "too-hot",
  "hum",
  "noise",
  "drop-outs",
  "upsampled",
  "truncated",
  "cross-talk",
  "extra-channels",
] as const;
export type ProblemCode = (typeof PROBLEM_CODES)[number];

export interface AudioProblem {
  readonly code: ProblemCode;
  /** null where it concerns the whole recording. */
  readonly channel: number | null;
  /** Human, with the measured figure and its unit, e.g. `leak of channel 1, -18.2 dB, 12 ms later`. */
  readonly detail: string;
  /** True when evidence taken from this sound is unfit (rules decide which by `unfitFor`); false = worth a note only. */
  readonly unfit: boolean;
}

export const TONE_KINDS = ["ring-back", "busy", "dtmf", "fax", "beep", "music"] as const;
export type ToneKind = (typeof TONE_KINDS)[number];

export interface Tone {
  readonly kind: ToneKind;
  readonly channel: number;
  readonly startMs: number;
  readonly endMs: number;
}

/** Level of speech over one stretch of at most ~1 s. */
export interface SpeechLevel {
  readonly startMs: number;
  readonly endMs: number;
  /** RMS in dB relative to a full-scale square wave (0 dB = full scale). */
  readonly levelDb: number;
}

/** What listening to one channel found; plain and small, whatever the length of the call. */
export interface ChannelSound {
  readonly channel: number;
  /** Speech of this channel's own speaker: leaks of the other side, tones and music are already taken out. Disjoint, ascending. */
  readonly speech: readonly Span[];
  readonly speechLevels: readonly SpeechLevel[];
  /** RMS of the speech, dBFS; null where there is none. */
  readonly speechLevelDb: number | null;
  /** Speech against pauses, dB; null where it cannot be told. */
  readonly snrDb: number | null;
}

/** What listening to a recording found, before any word or role. */
export interface Sound {
  readonly layout: Layout;
  readonly channels: readonly ChannelSound[];
  /** Disjoint per channel and kind, ascending by start. */
  readonly tones: readonly Tone[];
  readonly problems: readonly AudioProblem[];
}

export interface Word {
  /** One Chinese character or one word of a spaced script. */
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly confidence?: number;
}

export interface Utterance {
  readonly role: Role | null;
  readonly channel: number | null;
  /** A diarisation label of the source, e.g. `spk0`, where it names speakers but neither roles nor channels. */
  readonly speaker?: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly text: string;
  /** 0–1; null where the source gives none. */
  readonly confidence: number | null;
  /** Never empty for a non-empty text; in text order. */
  readonly words: readonly Word[];
  /** `estimated`: the source had no word times, they were spread over the utterance. */
  readonly timing: "exact" | "estimated";
  /** What the engine says beside the words, e.g. `emotion`, `event`, `language`; never part of the text. */
  readonly tags?: Readonly<Record<string, string>>;
}

/** Why a recogniser's text is kept for people to see, but is no evidence. */
export const DOUBTS = [
  /** The same words again and again until the length limit. */
  "loop",
  /** Text where nobody speaks. */
  "no-speech",
  /** Subtitle credits and the like, which recognisers learned from films. */
  "credits",
  "too-much-text",
  "too-little-text",
  "foreign-script",
  /** It begins with the recogniser's own prompt. */
  "prompt",
  "low-confidence",
  /** The engine failed on this piece, or ran out of time. */
  "failed",
] as const;
export type Doubt = (typeof DOUBTS)[number];

/** A stretch of speech whose words are not known well enough to be evidence; `text` is what the engine wrote, perhaps nothing. */
export interface DoubtfulStretch {
  readonly role: Role | null;
  readonly channel: number | null;
  readonly speaker?: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly text: string;
  readonly confidence: number | null;
  readonly doubt: Doubt;
}

/** A rule's own wording judged on the sound itself (the second listen). */
export interface Hearing {
  readonly role: Role | null;
  readonly channel: number | null;
  readonly speaker?: string;
  /** Of the words in whose place the wording was judged. */
  readonly startMs: number;
  readonly endMs: number;
  /** The phrase as a rule lists it: what its matches are named by. */
  readonly phrase: string;
  /** The words that were judged, one of the ways to say the phrase. */
  readonly wording: string;
  /** What the recogniser had written there. */
  readonly written: string;
  /** `confirm`: the text has the phrase, and the sound was decoded again. `search`: the text has something that sounds like it. */
  readonly check: "confirm" | "search";
  readonly said: boolean;
  /** Natural logarithm of how much likelier the wording is than the text that was written; null where it was not measured so. */
  readonly margin: number | null;
}

export interface Transcript {
  readonly engine: string;
  readonly model: string | null;
  readonly language: Language;
  /** The recogniser leaves 嗯, 那个, um out: that they are not written says nothing. */
  readonly dropsHesitations?: true;
  /** Ascending by start. */
  readonly utterances: readonly Utterance[];
  /** Ascending by start; not part of the text, but what rules cannot know about. */
  readonly doubtful?: readonly DoubtfulStretch[];
  /** Ascending by start. */
  readonly hearings?: readonly Hearing[];
}

export interface NoTranscript {
  readonly status: "not-available";
  readonly reason: string;
}

/** Time is spent here, not counted: absent in comparisons of two runs. */
export interface Timings {
  readonly probeMs: number;
  readonly transcodeMs: number;
  readonly vadMs: number;
  readonly transcribeMs: number;
  readonly scoreMs: number;
  readonly totalMs: number;
}

/** What operators see: everything that is known of the call, with roles. Plain JSON, so that a case folder can hold it. */
export interface HeardCall {
  readonly language: Language;
  readonly durationMs: number;
  readonly layout: Layout;
  readonly roleSource: RoleSource;
  readonly agentChannel: number | null;
  readonly metadata: CallMetadata;
  readonly problems: readonly AudioProblem[];
  readonly tones: readonly Tone[];
  readonly channels: readonly ChannelSound[];
  /** null where the sides of the call cannot be told apart (layout not split, or no roles). */
  readonly speech: Readonly<Record<Role, readonly Span[]>> | null;
  readonly transcript: Transcript | NoTranscript;
}

/** A stretch of the call that shows something, as an operator reports it. */
export interface Detection {
  readonly role: Role | null;
  readonly startMs: number;
  readonly endMs: number;
  /** What was really written, where words are the evidence. */
  readonly quote: string | null;
  /** 0–1, before the role's own uncertainty. */
  readonly confidence: number;
  /** Heard by sound only, or otherwise too weak to deduct by itself. */
  readonly weak?: boolean;
  /** The parameters and measurements that mattered, units in the names; also the values of the message template. */
  readonly data: Readonly<Record<string, string | number | boolean | null>>;
}

/** A detection under a rule: evidence for a person (contracts.md §2). */
export interface Finding extends Omit<Detection, "weak"> {
  /** `f1`, `f2`, … in order of start, then rule id. */
  readonly id: string;
  readonly rule: string;
  readonly ruleVersion: number;
  readonly operator: string;
  readonly severity: Severity;
  /** false: shown and queued, deducts nothing until a person confirms it. */
  readonly counts: boolean;
}

export interface NotAssessed {
  readonly rule: string;
  /** Kebab-case code, e.g. `no-transcript`, `roles-unknown`, `audio-unfit`. */
  readonly reason: string;
  /** For people: what exactly is missing or unfit. */
  readonly detail?: string;
}

export interface Metrics {
  readonly agentTalkMs: number | null;
  readonly customerTalkMs: number | null;
  readonly overlapMs: number | null;
  /** Neither side speaks, from the first speech to the last. */
  readonly silenceMs: number;
  readonly longestSilenceMs: number;
  readonly firstAgentSpeechMs: number | null;
  /** Chinese characters (zh) or words (en) a minute of agent speech. */
  readonly agentCharsPerMinute: number | null;
  readonly turns: number | null;
  /** The sides were told apart by their voices: what needs both is an estimate. */
  readonly estimated?: true;
}

export interface ScoreItem {
  readonly item: string;
  readonly points: number | null;
  readonly max: number;
  readonly by: "machine" | "person";
  readonly status: "assessed" | "not-assessed" | "not-applicable" | "awaiting-person";
  /** Ids of the findings behind the points. */
  readonly findings: readonly string[];
  readonly group?: string;
  readonly reason?: string;
}

export interface Score {
  readonly form: string;
  readonly version: number;
  readonly total: number;
  readonly max: number;
  readonly band: string;
  readonly fatal: boolean;
  /** false while an item is not assessed or waits for a person. */
  readonly complete: boolean;
  readonly items: readonly ScoreItem[];
}

export interface Triage {
  readonly queue: "review" | "pass" | "unusable";
  /** 0–100, higher first. */
  readonly priority: number;
  /** Rule ids or kebab-case codes, most important first. */
  readonly reasons: readonly string[];
}
