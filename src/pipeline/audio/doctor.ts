import { lengthOf, overlap, subtract, totalMs, union } from "../timeline.ts";
import type { AudioProblem, ChannelSound, Layout, Sound, Span, Tone } from "../types.ts";
import { COMPARED_FFT, type WindowReader } from "./correlate.ts";
import { findLeak, type Leak, UNSURE_ABOVE_DB, withoutLeak } from "./cross-talk.ts";
import { findKeys } from "./dtmf.ts";
import { findFaults, pausesOf, signalToNoiseDb } from "./faults.ts";
import { createRealFft, type RealFft } from "./fft.ts";
import { findCopy } from "./layout.ts";
import { decibels, powerOver, speechLevels, tenth } from "./level.ts";
import { findMusic, meanOver } from "./music.ts";
import { type FoundTone, findBursts, isSine, nameBursts } from "./tones.ts";
import type { Measures } from "./tracks.ts";

/** What the streaming pass over a recording knows when it ends. */
export interface Examination {
  readonly measures: Measures;
  /** What the speech detector found, per channel, disjoint and ascending. */
  readonly speech: readonly (readonly Span[])[];
  /** Its probability, per channel, one every `hopMs`. */
  readonly probability: readonly Float32Array[];
  readonly hopMs: number;
  readonly durationMs: number;
  /** Hz. */
  readonly nativeRate: number;
  /** The file ends before its header says. */
  readonly truncated: boolean;
  /** Random access to the sound at 8 kHz, −1 … 1, zero where there is none. */
  window: WindowReader;
  /** Problems found before the sound was heard. */
  readonly inputProblems: readonly AudioProblem[];
}

/** A side with less speech than this did not take part, ms. */
const LEAST_SPEECH_MS = 300;
/** The detector goes on hearing a tone this long after it ended, ms; what it leaves of a span beside a tone is none if shorter than the second. */
const TONE_MARGIN_MS = 64;
const LEAST_REST_MS = 160;
/** Mean probability of speech up to which a pure tone is a beep. */
const MOST_PROBABLE_BEEP = 0.5;
/** Both sides heard this loudly on the other's channel: the channels are two mixtures, dB. */
const MIXED_ABOVE_DB = -3;

/** Says what kind of recording this is, what is wrong with it, and where each side really speaks. */
export function examine(input: Examination): Sound {
  const chosen = chooseChannels(input);
  const fft = createRealFft(COMPARED_FFT);
  const tones = new Map(chosen.map((channel) => [channel, tonesOf(input, channel)]));
  const voices = new Map(chosen.map((channel) => [channel, withoutTones(input.speech[channel] ?? [], tones.get(channel) ?? [])]));
  const levels = input.measures.channels.map((channel) => channel.levels);

  const copy = chosen.length === 2 && anySpeech(voices) ? findCopy(pick(levels, chosen), pairWindow(input.window, chosen), fft) : null;
  const leaks = chosen.length === 2 && !copy ? findLeaks(input, levels, chosen, tones, fft) : [];
  const mixed = leaks.length === 2 && leaks.every((leak) => leak.gainDb > MIXED_ABOVE_DB);
  if (copy) voices.set(chosen[1] as number, voices.get(chosen[0] as number) ?? []);
  else if (!mixed)
    for (const leak of leaks) {
      voices.set(leak.receiver, withoutLeak(levels, voices.get(leak.receiver) ?? [], leak));
      tones.set(leak.receiver, withoutLeakedTones(tones.get(leak.receiver) ?? [], tones.get(leak.source) ?? [], levels, leak));
    }
  const heard = copy ? chosen.slice(0, 1) : chosen;
  const foundTones = heard.flatMap((channel) => (tones.get(channel) ?? []).map((tone): Tone => shown(tone, channel)));

  const busy = chosen.flatMap((channel) => [
    ...(input.speech[channel] ?? []),
    ...(tones.get(channel) ?? []).map((tone): Span => [tone.startMs, tone.endMs]),
  ]);
  const pauses = pausesOf(busy, input.durationMs);
  const channels = chosen.map((channel) =>
    soundOf(
      input,
      channel,
      voices.get(channel) ?? [],
      pauses.length > 0 ? pauses : pausesOf(input.speech[channel] ?? [], input.durationMs),
    ),
  );
  return {
    layout: layoutOf(channels, copy !== null, mixed),
    channels,
    tones: foundTones.sort((a, b) => a.startMs - b.startMs || a.channel - b.channel),
    problems: [
      ...input.inputProblems,
      ...wholeProblems(input, chosen),
      ...leaks.map(crossTalk),
      ...channels.flatMap((sound) => {
        const measures = input.measures.channels[sound.channel];
        return measures ? findFaults({ channel: sound.channel, measures, sound, pauses }, input.window, fft) : [];
      }),
    ],
  };
}

/** All channels of one or two; of more, the two with the most speech, in order. */
function chooseChannels(input: Examination): number[] {
  const all = input.measures.channels.map((_, channel) => channel);
  if (all.length <= 2) return all;
  const bySpeech = all.toSorted((a, b) => totalMs(input.speech[b] ?? []) - totalMs(input.speech[a] ?? []) || a - b);
  return bySpeech.slice(0, 2).sort((a, b) => a - b);
}

function wholeProblems(input: Examination, chosen: readonly number[]): AudioProblem[] {
  const problems: AudioProblem[] = [];
  const count = input.measures.channels.length;
  if (count > 2)
    problems.push({
      code: "extra-channels",
      channel: null,
      detail: `${count} channels; ${chosen.join(" and ")} carry the most speech and are used`,
      unfit: false,
    });
  if (input.truncated && !input.inputProblems.some((problem) => problem.code === "truncated"))
    problems.push({
      code: "truncated",
      channel: null,
      detail: `the file ends at ${input.durationMs} ms, before its header says`,
      unfit: true,
    });
  return problems;
}

function tonesOf(input: Examination, channel: number): FoundTone[] {
  const measures = input.measures.channels[channel];
  if (!measures) return [];
  const { levels, spectra } = measures;
  const keys = findKeys(levels, spectra, input.window, channel);
  const bursts = findBursts(spectra, levels).filter((burst) => overlap([[burst.startMs, burst.endMs]], keys).length === 0);
  const probability = input.probability[channel] ?? new Float32Array(0);
  const named = nameBursts(
    bursts,
    levels,
    (burst) =>
      meanOver(probability, input.hopMs, [burst.startMs, burst.endMs]) <= MOST_PROBABLE_BEEP && isSine(burst, input.window, channel),
  );
  const music = findMusic({
    levels,
    spectra,
    probability,
    hopMs: input.hopMs,
    speech: input.speech[channel] ?? [],
    tones: [...keys, ...named.map((tone): Span => [tone.startMs - TONE_MARGIN_MS, tone.endMs + TONE_MARGIN_MS])],
  });
  // A note held within music is no beep.
  const plain = named.filter((tone) => tone.kind !== "beep" || overlap([[tone.startMs, tone.endMs]], music).length === 0);
  const spanned = (kind: "dtmf" | "music", spans: readonly Span[]): FoundTone[] =>
    spans.map((span) => ({ kind, startMs: span[0], endMs: span[1], sounding: [span] }));
  return [...plain, ...spanned("dtmf", keys), ...spanned("music", music)].sort((a, b) => a.startMs - b.startMs);
}

const shown = (tone: FoundTone, channel: number): Tone => ({ kind: tone.kind, channel, startMs: tone.startMs, endMs: tone.endMs });

function withoutTones(speech: readonly Span[], tones: readonly FoundTone[]): Span[] {
  const sounding = union(
    tones.flatMap((tone) => tone.sounding.map(([startMs, endMs]): Span => [startMs - TONE_MARGIN_MS, endMs + TONE_MARGIN_MS])),
  );
  const rest = subtract(speech, sounding);
  return rest.filter((span) => lengthOf(span) >= LEAST_REST_MS || !sounding.some((tone) => tone[0] <= span[1] && tone[1] >= span[0]));
}

/** A tone that sounds on both sides at once belongs to the side where it is louder. */
function withoutLeakedTones(
  received: readonly FoundTone[],
  sent: readonly FoundTone[],
  levels: readonly Uint8Array[],
  { source, receiver }: Leak,
): FoundTone[] {
  return received.filter((tone) => {
    const span: Span = [tone.startMs, tone.endMs];
    const same = overlap(
      [span],
      sent.filter((other) => other.kind === tone.kind).map((other): Span => [other.startMs, other.endMs]),
    );
    if (totalMs(same) < lengthOf(span) / 2) return true;
    return (powerOver(levels[receiver] as Uint8Array, same) ?? 0) > (powerOver(levels[source] as Uint8Array, same) ?? 0);
  });
}

function findLeaks(
  input: Examination,
  levels: readonly Uint8Array[],
  chosen: readonly number[],
  tones: ReadonlyMap<number, readonly FoundTone[]>,
  fft: RealFft,
): Leak[] {
  const [a, b] = chosen as [number, number];
  const toned = (channel: number) => (tones.get(channel) ?? []).map((tone): Span => [tone.startMs, tone.endMs]);
  return [findLeak(levels, toned(a), input.window, fft, a, b), findLeak(levels, toned(b), input.window, fft, b, a)].filter(
    (leak) => leak !== null,
  );
}

function crossTalk(leak: Leak): AudioProblem {
  const later = leak.delayMs >= 0 ? `${leak.delayMs} ms later` : `${-leak.delayMs} ms earlier`;
  return {
    code: "cross-talk",
    channel: leak.receiver,
    detail: `leak of channel ${leak.source}, ${leak.gainDb.toFixed(1)} dB, ${later}`,
    unfit: leak.gainDb > UNSURE_ABOVE_DB,
  };
}

function soundOf(input: Examination, channel: number, speech: readonly Span[], pauses: readonly Span[]): ChannelSound {
  const levels = input.measures.channels[channel]?.levels ?? new Uint8Array(0);
  const power = powerOver(levels, speech);
  return {
    channel,
    speech,
    speechLevels: speechLevels(levels, speech),
    speechLevelDb: power === null ? null : tenth(decibels(power)),
    snrDb: signalToNoiseDb(levels, speech, pauses),
  };
}

function layoutOf(channels: readonly ChannelSound[], copy: boolean, mixed: boolean): Layout {
  const speaking = channels.filter((sound) => totalMs(sound.speech) >= LEAST_SPEECH_MS).length;
  if (speaking === 0) return "silent";
  if (copy) return "dual-mono";
  if (channels.length === 1 || mixed) return "mixed";
  return speaking === 1 ? "one-sided" : "split";
}

const anySpeech = (voices: ReadonlyMap<number, readonly Span[]>) => [...voices.values()].some((spans) => totalMs(spans) >= LEAST_SPEECH_MS);

function pick(levels: readonly Uint8Array[], [a, b]: readonly number[]): [Uint8Array, Uint8Array] {
  return [levels[a as number] as Uint8Array, levels[b as number] as Uint8Array];
}

/** The window of a pair of channels, numbered 0 and 1. */
function pairWindow(window: WindowReader, chosen: readonly number[]): WindowReader {
  return (side, startMs, lengthMs) => window(chosen[side] as number, startMs, lengthMs);
}
