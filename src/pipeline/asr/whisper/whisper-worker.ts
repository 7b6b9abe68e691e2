/** A worker thread of the recogniser: one Whisper, one piece at a time. */
import { parentPort, workerData } from "node:worker_threads";
import { CallsiftError, toCallsiftError } from "../../errors.ts";
import { hasDotProducts } from "../onnx/cpu.ts";
import { readWhisperFolder } from "./inspect.ts";
import type { Answer, Order } from "./lanes.ts";
import { createEar, type Ear, type EarOptions, type KeptPiece } from "./piece.ts";
import { arithmeticFor, loadNetworks, type Networks } from "./sessions.ts";

/** What a thread is started with. */
export type WorkerTask = EarOptions & { readonly folder: string };

const { folder, ...options } = workerData as WorkerTask;
const port = parentPort;
if (!port) throw new Error("whisper-worker.ts runs only in a worker thread");

const tell = (answer: Answer) => port.postMessage(answer);
const kept = new Map<number, KeptPiece>();

async function open(): Promise<{ ear: Ear; networks: Networks }> {
  // biome-ignore lint/style/noProcessEnv: the native library asks getenv() as it loads; without this it writes a device id into the user's cache folder and carries an uploader. The thread shares the process's own environment.
  process.env.ORT_DISABLE_TELEMETRY = "1";
  const files = await readWhisperFolder(folder);
  const networks = await loadNetworks(files, arithmeticFor(hasDotProducts()));
  return { ear: createEar(files, networks, options), networks };
}

const opening = open();
opening.then(
  () => tell({ kind: "opened" }),
  (error: unknown) => {
    tellFailure(null, error);
    port.close();
  },
);

function tellFailure(id: number | null, error: unknown): void {
  const { code, message, cause } = toCallsiftError(error);
  // What the networks do not bear is the recogniser's failure, not a fault of the whole program.
  const told = code === "internal/bug" ? "asr/failed" : code;
  tell({ kind: "failed", id, code: told, message, cause: cause instanceof Error ? (cause.stack ?? cause.message) : null });
}

async function serve(order: Order): Promise<void> {
  if (order.kind === "release") {
    kept.delete(order.piece);
    return;
  }
  const isStopped = () => Atomics.load(order.stop, 0) === 1;
  const stopped = () => new CallsiftError("aborted", "stopped on request");
  try {
    const { ear } = await opening;
    if (isStopped()) throw stopped();
    if (order.kind === "hear") {
      const { sound, language } = order;
      const result = await ear.hear(sound, { language, isStopped });
      if (!result) throw stopped();
      if (order.keep) kept.set(order.id, result.kept);
      tell({ kind: "heard", id: order.id, heard: result.heard });
    } else {
      const piece = kept.get(order.piece);
      if (!piece) throw new CallsiftError("internal/bug", "a piece was weighed that is not kept");
      const weights = await ear.weigh(piece, order.texts, { least: order.least, isStopped });
      if (!weights) throw stopped();
      tell({ kind: "weighed", id: order.id, weights });
    }
  } catch (error) {
    tellFailure(order.id, error);
  }
}

async function close(): Promise<void> {
  // Without the native sessions' release a thread that ends may take the process with it.
  await opening.then(({ networks }) => networks[Symbol.asyncDispose]()).catch(() => {});
  port?.close();
}

// One after the other: the end comes after what runs.
let last = Promise.resolve();
port.on("message", (order: Order | null) => {
  last = last.then(() => (order ? serve(order) : close()));
});
