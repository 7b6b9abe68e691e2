import { CallsiftError, type ErrorCode } from "../../errors.ts";
import { startThread } from "../../start-thread.ts";
import type { Language } from "../../types.ts";
import type { CtcPlan } from "./ctc-plan.ts";
import type { CtcHeard } from "./ctc-session.ts";

export interface CtcThreadData {
  readonly modelPath: string;
  readonly plan: CtcPlan;
}

/** What the thread is asked for; null asks it to end. */
export type CtcOrder =
  | {
      readonly kind: "hear";
      readonly id: number;
      readonly sound: Float32Array;
      readonly language: Language | "auto";
      readonly keep: boolean;
    }
  | { readonly kind: "weigh"; readonly id: number; readonly piece: number; readonly texts: readonly (readonly number[] | null)[] }
  | { readonly kind: "release"; readonly piece: number };

export type CtcAnswer =
  | { readonly kind: "opened" }
  | { readonly kind: "heard"; readonly id: number; readonly heard: CtcHeard }
  | { readonly kind: "weighed"; readonly id: number; readonly logProbs: readonly number[] }
  /** `id` is null where the model could not be opened. */
  | { readonly kind: "failed"; readonly id: number | null; readonly code: ErrorCode; readonly message: string };

/** A CTC model in a thread of its own; what it is asked for it does one after the other. */
export interface CtcThread extends AsyncDisposable {
  /** Resolves once the model is loaded. @throws CallsiftError why it is not */
  readonly opened: Promise<void>;
  /** False once it broke down: another must take its place. */
  readonly isAlive: boolean;
  /** @returns also the name under which its scores are held, where `keep` */
  hear(sound: Float32Array, language: Language | "auto", keep: boolean): Promise<{ readonly heard: CtcHeard; readonly piece: number }>;
  /** Natural log-probabilities of symbols as the whole of a held piece; -Infinity for null. */
  weigh(piece: number, texts: readonly (readonly number[] | null)[]): Promise<readonly number[]>;
  release(piece: number): void;
}

interface Task {
  readonly resolve: (answer: CtcAnswer) => void;
  readonly reject: (error: CallsiftError) => void;
}

export function startCtcThread(data: CtcThreadData): CtcThread {
  const worker = startThread("./ctc-worker", import.meta.url, { workerData: data });
  const tasks = new Map<number, Task>();
  let nextId = 1;
  let isAlive = true;
  let resolveOpened = () => {};
  let rejectOpened = (_error: CallsiftError) => {};
  const opened = new Promise<void>((resolve, reject) => {
    resolveOpened = resolve;
    rejectOpened = reject;
  });
  opened.catch(() => {});
  const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));

  function fall(error: CallsiftError): void {
    isAlive = false;
    rejectOpened(error);
    for (const { reject } of tasks.values()) reject(error);
    tasks.clear();
  }

  worker.on("message", (answer: CtcAnswer) => {
    if (answer.kind === "opened") return resolveOpened();
    const error = answer.kind === "failed" ? new CallsiftError(answer.code, answer.message) : null;
    if (answer.id === null) return error ? fall(error) : undefined;
    const task = tasks.get(answer.id);
    tasks.delete(answer.id);
    if (error) task?.reject(error);
    else task?.resolve(answer);
  });
  worker.on("error", (cause) =>
    fall(new CallsiftError("asr/failed", `a thread of the recogniser broke down: ${cause.message}`, { cause })),
  );
  worker.on("exit", (code) =>
    fall(new CallsiftError("asr/failed", `a thread of the recogniser ended with exit code ${code} before it was done`)),
  );

  async function ask(make: (id: number) => CtcOrder, transfer: readonly ArrayBuffer[] = []): Promise<CtcAnswer> {
    if (!isAlive) throw new CallsiftError("asr/failed", "the thread of the recogniser is gone");
    const id = nextId++;
    const answer = new Promise<CtcAnswer>((resolve, reject) => tasks.set(id, { resolve, reject }));
    worker.postMessage(make(id), transfer);
    return await answer;
  }

  return {
    opened,
    get isAlive() {
      return isAlive;
    },
    async hear(sound, language, keep) {
      const own = new Float32Array(sound);
      const answer = await ask((id) => ({ kind: "hear", id, sound: own, language, keep }), [own.buffer]);
      if (answer.kind !== "heard") throw new CallsiftError("internal/bug", `expected the piece to be heard, got ${answer.kind}`);
      return { heard: answer.heard, piece: answer.id };
    },
    async weigh(piece, texts) {
      const answer = await ask((id) => ({ kind: "weigh", id, piece, texts }));
      if (answer.kind !== "weighed") throw new CallsiftError("internal/bug", `expected texts to be weighed, got ${answer.kind}`);
      return answer.logProbs;
    },
    release(piece) {
      if (isAlive) worker.postMessage({ kind: "release", piece } satisfies CtcOrder);
    },
    async [Symbol.asyncDispose]() {
      if (isAlive) worker.postMessage(null);
      await ended;
    },
  };
}
