// Run by try-loading.ts as a process of its own: argv = engine, folder of the weights.
import type { Recogniser, RecogniserOptions } from "../pipeline/asr/recogniser.ts";
import { RECOGNISER_RATE } from "../pipeline/asr/recogniser.ts";
import { toCallsiftError } from "../pipeline/errors.ts";
import type { WeightsEngine } from "./catalogue.ts";
import type { LoadReport } from "./try-loading.ts";

const OPENERS = {
  sherpa: async () => (await import("../pipeline/asr/sherpa/open.ts")).openSherpa,
  whisper: async () => (await import("../pipeline/asr/whisper/open.ts")).openWhisper,
} satisfies Record<WeightsEngine, () => Promise<(options: RecogniserOptions) => Promise<Recogniser>>>;

const [engine, folder = ""] = process.argv.slice(2);

async function load(): Promise<LoadReport> {
  const startedAt = performance.now();
  const open = await OPENERS[engine as WeightsEngine]();
  await using recogniser = await open({ folder, lanes: 1 });
  // A faint tone: what comes out does not matter, that it comes out does.
  const sound = Float32Array.from({ length: RECOGNISER_RATE }, (_, i) => 0.05 * Math.sin((2 * Math.PI * 300 * i) / RECOGNISER_RATE));
  (await recogniser.hear(sound, { language: "zh" })).release();
  return { loadMs: Math.round(performance.now() - startedAt) };
}

const report = await load().catch((error: unknown): LoadReport => {
  const { code, message } = toCallsiftError(error);
  return { code, message };
});
process.send?.(report, () => process.exit(0));
