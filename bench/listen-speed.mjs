// Prints how many seconds of sound a second the built listener hears with so many workers: node bench/listen-speed.mjs WORKERS CALL.wav
// A process of its own, so that throughput.ts can give it one core or two.

import { createListener } from "../dist/pipeline/audio/listen.js";
import { openRecording } from "../dist/pipeline/audio/open.js";

const workers = Number(process.argv[2]);
const opened = await openRecording({ name: "call.wav", path: process.argv[3] });
const listener = createListener({ workers });
const hear = (calls) => Promise.all(Array.from({ length: calls }, () => listener.listen(opened.pcm)));
// Threads, weights and compiled code are there before the clock starts, as in a worker that runs all day.
await hear(4 * workers);
const startedAt = performance.now();
await hear(8 * workers);
const elapsedMs = performance.now() - startedAt;
await listener[Symbol.asyncDispose]();
await opened[Symbol.asyncDispose]();
console.log((8 * workers * opened.recording.durationMs) / elapsedMs);
