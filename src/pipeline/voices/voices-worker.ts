/** The worker thread of the voice splitter: one encoder, one recording at a time. */
import { parentPort } from "node:worker_threads";
import { toCallsiftError } from "../errors.ts";
import type { Answer, Order } from "./open.ts";
import { splitVoices } from "./split.ts";
import { openVoiceEncoder } from "./voice-encoder.ts";

const port = parentPort;
if (!port) throw new Error("voices-worker.ts runs only in a worker thread");

const opening = openVoiceEncoder();
// A failure is told with the first recording, not as an unhandled one.
opening.catch(() => {});

async function serve({ call, stop }: Order): Promise<void> {
  const tell = (answer: Answer) => port?.postMessage(answer);
  try {
    tell({ kind: "split", split: await splitVoices(call, await opening, { isAborted: () => Atomics.load(stop, 0) === 1 }) });
  } catch (error) {
    const { code, message, cause } = toCallsiftError(error);
    tell({ kind: "failed", code, message, cause: cause instanceof Error ? (cause.stack ?? cause.message) : null });
  }
}

async function close(): Promise<void> {
  // Without the native session's release a thread that ends may take the process with it.
  await opening.then((encoder) => encoder[Symbol.asyncDispose]()).catch(() => {});
  port?.close();
}

// One after the other: the end comes after what runs.
let last = Promise.resolve();
port.on("message", (order: Order | null) => {
  last = last.then(() => (order ? serve(order) : close()));
});
