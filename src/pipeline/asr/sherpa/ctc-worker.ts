/** A worker thread: one CTC model, one piece at a time, and the scores of those that are held. */
import { parentPort, workerData } from "node:worker_threads";
import { toCallsiftError } from "../../errors.ts";
import type { Scores } from "./ctc.ts";
import { openCtcSession } from "./ctc-session.ts";
import type { CtcAnswer, CtcOrder, CtcThreadData } from "./ctc-thread.ts";

const { modelPath, plan } = workerData as CtcThreadData;
const port = parentPort;
if (!port) throw new Error("ctc-worker.ts runs only in a worker thread");
const tell = (answer: CtcAnswer) => port.postMessage(answer);

const opening = openCtcSession(modelPath, plan);
const held = new Map<number, Scores>();

async function serve(order: CtcOrder): Promise<void> {
  const session = await opening;
  if (order.kind === "release") {
    const scores = held.get(order.piece);
    if (scores) session.giveBack(scores);
    held.delete(order.piece);
    return;
  }
  try {
    if (order.kind === "hear") {
      const scores = await session.scoresOf(session.featuresOf(order.sound), order.language);
      tell({ kind: "heard", id: order.id, heard: session.read(scores) });
      if (order.keep) held.set(order.id, scores);
      else session.giveBack(scores);
    } else {
      const scores = held.get(order.piece);
      const judge = scores ? session.judge(scores) : null;
      tell({
        kind: "weighed",
        id: order.id,
        logProbs: order.texts.map((ids) => (ids && judge ? judge.weigh(ids) : Number.NEGATIVE_INFINITY)),
      });
    }
  } catch (error) {
    const { code, message } = toCallsiftError(error);
    tell({ kind: "failed", id: order.id, code: code === "internal/bug" ? "asr/failed" : code, message });
  }
}

async function close(): Promise<void> {
  // Without the native session's release a thread that ends may take the process with it.
  await opening.then((session) => session[Symbol.asyncDispose]()).catch(() => {});
  port?.close();
}

opening.then(
  () => tell({ kind: "opened" }),
  (error: unknown) => {
    tell({ kind: "failed", id: null, code: "asr/failed", message: toCallsiftError(error).message });
    port.close();
  },
);
// One after the other: the end comes after what runs.
let last: Promise<void> = opening.then(
  () => {},
  () => {},
);
port.on("message", (order: CtcOrder | null) => {
  last = last.then(() => (order ? serve(order) : close()));
});
