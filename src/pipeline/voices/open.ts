import type { Worker } from "node:worker_threads";
import { CallsiftError, type ErrorCode } from "../errors.ts";
import { startThread } from "../start-thread.ts";
import type { VoiceSplit, VoiceSplitter } from "./port.ts";
import { SPLIT_RECIPE, type ToSplit, toSplit } from "./split.ts";

/** What the thread is asked for; null asks it to end. */
export interface Order {
  readonly call: ToSplit;
  /** Shared: 1 in its first place ends the work at the next batch. */
  readonly stop: Int32Array;
}

export type Answer =
  | { readonly kind: "split"; readonly split: VoiceSplit }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly message: string; readonly cause: string | null };

interface Job {
  readonly order: Order;
  readonly resolve: (split: VoiceSplit) => void;
  readonly reject: (error: CallsiftError) => void;
}

/** A thread and what it does; `ended` once it is gone. */
interface Seat {
  readonly worker: Worker;
  readonly ended: Promise<void>;
  job: Job | null;
}

export interface OpenVoicesOptions {
  /** Recordings at once, one core each; others wait their turn. Default: 1. */
  readonly workers?: number;
}

/** Opens a splitter. Its threads start, and load the encoder, when there is something to tell apart. */
export async function openVoices({ workers = 1 }: OpenVoicesOptions = {}): Promise<VoiceSplitter> {
  const seats = new Set<Seat>();
  const waiting: Job[] = [];
  let isClosed = false;

  function start(): Seat {
    const worker = startThread("./voices-worker", import.meta.url);
    const seat: Seat = { worker, job: null, ended: new Promise((resolve) => worker.once("exit", () => resolve())) };
    const take = (): Job | null => {
      const { job } = seat;
      seat.job = null;
      return job;
    };
    const broke = (how: string, cause?: unknown) => {
      seats.delete(seat);
      take()?.reject(new CallsiftError("internal/bug", `the thread that tells voices apart ${how}`, { cause }));
    };
    worker.on("message", (answer: Answer) => {
      const job = take();
      if (answer.kind === "split") job?.resolve(answer.split);
      else job?.reject(new CallsiftError(answer.code, answer.message, { cause: answer.cause ?? undefined }));
      assign();
    });
    // After an error comes the exit, but only the error says why.
    worker.on("error", (cause) => broke(`broke down: ${cause instanceof Error ? cause.message : String(cause)}`, cause));
    worker.on("exit", (code) => {
      broke(`ended with exit code ${code} before it was done`);
      assign();
    });
    seats.add(seat);
    return seat;
  }

  function assign(): void {
    while (waiting.length > 0) {
      const idle = [...seats].find((seat) => seat.job === null) ?? (seats.size < Math.max(1, workers) ? start() : null);
      const job = idle && waiting.shift();
      if (!job) return;
      idle.job = job;
      idle.worker.postMessage(job.order);
    }
  }

  return {
    recipe: SPLIT_RECIPE,
    split(pcm, sound, { channel, signal }) {
      return new Promise<VoiceSplit>((resolve, reject) => {
        const aborted = () => new CallsiftError("aborted", "stopped on request before its voices were told apart");
        if (isClosed || signal?.aborted) return reject(aborted());
        const stop = new Int32Array(new SharedArrayBuffer(4));
        const onAbort = () => {
          Atomics.store(stop, 0, 1);
          const at = waiting.indexOf(job);
          if (at >= 0) waiting.splice(at, 1)[0]?.reject(aborted());
        };
        const settled = () => signal?.removeEventListener("abort", onAbort);
        const job: Job = {
          order: { call: toSplit(pcm, sound, channel), stop },
          resolve(split) {
            settled();
            resolve(split);
          },
          reject(error) {
            settled();
            reject(error);
          },
        };
        signal?.addEventListener("abort", onAbort, { once: true });
        waiting.push(job);
        assign();
      });
    },
    async [Symbol.asyncDispose]() {
      isClosed = true;
      for (const job of waiting.splice(0)) job.reject(new CallsiftError("aborted", "the splitter was closed before this recording's turn"));
      const all = [...seats];
      for (const { worker, job } of all) {
        if (job) Atomics.store(job.order.stop, 0, 1);
        worker.postMessage(null);
      }
      await Promise.all(all.map((seat) => seat.ended));
    },
  };
}
