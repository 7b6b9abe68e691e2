import { setTimeout as sleep } from "node:timers/promises";
import { DelayedError, Queue, UnrecoverableError, WaitingError, Worker } from "bullmq";
import { LANES, type Stage, type Unfinished } from "../models/calls.ts";
import type { Schedule, StageDepth } from "../models/schedule.ts";
import { fairPriority } from "./fair-priority.ts";
import { connectForCommands, connectForWork, PREFIX, pingQueue } from "./queue-connection.ts";
import type { Hands, Outcome, Process } from "./work.ts";

/** Checked on a real Redis: a worker that is gone for this long has lost its jobs. */
const LOCK_MS = 10_000;
const STALLED_EVERY_MS = 5_000;
/** How often a job may be found without its worker: the database counts crashes, so never too often. */
const MAX_STALLED = 1_000_000;
const RETRY_FETCH_MS = 2_000;
/** After the grace, for calls to be handed back. */
const LAST_WORD_MS = 3_000;

const STAGES: readonly Stage[] = ["listen", "score"];

type Work = Pick<Unfinished, "tenant" | "lane">;

/** The side of the queues that puts work in; `enqueue` does not fail when Redis is away, since the database has the truth and the reconciler reads it. */
export interface QueueSchedule extends Schedule {
  /** Work of a worker that is gone, whose job is still taken for active: as a job of its own. The database lets one of the two through. */
  enqueueAgain(work: Unfinished): Promise<void>;
  /** True for the first who asks within `ms`, over all processes. */
  isFirst(what: string, ms: number): Promise<boolean>;
}

export interface QueueOptions {
  /** Told when Redis breaks off; it is connected again by itself. */
  readonly onTrouble?: (error: Error) => void;
}

/** Opens the queues in Redis. */
export function openQueueSchedule(redisUrl: string, { onTrouble = () => {} }: QueueOptions = {}): QueueSchedule {
  const redis = connectForCommands(redisUrl, onTrouble);
  const open = (stage: Stage): Queue<Work> => {
    const queue = new Queue<Work>(stage, { connection: redis, prefix: PREFIX, skipWaitingForReady: true, skipVersionCheck: true });
    return queue.on("error", onTrouble);
  };
  const queues: Record<Stage, Queue<Work>> = { listen: open("listen"), score: open("score") };

  async function add({ id, stage, lane, tenant }: Unfinished, jobId: string): Promise<void> {
    try {
      // Scoring takes milliseconds: nobody waits for a turn there.
      const priority = stage === "listen" ? await fairPriority(redis, stage, { jobId, lane, tenant }) : LANES[lane];
      if (priority === null) return;
      // Nothing is kept of what is done or has failed: a job that is added again is only ignored while its namesake is there.
      await queues[stage].add(id, { tenant, lane }, { jobId, priority, removeOnComplete: true, removeOnFail: true });
    } catch (error) {
      onTrouble(error instanceof Error ? error : new Error(String(error)));
    }
  }

  return {
    enqueue: (work) => add(work, jobIdOf(work.id)),
    enqueueAgain: (work) => add(work, `${jobIdOf(work.id)}-again-${Date.now().toString(36)}`),
    async isFirst(what, ms) {
      return (await redis.set(`${PREFIX}:first:${what}`, "1", "PX", ms, "NX")) === "OK";
    },
    async depth() {
      const [listen, score] = await Promise.all(STAGES.map((stage) => depthOf(queues[stage])));
      return { listen, score } as Record<Stage, StageDepth>;
    },
    async pause() {
      await Promise.all(STAGES.map((stage) => queues[stage].pause()));
    },
    async resume() {
      await Promise.all(STAGES.map((stage) => queues[stage].resume()));
    },
    ping: () => pingQueue(redis),
    async [Symbol.asyncDispose]() {
      await Promise.all(STAGES.map((stage) => queues[stage].close()));
      redis.disconnect();
    },
  };
}

export interface QueueWorkerOptions extends QueueOptions {
  readonly process: Process;
  /** How many of each stage at once, in this process. */
  readonly concurrency: Readonly<Record<Stage, number>>;
  /** Where the next stage is put. */
  readonly schedule: Pick<Schedule, "enqueue">;
}

/** Takes work out of the queues in Redis. */
export function openQueueWorkers(redisUrl: string, options: QueueWorkerOptions): Hands & AsyncDisposable {
  const { process, concurrency, schedule, onTrouble = () => {} } = options;
  const redis = connectForWork(redisUrl, onTrouble);
  const stopping = new AbortController();
  const workers = STAGES.map((stage) => {
    const worker = new Worker<Work>(
      stage,
      async (job, token) => {
        // The signal is ours, not BullMQ's: that one also goes off when Redis forgets a job whose call goes on in the database.
        const outcome = await process({ id: job.name, stage, tenant: job.data.tenant, lane: job.data.lane }, stopping.signal);
        await END[outcome.kind](outcome as never, {
          schedule,
          delay: (ms) => job.moveToDelayed(Date.now() + ms, token),
          wait: () => job.moveToWait(token),
        });
      },
      {
        connection: redis,
        prefix: PREFIX,
        concurrency: concurrency[stage],
        lockDuration: LOCK_MS,
        stalledInterval: STALLED_EVERY_MS,
        maxStalledCount: MAX_STALLED,
        runRetryDelay: RETRY_FETCH_MS,
        skipVersionCheck: true,
      },
    );
    return worker.on("error", onTrouble);
  });
  let isStopped = false;

  async function stop(graceMs: number): Promise<void> {
    if (isStopped) return;
    isStopped = true;
    const late = new AbortController();
    const timer = setTimeout(() => stopping.abort(), graceMs);
    // Closing waits for what is being done, but where Redis is away it would wait for Redis too.
    const deadline = sleep(graceMs + LAST_WORD_MS, undefined, { signal: late.signal }).catch(() => {});
    try {
      await Promise.race([Promise.all(workers.map((worker) => worker.close())), deadline]);
    } finally {
      clearTimeout(timer);
      late.abort();
      redis.disconnect();
    }
  }

  return {
    pause() {
      for (const worker of workers) void worker.pause(true).catch(onTrouble);
    },
    resume() {
      for (const worker of workers) void worker.resume().catch(onTrouble);
    },
    stop,
    [Symbol.asyncDispose]: () => stop(0),
  };
}

/** What BullMQ can do with a job at its end. */
interface JobEnd {
  readonly schedule: Pick<Schedule, "enqueue">;
  readonly delay: (ms: number) => Promise<unknown>;
  readonly wait: () => Promise<unknown>;
}

/** Each outcome in the words of BullMQ. */
const END: { readonly [Kind in Outcome["kind"]]: (outcome: Extract<Outcome, { kind: Kind }>, end: JobEnd) => Promise<void> } = {
  async done() {},
  async next({ work }, { schedule }) {
    await schedule.enqueue(work);
  },
  async later({ delayMs }, { delay }) {
    await delay(delayMs);
    throw new DelayedError();
  },
  async "handed-back"(_, { wait }) {
    await wait();
    throw new WaitingError();
  },
  async failed({ error }) {
    throw new UnrecoverableError(`${error.code}: ${error.message}`);
  },
};

/** BullMQ refuses ids that hold `:` or are all digits. */
function jobIdOf(id: string): string {
  return `call-${id}`;
}

async function depthOf(queue: Queue<Work>): Promise<StageDepth> {
  const {
    waiting = 0,
    prioritized = 0,
    active = 0,
    delayed = 0,
    failed = 0,
  } = await queue.getJobCounts("waiting", "prioritized", "active", "delayed", "failed");
  const [first] = await queue.getJobs(["waiting", "prioritized"], 0, 0, true);
  return { waiting: waiting + prioritized, active, delayed, failed, oldestMs: first ? Math.max(0, Date.now() - first.timestamp) : 0 };
}
