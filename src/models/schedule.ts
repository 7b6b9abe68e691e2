import type { Stage, Unfinished } from "./calls.ts";

export interface StageDepth {
  readonly waiting: number;
  readonly active: number;
  readonly delayed: number;
  readonly failed: number;
  /** Of the job that has waited longest, ms. */
  readonly oldestMs: number;
}

/** Order of the work; what there is to do, the database knows. Redis and BullMQ, or this process alone. */
export interface Schedule extends AsyncDisposable {
  /** The same work twice is done once. */
  enqueue(work: Unfinished): Promise<void>;
  depth(): Promise<Readonly<Record<Stage, StageDepth>>>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** @throws CallsiftError `queue/unreachable` */
  ping(): Promise<void>;
}
