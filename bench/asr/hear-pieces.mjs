// Hears pieces with the built Whisper and prints what it took, as JSON: node bench/asr/hear-pieces.mjs WEIGHTS LANES ROUNDS PIECES.json
// A process of its own, so that asr.ts can give it one core or two, and see its memory. PIECES.json: paths of raw 8 kHz float32 sound.
import { readFileSync } from "node:fs";
import { openWhisper } from "../../dist/pipeline/asr/whisper/open.js";
import { createResampler } from "../../dist/pipeline/audio/resample.js";

const [folder, lanes, rounds, list] = process.argv.slice(2);
const pieces = JSON.parse(readFileSync(list, "utf8")).map((path) => {
  const file = readFileSync(path);
  return new Float32Array(file.buffer, file.byteOffset, file.length / 4);
});
const openedAt = performance.now();
const recogniser = await openWhisper({ folder, lanes: Number(lanes) });
const loadMs = performance.now() - openedAt;
// From telephone sound to text with times.
const hear = async (sound) => {
  const resampler = createResampler(8_000, 16_000);
  const parts = [resampler.push(sound), resampler.flush()];
  const raised = new Float32Array(parts[0].length + parts[1].length);
  raised.set(parts[0]);
  raised.set(parts[1], parts[0].length);
  return (await recogniser.hear(raised, { language: "zh" })).text;
};
// Every lane's networks are loaded before the clock starts, as in a worker that runs all day.
await Promise.all(pieces.slice(0, 2 * Number(lanes)).map(hear));
const times = [];
const cpuMs = () => (process.cpuUsage().user + process.cpuUsage().system) / 1000;
const cpuBefore = cpuMs();
let texts = [];
for (let round = 0; round < Number(rounds); round++) {
  const startedAt = performance.now();
  texts = await Promise.all(pieces.map(hear));
  times.push(performance.now() - startedAt);
}
const cpuOfRound = (cpuMs() - cpuBefore) / times.length;
await recogniser[Symbol.asyncDispose]();
console.log(JSON.stringify({ loadMs, times, cpuMs: cpuOfRound, texts, peakMb: process.resourceUsage().maxRSS / 1024 }));
