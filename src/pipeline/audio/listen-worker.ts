/** A worker thread of the listener: one detector, one recording at a time. */
import { parentPort, workerData } from "node:worker_threads";
import { toCallsiftError } from "../errors.ts";
import { VAD_ENGINES } from "../vad/engines.ts";
import type { SpeechDetector, VadEngine } from "../vad/port.ts";
import type { Answer, Order } from "./listen.ts";
import { hear } from "./pass.ts";

/** At most this often is progress told, ms of wall-clock. */
const PROGRESS_EVERY_MS = 100;

const { vad } = workerData as { readonly vad: VadEngine["name"] };
const port = parentPort;
if (!port) throw new Error("listen-worker.ts runs only in a worker thread");

// Opened while the first recording is still being looked at. A failure is told with the first recording, not as an unhandled one.
const opening: Promise<SpeechDetector> = VAD_ENGINES[vad].open();
opening.catch(() => {});

async function serve(order: Order): Promise<void> {
  const tell = (answer: Answer) => port?.postMessage(answer);
  let toldAt = performance.now();
  try {
    const heard = await hear(order.call, await opening, {
      isAborted: () => Atomics.load(order.stop, 0) === 1,
      onProgress(doneMs) {
        const now = performance.now();
        if (now - toldAt < PROGRESS_EVERY_MS) return;
        toldAt = now;
        tell({ kind: "progress", doneMs });
      },
    });
    tell({ kind: "heard", heard });
  } catch (error) {
    const { code, message, cause } = toCallsiftError(error);
    tell({ kind: "failed", code, message, cause: cause instanceof Error ? (cause.stack ?? cause.message) : null });
  }
}

async function close(): Promise<void> {
  // Without the native session's release a thread that ends may take the process with it.
  await opening.then((detector) => detector[Symbol.asyncDispose]()).catch(() => {});
  port?.close();
}

// One after the other: the end comes after what runs.
let last = Promise.resolve();
port.on("message", (order: Order | null) => {
  last = last.then(() => (order ? serve(order) : close()));
});
