import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TONES } from "../../fixtures/synth.ts";
import { writeWav } from "../../fixtures/wave.ts";
import { MIN_CONFIDENCE, PIECE_TIMEOUT_MS } from "../../src/pipeline/asr/engines.ts";
import { doubtOf } from "../../src/pipeline/asr/guard.ts";
import type { Recogniser } from "../../src/pipeline/asr/recogniser.ts";
import { createSoundTranscriber } from "../../src/pipeline/asr/sound-transcriber.ts";
import { createListener } from "../../src/pipeline/audio/listen.ts";
import { openRecording } from "../../src/pipeline/audio/open.ts";
import { openWindows } from "../../src/pipeline/audio/windows.ts";
import { openPolicies } from "../../src/pipeline/policies.ts";
import { screen } from "../../src/pipeline/stages.ts";
import { type NonSpeech, nonSpeech, raise } from "./noise.ts";

const MUSIC = fileURLToPath(new URL("../../../shared/data/noise/", import.meta.url));
/** Pieces of 10 s of each recording of hold music. */
const MUSIC_PIECES = 5;

/** What became of stretches without speech. */
export interface Silenced {
  readonly pieces: number;
  /** Handed straight to the recogniser as if somebody spoke all the time: texts that no guard stopped. */
  readonly direct: readonly {
    readonly what: string;
    readonly text: string;
    readonly confidence: number | null;
    readonly noSpeech: number | null;
  }[];
  /** Texts that the recogniser wrote before any guard. */
  readonly written: number;
  /** As a recording through the whole path: words that rules would see. */
  readonly whole: readonly { readonly what: string; readonly text: string }[];
  readonly recordedMusic: boolean;
}

/** All stretches without speech that there are here. */
async function stretches(): Promise<{ all: NonSpeech[]; recordedMusic: boolean }> {
  const music: NonSpeech[] = [];
  for (const file of ["qMOH-cable_company.wav", "qMOH-friends_inline.wav"]) {
    if (!existsSync(join(MUSIC, file))) continue;
    await using opened = await openRecording({ name: file, path: join(MUSIC, file) });
    using windows = openWindows(opened.pcm, 8_000);
    const stepMs = Math.max(10_000, Math.floor((opened.recording.durationMs - 10_000) / MUSIC_PIECES));
    for (let i = 0; i < MUSIC_PIECES; i++)
      music.push({ what: `${file} from ${(i * stepMs) / 1000} s`, samples: Float64Array.from(windows.window(0, i * stepMs, 10_000)) });
  }
  return { all: nonSpeech(music, TONES.music, TONES["ring-back"]), recordedMusic: music.length > 0 };
}

/** Hears what nobody says, by the recogniser alone and through the whole path. */
export async function hearNonSpeech(recogniser: Recogniser): Promise<Silenced> {
  const { all, recordedMusic } = await stretches();
  const direct: Silenced["direct"][number][] = [];
  let written = 0;
  for (const { what, samples } of all) {
    const heard = await recogniser.hear(raise(samples), { language: "zh" });
    if (heard.text !== "") written++;
    const lengthMs = Math.round(samples.length / 8);
    const doubt = doubtOf(heard, { speech: [[0, lengthMs]], language: "zh" });
    const isWeak = heard.confidence !== null && heard.confidence < MIN_CONFIDENCE;
    if (heard.text !== "" && doubt === null && !isWeak)
      direct.push({ what, text: heard.text, confidence: heard.confidence, noSpeech: heard.noSpeech });
  }
  return { pieces: all.length, direct, written, whole: await throughWholePath(recogniser, all), recordedMusic };
}

async function throughWholePath(recogniser: Recogniser, all: readonly NonSpeech[]): Promise<Silenced["whole"]> {
  const { policyFor } = await openPolicies({ ruleFiles: [], form: "deduction-20" });
  await using listener = createListener({ workers: 1 });
  const transcriber = createSoundTranscriber(recogniser, { minConfidence: MIN_CONFIDENCE, pieceTimeoutMs: PIECE_TIMEOUT_MS });
  const folder = mkdtempSync(join(tmpdir(), "callsift-bench-"));
  const words: Silenced["whole"][number][] = [];
  try {
    for (const [n, { what, samples }] of all.entries()) {
      // Both sides, so that roles are known and every rule that reads words is asked.
      const path = join(folder, `${n}.wav`);
      writeFileSync(path, writeWav([samples, all[(n + 1) % all.length]?.samples.slice(0, samples.length) ?? samples], "mulaw"));
      const { transcript } = await screen(
        { source: { name: `${n}.wav`, path }, metadata: { agentChannel: 0 }, transcriptPath: null, agentChannel: 0, language: "zh" },
        { listener, transcriber, policyFor },
      );
      const text = "utterances" in transcript ? transcript.utterances.map((utterance) => utterance.text).join(" / ") : "";
      if (text !== "") words.push({ what, text });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return words;
}
