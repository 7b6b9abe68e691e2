import type { Unfinished } from "../models/calls.ts";
import type { CallsiftError } from "../pipeline/errors.ts";

/** What became of one piece of work. */
export type Outcome =
  /** Nothing is left to do, or somebody else does it. */
  | { readonly kind: "done" }
  /** The next stage can begin. */
  | { readonly kind: "next"; readonly work: Unfinished }
  /** It did not work out, and may when tried again. */
  | { readonly kind: "later"; readonly delayMs: number; readonly error: CallsiftError }
  /** Stopped before it was done; another worker may have it at once. */
  | { readonly kind: "handed-back" }
  /** Trying again would change nothing; the call says why. */
  | { readonly kind: "failed"; readonly error: CallsiftError };

/** Does what a call needs next; the same for every schedule. Throws nothing: what goes wrong is an outcome. */
export type Process = (work: Unfinished, signal: AbortSignal) => Promise<Outcome>;

/** Takes work off a schedule and does it. */
export interface Hands {
  /** Takes nothing new until `resume`. What is being done goes on. */
  pause(): void;
  resume(): void;
  /** Takes nothing new; waits for what is being done, stops it after `graceMs` so that it is handed back. */
  stop(graceMs: number): Promise<void>;
}
