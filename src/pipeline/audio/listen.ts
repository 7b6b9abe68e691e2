import type { Worker } from "node:worker_threads";
import { CallsiftError, type ErrorCode } from "../errors.ts";
import { startThread } from "../start-thread.ts";
import type { AudioProblem, PcmFile } from "../types.ts";
import { VAD_ENGINES } from "../vad/engines.ts";
import type { VadEngine } from "../vad/port.ts";
import { SPAN_DEFAULTS } from "../vad/spans.ts";
import type { Heard, ToHear } from "./pass.ts";

export type { Heard } from "./pass.ts";

export interface ListenOptions {
  readonly signal?: AbortSignal;
  /** The recording breaks off: its end is not the end of the call. */
  readonly truncated?: boolean;
  /** What was already found wrong while opening it. */
  readonly problems?: readonly AudioProblem[];
  /** Milliseconds of sound listened to so far; at most ten times a second. */
  readonly onProgress?: (doneMs: number) => void;
}

/** Worker threads that listen to recordings, one core and one recording each, first come first served. */
export interface Listener extends AsyncDisposable {
  /** Part of the recipe hash: what changes the spans. */
  readonly recipe: string;
  /**
   * Listens to one recording: a file of up to eight channels, or the two legs of a call.
   *
   * @throws CallsiftError `aborted`, `vad/unavailable`, `audio/…` of openPcm
   */
  listen(pcm: readonly PcmFile[], options?: ListenOptions): Promise<Heard>;
  /** Starts one thread and its detector now, so that they are ready when the first recording is. */
  warm(): void;
  /** Ends the workers; what still runs or waits fails with `aborted`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What a worker is asked for; null asks it to end. */
export interface Order {
  readonly call: ToHear;
  /** Shared: 1 in its first place ends the pass at the next block. */
  readonly stop: Int32Array;
}

export type Answer =
  | { readonly kind: "progress"; readonly doneMs: number }
  | { readonly kind: "heard"; readonly heard: Heard }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly message: string; readonly cause: string | null };

interface Job {
  readonly order: Order;
  readonly onProgress: ((doneMs: number) => void) | undefined;
  readonly resolve: (heard: Heard) => void;
  readonly reject: (error: CallsiftError) => void;
}

/** A thread and what it does; `ended` once it is gone. */
interface Seat {
  readonly worker: Worker;
  readonly ended: Promise<void>;
  job: Job | null;
}

/**
 * Opens a listener. Threads start when there is work for them.
 *
 * @param options.workers how many recordings at most are listened to at once, one core each
 */
export function createListener({ workers, vad = "silero" }: { readonly workers: number; readonly vad?: VadEngine["name"] }): Listener {
  const seats = new Set<Seat>();
  const waiting: Job[] = [];
  let isClosed = false;

  function start(): Seat {
    // Almost nothing that a thread allocates lives long, so a small nursery costs no time: 4 MB less for every call at once.
    const worker = startThread("./listen-worker", import.meta.url, {
      workerData: { vad },
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    });
    const seat: Seat = { worker, job: null, ended: new Promise((resolve) => worker.once("exit", () => resolve())) };
    const take = (): Job | null => {
      const { job } = seat;
      seat.job = null;
      return job;
    };
    worker.on("message", (answer: Answer) => {
      if (answer.kind === "progress") return seat.job?.onProgress?.(answer.doneMs);
      const job = take();
      if (answer.kind === "heard") job?.resolve(answer.heard);
      else job?.reject(new CallsiftError(answer.code, answer.message, { cause: answer.cause ?? undefined }));
      assign();
    });
    // After an error comes the exit, but only the error says why.
    worker.on("error", (cause) => {
      seats.delete(seat);
      take()?.reject(
        new CallsiftError("internal/bug", `a listening thread broke down: ${cause instanceof Error ? cause.message : String(cause)}`, {
          cause,
        }),
      );
    });
    worker.on("exit", (code) => {
      seats.delete(seat);
      take()?.reject(new CallsiftError("internal/bug", `a listening thread ended with exit code ${code} before its recording was done`));
      assign();
    });
    seats.add(seat);
    return seat;
  }

  function assign(): void {
    while (waiting.length > 0) {
      const idle = [...seats].find((seat) => seat.job === null) ?? (seats.size < Math.max(1, workers) ? start() : null);
      if (!idle) return;
      const job = waiting.shift() as Job;
      idle.job = job;
      idle.worker.postMessage(job.order);
    }
  }

  return {
    recipe: `${VAD_ENGINES[vad].recipe} ${JSON.stringify(SPAN_DEFAULTS)}`,
    warm() {
      if (seats.size === 0) start();
    },
    listen(pcm, { signal, truncated = false, problems = [], onProgress } = {}) {
      return new Promise<Heard>((resolve, reject) => {
        const aborted = () => new CallsiftError("aborted", "stopped on request before it was listened to");
        if (isClosed || signal?.aborted) return reject(aborted());
        const stop = new Int32Array(new SharedArrayBuffer(4));
        const onAbort = () => {
          Atomics.store(stop, 0, 1);
          const at = waiting.indexOf(job);
          if (at < 0) return;
          waiting.splice(at, 1);
          job.reject(aborted());
        };
        const settled = () => signal?.removeEventListener("abort", onAbort);
        const job: Job = {
          order: { call: { pcm, truncated, problems }, stop },
          onProgress,
          resolve(heard) {
            settled();
            resolve(heard);
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
      for (const job of waiting.splice(0)) job.reject(new CallsiftError("aborted", "the listener was closed before this recording's turn"));
      const all = [...seats];
      for (const { worker, job } of all) {
        if (job) Atomics.store(job.order.stop, 0, 1);
        worker.postMessage(null);
      }
      await Promise.all(all.map((seat) => seat.ended));
    },
  };
}
