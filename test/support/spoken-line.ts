import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readLine } from "../../fixtures/wave.ts";
import { RECOGNISER_RATE } from "../../src/pipeline/asr/recogniser.ts";
import { createResampler } from "../../src/pipeline/audio/resample.ts";
import type { Language, Span } from "../../src/pipeline/types.ts";

/** A line of the fixtures as a piece for a recogniser. */
export interface SpokenLine {
  readonly id: string;
  readonly language: Language;
  readonly text: string;
  /** Mono, 16 kHz, with silence around it. */
  readonly sound: Float32Array;
  /** Where somebody speaks in it, ms. */
  readonly speech: readonly Span[];
}

const FOLDER = new URL("../../fixtures/lines/", import.meta.url);
const PAD_MS = 200;

interface LineOfIndex {
  readonly id: string;
  readonly language: Language;
  readonly voice: string;
  readonly text: string;
  readonly speech: readonly Span[];
}

/** Lines of that language spoken by natural voices, from `leastCharacters` on, in the order of their index. */
export function spokenLines(language: Language, { leastCharacters = 0 } = {}): SpokenLine[] {
  const index = JSON.parse(readFileSync(new URL("lines.json", FOLDER), "utf8")) as LineOfIndex[];
  return index
    .filter((line) => line.language === language && !line.voice.startsWith("espeak") && line.text.length >= leastCharacters)
    .map(({ id, text, speech }) => ({
      id,
      language,
      text,
      get sound() {
        return padded(Float32Array.from(readLine(readFileSync(fileURLToPath(new URL(`${id}.wav`, FOLDER))))));
      },
      speech: speech.map(([startMs, endMs]): Span => [startMs + PAD_MS, endMs + PAD_MS]),
    }));
}

function padded(line: Float32Array): Float32Array {
  const pad = (PAD_MS * 8000) / 1000;
  const samples = new Float32Array(line.length + 2 * pad);
  samples.set(line, pad);
  return createResampler(8000, RECOGNISER_RATE).push(samples);
}
