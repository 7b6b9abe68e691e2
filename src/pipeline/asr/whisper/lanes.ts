import type { Worker } from "node:worker_threads";
import { CallsiftError, type ErrorCode, toCallsiftError } from "../../errors.ts";
import type { Language } from "../../types.ts";
import type { HeardPiece, HearOptions } from "../recogniser.ts";
import type { HeardWords } from "./piece.ts";

/** What a worker is asked for; null asks it to end. */
export type Order =
  | {
      readonly kind: "hear";
      readonly id: number;
      readonly sound: Float32Array;
      readonly language: Language | "auto";
      /** Keep what `weigh` needs under this id until `release`. */
      readonly keep: boolean;
      /** Shared: 1 in its first place ends the work before the next token. */
      readonly stop: Int32Array;
    }
  | {
      readonly kind: "weigh";
      readonly id: number;
      readonly piece: number;
      readonly texts: readonly string[];
      readonly least: readonly number[];
      readonly stop: Int32Array;
    }
  | { readonly kind: "release"; readonly piece: number };

export type Answer =
  | { readonly kind: "opened" }
  | { readonly kind: "heard"; readonly id: number; readonly heard: HeardWords }
  | { readonly kind: "weighed"; readonly id: number; readonly weights: readonly number[] }
  /** `id` is null where the worker could not be opened. */
  | {
      readonly kind: "failed";
      readonly id: number | null;
      readonly code: ErrorCode;
      readonly message: string;
      readonly cause: string | null;
    };

/** Threads that hear pieces, one each; further pieces wait their turn. */
export interface Lanes extends AsyncDisposable {
  /** Starts one thread and waits until it is ready. @throws CallsiftError why it is not */
  open(): Promise<void>;
  hear(sound: Float32Array, options: HearOptions): Promise<HeardPiece>;
}

interface Task {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: CallsiftError) => void;
  readonly stop: Int32Array;
}

/** A thread and what it works on. */
interface Seat {
  readonly worker: Worker;
  readonly ended: Promise<void>;
  readonly opened: Promise<void>;
  /** Asked and not yet answered, those among them that nobody waits for any more. */
  readonly tasks: Map<number, Task>;
  /** Hears a piece, or ends one that nobody waits for. */
  isBusy: boolean;
}

interface Waiting {
  readonly start: (seat: Seat) => void;
  readonly reject: (error: CallsiftError) => void;
}

/** A thread that is told to end and has not after this time is ended, ms. */
const PATIENCE_MS = 5_000;

/**
 * Opens lanes. A piece that is aborted or out of time is let go of at once; its thread takes the next when it has noticed. A thread that breaks down fails what it worked
 * on with `asr/failed`, and another one takes its place.
 *
 * @param startWorker starts a thread that answers `Order` with `Answer` and tells first that it is `opened`
 */
export function createLanes(startWorker: () => Worker, lanes: number): Lanes {
  const seats = new Set<Seat>();
  const waiting: Waiting[] = [];
  let nextId = 1;
  let isClosed = false;

  function start(): Seat {
    const worker = startWorker();
    const tasks = new Map<number, Task>();
    let ready = () => {};
    let failed = (_error: CallsiftError) => {};
    const opened = new Promise<void>((resolve, reject) => {
      ready = resolve;
      failed = reject;
    });
    opened.catch(() => {});
    const seat: Seat = { worker, opened, tasks, isBusy: false, ended: new Promise((resolve) => worker.once("exit", () => resolve())) };
    const fall = (error: CallsiftError) => {
      seats.delete(seat);
      failed(error);
      for (const task of tasks.values()) task.reject(error);
      tasks.clear();
    };
    worker.on("message", (answer: Answer) => {
      if (answer.kind === "opened") return ready();
      const error =
        answer.kind === "failed"
          ? new CallsiftError(answer.code, answer.message, answer.cause === null ? {} : { cause: answer.cause })
          : null;
      if (answer.id === null) return fall(error as CallsiftError);
      const task = tasks.get(answer.id);
      tasks.delete(answer.id);
      if (error) task?.reject(error);
      else task?.resolve(answer);
    });
    // After an error comes the exit, but only the error says why.
    worker.on("error", (cause) => {
      fall(new CallsiftError("asr/failed", `a thread of the recogniser broke down: ${toCallsiftError(cause).message}`, { cause }));
    });
    worker.on("exit", (code) => {
      fall(new CallsiftError("asr/failed", `a thread of the recogniser ended with exit code ${code} before it was done`));
      assign();
    });
    seats.add(seat);
    return seat;
  }

  function assign(): void {
    while (waiting.length > 0 && !isClosed) {
      const idle = [...seats].find((seat) => !seat.isBusy) ?? (seats.size < lanes ? start() : null);
      if (!idle) return;
      waiting.shift()?.start(idle);
    }
  }

  function ask(seat: Seat, makeOrder: (id: number, stop: Int32Array) => Order): { answer: Promise<Answer>; stop: Int32Array; id: number } {
    const id = nextId++;
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const answer = new Promise<Answer>((resolve, reject) => {
      seat.tasks.set(id, { resolve, reject, stop });
    });
    // A thread that fell between has no use for it, and nobody would answer.
    if (!seats.has(seat))
      seat.tasks.get(id)?.reject(new CallsiftError("asr/failed", "the thread of the recogniser that held the piece is gone"));
    else seat.worker.postMessage(makeOrder(id, stop));
    return { answer, stop, id };
  }

  function toPiece(seat: Seat, id: number, heard: HeardWords, keep: boolean): HeardPiece {
    let isHeld = keep;
    return {
      ...heard,
      weigh: keep
        ? async (texts, least = []) => {
            if (!isHeld) throw new CallsiftError("internal/bug", "a piece was weighed after its release");
            const { answer } = ask(seat, (own, stop) => ({ kind: "weigh", id: own, piece: id, texts, least, stop }));
            const answered = await answer;
            return answered.kind === "weighed" ? answered.weights : [];
          }
        : null,
      release() {
        if (isHeld && seats.has(seat)) seat.worker.postMessage({ kind: "release", piece: id } satisfies Order);
        isHeld = false;
      },
    };
  }

  return {
    async open() {
      const seat = start();
      try {
        await seat.opened;
      } catch (error) {
        await seat.ended;
        throw error;
      }
    },
    hear(sound, { language, keep = false, signal, timeoutMs }) {
      return new Promise((resolve, reject) => {
        const aborted = () => new CallsiftError("aborted", "stopped on request before the piece was heard");
        if (isClosed || signal?.aborted) return reject(aborted());
        let giveUp = (error: CallsiftError) => {
          waiting.splice(waiting.indexOf(turn), 1);
          settle(() => reject(error));
        };
        let timer: NodeJS.Timeout | undefined;
        const onAbort = () => giveUp(aborted());
        const settle = (end: () => void) => {
          signal?.removeEventListener("abort", onAbort);
          clearTimeout(timer);
          end();
        };
        const turn: Waiting = {
          reject: (error) => settle(() => reject(error)),
          start(seat) {
            seat.isBusy = true;
            const { answer, stop, id } = ask(seat, (own, flag) => ({ kind: "hear", id: own, sound, language, keep, stop: flag }));
            let isOver = false;
            giveUp = (error) => {
              isOver = true;
              Atomics.store(stop, 0, 1);
              settle(() => reject(error));
            };
            if (timeoutMs !== undefined)
              timer = setTimeout(
                () => giveUp(new CallsiftError("asr/time-out", `expected the piece to be heard in ${timeoutMs} ms, it was not`)),
                timeoutMs,
              );
            answer
              .then(
                (answered) => {
                  if (answered.kind !== "heard") return;
                  const piece = toPiece(seat, id, answered.heard, keep);
                  if (isOver) piece.release();
                  else settle(() => resolve(piece));
                },
                (error: CallsiftError) => {
                  if (!isOver) settle(() => reject(error));
                },
              )
              .finally(() => {
                seat.isBusy = false;
                assign();
              });
          },
        };
        signal?.addEventListener("abort", onAbort, { once: true });
        waiting.push(turn);
        assign();
      });
    },
    async [Symbol.asyncDispose]() {
      isClosed = true;
      const closed = new CallsiftError("aborted", "the recogniser was closed before the piece was heard");
      for (const { reject } of waiting.splice(0)) reject(closed);
      const all = [...seats];
      for (const { worker, tasks } of all) {
        for (const { stop } of tasks.values()) Atomics.store(stop, 0, 1);
        worker.postMessage(null);
      }
      await Promise.all(
        all.map(async ({ worker, ended }) => {
          const timer = setTimeout(() => void worker.terminate(), PATIENCE_MS);
          await ended;
          clearTimeout(timer);
        }),
      );
    },
  };
}
