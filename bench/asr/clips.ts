import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readLine } from "../../fixtures/wave.ts";
import { planPieces } from "../../src/pipeline/asr/pieces.ts";
import { openRecording } from "../../src/pipeline/audio/open.ts";
import { openWindows } from "../../src/pipeline/audio/windows.ts";
import type { Language, Span } from "../../src/pipeline/types.ts";
import { overTelephone, raise } from "./noise.ts";
import type { Labelled } from "./sentences.ts";

/** A piece for a recogniser, with what is said in it. */
export interface HearPiece {
  /** Mono, 16 kHz. */
  readonly sound: Float32Array;
  readonly speech: readonly Span[];
}

/** A labelled clip: one piece, or several where it is long. */
export interface Clip {
  readonly id: string;
  readonly half: "a" | "b";
  readonly language: Language;
  readonly text: string;
  readonly pieces: readonly HearPiece[];
}

/** Clips of one kind. */
export interface LabelledSet {
  readonly name: string;
  readonly clips: readonly Clip[];
  /** Why there are none. */
  readonly absent: string | null;
}

const LINES = fileURLToPath(new URL("../../fixtures/lines/", import.meta.url));
const SHARED = fileURLToPath(new URL("../../../shared/data/", import.meta.url));
/** What pieces have before and after the speech. */
const PAD = 200 * 8;

/** Own sentences as clips. */
export function toClip({ id, half, samples, sentences, speech }: Labelled): Clip {
  return { id, half, language: "zh", text: sentences.map(({ text }) => text).join(""), pieces: [{ sound: raise(samples), speech }] };
}

/** The lines that fixture calls are made of, spoken naturally; robots are left out. */
export function fixtureLines(): Clip[] {
  const lines = JSON.parse(readFileSync(`${LINES}lines.json`, "utf8")) as {
    id: string;
    language: Language;
    voice: string;
    text: string;
    speech: Span[];
  }[];
  return lines
    .filter(({ voice }) => !voice.startsWith("espeak"))
    .map(({ id, language, text, speech }, n) => {
      const line = readLine(readFileSync(`${LINES}${id}.wav`));
      const samples = new Float64Array(line.length + 2 * PAD);
      samples.set(line, PAD);
      const placed = speech.map(([startMs, endMs]): Span => [startMs + 200, endMs + 200]);
      return { id, half: n % 2 === 0 ? "a" : "b", language, text, pieces: [{ sound: raise(overTelephone(samples, n)), speech: placed }] };
    });
}

interface Segment {
  readonly channelIndex: number;
  readonly start: number;
  readonly end: number;
  readonly speechStart: number;
  readonly speechEnd: number;
  readonly kind: string;
  readonly text: string;
  readonly source: string;
}

/** Files of shared/data/formats whose words are known. */
const KNOWN = [
  ["16k.wav", "zh", "北京科技馆"],
  ["16k.m4a", "zh", "北京科技馆"],
  ["16k-23850.amr", "zh", "北京科技馆"],
  ["asr_example.mp3", "zh", "欢迎大家来体验达摩院推出的语音识别模型"],
  ["whatstheweatherlike-mulaw.wav", "en", "What's the weather like?"],
] as const;

/** People's voices beside the project: parts of its three Mandarin calls, each source once, and files of known words. */
export async function humanClips(folder = SHARED): Promise<LabelledSet> {
  const name = "human clips";
  if (!existsSync(join(folder, "calls"))) return { name, clips: [], absent: "no ../shared/data beside the project" };
  const clips: Clip[] = [];
  const seen = new Set<string>();
  for (const call of ["zh_call_01_greeting_silence_interrupt", "zh_call_02_no_greeting", "zh_call_03_ringback_longmonologue"]) {
    const { segments } = JSON.parse(readFileSync(join(folder, "calls", `${call}.json`), "utf8")) as { segments: Segment[] };
    for (const segment of segments) {
      if (segment.kind !== "speech" || segment.source.startsWith("espeak") || seen.has(segment.source)) continue;
      seen.add(segment.source);
      const span: Span = [Math.round(segment.speechStart * 1000), Math.round(segment.speechEnd * 1000)];
      const pieces = await cutClip(join(folder, "calls", `${call}.wav`), segment.channelIndex, span);
      clips.push({ id: segment.source, half: clips.length % 2 === 0 ? "a" : "b", language: "zh", text: segment.text, pieces });
    }
  }
  for (const [file, language, text] of KNOWN) {
    const path = join(folder, "formats", file);
    if (existsSync(path))
      clips.push({ id: file, half: clips.length % 2 === 0 ? "a" : "b", language, text, pieces: await cutClip(path, 0, null) });
  }
  return { name, clips, absent: null };
}

/** A stretch of a channel in pieces as a call would be heard; null: the whole file. */
async function cutClip(path: string, channel: number, span: Span | null): Promise<HearPiece[]> {
  await using opened = await openRecording({ name: path.replace(/.*\//, ""), path });
  using windows = openWindows(opened.pcm, 16_000);
  const { durationMs } = opened.recording;
  const whole: Span = span ?? [0, durationMs];
  const speech = whole[1] - whole[0] <= 12_000 ? [whole] : spokenIn(windows.window(channel, whole[0], whole[1] - whole[0]), whole[0]);
  return planPieces(speech, durationMs, (fromMs, toMs) => (fromMs + toMs) / 2).map((piece) => ({
    sound: windows.window(channel, piece.startMs, piece.endMs - piece.startMs),
    speech: piece.speech.map(([startMs, endMs]): Span => [startMs - piece.startMs, endMs - piece.startMs]),
  }));
}

/** Stretches over pauses of 250 ms that are 34 dB below the loudest 20 ms. */
function spokenIn(samples: Float32Array, startMs: number): Span[] {
  const frame = 320;
  const energy = Array.from({ length: Math.floor(samples.length / frame) }, (_, f) => {
    let sum = 0;
    for (let i = f * frame; i < (f + 1) * frame; i++) sum += (samples[i] as number) ** 2;
    return sum;
  });
  const least = Math.max(...energy) * 10 ** -3.4;
  const spans: [number, number][] = [];
  energy.forEach((value, f) => {
    if (value < least) return;
    const last = spans.at(-1);
    const fromMs = startMs + f * 20;
    if (last && fromMs - last[1] < 250) last[1] = fromMs + 20;
    else spans.push([fromMs, fromMs + 20]);
  });
  return spans.filter(([from, to]) => to - from >= 100);
}
