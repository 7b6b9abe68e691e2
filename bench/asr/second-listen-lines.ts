import { existsSync, readFileSync } from "node:fs";
import { gain } from "../../fixtures/synth.ts";
import { createResampler } from "../../src/pipeline/audio/resample.ts";
import { addNoiseOf, overTelephone, raise, rms } from "./noise.ts";
import { placedPieces, readClips, readSentences } from "./sentences.ts";

const SPOKEN = new URL("../results/second-listen/", import.meta.url);
/** Thresholds were chosen on the first, of that on its odd lines. */
export const LISTS = {
  chosen: { file: "second-listen.tsv", prefix: "" },
  held: { file: "second-listen-held.tsv", prefix: "held-" },
} as const;
const SPOKEN_RATE = 24_000;
const RATE = 8_000;
/** Before and after the speech, ms. */
export const PAD_MS = 200;
const LEVEL_DB = -22;

/** A line as it comes out of a telephone. */
export interface Line {
  readonly number: number;
  readonly about: string;
  readonly snrDb: number | null;
  readonly text: string;
  readonly sound: Float32Array;
}

/** The lines as they come out of a telephone, the same on every machine. */
export function readLines({ file: list, prefix }: (typeof LISTS)[keyof typeof LISTS]): Line[] {
  const rows = readFileSync(new URL(list, import.meta.url), "utf8")
    .split("\n")
    .filter((row) => row !== "" && !row.startsWith("#"));
  return rows.map((row, i) => {
    const [about = "", , , snr = "-", text = ""] = row.split("\t");
    const number = i + 1;
    const file = new URL(`${prefix}${String(number).padStart(3, "0")}.wav`, SPOKEN);
    if (!existsSync(file)) throw new Error(`expected line ${number} to be spoken, see the head of bench/second-listen.ts`);
    const snrDb = snr === "-" ? null : Number(snr);
    return { number, about, snrDb, text, sound: telephone(readFileSync(file), snrDb, number) };
  });
}

function telephone(file: Buffer, snrDb: number | null, seed: number): Float32Array {
  const at = file.indexOf("data", 12, "latin1") + 8;
  const spoken = Float32Array.from({ length: (file.length - at) >> 1 }, (_, i) => file.readInt16LE(at + 2 * i) / 32_768);
  const resampler = createResampler(SPOKEN_RATE, RATE);
  const narrow = Float64Array.from([...resampler.push(spoken), ...resampler.flush()]);
  const loud = loudness(narrow);
  const pad = (PAD_MS * RATE) / 1000;
  const samples = new Float64Array(narrow.length + 2 * pad);
  const scale = gain(LEVEL_DB) / loud;
  narrow.forEach((sample, i) => {
    samples[pad + i] = Math.max(-0.97, Math.min(0.97, sample * scale));
  });
  if (snrDb !== null) addNoiseOf("white", samples, gain(LEVEL_DB - snrDb), seed, []);
  return raise(overTelephone(samples, seed));
}

/** RMS of the 20 ms that are within 30 dB of the loudest. */
function loudness(samples: Float64Array): number {
  const frames: Float64Array[] = [];
  for (let at = 0; at + 160 <= samples.length; at += 160) frames.push(samples.subarray(at, at + 160));
  const levels = frames.map((frame) => rms([frame]));
  const most = Math.max(...levels);
  return rms(frames.filter((_, i) => (levels[i] as number) > most * gain(-30)));
}

/** Ordinary sentences of service calls, gathered as the pieces of a call are. */
export function ordinaryPieces(): Line[] {
  const sentences = readSentences();
  const clips = readClips(sentences);
  if (!clips) {
    console.log("ordinary pieces left out: the sentences of bench/asr/sentences.tsv are not spoken yet (bench/asr/speak.py)");
    return [];
  }
  return placedPieces(sentences, clips).map(({ samples, sentences: said }, i) => ({
    number: 1001 + i,
    about: "ordinary",
    snrDb: null,
    text: said.map(({ text }) => text).join(""),
    sound: raise(samples),
  }));
}
